//! The JSON: `type`, `timestamp` (RFC 3339), `text` in the configured language, and `data` in SendGrid's words.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::notify::Manner;
use crate::notify::notice::{AlertGroup, Concern, Counted, Domains, Notice, Ops, Outstanding, RunSummary};
use crate::notify::page::Page;

/// The body of a notice. `now`: µs since the epoch.
#[must_use]
pub fn body(notice: &Notice, manner: &Manner, now: i64) -> String {
    let page = Page::new(notice, manner);
    json!({
        "type": notice.kind(),
        "timestamp": time(now),
        "destination": notice.destination().as_str(),
        "text": page.lines().join("\n"),
        "url": page.link.as_ref().map(|(_, url)| url),
        "data": data(notice, manner.reasons),
    })
    .to_string()
}

fn data(notice: &Notice, reasons: bool) -> Value {
    match notice {
        Notice::RunSettled(run) => Value::Object(summary(run, reasons)),
        Notice::RunTimedOut { summary: run, outstanding: left }
        | Notice::RunInterim { summary: run, outstanding: left }
        | Notice::RunQuiet { summary: run, outstanding: left } => {
            let mut data = summary(run, reasons);
            data.insert("outstanding".into(), outstanding(left));
            Value::Object(data)
        }
        Notice::Alert(group) => alert(group, reasons),
        Notice::Ops(event) => ops(event),
        Notice::Test => json!({}),
    }
}

/// As `wait --format json` names things.
fn summary(run: &RunSummary, reasons: bool) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("run".into(), run.run.as_str().into());
    data.insert("recipients".into(), run.recipients.into());
    for (status, count) in run.counts.iter() {
        data.insert(status.as_str().into(), count.into());
    }
    data.insert("settled".into(), run.settled().into());
    data.insert("unreached".into(), run.unreached().into());
    data.insert("completeness".into(), run.completeness.into());
    data.insert("elapsed_s".into(), run.elapsed.as_secs().into());
    data.insert("top_reasons".into(), counted(&run.top_reasons));
    if reasons {
        data.insert("raw_reasons".into(), counted(&run.raw_reasons));
    }
    data
}

fn outstanding(left: &Outstanding) -> Value {
    json!({
        "unknown": left.unknown,
        "processed": left.processed,
        "deferred": left.deferred,
        "unsent": left.unsent,
        "domains": domains(&left.domains),
    })
}

fn alert(group: &AlertGroup, reasons: bool) -> Value {
    let mut data = json!({
        "rule": group.rule.as_str(),
        "total": group.total(),
        "events": counted(&group.counts),
        "top_reasons": counted(&group.top_reasons),
        "runs": counted(&group.runs),
        "categories": counted(&group.categories),
        "domains": domains(&group.domains),
        "first": time(group.first),
        "last": time(group.last),
    });
    if reasons && let Some(data) = data.as_object_mut() {
        data.insert("raw_reasons".into(), counted(&group.raw_reasons));
    }
    data
}

fn ops(event: &Ops) -> Value {
    match event {
        Ops::Silence { rule, lasting, last } => {
            json!({ "rule": rule.as_str(), "lasting_s": lasting.as_secs(), "last_event": last.map(time) })
        }
        Ops::SilenceOver { rule, lasted } => json!({ "rule": rule.as_str(), "lasted_s": lasted.as_secs() }),
        Ops::Refusals { refused, lasting, reason, proven } => {
            json!({ "refused": refused, "lasting_s": lasting.as_secs(), "reason": reason, "proven": proven })
        }
        Ops::RefusalsOver => json!({}),
        Ops::NoticesRefused { channel, why } => json!({ "channel": channel, "why": why.as_str() }),
        Ops::NoEvents { run, accepted, since } => {
            json!({ "run": run.as_str(), "accepted": accepted, "since_s": since.as_secs() })
        }
        Ops::Concern(Concern::Clock { behind, by }) => json!({ "behind": behind, "by_s": by.as_secs() }),
        Ops::Concern(Concern::Certificate { left, refused }) => {
            json!({ "left_s": left.as_secs(), "refused": refused })
        }
        Ops::Concern(Concern::Backlog { percent, oldest }) => {
            json!({ "percent": percent, "oldest_s": oldest.as_secs() })
        }
        Ops::Concern(Concern::Disk { free, left }) => {
            json!({ "free_bytes": free, "left_s": left.map(|left| left.as_secs()) })
        }
        Ops::Concern(Concern::Relay { waiting, oldest, set_aside, dropped }) => json!({
            "waiting": waiting, "oldest_s": oldest.as_secs(), "set_aside": set_aside, "dropped": dropped,
        }),
        Ops::Concern(Concern::Files) | Ops::ConcernOver(_) => json!({}),
    }
}

fn counted(items: &[Counted]) -> Value {
    items.iter().map(|(label, count)| json!({ "name": label.as_str(), "count": count })).collect()
}

fn domains(domains: &Domains) -> Value {
    json!({ "named": counted(domains.named()), "others": domains.others() })
}

/// RFC 3339, UTC.
fn time(micros: i64) -> String {
    Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
}
