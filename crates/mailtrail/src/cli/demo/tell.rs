//! What the demo says, in the order it happens.

use std::io::{self, Write};
use std::path::Path;

use super::proof::Proof;
use super::stage::{Delivered, RUN, Stage};
use crate::settle::Status;
use crate::store::query::{Counted, Dimension, EventRecord, Filter, RecipientStatus, Subject};
use crate::store::sqlite::Reader;

/// Unreached recipients that are listed; the rest is counted.
const LISTED: usize = 6;
/// Longest reason in a line.
const REASON: usize = 64;

pub(super) fn opening(out: &mut impl Write, stage: &Stage) -> io::Result<()> {
    let (recipients, events, posts) = (stage.story.outcomes.len(), stage.story.events.len(), stage.plan.posts.len());
    writeln!(out, "mailtrail demo: a receiver and a simulated SendGrid on this machine\n")?;
    writeln!(
        out,
        "{recipients} customers are mailed in run {RUN}. SendGrid tells {events} events about it, in {posts} signed POSTs:"
    )?;
    writeln!(
        out,
        "out of order, {} of the events twice, and the receiver is away for a while in the middle.\n",
        stage.plan.events() - events
    )
}

pub(super) fn delivery(out: &mut impl Write, delivered: &Delivered) -> io::Result<()> {
    let report = &delivered.report;
    writeln!(out, "1. Receive  (http://{}/event, Basic and signature checked)", delivered.address)?;
    writeln!(
        out,
        "   stopped after {} events, started again: {} POSTs failed meanwhile and were repeated",
        delivered.stopped_after,
        report.unanswered + report.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, n)| n).sum::<u64>()
    )?;
    let ms = |share| report.time_to_200(share).unwrap_or_default().as_secs_f64() * 1000.0;
    writeln!(
        out,
        "   {} of {} POSTs acknowledged, each only when it was on disk: half within {:.1} ms, 99 % within {:.1} ms\n",
        report.acknowledged_posts,
        report.posts,
        ms(0.5),
        ms(0.99)
    )
}

pub(super) fn counts(
    out: &mut impl Write,
    stage: &Stage,
    reader: &Reader,
    statuses: &[RecipientStatus],
) -> anyhow::Result<()> {
    writeln!(out, "2. Did everybody get it?")?;
    let total = stage.story.outcomes.len();
    for status in Status::ALL {
        let count = match status {
            Status::Unknown => total - statuses.len(),
            status => statuses.iter().filter(|recipient| recipient.status == status).count(),
        };
        if count > 0 {
            writeln!(out, "   {:<10} {count:>6}  {:>5.1} %", status.as_str(), count as f64 * 100.0 / total as f64)?;
        }
    }
    let events = reader.stats(&Filter::default(), &[Dimension::Event], Counted::Rows)?.value;
    let listed: Vec<String> =
        events.iter().map(|group| format!("{} {}", group.count, group.keys[0].as_deref().unwrap_or("?"))).collect();
    writeln!(out, "   from these events: {}\n", listed.join(", "))?;
    Ok(())
}

pub(super) fn unreached(out: &mut impl Write, stage: &Stage, statuses: &[RecipientStatus]) -> io::Result<()> {
    let unreached: Vec<_> = statuses.iter().filter(|recipient| recipient.status.is_unreached()).collect();
    writeln!(
        out,
        "3. Who did not, and why?  ({}; the addresses come from your list, the trail has none)",
        unreached.len()
    )?;
    let mut listed = 0;
    for address in stage.story.outcomes.keys() {
        let hash = stage.keys.email_hash(address).to_string();
        let Some(recipient) = unreached.iter().find(|recipient| recipient.email_hash == hash) else { continue };
        if listed == LISTED {
            break;
        }
        listed += 1;
        let reason = recipient.reason.as_deref().unwrap_or("");
        writeln!(out, "   {:<32} {:<8} {}", address, recipient.status.as_str(), shorten(reason))?;
    }
    if unreached.len() > listed {
        writeln!(out, "   … and {} more", unreached.len() - listed)?;
    }
    writeln!(out)
}

/// The most eventful recipient of those who were deferred and got it in the end.
pub(super) fn timeline(out: &mut impl Write, stage: &Stage, reader: &Reader) -> anyhow::Result<()> {
    let events_of =
        |address: &str| stage.story.events.iter().filter(|event| event.text("email") == Some(address)).count();
    let deferred: Vec<&str> = stage
        .story
        .events
        .iter()
        .filter(|event| event.name() == "deferred")
        .filter_map(|event| event.text("email"))
        .collect();
    let clicked =
        stage.story.events.iter().filter(|event| event.name() == "click").filter_map(|event| event.text("email"));
    let Some(address) = clicked
        .filter(|address| deferred.contains(address))
        .max_by_key(|address| events_of(address))
        .or(deferred.first().copied())
    else {
        return Ok(());
    };
    let hash = stage.keys.email_hash(address);
    let hex = hash.to_string();
    writeln!(out, "4. What happened to {address}?  (stored as {}…)", &hex[..16])?;
    for event in reader.timeline(&Subject::Hashes(vec![hash]), 50)? {
        writeln!(out, "   {}  {:<10} {}", seconds(event.timestamp), event.event, detail(&event))?;
    }
    writeln!(out)?;
    Ok(())
}

fn detail(event: &EventRecord) -> String {
    let machine = if event.sg_machine_open == Some(true) { "by a machine" } else { "" };
    let text = [event.reason.as_deref(), event.response.as_deref(), event.url.as_deref()].into_iter().flatten().next();
    shorten(text.unwrap_or(machine))
}

pub(super) fn proof(out: &mut impl Write, proof: &Proof) -> io::Result<()> {
    writeln!(out, "5. Proof")?;
    writeln!(
        out,
        "   {} events told {} times, {} rows in the trail: {} missing, {} doubled, {} never told",
        proof.told, proof.acknowledged, proof.rows, proof.missing, proof.doubled, proof.never_told
    )?;
    writeln!(
        out,
        "   status of {} recipients against SendGrid's truth: {} wrong",
        proof.recipients, proof.wrong_statuses
    )?;
    writeln!(
        out,
        "   {} files, {} KiB, searched for every address of the list: {} found",
        proof.files,
        proof.bytes / 1024,
        proof.addresses_found
    )?;
    writeln!(
        out,
        "   {}\n",
        if proof.holds() {
            "Every event is stored once."
        } else {
            "THIS DOES NOT HOLD: please report it with the seed."
        }
    )
}

pub(super) fn closing(out: &mut impl Write, kept: Option<&Path>) -> io::Result<()> {
    match kept.map(Path::display) {
        None => writeln!(
            out,
            "Everything was in a temporary folder and is gone. `demo --keep` leaves it for your own questions;\n`mailtrail init` begins a real one."
        ),
        Some(folder) => writeln!(
            out,
            "Kept in {folder}. Ask on, for example:\n   mailtrail activity --status bounce --config {folder}/mailtrail.toml\n   mailtrail stats --by domain,status --config {folder}/mailtrail.toml"
        ),
    }
}

/// `2026-11-24 10:00:00`, UTC.
fn seconds(micros: i64) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// One line, of a length that fits one; control characters are none of a terminal's business.
fn shorten(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match clean.char_indices().nth(REASON) {
        None => clean,
        Some((cut, _)) => format!("{}…", &clean[..cut]),
    }
}
