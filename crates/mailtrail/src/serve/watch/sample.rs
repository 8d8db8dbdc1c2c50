//! One look at everything.

use std::path::Path;
use std::time::Duration;

use super::rules;
use crate::clock;
use crate::receive::Tls;
use crate::relay::{Health, Standing};
use crate::store::KeeperState;
use crate::store::sqlite::health;

/// What the metric says where nothing grows.
const NO_END_DAYS: f64 = 3650.0;

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// µs since the epoch.
    pub(super) now: i64,
    /// End of the certificate in use.
    pub(super) certificate_end: Option<i64>,
    /// The certificate's files are not in use, because they were refused.
    pub(super) certificate_refused: bool,
    /// Bytes.
    pub(super) backlog: u64,
    pub(super) max_backlog: u64,
    pub(super) oldest: Duration,
    /// Bytes of the disk.
    pub(super) free: Option<u64>,
    /// Bytes a day.
    pub(super) growth: Option<f64>,
    /// Files of the store are not the ones at their paths.
    pub(super) replaced: bool,
    /// `None`: nothing is passed on.
    pub(super) relay: Option<Standing>,
}

impl Sample {
    /// `store`: that on this machine, where there is one, with its trail.
    pub(super) fn take(store: Option<(&KeeperState, &Path)>, tls: Option<&Tls>, relay: Option<&Health>) -> Self {
        let now = clock::now_micros();
        let certificate = tls.map(Tls::standing);
        let mut sample = Self {
            now,
            certificate_end: certificate.as_ref().and_then(|certificate| certificate.end),
            certificate_refused: certificate.is_some_and(|certificate| certificate.refused.is_some()),
            relay: relay.map(Health::standing),
            ..Self::default()
        };
        if let Some((state, trail)) = store {
            let oldest = state.oldest_received_at.map_or(0, |oldest| u64::try_from(now - oldest).unwrap_or(0));
            let folder = trail.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            sample.replaced = state.replaced;
            sample.backlog = state.backlog.bytes;
            sample.max_backlog = state.max_backlog_bytes;
            sample.oldest = Duration::from_micros(oldest);
            sample.free = rules::free_space(folder).ok();
            sample.growth = health::growth(trail, now).ok().flatten();
        }
        sample
    }

    /// As metrics.
    pub(super) fn show(&self) {
        if let Some(end) = self.certificate_end {
            metrics::gauge!("mailtrail_certificate_expiry_timestamp_seconds").set(end as f64 / 1e6);
        }
        if self.has_store() {
            metrics::gauge!("mailtrail_backlog_max_bytes").set(self.max_backlog as f64);
            metrics::gauge!("mailtrail_growth_bytes_per_day").set(self.growth.unwrap_or(0.0));
        }
        if let Some(free) = self.free {
            metrics::gauge!("mailtrail_disk_free_bytes").set(free as f64);
            let left = rules::days_left(free, self.growth).unwrap_or(NO_END_DAYS);
            metrics::gauge!("mailtrail_disk_days_left").set(left.min(NO_END_DAYS));
        }
    }

    /// Without one there is neither backlog nor disk to speak of.
    fn has_store(&self) -> bool {
        self.max_backlog > 0
    }
}
