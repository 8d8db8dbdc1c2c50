//! Why mail did not arrive, in plain words.
//!
//! First SendGrid's classification (its Event Webhook reference), then the mail server's enhanced status code (RFC 3463, with
//! RFC 7372 and 7505), then what is known of the status alone. What is not known is said to be so.

use crate::settle::Status;

/// SendGrid's classifications, lower case; the webhook, the logs and the suppressions write some of them differently.
const CLASSIFICATIONS: [(&str, &str); 10] = [
    ("invalid address", "the address does not exist"),
    ("invalid", "the address does not exist"),
    ("technical", "a technical failure at the recipient's mail server"),
    ("technical failure", "a technical failure at the recipient's mail server"),
    ("content", "the recipient's mail server refused the content"),
    ("reputation", "the recipient's mail server does not trust the sender's domain or IP address"),
    ("frequency/volume", "too much mail at once for the recipient's mail server"),
    ("frequency or volume too high", "too much mail at once for the recipient's mail server"),
    ("mailbox unavailable", "the mailbox takes no mail: full, suspended or not in use"),
    ("mailbox_unavailable", "the mailbox takes no mail: full, suspended or not in use"),
];

/// Subject and detail of enhanced status codes; the class in front only says for now (4) or for good (5).
const CODES: [(&str, &str); 33] = [
    ("1.1", "the mailbox does not exist"),
    ("1.2", "the domain does not exist"),
    ("1.3", "the address is not written correctly"),
    ("1.4", "the address fits several mailboxes"),
    ("1.6", "the mailbox has moved, and where to is not known"),
    ("1.7", "the sender's address is not written correctly"),
    ("1.8", "the sender's domain does not exist"),
    ("1.10", "the domain takes no mail at all"),
    ("2.0", "the mailbox cannot take the mail"),
    ("2.1", "the mailbox is switched off"),
    ("2.2", "the mailbox is full"),
    ("2.3", "the mail is too large for the mailbox"),
    ("2.4", "the mailing list behind the address does not work"),
    ("3.1", "the recipient's mail server has no room"),
    ("3.2", "the recipient's mail server takes no mail at present"),
    ("3.4", "the mail is too large for the recipient's mail server"),
    ("4.1", "the recipient's mail server does not answer"),
    ("4.2", "the connection to the recipient's mail server broke"),
    ("4.3", "the recipient's domain could not be looked up"),
    ("4.4", "no mail server was found for the domain"),
    ("4.5", "the recipient's mail server is overloaded"),
    ("4.6", "the mail goes round in circles at the recipient's"),
    ("4.7", "the time for delivery ran out"),
    ("5.3", "too many recipients at once for the recipient's mail server"),
    ("6.0", "the recipient's mail server refused the content"),
    ("7.0", "the recipient's mail server refused the mail for its policy"),
    ("7.1", "the recipient's mail server does not take mail from this sender"),
    ("7.20", "the mail has no DKIM signature that the recipient's mail server accepts"),
    ("7.23", "the sender's SPF record does not allow SendGrid"),
    ("7.24", "the sender's SPF record is broken"),
    ("7.25", "the sending server has no valid reverse name"),
    ("7.26", "neither SPF nor DKIM vouches for the sender"),
    ("7.27", "the sender's domain takes no mail itself"),
];

/// Subjects alone, where the detail says no more.
const SUBJECTS: [(&str, &str); 7] = [
    ("1", "something is wrong with the address"),
    ("2", "the mailbox cannot take the mail"),
    ("3", "the recipient's mail server could not take the mail"),
    ("4", "the recipient's mail server could not be reached"),
    ("5", "the mail servers did not understand each other"),
    ("6", "the recipient's mail server refused the form or content"),
    ("7", "the recipient's mail server refused the mail for its policy"),
];

/// Why SendGrid drops mail: the beginnings of its reasons, and whether the address is on one of its suppression lists.
pub(super) const DROPS: [(&str, &str, bool); 7] = [
    ("Bounced Address", "the address bounced before, so SendGrid does not mail it", true),
    ("Unsubscribed Address", "the recipient has unsubscribed", true),
    ("Spam Reporting Address", "the recipient called earlier mail spam", true),
    ("Invalid", "SendGrid takes the address for invalid", true),
    ("Spam Content", "SendGrid's spam check refused the content", false),
    ("Recipient List over Package Quota", "the SendGrid account's quota is used up", false),
    ("Invalid SMTPAPI header", "SendGrid could not read the request's header", false),
];

/// Why, for people; nothing for who got the mail.
#[must_use]
pub fn plain(
    status: Status,
    classification: Option<&str>,
    status_code: Option<&str>,
    reason: Option<&str>,
) -> &'static str {
    match status {
        Status::Unknown => "no event has come: SendGrid may not have had the mail, or its events did not arrive",
        Status::Processed => "SendGrid has taken the mail and said nothing since",
        Status::Delivered => "",
        Status::Dropped => drop_of(reason).map_or("SendGrid did not send it; why is not known", |(_, words, _)| words),
        Status::Deferred => code(status_code)
            .unwrap_or("the recipient's mail server asks to come again later; SendGrid does, for 72 hours"),
        Status::Blocked => classified(classification)
            .or_else(|| code(status_code))
            .unwrap_or("the recipient's mail server refused the mail for now; why is not known"),
        Status::Bounce => classified(classification)
            .or_else(|| code(status_code))
            .unwrap_or("the recipient's mail server refused the mail for good; why is not known"),
    }
}

/// The drop whose reason begins like this one.
pub(super) fn drop_of(reason: Option<&str>) -> Option<(&'static str, &'static str, bool)> {
    let reason = reason?.trim().to_lowercase();
    // "Invalid SMTPAPI header" begins with "Invalid": the longest wins.
    let fits = DROPS.into_iter().filter(|(begin, _, _)| reason.starts_with(&begin.to_lowercase()));
    fits.max_by_key(|(begin, _, _)| begin.len())
}

fn classified(classification: Option<&str>) -> Option<&'static str> {
    let given = classification?.trim().to_lowercase();
    CLASSIFICATIONS.into_iter().find(|(known, _)| *known == given).map(|(_, words)| words)
}

fn code(status_code: Option<&str>) -> Option<&'static str> {
    let (class, rest) = status_code?.trim().split_once('.')?;
    if !matches!(class, "4" | "5") {
        return None;
    }
    let exact = CODES.into_iter().find(|(known, _)| *known == rest);
    let subject = rest.split_once('.').map(|(subject, _)| subject);
    let known = exact.or_else(|| SUBJECTS.into_iter().find(|(known, _)| Some(*known) == subject));
    known.map(|(_, words)| words)
}

/// Everything that [`plain`] can say.
#[cfg(test)]
pub(crate) fn all_words() -> std::collections::BTreeSet<&'static str> {
    let classes = CLASSIFICATIONS.iter().map(|(name, _)| Some(*name)).chain([None]);
    let codes = CODES.iter().map(|(code, _)| *code).chain(SUBJECTS.iter().map(|(subject, _)| *subject));
    let codes: Vec<Option<String>> = codes.map(|code| Some(format!("5.{code}"))).chain([None]).collect();
    let drops: Vec<Option<&str>> = DROPS.iter().map(|(begin, _, _)| Some(*begin)).chain([None]).collect();
    let mut words = std::collections::BTreeSet::new();
    for class in classes {
        for code in &codes {
            for drop in &drops {
                words.extend(Status::ALL.into_iter().map(|status| plain(status, class, code.as_deref(), *drop)));
            }
        }
    }
    words.remove("");
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_known_is_said_and_what_is_not_too() {
        for (status, classification, code, reason, expected) in [
            (Status::Bounce, Some("Invalid Address"), Some("5.2.2"), None, "the address does not exist"),
            (Status::Bounce, Some("INVALID"), None, None, "the address does not exist"),
            (Status::Bounce, Some("Unclassified"), Some("5.2.2"), None, "the mailbox is full"),
            (Status::Blocked, None, Some("5.7.26"), None, "neither SPF nor DKIM vouches for the sender"),
            (
                Status::Blocked,
                None,
                Some("4.7.999"),
                None,
                "the recipient's mail server refused the mail for its policy",
            ),
            (
                Status::Blocked,
                None,
                Some("2.1.1"),
                None,
                "the recipient's mail server refused the mail for now; why is not known",
            ),
            (
                Status::Bounce,
                None,
                Some("5.99.1"),
                None,
                "the recipient's mail server refused the mail for good; why is not known",
            ),
            (Status::Dropped, None, None, Some("Unsubscribed Address"), "the recipient has unsubscribed"),
            (
                Status::Dropped,
                None,
                None,
                Some("Invalid SMTPAPI header"),
                "SendGrid could not read the request's header",
            ),
            (Status::Dropped, None, None, Some("Invalid"), "SendGrid takes the address for invalid"),
            (Status::Dropped, None, None, None, "SendGrid did not send it; why is not known"),
            (Status::Deferred, None, Some("4.2.2"), None, "the mailbox is full"),
            (Status::Delivered, None, None, None, ""),
        ] {
            assert_eq!(plain(status, classification, code, reason), expected);
        }
    }

    proptest! {
        #[test]
        fn everybody_but_who_got_it_has_words(
            status in prop::sample::select(&Status::ALL[..]),
            texts in prop::collection::vec(prop::option::of("[45]?\\.?[0-9]{0,2}\\.?.{0,9}"), 3),
        ) {
            let words = plain(status, texts[0].as_deref(), texts[1].as_deref(), texts[2].as_deref());
            prop_assert_eq!(words.is_empty(), status == Status::Delivered);
        }
    }
}
