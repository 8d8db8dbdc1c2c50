//! Looks again and again at what would stop the receiving if nobody acts (clock, certificate, backlog, disk, files) or keeps it from
//! others (relay). Each is told once
//! when it begins, again when it gets worse, and once when it is over; in the log, as a metric, and to who is notified.

pub(crate) mod rules;
mod sample;

use std::path::PathBuf;
use std::sync::Arc;

use super::tell::Teller;
use crate::config;
use crate::notify::{Concern, ConcernKind, Notice, Notifier, Ops};
use crate::receive::{Tls, skew};
use crate::relay::Health;
use crate::stop::Stop;
use crate::store::Keeper;
use rules::ClockRule;
use sample::Sample;

/// What is looked at.
pub(super) struct Watch {
    /// The store on this machine, with its trail; `None` where events go to BigQuery.
    pub(super) store: Option<(Keeper, PathBuf)>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) relay: Option<Health>,
    pub(super) notifier: Notifier,
    pub(super) when: config::Watch,
}

impl Watch {
    /// Runs until `stop`.
    pub(super) async fn run(self, mut stop: Stop) {
        let mut concerns = Concerns::new(self.when);
        let mut teller = Teller::new(self.notifier);
        loop {
            let store = self.store.as_ref().map(|(keeper, trail)| (keeper.state(), trail.clone()));
            let (tls, relay) = (self.tls.clone(), self.relay.clone());
            let look = move || {
                let store = store.as_ref().map(|(state, trail)| (state, trail.as_path()));
                Sample::take(store, tls.as_deref(), relay.as_ref())
            };
            // Files and the trail are read beside the runtime's threads; a panic there would cost one look.
            if let Ok(sample) = tokio::task::spawn_blocking(look).await {
                sample.show();
                tokio::select! {
                    () = teller.tell(concerns.judge(&sample, skew::take())) => {}
                    () = stop.requested() => return,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(self.when.every) => {}
                () = stop.requested() => return,
            }
        }
    }
}

/// What was told.
struct Concerns {
    when: config::Watch,
    clock: ClockRule,
    told: [Option<Concern>; ConcernKind::ALL.len()],
}

impl Concerns {
    fn new(when: config::Watch) -> Self {
        Self { when, clock: ClockRule::default(), told: [None; ConcernKind::ALL.len()] }
    }

    /// What is to be told now.
    fn judge(&mut self, sample: &Sample, ages: Option<skew::Ages>) -> Vec<Ops> {
        let when = &self.when;
        let [_, certificate, filling, disk, late, _] = self.told;
        let now = [
            self.clock.judge(sample.now, ages, when.clock),
            // What is not known just now is as it was.
            sample
                .certificate_end
                .map_or(certificate, |end| rules::certificate(when, end, sample.certificate_refused, sample.now)),
            rules::backlog(when, sample.backlog, sample.max_backlog, sample.oldest, filling.is_some()),
            sample.free.map_or(disk, |free| rules::disk(when, free, sample.growth)),
            sample.relay.and_then(|standing| rules::relay(when, &standing, late.is_some())),
            sample.replaced.then_some(Concern::Files),
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
                (Some(before), Some(now)) if rules::severity(when, &now) <= rules::severity(when, before) => continue,
                (_, Some(now)) => {
                    let text = Notice::Ops(Ops::Concern(now)).log_text();
                    tracing::error!(concern = kind.as_str(), "{text}: run `mailtrail doctor`");
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
