//! `mailtrail runs`

use super::Global;
use super::exit::Exit;
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::pruned;
use super::question::Question;
use crate::outcome::{self, Run, Selector};
use crate::settle::Status;
use crate::store::ledger::Sent;

const COLUMNS: [&str; 11] = [
    "run",
    "begun",
    "asked",
    "accepted",
    "refused",
    "uncertain",
    "settled",
    "delivered",
    "unreached",
    "completeness",
    "last_event",
];

/// List the runs, the newest first; or tell of one
///
/// asked: whom SendGrid was asked to mail, each once. completeness: accepted recipients with any event ÷ accepted ones.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell of this run alone
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Most runs
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    let sends = question.sends()?;
    if let Some(name) = &args.run {
        detail(&outcome::run(&*sends, name)?, args.output)?;
        pruned::tell_of_send(&question, &Selector::of_run(name));
        question.tell_backlog();
        return Ok(Exit::Done);
    }
    let (runs, there) = outcome::runs(&*sends, args.limit)?;
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &COLUMNS)?;
    for run in &runs {
        sheet.row(cells(run))?;
    }
    drop(sheet.end()?);
    question.tell(runs.len(), "run", None);
    let first = runs.iter().map(|run| run.record.as_ref().map_or(i64::MIN, |record| record.begun_at)).min();
    pruned::tell(&question, first.or(Some(i64::MAX)));
    if there > runs.len() {
        note(&format!("only {} of {there} are shown: --limit shows more", runs.len()));
    }
    Ok(Exit::Done)
}

fn cells(run: &Run) -> Vec<Cell> {
    let report = &run.report;
    // Without a ledger nobody knows what was asked.
    let of_ledger = |count: Option<u64>| count.map_or(Cell::Null, number);
    vec![
        Cell::Text(run.name.clone()),
        run.record.as_ref().map_or(Cell::Null, |record| Cell::Time(record.begun_at)),
        of_ledger(run.record.as_ref().map(crate::store::ledger::RunRecord::asked)),
        of_ledger(run.record.is_some().then_some(report.accepted)),
        of_ledger(run.count(Sent::Refused)),
        of_ledger(run.record.is_some().then_some(report.uncertain)),
        number(report.settled()),
        number(report.count(Status::Delivered)),
        number(report.unreached()),
        if run.record.is_some() { Cell::Text(format!("{:.1} %", report.completeness() * 100.0)) } else { Cell::Null },
        report.last_event.map_or(Cell::Null, Cell::Time),
    ]
}

/// One line a figure for people; one object for programs.
fn detail(run: &Run, output: OutputArgs) -> anyhow::Result<()> {
    let mut figures: Vec<(String, Cell)> = COLUMNS.iter().map(|column| (*column).to_owned()).zip(cells(run)).collect();
    if output.format != Format::Table
        && let Some((_, cell)) = figures.iter_mut().find(|(name, _)| name == "completeness")
        && run.record.is_some()
    {
        *cell = Cell::Real(run.report.completeness());
    }
    for (status, count) in run.report.counts().filter(|(status, _)| *status != Status::Delivered) {
        figures.push((status.as_str().to_owned(), number(count)));
    }
    if let Some(record) = &run.record {
        figures.push(("abandoned".to_owned(), number(record.count(Sent::Abandoned))));
        figures.push(("sandbox".to_owned(), Cell::Bool(record.sandbox)));
        figures.push(("accepted_at".to_owned(), record.accepted_at.map_or(Cell::Null, Cell::Time)));
        figures.push(("send_at".to_owned(), record.send_at.map_or(Cell::Null, Cell::Time)));
    }
    figures.push(("left_out".to_owned(), number(run.report.left_out)));
    let out = std::io::stdout().lock();
    if output.format == Format::Table {
        let mut sheet = Sheet::begin(out, output, &["figure", "value"])?;
        for (name, cell) in figures {
            sheet.row(vec![Cell::Text(name), cell])?;
        }
        drop(sheet.end()?);
    } else {
        let columns: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
        let mut sheet = Sheet::begin(out, output, &columns)?;
        sheet.row(figures.iter().map(|(_, cell)| cell.clone()).collect())?;
        drop(sheet.end()?);
    }
    Ok(())
}

fn number(count: u64) -> Cell {
    Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
