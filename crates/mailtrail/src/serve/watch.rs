//! Looks once a minute at what would stop the receiving if nobody acts: clock, certificate, backlog, disk. Each is told once
//! when it begins, again when it gets worse, and once when it is over; in the log, as a metric, and to who is notified.

pub(crate) mod rules;
mod sample;

use std::path::PathBuf;
use std::time::Duration;

use crate::notify::{Concern, ConcernKind, Notice, Notifier, Ops};
use crate::receive::skew;
use crate::stop::Stop;
use crate::store::Keeper;
use rules::ClockRule;
use sample::Sample;

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What is looked at.
pub(super) struct Watch {
    /// The store on this machine, with its trail; `None` where events go to BigQuery.
    pub(super) store: Option<(Keeper, PathBuf)>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) notifier: Notifier,
}

impl Watch {
    /// Runs until `stop`.
    pub(super) async fn run(self, mut stop: Stop) {
        let mut concerns = Concerns::default();
        loop {
            let store = self.store.as_ref().map(|(keeper, trail)| (keeper.state(), trail.clone()));
            let certificate = self.certificate.clone();
            let look = move || {
                let store = store.as_ref().map(|(state, trail)| (state, trail.as_path()));
                Sample::take(store, certificate.as_deref())
            };
            // Files and the trail are read beside the runtime's threads; a panic there would cost one look.
            if let Ok(sample) = tokio::task::spawn_blocking(look).await {
                sample.show();
                for told in concerns.judge(&sample, skew::take()) {
                    let notice = Notice::Ops(told);
                    tokio::select! {
                        sent = self.notifier.send(&notice) => if let Err(error) = sent {
                            tracing::error!("{error}");
                        },
                        () = stop.requested() => return,
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.requested() => return,
            }
        }
    }
}

/// What was told.
#[derive(Default)]
struct Concerns {
    clock: ClockRule,
    told: [Option<Concern>; 4],
}

impl Concerns {
    /// What is to be told now.
    fn judge(&mut self, sample: &Sample, ages: Option<skew::Ages>) -> Vec<Ops> {
        let filling = matches!(self.told[2], Some(Concern::Backlog { .. }));
        let now = [
            self.clock.judge(sample.now, ages),
            sample.certificate_end.and_then(|end| rules::certificate(end, sample.now)),
            rules::backlog(sample.backlog, sample.max_backlog, sample.oldest, filling),
            sample.free.and_then(|free| rules::disk(free, sample.growth)),
        ];
        let mut news = Vec::new();
        for ((kind, told), now) in ConcernKind::ALL.into_iter().zip(&mut self.told).zip(now) {
            metrics::gauge!("mailtrail_concern", "kind" => kind.as_str()).set(f64::from(u8::from(now.is_some())));
            match (&told, now) {
                (None, None) => {}
                (Some(_), None) => {
                    tracing::info!(concern = kind.as_str(), "over");
                    news.push(Ops::ConcernOver(kind));
                }
                (Some(before), Some(now)) if rules::severity(&now) <= rules::severity(before) => continue,
                (_, Some(now)) => {
                    tracing::error!(concern = kind.as_str(), "{now:?}: run `mailtrail doctor`");
                    news.push(Ops::Concern(now));
                }
            }
            *told = now;
        }
        news
    }
}

#[cfg(test)]
mod tests;
