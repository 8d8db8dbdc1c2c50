//! What was removed, and what is out of reach: for people, or as one JSON object.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::at_sendgrid::Asked;
use super::dataset::There;
use crate::archive::Forgotten;
use crate::cli::exit::Exit;
use crate::store::forget::Report;

const AT_SENDGRID: &str = "SendGrid's own records (--at-sendgrid has it erase them)";

/// What a store never reaches, so that whoever answers for it knows where else to look.
const OUT_OF_REACH: [&str; 6] = [
    "the ledger of sends: it keeps the hash, so that nobody is mailed again",
    "backups and exports made before, and archives that are not named by --archive",
    "what the consumers of [[relay]] were given before",
    AT_SENDGRID,
    "logs of proxies",
    "blocks that the file system or the disk has put elsewhere",
];

/// What BigQuery keeps.
const OUT_OF_REACH_THERE: &str = "BigQuery's time travel (seven days, or as set on the dataset), its fail-safe (seven more), snapshots, copies and logs of queries";
/// Where receivers have no trail.
const LATE: &str =
    "events of theirs that come in from now on: receivers without a trail keep no marks, so repeat this a day later";
/// Where a dataset is not looked into.
const COPIES: &str = "copies elsewhere, such as a BigQuery table that was forwarded to";

/// What was done where, each where that was wanted.
#[derive(Clone, Copy, Default)]
pub(super) struct Done<'a> {
    pub(super) local: Option<&'a Report>,
    pub(super) there: Option<&'a There>,
    pub(super) archived: Option<&'a Forgotten>,
    pub(super) asked: Option<&'a Asked>,
}

impl Done<'_> {
    fn is_complete(&self) -> bool {
        self.local.is_none_or(Report::is_complete)
            && self.there.is_none_or(There::is_complete)
            && self.asked.is_none_or(|asked| asked.left == 0)
    }

    fn out_of_reach(&self) -> Vec<&'static str> {
        let erased = self.asked.is_some_and(|asked| asked.left == 0);
        let mut places: Vec<&str> =
            OUT_OF_REACH.into_iter().filter(|place| !(erased && *place == AT_SENDGRID)).collect();
        places.push(if self.there.is_some() { OUT_OF_REACH_THERE } else { COPIES });
        if self.local.is_none() {
            places.push(LATE);
        }
        places
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

pub(super) fn people(format: Format, dry_run: bool, done: Done<'_>) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    if format == Format::Json {
        let mut object = json!({
            "dry_run": dry_run,
            "complete": done.is_complete(),
            "out_of_reach": done.out_of_reach(),
            "archived": done.archived.map(|found| json!({
                "events": found.events, "mentions": found.mentions, "files": found.files,
            })),
            "at_sendgrid": done.asked.map(|asked| json!({
                "requests": asked.requests, "addresses": asked.addresses, "jobs": asked.jobs, "left": asked.left,
                "error": asked.error,
            })),
        });
        if let (Some(report), Some(object)) = (done.local, object.as_object_mut()) {
            object.extend(local_json(report));
        }
        if let (Some(there), Some(object)) = (done.there, object.as_object_mut()) {
            object.insert("bigquery".to_owned(), there_json(there));
        }
        writeln!(out, "{object}")?;
    } else {
        let removed = if dry_run { "would be removed" } else { "removed" };
        if let Some(report) = done.local {
            write_local(&mut out, removed, report)?;
        }
        if let Some(there) = done.there {
            write_there(&mut out, removed, there)?;
        }
        if let Some(Forgotten { events, mentions, files }) = done.archived {
            writeln!(
                out,
                "{removed} from the archive: {events} events and {mentions} mentions; {files} files written anew"
            )?;
        }
        if let Some(asked) = done.asked {
            write_asked(&mut out, dry_run, asked)?;
        }
        writeln!(out, "out of reach:")?;
        for place in done.out_of_reach() {
            writeln!(out, "  {place}")?;
        }
    }
    Ok(if dry_run || done.is_complete() { Exit::Done } else { Exit::Failed })
}

fn local_json(report: &Report) -> Map<String, Value> {
    let deleted = &report.deleted;
    let object = json!({
        "events": deleted.events, "messages": deleted.messages, "addresses": deleted.addresses,
        "mentions": deleted.mentions, "quarantined": deleted.quarantined, "spooled": report.spooled,
        "relayed": report.relayed, "relay_locked": report.relay_locked,
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
    if report.relayed > 0 {
        writeln!(
            out,
            "{removed}: {} POSTs that wait to be passed on, with what they tell of others (consumers never get them)",
            report.relayed
        )?;
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

fn write_asked(out: &mut impl std::io::Write, dry_run: bool, asked: &Asked) -> std::io::Result<()> {
    if dry_run {
        let (left, requests) = (asked.left, asked.requests);
        return writeln!(out, "SendGrid would be asked to erase {left} addresses in {requests} requests");
    }
    for job in &asked.jobs {
        writeln!(out, "SendGrid accepted: job {job} (it erases later, and has no way to ask how far it is)")?;
    }
    if let Some(error) = &asked.error {
        writeln!(out, "NOT YET DONE: SendGrid was not asked to erase {} addresses: {error}", asked.left)?;
    }
    Ok(())
}

fn write_open_points(out: &mut impl std::io::Write, report: &Report) -> std::io::Result<()> {
    if report.locked > 0 {
        let locked = report.locked;
        writeln!(out, "not looked into: {locked} entries of the quarantine, sealed by a key that is not configured")?;
    }
    if report.relay_locked > 0 {
        let locked = report.relay_locked;
        writeln!(
            out,
            "not looked into: {locked} POSTs that wait to be passed on, sealed by a key that is not configured"
        )?;
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
