//! A message on its way to one destination, tried until it is taken or refused for good.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::log::limited;
use crate::notify::{Backoff, Channel, Notice, NoticeId, Notifier, Patience};

/// So often a refusal is tried again that may not be permanent.
const REFUSED_TRIES: u32 = 5;

/// Messages on their way.
pub(super) type Flights = JoinSet<Landed>;

/// A message that is not on its way any more.
pub(super) struct Landed {
    /// Index of its watch.
    pub(super) watch: usize,
    /// Whether the destination took it.
    pub(super) told: bool,
}

/// Sends a notice; it comes back from `flights` with `watch`.
pub(super) fn start(flights: &mut Flights, notifier: &Notifier, channel: Channel, notice: Notice, watch: usize) {
    // Without random numbers a receiver cannot tell repetitions apart; better than not telling.
    let id = NoticeId::random().unwrap_or_else(|_| NoticeId::fixed());
    let notifier = notifier.clone();
    flights.spawn(async move { Landed { watch, told: deliver(&notifier, channel, &notice, &id).await } });
}

async fn deliver(notifier: &Notifier, channel: Channel, notice: &Notice, id: &NoticeId) -> bool {
    let count = |outcome| metrics::counter!("mailtrail_alerts_total", "outcome" => outcome).increment(1);
    let (mut backoff, mut refused) = (Backoff::new(Patience::FOLLOWER), 0);
    loop {
        let Err(error) = notifier.send_once(channel, notice, id).await else {
            count("told");
            return true;
        };
        refused += u32::from(!error.may_pass());
        if error.is_permanent() || refused >= REFUSED_TRIES {
            count("refused");
            tracing::error!("{channel} refuses an alert, which is not sent to it again: {error}");
            notifier.tell_others(channel, &error).await;
            return false;
        }
        count("put_off");
        let wait = backoff.wait(error.retry_after()).unwrap_or(Patience::FOLLOWER.most);
        limited("alert", || {
            tracing::error!("an alert did not reach {channel}, next try in {} s: {error}", seconds(wait));
        });
        tokio::time::sleep(wait).await;
    }
}

/// Rounded up, so that no wait is shown as none.
fn seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_below_a_second_is_not_shown_as_none() {
        let shown = [1, 999, 1_000, 1_001, 30_000].map(|millis| seconds(Duration::from_millis(millis)));
        assert_eq!(shown, [1, 1, 1, 2, 30]);
        assert_eq!(seconds(Duration::ZERO), 0);
    }
}
