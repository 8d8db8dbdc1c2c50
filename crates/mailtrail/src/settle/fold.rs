//! The events of one recipient → what became of the newest message.

use super::Status;

/// One event of a recipient.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Tells the recipient's messages apart; `None` where the event names none.
    pub message: Option<i64>,
    /// Column `event`.
    pub event: &'a str,
    /// Column `type`.
    pub r#type: Option<&'a str>,
    /// µs since the epoch.
    pub timestamp: i64,
    /// `reason`, or `response` where there is none.
    pub reason: Option<&'a str>,
    /// `bounce_classification`
    pub classification: Option<&'a str>,
    /// Column `status`.
    pub status_code: Option<&'a str>,
}

/// What became of the newest message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The worst news.
    pub status: Status,
    /// Why: of the latest event that brought this news, where the mail is deferred or did not arrive.
    pub reason: Option<String>,
    /// `bounce_classification` of the same event.
    pub classification: Option<String>,
    /// Column `status` of the same event.
    pub status_code: Option<String>,
    /// When the message's first event happened, µs since the epoch.
    pub first_seen: i64,
    /// When its last one did.
    pub last_seen: i64,
}

/// Takes the events of one recipient, one by one.
///
/// Events are folded for each message; the message whose first event is the newest counts. An event without a message id
/// belongs to the message that began last before it.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    messages: Vec<(i64, Message)>,
    /// One entry for each time and status.
    nameless: Vec<Message>,
}

/// What is known of one message. Its order is that of outcomes: see [`Message::take`].
#[derive(Debug, Clone)]
struct Message {
    first_seen: i64,
    last_seen: i64,
    worst: News,
}

/// Ordered: worse news, then later ones, is greater. The texts only make the order complete, so that it never depends on
/// which event came in first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct News {
    status: Status,
    at: i64,
    reason: Option<Box<str>>,
    classification: Option<Box<str>>,
    status_code: Option<Box<str>>,
}

impl Message {
    fn of(seen: &Seen<'_>) -> Self {
        let status = Status::of(seen.event, seen.r#type);
        let tells = status == Status::Deferred || status.is_unreached();
        let text = |text: Option<&str>| text.filter(|_| tells).map(Box::from);
        Self {
            first_seen: seen.timestamp,
            last_seen: seen.timestamp,
            worst: News {
                status,
                at: seen.timestamp,
                reason: text(seen.reason),
                classification: text(seen.classification),
                status_code: text(seen.status_code),
            },
        }
    }

    fn take(&mut self, other: Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        if other.worst > self.worst {
            self.worst = other.worst;
        }
    }
}

impl Fold {
    /// Takes an event.
    pub fn add(&mut self, seen: &Seen<'_>) {
        let new = Message::of(seen);
        match seen.message {
            Some(id) => match self.messages.iter_mut().find(|(known, _)| *known == id) {
                Some((_, message)) => message.take(new),
                None => self.messages.push((id, new)),
            },
            None => {
                let same = |old: &Message| old.worst.at == new.worst.at && old.worst.status == new.worst.status;
                match self.nameless.iter_mut().find(|old| same(old)) {
                    Some(old) => old.take(new),
                    None => self.nameless.push(new),
                }
            }
        }
    }

    /// Whether an event of this message was taken.
    #[must_use]
    pub fn knows(&self, message: i64) -> bool {
        self.messages.iter().any(|(known, _)| *known == message)
    }

    /// What became of the newest message; `None` before the first event.
    #[must_use]
    pub fn settled(self) -> Option<Settled> {
        // Of two that began at the same moment the worse news count; texts and times only make the choice complete.
        let newest = self.messages.into_iter().max_by(|(id, one), (other_id, other)| {
            let order = |message: &Message| (message.first_seen, message.worst.status);
            order(one)
                .cmp(&order(other))
                .then_with(|| one.worst.cmp(&other.worst))
                .then_with(|| one.last_seen.cmp(&other.last_seen))
                .then_with(|| id.cmp(other_id))
        });
        // Where no message is named, all events are taken for those of one.
        let begun = newest.as_ref().map_or(i64::MIN, |(_, message)| message.first_seen);
        let later = self.nameless.into_iter().filter(|event| event.first_seen >= begun);
        let outcome = newest.map(|(_, message)| message).into_iter().chain(later).reduce(|mut whole, event| {
            whole.take(event);
            whole
        })?;
        Some(Settled {
            status: outcome.worst.status,
            reason: outcome.worst.reason.map(String::from),
            classification: outcome.worst.classification.map(String::from),
            status_code: outcome.worst.status_code.map(String::from),
            first_seen: outcome.first_seen,
            last_seen: outcome.last_seen,
        })
    }
}

#[cfg(test)]
mod tests;
