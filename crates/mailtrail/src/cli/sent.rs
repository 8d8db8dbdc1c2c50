//! `mailtrail sent`

use std::collections::HashMap;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::pruned;
use super::question::Question;
use super::selection::SelectionArgs;
use super::server::{self, ServerArgs};
use super::time;
use crate::outcome::{self, Blind, Earlier, Selector, blind, columns, latest_of, mailed_before};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::ledger::Sent;
use crate::store::query::Scope;
use crate::store::remote::wire::{About, Mail};
use crate::store::remote::{Remote, Row};
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
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::anywhere(global, &args.server)?;
    let selection = args.selection.read(&question, None)?;
    let Some(listed) = &selection.listed else {
        return Err(UsageError("whom do you ask about? Give the list by --list FILE".to_owned()).into());
    };
    let sends = match question.server {
        Some(_) => None,
        None => Some(question.sends()?),
    };
    if let Some(sends) = &sends {
        selection.catch_up(&**sends, true)?;
    }
    if args.selection.is_open_ended() {
        note("note: without --since all mail of the category there ever was is looked through");
    }
    let (mut found, up_to) = match (&question.server, &sends) {
        (Some(remote), _) => there(remote, &selection.mail())?,
        (None, Some(sends)) => here(&**sends, &selection.selector)?,
        (None, None) => (HashMap::new(), None),
    };
    if args.ignore_unverified {
        found.retain(|_, earlier| !earlier.unverified);
    }
    let rows = listed.list.rows().zip(&listed.hashes).map(|(row, hashes)| {
        let earlier = latest_of(&found, hashes);
        (row, hashes.first().copied(), earlier)
    });
    let own: Vec<&str> = listed.list.columns().iter().map(String::as_str).collect();
    let columns = if args.not_sent { own } else { columns::SENT.to_vec() };
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
            Some(earlier) if !args.not_sent => {
                let address = Cell::Text(row.address().expose().to_owned());
                sheet.row([address].into_iter().chain(columns::of_sent(hash, earlier)).collect())?;
            }
            _ => {}
        }
    }
    drop(sheet.end()?);
    let up_to = up_to.map_or_else(
        || "no event has ever come in".to_owned(),
        |last| format!("events are in up to {}", time::rfc3339(last)),
    );
    note(&format!("{sent} of {} on the list already got it, or may have; {up_to}", listed.list.len()));
    if unverified > 0 {
        note(&format!(
            "note: of {unverified} of them only events say so that nothing vouches for (--ignore-unverified)"
        ));
    }
    pruned::tell_of_scope(&question, &selection.selector);
    match (&question.server, &sends) {
        (Some(remote), _) => {
            let About { nobody, left_out, .. } = remote.about();
            warn(Blind { nobody: nobody.unwrap_or_default(), left_out: left_out.unwrap_or_default() });
        }
        (None, Some(sends)) => tell_blind(&**sends, &selection.selector.scope, selection.selector.since)?,
        (None, None) => {}
    }
    question.tell_backlog();
    Ok(Exit::Done)
}

/// Says where a no may be none: of imported events that nobody can tell the recipients of.
pub(super) fn tell_blind(sends: &dyn Sends, scope: &Scope, since: Option<i64>) -> anyhow::Result<()> {
    warn(blind(sends, scope, since)?);
    Ok(())
}

fn warn(Blind { nobody, left_out }: Blind) {
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
}

/// Who got it, and up to when events are in.
type Known = (HashMap<EmailHash, Earlier>, Option<i64>);

fn here(sends: &dyn Sends, selector: &Selector) -> anyhow::Result<Known> {
    let found = mailed_before(sends, &selector.scope, selector.since)?;
    if found.is_empty()
        && let Scope::Run(run) = &selector.scope
    {
        outcome::known(sends, run)?;
    }
    Ok((found, outcome::events_up_to(sends)?))
}

/// As another host knows it, by the first hash of everybody on the list.
fn there(remote: &Remote, mail: &Mail) -> anyhow::Result<Known> {
    let read = |row: &Row| {
        let ledger = row.text("ledger").map(Sent::parse);
        let earlier = Earlier {
            status: Status::parse(row.text("status")?)?,
            // A state that this version does not know is none it could tell of.
            ledger: ledger.flatten(),
            at: server::micros(row.text("last")?)?,
            unverified: !row.get("verified")?.as_bool()?,
        };
        Some((EmailHash::parse(row.text("email_hash")?)?, earlier))
    };
    let rows = remote.sent(mail)?;
    let found = rows.iter().map(|row| read(row).context("a row of the server cannot be read"));
    Ok((found.collect::<anyhow::Result<_>>()?, remote.about().events_up_to.as_deref().and_then(server::micros)))
}
