//! One look at everything.

use std::path::Path;
use std::time::Duration;

use super::rules;
use crate::clock;
use crate::receive::certificate_end;
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
    pub(super) certificate_end: Option<i64>,
    /// Bytes.
    pub(super) backlog: u64,
    pub(super) max_backlog: u64,
    pub(super) oldest: Duration,
    /// Bytes of the disk.
    pub(super) free: Option<u64>,
    /// Bytes a day.
    pub(super) growth: Option<f64>,
    /// `None`: nothing is passed on.
    pub(super) relay: Option<Standing>,
}

impl Sample {
    pub(super) fn take(state: &KeeperState, trail: &Path, certificate: Option<&Path>, relay: Option<&Health>) -> Self {
        let now = clock::now_micros();
        let oldest = state.oldest_received_at.map_or(0, |oldest| u64::try_from(now - oldest).unwrap_or(0));
        let folder = trail.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What cannot be read is told elsewhere, by who needs it.
        Self {
            now,
            certificate_end: certificate
                .and_then(|path| std::fs::read_to_string(path).ok())
                .and_then(|text| certificate_end(&text)),
            backlog: state.backlog.bytes,
            max_backlog: state.max_backlog_bytes,
            oldest: Duration::from_micros(oldest),
            free: rules::free_space(folder).ok(),
            growth: health::growth(trail, now).ok().flatten(),
            relay: relay.map(Health::standing),
        }
    }

    /// As metrics.
    pub(super) fn show(&self) {
        if let Some(end) = self.certificate_end {
            metrics::gauge!("mailtrail_certificate_expiry_timestamp_seconds").set(end as f64 / 1e6);
        }
        metrics::gauge!("mailtrail_backlog_max_bytes").set(self.max_backlog as f64);
        if let Some(free) = self.free {
            metrics::gauge!("mailtrail_disk_free_bytes").set(free as f64);
            let left = rules::days_left(free, self.growth).unwrap_or(NO_END_DAYS);
            metrics::gauge!("mailtrail_disk_days_left").set(left.min(NO_END_DAYS));
        }
        metrics::gauge!("mailtrail_growth_bytes_per_day").set(self.growth.unwrap_or(0.0));
    }
}
