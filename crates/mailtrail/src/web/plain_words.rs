//! Why, in plain words: what an event says with codes and classes, for people who do not know them.

use super::texts::Texts;
use crate::outcome::enhanced_code;
use crate::settle::Status;
use crate::store::query::EventRecord;

/// What happened, as far as the event tells. Each is one sentence in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    NoSuchMailbox,
    NoSuchDomain,
    MailboxFull,
    MailboxDisabled,
    TooLarge,
    Reputation,
    Content,
    Policy,
    TooMuch,
    TechnicalFailure,
    RefusedForNow,
    RefusedForGood,
    ComesAgain,
    DroppedBounced,
    DroppedUnsubscribed,
    DroppedSpam,
    DroppedInvalid,
    DroppedDuplicate,
    DroppedOther,
    Processed,
    Delivered,
    Open,
    MachineOpen,
    Click,
    Spam,
    Unsubscribed,
    Resubscribed,
}

impl Why {
    /// Of an event; `None` for types that nobody knows yet.
    pub(super) fn of(event: &EventRecord) -> Option<Self> {
        Some(match event.event.as_str() {
            "processed" => Self::Processed,
            "delivered" => Self::Delivered,
            "open" if event.sg_machine_open == Some(true) => Self::MachineOpen,
            "open" => Self::Open,
            "click" => Self::Click,
            "spamreport" => Self::Spam,
            "unsubscribe" | "group_unsubscribe" => Self::Unsubscribed,
            "group_resubscribe" => Self::Resubscribed,
            "dropped" => dropped(event.reason.as_deref().unwrap_or_default()),
            "deferred" => refusal(event).unwrap_or(Self::ComesAgain),
            "bounce" => refusal(event).unwrap_or(match event.mail_status() {
                Status::Blocked => Self::RefusedForNow,
                _ => Self::RefusedForGood,
            }),
            _ => return None,
        })
    }

    pub(super) fn text(self, t: &Texts) -> &'static str {
        let w = &t.why;
        match self {
            Self::NoSuchMailbox => w.no_such_mailbox,
            Self::NoSuchDomain => w.no_such_domain,
            Self::MailboxFull => w.mailbox_full,
            Self::MailboxDisabled => w.mailbox_disabled,
            Self::TooLarge => w.too_large,
            Self::Reputation => w.reputation,
            Self::Content => w.content,
            Self::Policy => w.policy,
            Self::TooMuch => w.too_much,
            Self::TechnicalFailure => w.technical_failure,
            Self::RefusedForNow => w.refused_for_now,
            Self::RefusedForGood => w.refused_for_good,
            Self::ComesAgain => w.comes_again,
            Self::DroppedBounced => w.dropped_bounced,
            Self::DroppedUnsubscribed => w.dropped_unsubscribed,
            Self::DroppedSpam => w.dropped_spam,
            Self::DroppedInvalid => w.dropped_invalid,
            Self::DroppedDuplicate => w.dropped_duplicate,
            Self::DroppedOther => w.dropped_other,
            Self::Processed => w.processed,
            Self::Delivered => w.delivered,
            Self::Open => w.open,
            Self::MachineOpen => w.machine_open,
            Self::Click => w.click,
            Self::Spam => w.spam,
            Self::Unsubscribed => w.unsubscribed,
            Self::Resubscribed => w.resubscribed,
        }
    }
}

/// By the enhanced status code (RFC 3463, the IANA registry), which is the most exact, else by SendGrid's class.
fn refusal(event: &EventRecord) -> Option<Why> {
    // A basic code, such as 550, leaves the other to the mail server's text.
    let code = event.status.as_deref().filter(|code| code.contains('.'));
    let code = code.or_else(|| event.reason.as_deref().and_then(enhanced_code)).unwrap_or_default();
    let subject = code.split_once('.').map_or("", |(_, subject)| subject);
    let by_code = match subject {
        "1.1" | "1.6" | "1.10" => Some(Why::NoSuchMailbox),
        "1.2" | "4.4" => Some(Why::NoSuchDomain),
        "2.1" => Some(Why::MailboxDisabled),
        "2.2" => Some(Why::MailboxFull),
        "2.3" | "3.4" => Some(Why::TooLarge),
        "4.1" | "4.2" | "4.7" => Some(Why::TechnicalFailure),
        _ => None,
    };
    by_code
        .or_else(|| match event.bounce_classification.as_deref()?.to_ascii_lowercase().as_str() {
            "invalid address" => Some(Why::NoSuchMailbox),
            "mailbox unavailable" => Some(Why::MailboxDisabled),
            "technical failure" | "technical" => Some(Why::TechnicalFailure),
            "content" => Some(Why::Content),
            "reputation" => Some(Why::Reputation),
            "frequency or volume too high" | "frequency/volume" => Some(Why::TooMuch),
            _ => None,
        })
        .or_else(|| subject.starts_with("7.").then_some(Why::Policy))
}

/// SendGrid's own reasons of `dropped`.
fn dropped(reason: &str) -> Why {
    let reason = reason.to_ascii_lowercase();
    match reason.trim() {
        reason if reason.starts_with("bounced") => Why::DroppedBounced,
        reason if reason.starts_with("duplicate message") => Why::DroppedDuplicate,
        reason if reason.starts_with("unsubscribed address") => Why::DroppedUnsubscribed,
        reason if reason.starts_with("spam reporting address") => Why::DroppedSpam,
        reason if reason.starts_with("invalid") => Why::DroppedInvalid,
        _ => Why::DroppedOther,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::event_view::tests::event;

    #[test]
    fn codes_and_classes_become_reasons() {
        let told = |name: &str, status: Option<&str>, class: Option<&str>, reason: Option<&str>| {
            let text = |value: Option<&str>| value.map(str::to_owned);
            let event = EventRecord {
                status: text(status),
                bounce_classification: text(class),
                reason: text(reason),
                ..event(1, name)
            };
            Why::of(&event)
        };
        for (name, status, class, reason, expected) in [
            ("bounce", Some("5.1.1"), Some("Unclassified"), None, Some(Why::NoSuchMailbox)),
            ("bounce", Some("5.2.2"), None, None, Some(Why::MailboxFull)),
            ("bounce", None, Some("Reputation"), None, Some(Why::Reputation)),
            ("bounce", Some("5.7.1"), Some("Reputation"), None, Some(Why::Reputation)),
            ("bounce", Some("5.7.1"), None, None, Some(Why::Policy)),
            ("bounce", None, None, Some("550 5.1.1 no such user"), Some(Why::NoSuchMailbox)),
            ("bounce", Some("550"), None, Some("550 5.1.1 no such user"), Some(Why::NoSuchMailbox)),
            ("bounce", None, None, Some("192.0.2.1 refused"), Some(Why::RefusedForGood)),
            ("bounce", None, None, None, Some(Why::RefusedForGood)),
            ("deferred", Some("4.2.2"), None, None, Some(Why::MailboxFull)),
            ("deferred", None, None, None, Some(Why::ComesAgain)),
            ("dropped", None, None, Some("Bounced Address"), Some(Why::DroppedBounced)),
            // docs.sendgrid.com/glossary/drops
            ("dropped", None, None, Some("Bounced"), Some(Why::DroppedBounced)),
            ("dropped", None, None, Some("Duplicate message"), Some(Why::DroppedDuplicate)),
            ("dropped", None, None, Some("Invalid SMTPAPI header"), Some(Why::DroppedInvalid)),
            ("dropped", None, None, None, Some(Why::DroppedOther)),
            ("open", None, None, None, Some(Why::Open)),
            ("account_status_change", None, None, None, None),
        ] {
            assert_eq!(told(name, status, class, reason), expected, "{name} {status:?} {class:?} {reason:?}");
        }
    }
}
