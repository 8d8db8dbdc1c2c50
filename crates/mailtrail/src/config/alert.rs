//! `[[alert]]`: of which events `serve` tells, and whom.

use std::collections::BTreeSet;
use std::time::Duration;

use sendgrid_events::EVENT_NAMES;

use super::keys::nearest;
use super::reader::Reader;

/// What an event may say of a mail, as in `--status`.
pub const STATUSES: [&str; 6] = ["processed", "deferred", "delivered", "dropped", "blocked", "bounce"];

/// What is told of where nothing else is asked for.
const DEFAULT_STATUSES: [&str; 3] = ["bounce", "blocked", "dropped"];

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Who sends: results and alerts.
    Business,
    /// Who runs mailtrail: time-outs, silence, refusals.
    Ops,
}

impl Destination {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Business, Self::Ops];

    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Ops => "ops",
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What messages call it; no two rules have the same.
    pub name: String,
    /// Which events; without any all of them, which only a rule with `silence` can mean.
    pub watched: Watched,
    /// Only of mail with this category.
    pub category: Option<String>,
    /// Only of mail of this run.
    pub run: Option<String>,
    /// Tell when no such event came in for so long, instead of telling of events.
    pub silence: Option<Duration>,
    /// Who is told.
    pub to: Destination,
    /// How long events are gathered before the first message.
    pub group: Duration,
    /// At most one message in this time.
    pub every: Duration,
}

/// Events by name, or by what they say of the mail: either is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// SendGrid's names.
    pub events: Vec<String>,
    /// Of [`STATUSES`].
    pub statuses: Vec<String>,
}

/// `heard`: whether anybody would be told.
pub(super) fn read(reader: &mut Reader<'_>, heard: bool) -> Vec<Alert> {
    let sections = reader.repeated("alert");
    if !sections.is_empty() && !heard {
        reader
            .warnings
            .push("[[alert]] rules tell nobody: set [slack] webhook_url, or [webhook] url and secret".into());
    }
    let (mut alerts, mut names) = (Vec::new(), BTreeSet::new());
    for (place, mut section) in sections {
        let before = section.problems.len();
        let alert = one(&mut section);
        let fine = section.problems.len() == before;
        if fine && !names.insert(alert.name.clone()) {
            section.problems.push(format!(
                "{place}: [[alert]] is called {:?}, as another one is: give each a name of its own",
                alert.name
            ));
        }
        reader.absorb(section);
        alerts.push(alert);
    }
    alerts
}

fn one(reader: &mut Reader<'_>) -> Alert {
    let silence =
        reader.is_set("alert.silence").then(|| reader.duration("alert.silence", Duration::from_secs(6 * 3600), "6h"));
    let asked = reader.is_set("alert.events") || reader.is_set("alert.status");
    let mut watched = Watched {
        events: words(reader, "alert.events", &EVENT_NAMES, "event"),
        statuses: words(reader, "alert.status", &STATUSES, "status"),
    };
    if !asked && silence.is_none() {
        watched.statuses = DEFAULT_STATUSES.map(str::to_owned).to_vec();
    }
    let category = reader.text("alert.category");
    let run = reader.text("alert.run");
    let destinations = Destination::ALL.map(|destination| (destination.as_str(), destination));
    let usual = if silence.is_some() { Destination::Ops } else { Destination::Business };
    Alert {
        name: reader.text("alert.name").unwrap_or_else(|| name(&watched, category.as_deref(), run.as_deref(), silence)),
        watched,
        category,
        run,
        silence,
        to: reader.choice("alert.to", &destinations).unwrap_or(usual),
        group: reader.duration("alert.group", Duration::from_secs(30), "30s"),
        every: reader.duration("alert.every", Duration::from_secs(300), "5m"),
    }
}

/// A list of known words.
fn words(reader: &mut Reader<'_>, key: &'static str, known: &[&str], what: &str) -> Vec<String> {
    if !reader.is_set(key) {
        return Vec::new();
    }
    let before = reader.problems.len();
    let texts = reader.texts(key);
    if texts.is_empty() && reader.problems.len() == before {
        reader.problem(key, "is empty: name something, or remove the key");
    }
    let mut found = Vec::new();
    for text in texts {
        let word = text.trim().to_lowercase();
        if known.contains(&word.as_str()) {
            found.push(word);
        } else if what == "event" && word == "blocked" {
            reader.problem(key, "has \"blocked\", which SendGrid sends as a bounce: write status = [\"blocked\"]");
        } else {
            let hint = match nearest(&word, known.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("use some of {}", known.join(", ")),
            };
            let shown: String = text.chars().take(40).collect();
            reader.problem(key, format!("has {shown:?}, which is no {what}: {hint}"));
        }
    }
    found
}

/// What a rule is called that has no name: what it asks for.
fn name(watched: &Watched, category: Option<&str>, run: Option<&str>, silence: Option<Duration>) -> String {
    let mut name: Vec<&str> = watched.events.iter().chain(&watched.statuses).map(String::as_str).collect();
    if name.is_empty() {
        name.push("all events");
    }
    let mut name = name.join(", ");
    if silence.is_some() {
        name.insert_str(0, "silence of ");
    }
    for (what, value) in [("category", category), ("run", run)] {
        if let Some(value) = value {
            name.push_str(&format!(", {what} {value}"));
        }
    }
    name
}
