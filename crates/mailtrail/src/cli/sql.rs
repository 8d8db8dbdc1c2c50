//! `mailtrail sql`

mod bigquery;

use std::io::Read as _;
use std::ops::ControlFlow;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{Cell, OutputArgs, Sheet, note};
use super::question::Question;
use crate::config::{StoreKind, without_bom};
use crate::store::sqlite::sql::{self, LONGEST_QUERY, SqlLimits};

/// Read-only SQL over the table sendgrid_event
///
/// One SELECT; it can write nowhere, by no means, and ends after 60 seconds. Times are microseconds: compare them with
/// ts('2026-11-24') or ts('2026-11-24T10:00:00Z'); the view sendgrid_event_text has them readable. With [store] kind =
/// "bigquery" it is BigQuery's own SQL, and what it reads is said first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The query, or - to read it from standard input
    query: String,
    /// With BigQuery: also where it reads more than 1 GiB
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    let query = match args.query.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin()
                // Cut off, it could still be a query, and another one: a byte more is enough to be refused.
                .take(u64::from(LONGEST_QUERY.unsigned_abs()) + 1)
                .read_to_string(&mut text)
                .context("reading the query from standard input")?;
            without_bom(&text).to_owned()
        }
        given => given.to_owned(),
    };
    if query.trim().is_empty() {
        return Err(UsageError("the query is empty".to_owned()).into());
    }
    if query.len() > LONGEST_QUERY.unsigned_abs() as usize {
        return Err(
            UsageError(format!("the query is longer than {LONGEST_QUERY} bytes, the most that is taken")).into()
        );
    }
    if let (StoreKind::BigQuery, Some(section)) = (question.config.store.kind, &question.config.bigquery) {
        return bigquery::run(&question, section, &query, args.yes, args.output);
    }
    if let Some(hint) = sql::hint(&query) {
        note(&format!("note: {hint}"));
    }
    let mut sheet = None;
    let mut written = Ok(());
    let outcome = sql::run(&question.paths, &query, SqlLimits::default(), &mut |columns, cells| {
        written = print(&mut sheet, args.output, columns, cells);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    let outcome = outcome?;
    let sheet = match sheet {
        Some(sheet) => sheet,
        // No row: a heading all the same, where the form has one.
        None => begin(args.output, &outcome.columns)?,
    };
    sheet.end()?;
    question.tell(usize::try_from(outcome.rows).unwrap_or(usize::MAX), "row", None);
    super::pruned::tell(&question, None);
    Ok(Exit::Done)
}

/// Prints a row, behind the heading where it is the first.
fn print(
    sheet: &mut Option<Sheet<std::io::Stdout>>,
    output: OutputArgs,
    columns: &[String],
    cells: &[sql::Cell],
) -> std::io::Result<()> {
    let sheet = match sheet {
        Some(sheet) => sheet,
        empty => empty.insert(begin(output, columns)?),
    };
    sheet.row(cells.iter().map(cell).collect())
}

fn begin(output: OutputArgs, columns: &[String]) -> std::io::Result<Sheet<std::io::Stdout>> {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    Sheet::begin(std::io::stdout(), output, &columns)
}

fn cell(cell: &sql::Cell) -> Cell {
    match cell {
        sql::Cell::Null => Cell::Null,
        sql::Cell::Integer(number) => Cell::Integer(*number),
        sql::Cell::Real(number) => Cell::Real(*number),
        sql::Cell::Text(text) => Cell::Text(text.clone()),
        sql::Cell::Blob(bytes) => Cell::Text(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}
