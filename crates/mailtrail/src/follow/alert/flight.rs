//! A message on its way: each channel is tried until it took it, however long that is.

use tokio::task::JoinSet;

use crate::log::limited;
use crate::notify::{Backoff, Channel, Notice, NoticeId, Notifier, Patience};

/// The rules (by index) whose message a channel took.
pub(super) type Flights = JoinSet<usize>;

/// Puts a notice on its way; says to how many channels. Each comes back from `flights` as `rule`.
pub(super) fn start(flights: &mut Flights, notifier: &Notifier, notice: &Notice, rule: usize) -> usize {
    let channels = notifier.channels(notice);
    // Without random numbers a receiver cannot tell repetitions apart; better than not telling.
    let id = NoticeId::random().unwrap_or_else(|_| NoticeId::fixed());
    for channel in &channels {
        flights.spawn(insist(notifier.clone(), *channel, notice.clone(), id.clone(), rule));
    }
    channels.len()
}

async fn insist(notifier: Notifier, channel: Channel, notice: Notice, id: NoticeId, rule: usize) -> usize {
    let mut backoff = Backoff::new(Patience::FOLLOWER);
    loop {
        let Err(error) = notifier.send_once(channel, &notice, &id).await else {
            metrics::counter!("mailtrail_alerts_total", "outcome" => "told").increment(1);
            return rule;
        };
        metrics::counter!("mailtrail_alerts_total", "outcome" => "put_off").increment(1);
        // This patience has no end; what was refused is tried again too, since somebody may mend it at the other end.
        let wait = backoff.wait(error.retry_after()).unwrap_or(Patience::FOLLOWER.most);
        limited("alert", || {
            tracing::error!("an alert did not reach {channel}, next try in {} s: {error}", wait.as_secs());
        });
        tokio::time::sleep(wait).await;
    }
}
