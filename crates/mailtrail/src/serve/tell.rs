//! Tells whoever runs mailtrail, and again at the next look who could not be told: an alarm must outlive the hour in which Slack
//! was down, too.

use std::collections::{BTreeMap, VecDeque};

use tokio::task::JoinSet;

use crate::notify::{Channel, Notice, Notifier, Ops};

/// What is kept for one channel; beyond it the oldest goes.
const MOST_OWED: usize = 20;

/// Tells, and remembers what each channel has not taken.
pub(super) struct Teller {
    notifier: Notifier,
    owed: BTreeMap<Channel, VecDeque<Notice>>,
}

impl Teller {
    pub(super) fn new(notifier: Notifier) -> Self {
        Self { notifier, owed: BTreeMap::new() }
    }

    /// Tells what is owed and then what is new, each channel in order, so that none hears of an end before the beginning.
    pub(super) async fn tell(&mut self, news: impl IntoIterator<Item = Ops>) {
        for notice in news.into_iter().map(Notice::Ops) {
            for channel in self.notifier.channels(&notice) {
                self.owed.entry(channel).or_default().push_back(notice.clone());
            }
        }
        // All at once: one that hangs must not hold up the others.
        let mut channels = JoinSet::new();
        for (channel, notices) in std::mem::take(&mut self.owed) {
            channels.spawn(tell_one(self.notifier.clone(), channel, notices));
        }
        self.owed = channels.join_all().await.into_iter().filter(|(_, left)| !left.is_empty()).collect();
    }
}

/// What the channel did not take.
async fn tell_one(notifier: Notifier, channel: Channel, mut notices: VecDeque<Notice>) -> (Channel, VecDeque<Notice>) {
    while let Some(notice) = notices.front() {
        if let Err(error) = notifier.send_to(channel, notice).await {
            tracing::error!("the notice did not reach {channel}: {error}");
            if error.may_pass() {
                break;
            }
            notifier.tell_others(channel, &error).await;
        }
        notices.pop_front();
    }
    while notices.len() > MOST_OWED {
        notices.pop_front();
    }
    (channel, notices)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Language, Slack};
    use crate::notify::testing::{Answer, OK, Service};
    use crate::notify::{Concern, ConcernKind, Manner, Patience};

    /// Gives up at the first failure.
    const NONE: Patience =
        Patience { first: Duration::from_millis(1), most: Duration::from_millis(1), total: Some(Duration::ZERO) };

    #[tokio::test]
    async fn who_could_not_be_told_is_told_later_in_order_and_a_refusal_is_the_end() {
        let answers: &'static [Answer] =
            &[Answer::Status(503, "", ""), Answer::Cut, OK, OK, Answer::Status(404, "", "no_service"), OK];
        let service = Service::start(answers).await;
        let slack = Slack { business: None, ops: Some(service.url()), language: Language::English, reasons: false };
        let notifier = Notifier::with(slack, None, Manner::default(), NONE).expect("a client");
        let mut teller = Teller::new(notifier);
        let told = |service: &Service| service.posts().iter().filter(|post| post.contains("certificate")).count();
        teller.tell([Ops::Concern(Concern::Certificate { left: Duration::ZERO, refused: false })]).await;
        assert_eq!(told(&service), 1, "503");
        teller.tell([Ops::ConcernOver(ConcernKind::Certificate)]).await;
        assert_eq!(told(&service), 2, "cut: the end waits behind the beginning");
        teller.tell([]).await;
        assert_eq!(told(&service), 4);
        let posts = service.posts();
        assert!(posts[2].contains("has run out") && posts[3].contains("holds again"), "{posts:?}");
        teller.tell([]).await;
        assert_eq!(told(&service), 4, "nothing is owed");
        teller.tell([Ops::ConcernOver(ConcernKind::Certificate)]).await;
        teller.tell([]).await;
        assert_eq!(told(&service), 5, "refused for good");
    }
}
