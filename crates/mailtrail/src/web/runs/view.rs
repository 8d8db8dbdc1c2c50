//! A run as the page shows it.

use super::super::event_view::Tone;
use super::super::texts::{Texts, grouped, percent};
use super::super::visitor::Visitor;
use super::{id, url};
use crate::outcome::{AWAITED, Run};
use crate::settle::Status;
use crate::show::visible;

/// What is not known.
const NOT_KNOWN: &str = "–";

/// One run's figures, as texts.
pub(super) struct RunView {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) id: String,
    /// Its events.
    pub(super) events_url: String,
    pub(super) state: &'static str,
    pub(super) state_tone: &'static str,
    pub(super) is_sandbox: bool,
    /// Another tool sent it.
    pub(super) is_foreign: bool,
    /// Whether more is to come.
    pub(super) is_open: bool,
    /// Whether the page asks for it by itself.
    pub(super) is_live: bool,
    pub(super) begun: String,
    pub(super) accepted_at: String,
    pub(super) send_at: String,
    pub(super) last_event: String,
    pub(super) asked: String,
    pub(super) accepted: String,
    /// What the ledger says beside: how many, and what of them.
    pub(super) apart: Vec<(String, &'static str)>,
    pub(super) settled: String,
    pub(super) settled_share: String,
    /// Whole percents, of which 100 are all.
    pub(super) settled_percent: u64,
    pub(super) settled_of: String,
    pub(super) delivered: String,
    pub(super) delivered_share: String,
    pub(super) unreached: String,
    pub(super) unreached_share: String,
    pub(super) completeness: String,
    pub(super) statuses: Vec<StatusView>,
    pub(super) left_out: Option<String>,
}

/// How many stand at a status.
pub(super) struct StatusView {
    pub(super) name: &'static str,
    pub(super) tone: &'static str,
    pub(super) count: String,
    pub(super) share: String,
    /// Of a bar of 1000.
    pub(super) x: String,
    pub(super) width: String,
    /// Its events; empty where there are none.
    pub(super) url: String,
}

impl RunView {
    pub(super) fn new(run: &Run, visitor: &Visitor, now: i64, costs: bool) -> Self {
        let t = visitor.preferences.texts();
        let (report, record) = (&run.report, run.record.as_ref());
        let of_ledger = |count: Option<u64>| count.map_or_else(|| NOT_KNOWN.to_owned(), grouped);
        let at = |at: Option<i64>| at.map(|at| visitor.zone.minute(at)).unwrap_or_default();
        let all = report.recipients;
        let is_sandbox = record.is_some_and(|record| record.sandbox) && all == 0;
        let (state, state_tone) = if is_sandbox {
            (t.runs.state_sandbox, "calm")
        } else if all > 0 && report.is_settled() {
            let tone = match (report.count(Status::Delivered), report.count(Status::Refused)) {
                (0, _) => "bad",
                (_, 0) => "good",
                _ => "warn",
            };
            (t.runs.state_settled, tone)
        } else if report.is_only_deferred() {
            (t.runs.state_deferred, "warn")
        } else if report.unsent > 0 && report.pending() == report.unsent {
            (t.runs.state_unsent, "warn")
        } else {
            (t.runs.state_open, "info")
        };
        let last = report.last_event.max(record.and_then(|record| record.accepted_at.max(Some(record.begun_at))));
        // What was never sent is not waited for.
        let unsettled = !is_sandbox && (all == 0 || report.pending() > report.unsent);
        let is_open = unsettled && last.is_some_and(|last| now - last < AWAITED);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("run", &run.name).finish();
        let events_url = format!("/activity?{query}");
        let apart = [
            (record.map(|_| report.count(Status::Refused)), t.runs.refused),
            (record.map(|_| report.uncertain), t.runs.uncertain),
            (record.map(|_| report.unsent), t.runs.abandoned),
        ];
        Self {
            name: visible(&run.name).into_owned(),
            url: url(&run.name),
            id: id(&run.name),
            state,
            state_tone,
            is_sandbox,
            is_foreign: record.is_none(),
            is_open,
            is_live: is_open && !costs,
            begun: at(record.map(|record| record.begun_at)),
            accepted_at: at(record.and_then(|record| record.accepted_at)),
            send_at: at(record.and_then(|record| record.send_at)),
            last_event: at(report.last_event),
            asked: of_ledger(record.map(|_| all)),
            accepted: of_ledger(record.map(|_| report.accepted)),
            apart: apart
                .into_iter()
                .filter_map(|(count, what)| Some((count.filter(|count| *count > 0)?, what)))
                .map(|(count, what)| (grouped(count), what))
                .collect(),
            settled: grouped(report.settled()),
            settled_share: percent(report.settled(), all),
            settled_percent: (report.settled() * 100).checked_div(all).unwrap_or_default(),
            settled_of: (t.runs.settled_of)(&grouped(report.settled()), &grouped(all)),
            delivered: grouped(report.count(Status::Delivered)),
            delivered_share: percent(report.count(Status::Delivered), all),
            unreached: grouped(report.unreached()),
            unreached_share: percent(report.unreached(), all),
            completeness: record.map_or_else(|| NOT_KNOWN.to_owned(), |_| percent(report.seen, all)),
            statuses: statuses(run, &events_url, t),
            left_out: (report.left_out > 0).then(|| (t.runs.left_out)(&grouped(report.left_out))),
            events_url,
        }
    }
}

/// Best news first, so that the bar grows from the left.
const ORDER: [Status; 8] = [
    Status::Delivered,
    Status::Bounce,
    Status::Dropped,
    Status::Refused,
    Status::Blocked,
    Status::Deferred,
    Status::Processed,
    Status::Unknown,
];

fn statuses(run: &Run, events_url: &str, t: &Texts) -> Vec<StatusView> {
    let all = run.report.recipients;
    let share = |count: u64| if all == 0 { 0.0 } else { count as f64 * 1000.0 / all as f64 };
    let mut before = 0;
    let view = |status: Status| {
        let count = run.report.count(status);
        let (x, width) = (share(before), share(count));
        before += count;
        StatusView {
            name: status_name(status, t),
            tone: tone(status),
            count: grouped(count),
            share: percent(count, all),
            x: format!("{x:.2}"),
            width: format!("{width:.2}"),
            url: match status {
                // No event says so.
                Status::Unknown | Status::Refused => String::new(),
                _ if count == 0 => String::new(),
                _ => format!("{events_url}&status={}", status.as_str()),
            },
        }
    };
    ORDER.into_iter().map(view).collect()
}

/// What a status is called.
pub(super) fn status_name(status: Status, t: &Texts) -> &'static str {
    match status {
        Status::Unknown => t.runs.unknown,
        Status::Refused => t.runs.refused,
        _ => t.event_name(status.as_str()).unwrap_or_default(),
    }
}

/// The colour of a status.
pub(super) fn tone(status: Status) -> &'static str {
    match status {
        Status::Unknown => "none",
        // Beside the blocked, who will not get it any more.
        Status::Deferred => "wait",
        _ => Tone::of("", status).class(),
    }
}
