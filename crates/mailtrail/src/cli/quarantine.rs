//! `mailtrail quarantine`

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, OutputArgs, Sheet, note};
use super::question::Question;
use super::{replay, time};
use crate::clock;
use crate::decode::looks_like;
use crate::protect::KeyRing;
use crate::show::visible;
use crate::store::sqlite::{Reader, Trail};

/// List, show, discard or read again what was authentic but could not be stored as events
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the entries, with the reason of each
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Decrypt an entry and print it as it came; who did so and when is recorded
    ///
    /// It may hold addresses. On a terminal control characters are shown as escapes; a file or pipe gets the bytes.
    Show {
        /// Number of the entry
        id: i64,
    },
    /// Delete entries for good
    Discard {
        /// Numbers of the entries
        #[arg(required = true)]
        id: Vec<i64>,
    },
    /// Read all entries again after an upgrade, as `mailtrail replay` does
    Replay,
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    match args.action {
        Action::List { output } => list(output, global),
        Action::Show { id } => show(id, global),
        Action::Discard { id } => discard(&id, global),
        Action::Replay => replay::run(replay::Args {}, global),
    }
}

fn list(output: OutputArgs, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    let entries = Reader::open(&question.paths)?.quarantine()?;
    let columns = ["id", "received_at", "reason", "bytes", "verified_by", "shown_at"];
    let mut sheet = Sheet::begin(io::stdout().lock(), output, &columns)?;
    let mut reasons: Vec<&str> = Vec::new();
    for entry in &entries {
        sheet.row(vec![
            Cell::Integer(entry.id),
            Cell::Time(entry.received_at),
            Cell::Text(entry.why.clone()),
            Cell::Integer(entry.bytes),
            Cell::text(entry.verified_by.clone()),
            entry.shown_at.map_or(Cell::Null, Cell::Time),
        ])?;
        if !reasons.contains(&entry.why.as_str()) {
            reasons.push(&entry.why);
        }
    }
    drop(sheet.end()?);
    for reason in reasons {
        note(&format!("{}: {}", visible(reason), advice(reason)));
    }
    Ok(Exit::Done)
}

fn show(id: i64, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    drop(Reader::open(&question.paths)?);
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let mut trail = Trail::open(question.paths.trail())?;
    trail.adopt(&crate::store::keys::Keys::identity(keys.as_ref()))?;
    let entry = trail.quarantined(id)?.ok_or_else(|| no_entry(id))?;
    let bytes = keys.open(&entry.seal_key_id, &entry.sealed)?;
    // Before anything is printed, so that nothing is shown without a record.
    trail.note_quarantined_shown(id, clock::now_micros(), rustix::process::getuid().as_raw())?;
    let form = looks_like(&bytes).map(|form| format!("; {form}")).unwrap_or_default();
    note(&format!(
        "entry {id}, received at {}, reason {}{form}: {}",
        time::rfc3339(entry.received_at),
        visible(&entry.why),
        advice(&entry.why)
    ));
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines() {
            writeln!(stdout, "{}", visible(line))?;
        }
    } else {
        stdout.write_all(&bytes)?;
    }
    stdout.flush()?;
    Ok(Exit::Done)
}

fn discard(ids: &[i64], global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    drop(Reader::open(&question.paths)?);
    let keys = KeyRing::load(&question.config.privacy)?;
    let mut trail = Trail::open(question.paths.trail())?;
    trail.adopt(&crate::store::keys::Keys::identity(&keys))?;
    // All of them or none: a wrong number among them is a slip.
    for id in ids {
        trail.quarantined(*id)?.ok_or_else(|| no_entry(*id))?;
    }
    for id in ids {
        trail.release_quarantined(*id)?;
    }
    writeln!(io::stdout(), "{} entries of the quarantine are deleted", ids.len())?;
    Ok(Exit::Done)
}

fn no_entry(id: i64) -> UsageError {
    UsageError(format!("the quarantine has no entry {id}: see mailtrail quarantine list"))
}

/// What to do about entries with this reason.
pub(super) fn advice(reason: &str) -> &'static str {
    match reason {
        "not_json" | "malformed" | "not_utf8" => {
            "this is no JSON that SendGrid's Event Webhook sends. Show one entry: if another webhook posts here (Inbound Parse, a form), \
             change its URL and discard the entries; if SendGrid sent it, keep them and run mailtrail replay after an upgrade"
        }
        "not_an_object" | "no_event_name" => {
            "this is JSON, but no event of SendGrid. Show one entry: if another program posts here, change its URL and discard the entries"
        }
        "no_timestamp" => {
            "the event has no usable time, so that it cannot be stored. Show it; discard it if it is a test, else run mailtrail replay after \
             an upgrade"
        }
        "too_many_elements" | "too_deep" => {
            "SendGrid sends nothing so large or so deeply nested. Show the entry to see who does, then discard it"
        }
        "undrainable" => {
            "the trail could not take this batch. Run mailtrail doctor, correct what it reports, then run mailtrail replay"
        }
        reason if reason.starts_with("import_") => {
            "a row of an import that is no event. Correct the source and import it again, then discard the entry"
        }
        _ => "run mailtrail replay after an upgrade; nothing of it is lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_reader_has_advice_of_its_own() {
        let general = advice("");
        for reason in [
            "not_json",
            "too_many_elements",
            "too_deep",
            "not_utf8",
            "malformed",
            "not_an_object",
            "no_event_name",
            "no_timestamp",
        ] {
            assert_ne!(advice(reason), general, "{reason}");
        }
    }
}
