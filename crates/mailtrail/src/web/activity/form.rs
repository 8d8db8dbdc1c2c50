//! The search form as a view fills it.

use super::super::asked::Asked;
use super::super::event_view::Tone;
use super::super::texts::Texts;
use crate::settle::Status;
use crate::show::visible;

/// Events that a chip stands for: those that concern mail.
const EVENTS: [&str; 9] =
    ["processed", "delivered", "deferred", "bounce", "dropped", "open", "click", "spamreport", "unsubscribe"];

/// What can be chosen.
pub(super) struct Chip {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) tone: &'static str,
    pub(super) on: bool,
}

/// A text field.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) hint: &'static str,
}

/// A condition that holds, with the view without it.
pub(super) struct Active {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) url: String,
}

pub(super) fn events(asked: &Asked, t: &Texts) -> Vec<Chip> {
    let others = asked.events.iter().map(String::as_str).filter(|name| !EVENTS.contains(name));
    let names = EVENTS.into_iter().chain(others);
    names
        .map(|name| Chip {
            value: name.to_owned(),
            label: t.event_name(name).map_or_else(|| visible(name).into_owned(), str::to_owned),
            tone: Tone::of(name, Status::of(name, None)).class(),
            on: asked.events.iter().any(|on| on == name),
        })
        .collect()
}

pub(super) fn outcomes(asked: &Asked, t: &Texts) -> Vec<Chip> {
    Status::OF_EVENTS
        .into_iter()
        .map(|status| Chip {
            value: status.as_str().to_owned(),
            label: t.event_name(status.as_str()).unwrap_or(status.as_str()).to_owned(),
            tone: Tone::of("", status).class(),
            on: asked.statuses.contains(&status),
        })
        .collect()
}

/// Presets of time, and the one that was typed.
pub(super) fn times(asked: &Asked, t: &Texts) -> Vec<(String, String)> {
    let presets = [
        ("", t.any_time),
        ("1h", t.last_hour),
        ("24h", t.last_day),
        ("7d", t.last_week),
        ("30d", t.last_month),
        ("90d", t.last_quarter),
    ];
    let mut times: Vec<(String, String)> =
        presets.into_iter().map(|(value, label)| (value.to_owned(), label.to_owned())).collect();
    if let Some(typed) = asked.since.as_ref().filter(|typed| !times.iter().any(|(value, _)| value == *typed)) {
        times.push((typed.clone(), format!("{} {}", t.since, visible(typed))));
    }
    times
}

pub(super) fn fields(asked: &Asked, t: &Texts) -> Vec<Field> {
    let field = |name, label, value: String, hint| Field { name, label, value, hint };
    vec![
        field("category", t.category, asked.categories.join(", "), t.list_hint),
        field("run", t.run, asked.runs.join(", "), ""),
        field("domain", t.domain, asked.domains.join(", "), "example.com"),
        field("message", t.message, asked.messages.join(", "), ""),
        field("since_exact", t.since, String::new(), t.time_hint),
        field("until", t.until, asked.until.clone().unwrap_or_default(), t.time_hint),
    ]
}

/// Whether something is asked for that the folded part of the form shows.
pub(super) fn more_is_asked(asked: &Asked) -> bool {
    let lists = [&asked.categories, &asked.runs, &asked.domains, &asked.messages];
    lists.iter().any(|list| !list.is_empty()) || !asked.statuses.is_empty() || asked.until.is_some() || asked.any
}

pub(super) fn active(asked: &Asked, t: &Texts) -> Vec<Active> {
    let label = |name: &str| match name {
        "recipient" => Some(t.recipient),
        "event" => Some(t.event),
        "status" => Some(t.outcome),
        "category" => Some(t.category),
        "run" => Some(t.run),
        "message" => Some(t.message),
        "domain" => Some(t.domain),
        "reason" => Some(t.reason),
        "since" => Some(t.since),
        "until" => Some(t.until),
        "any" => Some(t.matching),
        _ => None,
    };
    let shown = |name: &str, value: &str| match name {
        "recipient" => format!("{}…", value.chars().take(12).collect::<String>()),
        "event" | "status" => t.event_name(value).map_or_else(|| visible(value).into_owned(), str::to_owned),
        "any" => t.match_any.to_owned(),
        _ => visible(value).into_owned(),
    };
    let fields = asked.bare().fields().into_iter();
    fields
        .filter_map(|(name, value)| {
            Some(Active { label: label(name)?, value: shown(name, &value), url: asked.without(name, &value).url() })
        })
        .collect()
}
