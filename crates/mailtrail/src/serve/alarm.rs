//! The built-in alarm: several POSTs refused and none accepted for ten minutes means that events are being lost, for
//! good after 24 hours. Told in the log at `error`, and in a metric.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::receive::Refusal;
use crate::stop::Stop;

const AFTER: Duration = Duration::from_secs(600);
const AT_LEAST: u32 = 3;
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Counts refusals since the last POST that was accepted.
#[derive(Clone, Default)]
pub(super) struct Alarm(Arc<Mutex<Run>>);

/// Refusals without an accepted POST between them.
#[derive(Default)]
struct Run {
    refused: u32,
    since: Option<Instant>,
    last: Option<Refusal>,
    /// Every refusal was about the age of the signature.
    only_freshness: bool,
    told: bool,
}

impl Alarm {
    pub(super) fn accepted(&self) {
        let mut run = self.lock();
        if run.told {
            tracing::info!("POSTs are accepted again");
            metrics::gauge!("mailtrail_refusing_everything").set(0.0);
        }
        *run = Run::default();
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        let freshness = matches!(refusal, Refusal::SignatureStale | Refusal::SignatureAhead);
        let mut run = self.lock();
        run.only_freshness = freshness && (run.refused == 0 || run.only_freshness);
        run.refused = run.refused.saturating_add(1);
        run.last = Some(refusal);
        run.since.get_or_insert_with(Instant::now);
    }

    /// Says once for each such time that nothing is accepted; runs until `stop`.
    pub(super) async fn watch(self, mut stop: Stop) {
        metrics::gauge!("mailtrail_refusing_everything").set(0.0);
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => self.look(),
                () = stop.requested() => return,
            }
        }
    }

    fn look(&self) {
        let mut run = self.lock();
        let (Some(since), Some(last)) = (run.since, run.last) else { return };
        if run.told || run.refused < AT_LEAST || since.elapsed() < AFTER {
            return;
        }
        run.told = true;
        metrics::gauge!("mailtrail_refusing_everything").set(1.0);
        let hint = match last {
            _ if run.only_freshness => "every refusal was about the signature's time: is this machine's clock right?",
            Refusal::BasicMissing | Refusal::BasicWrong => {
                "compare [receive] basic_auth with the user and password in SendGrid's Post URL"
            }
            Refusal::SignatureMissing => "turn on signature verification in SendGrid, or see [receive] signature",
            Refusal::SignatureWrong | Refusal::SignatureMalformed => {
                "compare [receive] public_keys with the key that SendGrid shows for this webhook"
            }
            Refusal::StoreFull | Refusal::StoreFailing | Refusal::StoreSlow => {
                "the store does not take writes: run `mailtrail doctor`"
            }
            _ => "run `mailtrail doctor`",
        };
        tracing::error!(
            refused = run.refused,
            reason = last.as_str(),
            minutes = since.elapsed().as_secs() / 60,
            "no POST is being accepted; SendGrid gives events up after 24 hours: {hint}"
        );
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        // Nothing under the lock can panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn told(&self) -> bool {
        self.lock().told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn told_after_ten_minutes_of_refusals_alone() {
        let alarm = Alarm::default();
        for _ in 0..AT_LEAST {
            alarm.refused(Refusal::SignatureWrong);
        }
        alarm.look();
        assert!(!alarm.told(), "too early");
        tokio::time::advance(AFTER).await;
        alarm.look();
        assert!(alarm.told());
        alarm.accepted();
        assert!(!alarm.told());
    }

    #[tokio::test(start_paused = true)]
    async fn one_accepted_post_keeps_it_silent() {
        let alarm = Alarm::default();
        for _ in 0..10 {
            alarm.refused(Refusal::SignatureWrong);
        }
        tokio::time::advance(AFTER).await;
        alarm.accepted();
        alarm.refused(Refusal::SignatureWrong);
        tokio::time::advance(AFTER).await;
        alarm.look();
        assert!(!alarm.told(), "a single refusal is no alarm");
    }
}
