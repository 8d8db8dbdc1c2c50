//! An event as the page shows it: every text from outside is visible text here and nothing else.

use jiff::tz::TimeZone;

use super::plain_words::Why;
use super::runs;
use super::spot::Spot;
use super::texts::Texts;
use super::zone::Zone;
use crate::settle::Status;
use crate::show::{record, time, visible};
use crate::store::query::EventRecord;

/// Digits of a hash that tell recipients of one list apart.
const HASH_DIGITS: usize = 10;

/// How good the news is; chooses colour and sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Calm,
    Info,
    Warn,
    Bad,
}

impl Tone {
    pub(super) fn of(event: &str, status: Status) -> Self {
        match (event, status) {
            ("open" | "click", _) => Self::Info,
            ("spamreport", _) => Self::Bad,
            ("unsubscribe" | "group_unsubscribe", _) => Self::Warn,
            (_, Status::Delivered) => Self::Good,
            (_, Status::Deferred | Status::Blocked) => Self::Warn,
            (_, Status::Bounce | Status::Dropped | Status::Refused) => Self::Bad,
            (_, Status::Unknown | Status::Processed) => Self::Calm,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Calm => "calm",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One event.
pub(super) struct EventView {
    /// As URLs name it.
    pub(super) spot: String,
    pub(super) day: String,
    pub(super) clock: String,
    /// For machines.
    pub(super) datetime: String,
    pub(super) name: String,
    pub(super) tone: &'static str,
    pub(super) recipient: String,
    pub(super) domain: String,
    pub(super) hash: String,
    pub(super) categories: Vec<String>,
    pub(super) run: String,
    /// The run's page.
    pub(super) run_url: String,
    pub(super) message: String,
    pub(super) why: &'static str,
    /// What the mail server wrote, or the link that was clicked.
    pub(super) detail: String,
    pub(super) code: String,
    pub(super) class: String,
    pub(super) is_test: bool,
    /// Column and value of all columns that hold something.
    pub(super) raw: Vec<(&'static str, String)>,
}

impl EventView {
    pub(super) fn new(event: EventRecord, t: &Texts, zone: &Zone) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(|text| visible(text.trim()).into_owned());
        let status = event.mail_status();
        let datetime = time::rfc3339(event.timestamp);
        let (day, clock) = zone.day_and_clock(event.timestamp);
        let hash = event.email_hash.clone().unwrap_or_default();
        let start: String = hash.chars().take(HASH_DIGITS).collect();
        let detail = [&event.reason, &event.response, &event.url].into_iter().find_map(shown);
        Self {
            spot: Spot::of(&event).short(),
            day,
            clock,
            datetime,
            name: visible(&named(&event, status, t)).into_owned(),
            tone: Tone::of(&event.event, status).class(),
            recipient: shown(&event.email)
                .unwrap_or_else(|| if start.is_empty() { start } else { format!("{start}…") }),
            domain: shown(&event.email_domain).unwrap_or_default(),
            hash,
            categories: event.category.iter().map(|name| visible(name).into_owned()).collect(),
            run: shown(&event.run).unwrap_or_default(),
            run_url: event.run.as_deref().map(runs::url).unwrap_or_default(),
            message: shown(&event.message_id).unwrap_or_default(),
            why: Why::of(&event).map_or("", |why| why.text(t)),
            detail: detail.unwrap_or_default(),
            code: shown(&event.status).unwrap_or_default(),
            class: shown(&event.bounce_classification).unwrap_or_default(),
            is_test: event.verified_by.as_deref() == Some("test"),
            raw: raw(event),
        }
    }
}

/// SendGrid's name, with what tells two things of the same name apart.
fn named(event: &EventRecord, status: Status, t: &Texts) -> String {
    match status {
        Status::Blocked => t.blocked.to_owned(),
        _ if event.sg_machine_open == Some(true) => t.machine_open.to_owned(),
        _ => t.event_name(&event.event).map_or_else(|| event.event.clone(), str::to_owned),
    }
}

fn raw(event: EventRecord) -> Vec<(&'static str, String)> {
    let cells = record::cells(event);
    let pairs = record::COLUMNS.into_iter().zip(cells);
    pairs.filter_map(|(column, cell)| Some((column, visible(&cell.plain(&TimeZone::UTC)?).into_owned()))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::bigquery::testing::bare_event;
    use crate::web::texts::Lang;

    /// An event with nothing but what every one has.
    pub(in crate::web) fn event(id: i64, name: &str) -> EventRecord {
        EventRecord {
            event: name.to_owned(),
            timestamp: 1_780_000_000_000_000,
            email_hash: Some("ab".repeat(32)),
            email_domain: Some("example.com".to_owned()),
            received_at: 1_780_000_001_000_000,
            event_key: "00".repeat(16),
            fingerprint: "00".repeat(16),
            ..bare_event(id)
        }
    }

    #[test]
    fn texts_from_outside_are_visible_text() {
        let hostile = "\u{202e}<script>alert(1)</script>\u{0}\u{200b}";
        let text = || Some(hostile.to_owned());
        let event = EventRecord {
            event: hostile.to_owned(),
            category: vec![hostile.to_owned()],
            reason: text(),
            run: text(),
            email_domain: text(),
            message_id: text(),
            bounce_classification: text(),
            status: text(),
            custom_args: text(),
            ..event(1, "")
        };
        let view = EventView::new(event, Lang::Japanese.texts(), &Zone::new(&TimeZone::UTC));
        let shown = [view.name, view.detail, view.run, view.domain, view.message, view.class, view.code];
        let raw = view.raw.into_iter().map(|(_, text)| text);
        for text in shown.into_iter().chain(view.categories).chain(raw) {
            assert!(!text.contains(['\u{202e}', '\0', '\u{200b}']), "{text:?}");
        }
    }

    #[test]
    fn news_have_the_tone_of_what_they_mean() {
        for (name, r#type, tone) in [
            ("delivered", None, "good"),
            ("bounce", None, "bad"),
            ("bounce", Some("blocked"), "warn"),
            ("spamreport", None, "bad"),
            ("open", None, "info"),
            ("processed", None, "calm"),
            ("unheard_of", None, "calm"),
        ] {
            let event = EventRecord { r#type: r#type.map(str::to_owned), ..event(1, name) };
            assert_eq!(EventView::new(event, Lang::English.texts(), &Zone::new(&TimeZone::UTC)).tone, tone, "{name}");
        }
    }
}
