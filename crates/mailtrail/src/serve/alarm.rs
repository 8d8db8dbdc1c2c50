//! The built-in alarm: several POSTs refused and none accepted for ten minutes (`[watch] refusals`) means that events are being lost, for
//! good after 24 hours. Told in the log at `error`, in a metric, and to who is notified.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::tell::Teller;
use crate::notify::{Notifier, Ops};
use crate::receive::Refusal;
use crate::stop::Stop;

const AT_LEAST: u32 = 3;

/// Counts refusals since the last POST that was accepted.
#[derive(Clone)]
pub(super) struct Alarm {
    run: Arc<Mutex<Run>>,
    /// After so long without an accepted POST.
    after: Duration,
}

/// Refusals without an accepted POST between them.
#[derive(Default)]
struct Run {
    refused: u32,
    since: Option<Instant>,
    last: Option<Refusal>,
    /// Every refusal was about the age of the signature.
    only_freshness: bool,
    told: bool,
    /// A run that was told has ended, which is not told yet.
    over: bool,
}

impl Alarm {
    pub(super) fn new(after: Duration) -> Self {
        Self { run: Arc::default(), after }
    }

    pub(super) fn accepted(&self) {
        let mut run = self.lock();
        if run.told {
            tracing::info!("POSTs are accepted again");
            metrics::gauge!("mailtrail_refusing_everything").set(0.0);
        }
        *run = Run { over: run.told || run.over, ..Run::default() };
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
    pub(super) async fn watch(self, every: Duration, notifier: Notifier, mut stop: Stop) {
        metrics::gauge!("mailtrail_refusing_everything").set(0.0);
        let mut teller = Teller::new(notifier);
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.requested() => return,
            }
            tokio::select! {
                () = teller.tell(self.look()) => {}
                () = stop.requested() => return,
            }
        }
    }

    /// What is to be told now.
    fn look(&self) -> Option<Ops> {
        let mut run = self.lock();
        if std::mem::take(&mut run.over) {
            return Some(Ops::RefusalsOver);
        }
        let (Some(since), Some(last)) = (run.since, run.last) else { return None };
        if run.told || run.refused < AT_LEAST || since.elapsed() < self.after {
            return None;
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
        Some(Ops::Refusals { refused: u64::from(run.refused), lasting: since.elapsed(), reason: last.as_str() })
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        // Nothing under the lock can panic half way.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn told_after_ten_minutes_of_refusals_alone() {
        let alarm = Alarm::new(AFTER);
        for _ in 0..AT_LEAST {
            alarm.refused(Refusal::SignatureWrong);
        }
        assert_eq!(alarm.look(), None, "too early");
        tokio::time::advance(AFTER).await;
        let told = alarm.look();
        assert!(
            matches!(told, Some(Ops::Refusals { refused: 3, lasting: AFTER, reason: "signature_wrong" })),
            "{told:?}"
        );
        assert_eq!(alarm.look(), None, "once");
        alarm.accepted();
        alarm.accepted();
        assert_eq!((alarm.look(), alarm.look()), (Some(Ops::RefusalsOver), None));
    }

    #[tokio::test(start_paused = true)]
    async fn one_accepted_post_keeps_it_silent() {
        let alarm = Alarm::new(AFTER);
        for _ in 0..10 {
            alarm.refused(Refusal::SignatureWrong);
        }
        tokio::time::advance(AFTER).await;
        alarm.accepted();
        alarm.refused(Refusal::SignatureWrong);
        tokio::time::advance(AFTER).await;
        assert_eq!(alarm.look(), None, "a single refusal is no alarm");
    }
}
