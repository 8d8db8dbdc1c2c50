//! `mailtrail runs`

use super::Global;
use super::exit::Exit;
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::pruned;
use super::question::Question;
use super::server::{self, ServerArgs};
use crate::outcome::{self, Selector, columns};
use crate::store::remote::Row;

/// List the runs, the newest first; or tell of one
///
/// asked: the recipients of the run, each once; they are delivered, unreached (refused ones, too) or not settled. completeness:
/// recipients with any event ÷ all.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell of this run alone
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Most runs
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::anywhere(global, &args.server)?;
    if let Some(name) = &args.run {
        let for_people = args.output.format == Format::Table;
        let figures = match &question.server {
            Some(remote) => figures(remote.run(name)?, for_people),
            None => {
                let run = outcome::run(&*question.sends()?, name)?;
                let figures = columns::figures(&run, for_people).into_iter();
                figures.map(|(name, cell)| (name.to_owned(), cell)).collect()
            }
        };
        detail(figures, args.output)?;
        pruned::tell_of_send(&question, &Selector::of_run(name));
        question.tell_backlog();
        return Ok(Exit::Done);
    }
    let (runs, there, first): (Vec<Vec<Cell>>, usize, Option<i64>) = match &question.server {
        Some(remote) => {
            let rows: Vec<Vec<Cell>> =
                remote.runs(args.limit)?.iter().map(|row| server::cells(row, &columns::RUN)).collect();
            let there = remote.about().total.and_then(|total| usize::try_from(total).ok()).unwrap_or(rows.len());
            (rows, there, None)
        }
        None => {
            let (runs, there) = outcome::runs(&*question.sends()?, args.limit)?;
            let first = runs.iter().map(|run| run.record.as_ref().map_or(i64::MIN, |record| record.begun_at)).min();
            (runs.iter().map(columns::of_run).collect(), there, first)
        }
    };
    let found = runs.len();
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &columns::RUN)?;
    for cells in runs {
        sheet.row(cells)?;
    }
    drop(sheet.end()?);
    question.tell(found, "run", None);
    pruned::tell(&question, first.or(Some(i64::MAX)));
    if there > found {
        note(&format!("only {found} of {there} are shown: --limit shows more"));
    }
    Ok(Exit::Done)
}

/// A run's figures, as another host tells them. For people, completeness is a percentage.
fn figures(row: Row, for_people: bool) -> Vec<(String, Cell)> {
    let each = row.0.into_iter().map(|(name, value)| {
        let cell = match value.as_f64() {
            Some(ratio) if for_people && name == "completeness" => Cell::Text(columns::percent(ratio)),
            _ => server::cell(&name, &value),
        };
        (name, cell)
    });
    each.collect()
}

/// One line a figure for people; one object for programs.
fn detail(figures: Vec<(String, Cell)>, output: OutputArgs) -> anyhow::Result<()> {
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
