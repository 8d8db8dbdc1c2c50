//! The built-in alarm: several POSTs refused and none accepted for ten minutes (`[watch] refusals`) means that events are being lost, for
//! good after 24 hours. It is reported in the log at `error`, in a metric, and by a notice.
//!
//! Anybody can send POSTs that are refused. So refusals of proven senders (valid credentials or a valid signature) are counted apart
//! from those that nothing proves, and a notice says which of the two it is about.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::tell::Teller;
use crate::notify::{Notifier, Ops};
use crate::receive::{Refusal, wrong_path};
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
    proven: RefusalTally,
    unproven: RefusalTally,
    /// A run that was reported has ended, which is not reported yet.
    over: bool,
}

/// Refusals of one kind of sender.
#[derive(Default)]
struct RefusalTally {
    refused: u32,
    since: Option<Instant>,
    last: Option<Refusal>,
    /// Every refusal was about the age of the signature.
    only_freshness: bool,
    reported: bool,
}

impl RefusalTally {
    fn add(&mut self, refusal: Refusal) {
        let freshness = matches!(refusal, Refusal::SignatureStale | Refusal::SignatureAhead);
        self.only_freshness = freshness && (self.refused == 0 || self.only_freshness);
        self.refused = self.refused.saturating_add(1);
        self.last = Some(refusal);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Since when and with which last reason, if this is to be reported now.
    fn due(&mut self, after: Duration) -> Option<(Duration, Refusal)> {
        let (lasting, last) = (self.since?.elapsed(), self.last?);
        let due = !self.reported && self.refused >= AT_LEAST && lasting >= after;
        self.reported |= due;
        due.then_some((lasting, last))
    }
}

impl Alarm {
    pub(super) fn new(after: Duration) -> Self {
        Self { run: Arc::default(), after }
    }

    pub(super) fn accepted(&self) {
        let mut run = self.lock();
        let reported = run.proven.reported || run.unproven.reported;
        if reported {
            tracing::info!("POSTs are accepted again");
            show(false, false);
        }
        *run = Run { over: reported || run.over, ..Run::default() };
    }

    /// `proven`: valid credentials or a valid signature came with it.
    pub(super) fn refused(&self, refusal: Refusal, proven: bool) {
        let mut run = self.lock();
        if proven { run.proven.add(refusal) } else { run.unproven.add(refusal) }
    }

    /// Says once for each such time that nothing is accepted; runs until `stop`.
    pub(super) async fn watch(self, every: Duration, notifier: Notifier, mut stop: Stop) {
        show(false, false);
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

    /// What is to be reported now.
    fn look(&self) -> Option<Ops> {
        let mut run = self.lock();
        if std::mem::take(&mut run.over) {
            return Some(Ops::RefusalsOver);
        }
        if let Some((lasting, last)) = run.proven.due(self.after) {
            let refused = run.proven.refused;
            let hint = proven_hint(run.proven.only_freshness, last);
            show(true, run.unproven.reported);
            tracing::error!(
                refused,
                reason = last.as_str(),
                minutes = lasting.as_secs() / 60,
                "no POST is being accepted; SendGrid gives events up after 24 hours: {hint}"
            );
            return Some(Ops::Refusals { refused: refused.into(), lasting, reason: last.as_str(), proven: true });
        }
        // Behind a notice that certainly concerns SendGrid, one about strangers adds nothing.
        if run.proven.reported {
            return None;
        }
        let (lasting, last) = run.unproven.due(self.after)?;
        let refused = run.unproven.refused;
        show(false, true);
        tracing::error!(
            refused,
            reason = last.as_str(),
            minutes = lasting.as_secs() / 60,
            "POSTs are refused and none is accepted: {}. Nothing proves who sent them: they may be a stranger's. If they are \
             SendGrid's, it gives events up after 24 hours",
            unproven_hint(last)
        );
        Some(Ops::Refusals { refused: refused.into(), lasting, reason: last.as_str(), proven: false })
    }

    fn lock(&self) -> MutexGuard<'_, Run> {
        // Nothing under the lock can panic half way.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(proven: bool, unproven: bool) {
    metrics::gauge!("mailtrail_refusing_everything").set(f64::from(u8::from(proven)));
    metrics::gauge!("mailtrail_refusing_unproven").set(f64::from(u8::from(unproven)));
}

fn proven_hint(only_freshness: bool, last: Refusal) -> String {
    match last {
        _ if only_freshness => {
            "every refusal was about the signature's time, and the signatures are valid: is this machine's clock right?".to_owned()
        }
        Refusal::WrongPath => format!(
            "POSTs with valid credentials come to {}: correct the Post URL in SendGrid or the path that the proxy passes on, or set \
             [receive] path",
            wrong_path::last().unwrap_or_default()
        ),
        Refusal::SignatureMissing => {
            "the credentials are right, but the signature is missing: turn on signature verification in SendGrid, or see [receive] \
             signature"
                .to_owned()
        }
        Refusal::SignatureWrong | Refusal::SignatureMalformed => {
            "the credentials are right, but the signature is not: compare [receive] public_keys with the key that SendGrid shows for \
             this webhook"
                .to_owned()
        }
        Refusal::StoreFull | Refusal::StoreFailing | Refusal::StoreSlow => {
            "the store does not take writes: run `mailtrail doctor`".to_owned()
        }
        _ => "run `mailtrail doctor`".to_owned(),
    }
}

fn unproven_hint(last: Refusal) -> &'static str {
    match last {
        Refusal::BasicMissing | Refusal::BasicWrong => {
            "the credentials are wrong or missing; compare [receive] basic_auth with the user and password in SendGrid's Post URL"
        }
        Refusal::SignatureMissing => {
            "the signature is missing; turn on signature verification in SendGrid, or see [receive] signature"
        }
        Refusal::SignatureWrong | Refusal::SignatureMalformed => {
            "the key or the signature is wrong; compare [receive] public_keys with the key that SendGrid shows for this webhook"
        }
        Refusal::SignatureStale | Refusal::SignatureAhead => "the signatures are too old or too new",
        _ => "`mailtrail doctor` shows the reasons",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn reported_after_ten_minutes_of_refusals_alone() {
        let alarm = Alarm::new(AFTER);
        for _ in 0..AT_LEAST {
            alarm.refused(Refusal::SignatureWrong, true);
        }
        assert_eq!(alarm.look(), None, "too early");
        tokio::time::advance(AFTER).await;
        let reported = alarm.look();
        assert!(
            matches!(
                reported,
                Some(Ops::Refusals { refused: 3, lasting: AFTER, reason: "signature_wrong", proven: true })
            ),
            "{reported:?}"
        );
        assert_eq!(alarm.look(), None, "once");
        alarm.accepted();
        alarm.accepted();
        assert_eq!((alarm.look(), alarm.look()), (Some(Ops::RefusalsOver), None));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_that_nothing_proves_are_reported_as_such() {
        let alarm = Alarm::new(AFTER);
        for _ in 0..AT_LEAST {
            alarm.refused(Refusal::SignatureStale, false);
        }
        alarm.refused(Refusal::BasicWrong, false);
        alarm.refused(Refusal::StoreFailing, true);
        tokio::time::advance(AFTER).await;
        let reported = alarm.look();
        assert!(matches!(reported, Some(Ops::Refusals { refused: 4, proven: false, .. })), "{reported:?}");
        alarm.refused(Refusal::StoreFailing, true);
        assert_eq!(alarm.look(), None, "two are too few");
        alarm.refused(Refusal::StoreFailing, true);
        let reported = alarm.look();
        assert!(matches!(reported, Some(Ops::Refusals { refused: 3, proven: true, .. })), "{reported:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_accepted_post_keeps_it_silent() {
        let alarm = Alarm::new(AFTER);
        for _ in 0..10 {
            alarm.refused(Refusal::SignatureWrong, true);
        }
        tokio::time::advance(AFTER).await;
        alarm.accepted();
        alarm.refused(Refusal::SignatureWrong, true);
        tokio::time::advance(AFTER).await;
        assert_eq!(alarm.look(), None, "a single refusal is no alarm");
    }
}
