//! `mailtrail sent`

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::pruned;
use super::question::Question;
use super::selection::SelectionArgs;
use super::server::{self, ServerArgs};
use super::time;
use crate::outcome::{self, Blind, Earlier, Selector, blind, columns, latest_of, standings};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::visible;
use crate::store::ledger::Sent;
use crate::store::query::Scope;
use crate::store::remote::wire::{About, Mail};
use crate::store::remote::{Remote, Row};
use crate::store::sends::Sends;

/// Tell who of a list was mailed in a run or a category, whichever tool sent it, and what became of them
///
/// A recipient was mailed if the ledger says accepted or uncertain, or if there is any event but dropped. For mail of other tools
/// that is as good as the events that came in. The status is the same as in `unreached`.
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
        found.retain(|_, earlier| !(earlier.mailed && earlier.unverified));
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
    let mut tally = Tally::default();
    let mut unverified = 0_usize;
    for (row, hash, earlier) in rows {
        let earlier = tally.add(earlier);
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
    if let Some(remote) = &question.server {
        tally.not_mailed = remote.about().not_mailed.unwrap_or_default();
    }
    for line in tally.lines(listed.list.len() as u64, &up_to) {
        note(&line);
    }
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

/// What became of the list.
#[derive(Default)]
struct Tally {
    /// Those who were mailed, by status.
    mailed: BTreeMap<Status, u64>,
    /// Those who were not, by what says so.
    not_mailed: BTreeMap<String, u64>,
    /// Why SendGrid refused them.
    refusals: BTreeMap<String, u64>,
}

/// So many reasons are printed.
const REASONS: usize = 5;

impl Tally {
    /// Counts a recipient; gives them back if they were mailed.
    fn add<'e>(&mut self, earlier: Option<&'e Earlier>) -> Option<&'e Earlier> {
        let earlier = earlier?;
        if earlier.mailed {
            *self.mailed.entry(earlier.status).or_default() += 1;
            return Some(earlier);
        }
        *self.not_mailed.entry(earlier.why_not().to_owned()).or_default() += 1;
        if let Some(why) = &earlier.refusal {
            *self.refusals.entry(why.clone()).or_default() += 1;
        }
        None
    }

    fn lines(&self, listed: u64, up_to: &str) -> Vec<String> {
        let mailed: u64 = self.mailed.values().sum();
        let not_mailed: u64 = self.not_mailed.values().sum();
        let became: Vec<String> = Status::IN_SUMMARIES
            .iter()
            .filter_map(|status| Some(format!("{} {}", self.mailed.get(status)?, status.as_str())))
            .collect();
        let became = if became.is_empty() { String::new() } else { format!(": {}", became.join(", ")) };
        let mut lines =
            vec![format!("{mailed} of {listed} on the list were mailed, or may have been{became}; {up_to}")];
        let mut others: Vec<String> =
            self.not_mailed.iter().map(|(why, count)| format!("{count} {}", not_mailed_as(why))).collect();
        let rest = listed.saturating_sub(mailed + not_mailed);
        if rest > 0 {
            others.push(format!("{rest} never asked for"));
        }
        if !others.is_empty() {
            lines.push(format!("{} were not mailed: {}", listed.saturating_sub(mailed), others.join(", ")));
        }
        let mut why: Vec<(&String, &u64)> = self.refusals.iter().collect();
        why.sort_by(|(one, more), (other, fewer)| fewer.cmp(more).then_with(|| one.cmp(other)));
        lines.extend(
            why.into_iter().take(REASONS).map(|(why, count)| format!("note: refused {count}: {}", visible(why))),
        );
        lines
    }
}

fn not_mailed_as(why: &str) -> &str {
    match why {
        "refused" => "refused by SendGrid's API",
        "dropped" => "dropped by SendGrid",
        "unsent" => "not sent yet",
        other => other,
    }
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
    let found = standings(sends, selector)?;
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
            mailed: true,
            seen: false,
            refusal: None,
            at: server::micros(row.text("last")?)?,
            unverified: !row.get("verified")?.as_bool()?,
        };
        Some((EmailHash::parse(row.text("email_hash")?)?, earlier))
    };
    let rows = remote.sent(mail)?;
    let found = rows.iter().map(|row| read(row).context("a row of the server cannot be read"));
    Ok((found.collect::<anyhow::Result<_>>()?, remote.about().events_up_to.as_deref().and_then(server::micros)))
}
