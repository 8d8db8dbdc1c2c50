//! What was removed, and what is out of reach: for people, or as one JSON object.

use std::io::Write as _;

use serde_json::json;

use super::at_sendgrid::Asked;
use crate::cli::exit::Exit;
use crate::store::forget::Report;

const AT_SENDGRID: &str = "SendGrid's own records (--at-sendgrid has it erase them)";

/// What a store never reaches, so that whoever answers for it knows where else to look.
const OUT_OF_REACH: [&str; 7] = [
    "the ledger of sends: it keeps the hash, so that nobody is mailed again",
    "backups and exports made before",
    "copies that were forwarded, such as a BigQuery table",
    "what the consumers of [[relay]] were given before",
    AT_SENDGRID,
    "logs of proxies",
    "blocks that the file system or the disk has put elsewhere",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// `asked`: of SendGrid, where that was wanted.
pub(super) fn people(format: Format, dry_run: bool, report: &Report, asked: Option<&Asked>) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let deleted = &report.deleted;
    if format == Format::Json {
        let object = json!({
            "dry_run": dry_run, "complete": report.is_complete(),
            "events": deleted.events, "messages": deleted.messages, "addresses": deleted.addresses,
            "mentions": deleted.mentions, "quarantined": deleted.quarantined, "spooled": report.spooled, "relayed": report.relayed, "relay_locked": report.relay_locked,
            "locked": report.locked, "unreadable_spools": report.unreadable_spools,
            "spool_pending": report.spool_pending, "log_pending": report.log_pending, "remains": report.remains,
            "out_of_reach": out_of_reach(asked).collect::<Vec<_>>(),
            "at_sendgrid": asked.map(|asked| json!({
                "requests": asked.requests, "addresses": asked.addresses, "jobs": asked.jobs, "left": asked.left, "error": asked.error,
            })),
        });
        writeln!(out, "{object}")?;
    } else {
        let removed = if dry_run { "would be removed" } else { "removed" };
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
        write_open_points(&mut out, report)?;
        if let Some(asked) = asked {
            write_asked(&mut out, dry_run, asked)?;
        }
        writeln!(out, "out of reach:")?;
        for place in out_of_reach(asked) {
            writeln!(out, "  {place}")?;
        }
    }
    let complete = report.is_complete() && asked.is_none_or(|asked| asked.left == 0);
    Ok(if dry_run || complete { Exit::Done } else { Exit::Failed })
}

/// SendGrid's records are within reach where it was asked.
fn out_of_reach(asked: Option<&Asked>) -> impl Iterator<Item = &'static str> {
    let done = asked.is_some_and(|asked| asked.left == 0);
    OUT_OF_REACH.into_iter().filter(move |place| !(done && *place == AT_SENDGRID))
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

pub(super) fn unproven(format: Format, dry_run: bool, events: u64) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", json!({ "dry_run": dry_run, "events": events }))?,
        Format::Text if dry_run => writeln!(out, "would be removed: {events} events")?,
        Format::Text => writeln!(out, "removed: {events} events")?,
    }
    Ok(Exit::Done)
}

pub(super) fn lifted(format: Format, hashes: usize) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", json!({ "lifted": hashes }))?,
        Format::Text => writeln!(out, "{hashes} had been forgotten; their events are stored again from now on")?,
    }
    Ok(Exit::Done)
}
