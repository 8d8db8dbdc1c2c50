//! `mailtrail stats`

use jiff::tz::TimeZone;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, OutputArgs, Sheet, note};
use super::question::{FilterArgs, Question, Window};
use super::style;
use crate::store::query::{Counted, Dimension};

/// Count events, or recipients
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// By what: event, status, category, domain, run, day, hour, classification, reason, verified_by, message
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', default_value = "event")]
    by: Vec<String>,
    /// Count different recipients rather than events
    #[arg(long, value_name = "recipients", value_parser = ["recipients"])]
    distinct: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Count events of test keys and SendGrid's samples as well
    #[arg(long)]
    include_tests: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let by = args.by.iter().map(|name| dimension(name)).collect::<Result<Vec<_>, _>>()?;
    let question = Question::new(global)?;
    let mut filter = question.filter(&args.filter, Window::Count)?;
    filter.include_tests = args.include_tests;
    filter.zone = Some(style::zone()).filter(|zone| **zone != TimeZone::UTC).cloned();
    let (counted, heading) = match args.distinct {
        Some(_) => (Counted::Recipients, "recipients"),
        None => (Counted::Rows, "events"),
    };
    let store = question.store()?;
    let answer = store.stats(&filter, &by, counted)?;
    let found = answer.value.len();
    let mut columns: Vec<&str> = by.iter().map(|dimension| dimension.as_str()).collect();
    columns.push(heading);
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &columns)?;
    for group in answer.value {
        let mut cells: Vec<Cell> = group.keys.into_iter().map(Cell::text).collect();
        cells.push(Cell::Integer(i64::try_from(group.count).unwrap_or(i64::MAX)));
        sheet.row(cells)?;
    }
    drop(sheet.end()?);
    question.tell(found, "line", answer.scanned.as_ref());
    let repeats = store.repeats(&filter)?;
    if repeats > 0 {
        note(&format!("{repeats} of the events repeat another one under a new sg_event_id"));
    }
    if !args.include_tests {
        note("events of test keys and SendGrid's samples are left out (--include-tests)");
    }
    Ok(Exit::Done)
}

fn dimension(name: &str) -> Result<Dimension, UsageError> {
    Dimension::parse(name.trim()).ok_or_else(|| {
        let all: Vec<&str> = Dimension::ALL.into_iter().map(Dimension::as_str).collect();
        UsageError(format!("cannot count by {name:?}: use {}", all.join(", ")))
    })
}
