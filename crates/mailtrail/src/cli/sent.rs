//! `mailtrail sent`

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::pruned;
use super::question::Question;
use super::selection::SelectionArgs;
use super::time;
use crate::outcome::{Blind, Earlier, OutcomeError, blind, mailed_before};
use crate::store::query::Scope;
use crate::store::sends::Sends;

/// Tell who of a list already got a run or a category, whichever tool sent it
///
/// Whoever may have got it counts: accepted or uncertain in the ledger, or any event but dropped. For mail of other tools
/// that is as good as the events that came in.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// The rest instead, as a CSV list with all its columns, as `send` takes it
    #[arg(long)]
    not_sent: bool,
    /// Events that nothing vouches for do not count
    #[arg(long)]
    ignore_unverified: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    let sends = question.sends()?;
    let selection = args.selection.read(&question, None)?;
    let Some(listed) = &selection.listed else {
        return Err(UsageError("whom do you ask about? Give the list by --list FILE".to_owned()).into());
    };
    sends.catch_up(selection.keys.clone(), true)?;
    if args.selection.is_open_ended() {
        note("note: without --since all mail of the category there ever was is looked through");
    }
    let scope = &selection.selector.scope;
    let found = mailed_before(&*sends, scope, selection.selector.since)?;
    if found.is_empty()
        && let Scope::Run(run) = scope
    {
        known(&*sends, run)?;
    }
    let counts = |earlier: &&Earlier| !(args.ignore_unverified && earlier.unverified);
    let rows = listed.list.rows().zip(listed.list.hashes(&selection.keys)).map(|(row, hashes)| {
        // Under several keys: the latest.
        let earlier = hashes.iter().filter_map(|hash| found.get(hash)).filter(counts).max_by_key(|earlier| earlier.at);
        (row, hashes.first().copied(), earlier)
    });
    let own: Vec<&str> = listed.list.columns().iter().map(String::as_str).collect();
    let columns = if args.not_sent { own } else { vec!["email", "email_hash", "status", "ledger", "last", "verified"] };
    let output = match args.output.format {
        // What `send` takes is CSV.
        Format::Table if args.not_sent => OutputArgs { format: Format::Csv, ..args.output },
        _ => args.output,
    };
    let mut sheet = Sheet::begin(std::io::stdout().lock(), output, &columns)?;
    let (mut sent, mut unverified) = (0_usize, 0_usize);
    for (row, hash, earlier) in rows {
        sent += usize::from(earlier.is_some());
        unverified += usize::from(earlier.is_some_and(|earlier| earlier.unverified));
        match earlier {
            None if args.not_sent => sheet.row(row.cells().map(|cell| Cell::Text(cell.to_owned())).collect())?,
            Some(earlier) if !args.not_sent => sheet.row(vec![
                Cell::Text(row.address().expose().to_owned()),
                Cell::text(hash.map(|hash| hash.to_string())),
                Cell::Text(earlier.status.as_str().to_owned()),
                Cell::text(earlier.ledger.map(|sent| sent.as_str().to_owned())),
                Cell::Time(earlier.at),
                Cell::Bool(!earlier.unverified),
            ])?,
            _ => {}
        }
    }
    drop(sheet.end()?);
    note(&format!("{sent} of {} on the list already got it, or may have; {}", listed.list.len(), up_to(&*sends)?));
    if unverified > 0 {
        note(&format!(
            "note: of {unverified} of them only events say so that nothing vouches for (--ignore-unverified)"
        ));
    }
    pruned::tell_of_scope(&question, &selection.selector);
    tell_blind(&*sends, scope, selection.selector.since)?;
    question.tell_backlog();
    Ok(Exit::Done)
}

/// Says where a no may be none: of imported events that nobody can tell the recipients of.
pub(super) fn tell_blind(sends: &dyn Sends, scope: &Scope, since: Option<i64>) -> anyhow::Result<()> {
    let Blind { nobody, left_out } = blind(sends, scope, since)?;
    if nobody > 0 {
        note(&format!(
            "warning: {nobody} imported events of this mail do not say whom they are about: whoever seems not to have got it may \
             have (mailtrail import --rehash LIST tells them, where the list has their addresses)"
        ));
    }
    if left_out > 0 {
        note(&format!(
            "warning: imports left out {left_out} events whose recipients nobody knows: whoever seems not to have got this mail may \
             have. Import again with --rehash and a list that has their addresses"
        ));
    }
    Ok(())
}

/// A name that was never used is a slip, and its answer would have everybody mailed again.
fn known(sends: &dyn Sends, run: &str) -> anyhow::Result<()> {
    let in_ledger = sends.ledger()?.map(|ledger| ledger.run(run)).transpose()?.flatten().is_some();
    let in_events = || sends.events()?.map_or(Ok(false), |events| Ok::<_, OutcomeError>(events.knows_run(run)?));
    if in_ledger || in_events()? { Ok(()) } else { Err(OutcomeError::UnknownRun(run.to_owned()).into()) }
}

/// Up to when events are in.
fn up_to(sends: &dyn Sends) -> anyhow::Result<String> {
    let last = sends.events()?.map(|events| events.last_received()).transpose()?.flatten();
    Ok(last.map_or_else(
        || "no event has ever come in".to_owned(),
        |last| format!("events are in up to {}", time::rfc3339(last)),
    ))
}
