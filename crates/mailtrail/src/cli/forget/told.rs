//! What was removed, and what is out of reach: for people, or as one JSON object.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::dataset::There;
use crate::cli::exit::Exit;
use crate::store::forget::Report;

/// What a store never reaches, so that whoever answers for it knows where else to look.
const OUT_OF_REACH: [&str; 4] = [
    "the ledger of sends: it keeps the hash, so that nobody is mailed again",
    "backups and exports made before",
    "SendGrid's own records (its API erases recipients: POST /v3/recipients/erasejob), and logs of proxies",
    "blocks that the file system or the disk has put elsewhere",
];

/// What BigQuery keeps.
const OUT_OF_REACH_THERE: &str = "BigQuery's time travel (seven days, or as set on the dataset), its fail-safe (seven more), snapshots, copies and logs of queries";
/// Where receivers have no trail.
const LATE: &str =
    "events of theirs that come in from now on: receivers without a trail keep no marks, so repeat this a day later";
/// Where a dataset is not looked into.
const COPIES: &str = "copies elsewhere, such as a BigQuery table that was forwarded to";

fn out_of_reach(local: Option<&Report>, there: Option<&There>) -> Vec<&'static str> {
    let mut places = OUT_OF_REACH.to_vec();
    places.push(if there.is_some() { OUT_OF_REACH_THERE } else { COPIES });
    if local.is_none() {
        places.push(LATE);
    }
    places
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

pub(super) fn people(
    format: Format,
    dry_run: bool,
    local: Option<&Report>,
    there: Option<&There>,
) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let complete = local.is_none_or(Report::is_complete) && there.is_none_or(There::is_complete);
    if format == Format::Json {
        let mut object = json!({
            "dry_run": dry_run, "complete": complete, "out_of_reach": out_of_reach(local, there),
        });
        if let (Some(report), Some(object)) = (local, object.as_object_mut()) {
            object.extend(local_json(report));
        }
        if let (Some(there), Some(object)) = (there, object.as_object_mut()) {
            object.insert("bigquery".to_owned(), there_json(there));
        }
        writeln!(out, "{object}")?;
    } else {
        let removed = if dry_run { "would be removed" } else { "removed" };
        if let Some(report) = local {
            write_local(&mut out, removed, report)?;
        }
        if let Some(there) = there {
            write_there(&mut out, removed, there)?;
        }
        writeln!(out, "out of reach:")?;
        for place in out_of_reach(local, there) {
            writeln!(out, "  {place}")?;
        }
    }
    Ok(if dry_run || complete { Exit::Done } else { Exit::Failed })
}

fn local_json(report: &Report) -> Map<String, Value> {
    let deleted = &report.deleted;
    let object = json!({
        "events": deleted.events, "messages": deleted.messages, "addresses": deleted.addresses,
        "mentions": deleted.mentions, "quarantined": deleted.quarantined, "spooled": report.spooled,
        "locked": report.locked, "unreadable_spools": report.unreadable_spools,
        "spool_pending": report.spool_pending, "log_pending": report.log_pending, "remains": report.remains,
    });
    object.as_object().cloned().unwrap_or_default()
}

fn there_json(there: &There) -> Value {
    let erased = &there.erased;
    json!({
        "events": erased.events, "mentions": erased.mentions, "quarantined": erased.quarantined,
        "locked": erased.locked, "remains": erased.remains, "held_back": erased.held_back,
        "forwarding_pending": there.forwarding_pending,
    })
}

fn write_local(out: &mut impl std::io::Write, removed: &str, report: &Report) -> std::io::Result<()> {
    let deleted = &report.deleted;
    writeln!(
        out,
        "{removed}: {} events of {} messages, {} addresses, {} entries of the quarantine",
        deleted.events, deleted.messages, deleted.addresses, deleted.quarantined
    )?;
    if deleted.mentions > 0 {
        writeln!(out, "{removed}: the hash from custom args of {} messages to others", deleted.mentions)?;
    }
    if report.spooled > 0 {
        writeln!(out, "{removed}: {} events that wait in the spool", report.spooled)?;
    }
    write_open_points(out, report)
}

fn write_there(out: &mut impl std::io::Write, removed: &str, there: &There) -> std::io::Result<()> {
    let erased = &there.erased;
    writeln!(
        out,
        "{removed} from BigQuery: {} rows of events, {} entries of the quarantine",
        erased.events, erased.quarantined
    )?;
    if erased.mentions > 0 {
        writeln!(out, "{removed} from BigQuery: the hash from custom args of {} rows of others", erased.mentions)?;
    }
    if erased.locked > 0 {
        let locked = erased.locked;
        writeln!(
            out,
            "not looked into: {locked} entries of BigQuery's quarantine, sealed by a key that is not configured"
        )?;
    }
    if erased.remains > 0 {
        writeln!(
            out,
            "NOT YET DONE: {} rows are still in BigQuery, which does not let go of what just came in; repeat this in two hours, or with --wait 2h",
            erased.remains
        )?;
    }
    if let Some(why) = &erased.held_back {
        writeln!(out, "  BigQuery says: {why}")?;
    }
    if there.forwarding_pending {
        writeln!(
            out,
            "NOT YET DONE: serve has not forwarded everything it read before; see mailtrail doctor for why, then repeat this"
        )?;
    }
    Ok(())
}

fn write_open_points(out: &mut impl std::io::Write, report: &Report) -> std::io::Result<()> {
    if report.locked > 0 {
        let locked = report.locked;
        writeln!(out, "not looked into: {locked} entries of the quarantine, sealed by a key that is not configured")?;
    }
    if report.unreadable_spools > 0 {
        let files = report.unreadable_spools;
        writeln!(out, "not looked into: {files} damaged spool files; delete them if nothing is to be saved from them")?;
    }
    if report.spool_pending {
        writeln!(
            out,
            "NOT YET DONE: serve has not cleaned its spool; see mailtrail doctor for why it does not drain, then repeat this"
        )?;
    }
    if report.log_pending {
        writeln!(out, "NOT YET DONE: a long question keeps the trail's log; repeat this when it has ended")?;
    }
    if report.remains > 0 {
        writeln!(out, "NOT YET DONE: the files still hold {} copies; repeat this", report.remains)?;
    }
    Ok(())
}

pub(super) fn unproven(
    format: Format,
    dry_run: bool,
    local: Option<u64>,
    there: Option<&There>,
) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let removed = if dry_run { "would be removed" } else { "removed" };
    if format == Format::Json {
        let mut object = json!({ "dry_run": dry_run });
        if let Some(object) = object.as_object_mut() {
            object.extend(local.map(|events| ("events".to_owned(), events.into())));
            object.extend(there.map(|there| ("bigquery".to_owned(), there_json(there))));
        }
        writeln!(out, "{object}")?;
    } else {
        if let Some(events) = local {
            writeln!(out, "{removed}: {events} events")?;
        }
        if let Some(there) = there {
            write_there(&mut out, removed, there)?;
        }
    }
    Ok(if dry_run || there.is_none_or(There::is_complete) { Exit::Done } else { Exit::Failed })
}

pub(super) fn lifted(format: Format, hashes: usize) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", json!({ "lifted": hashes }))?,
        Format::Text => writeln!(out, "{hashes} had been forgotten; their events are stored again from now on")?,
    }
    Ok(Exit::Done)
}
