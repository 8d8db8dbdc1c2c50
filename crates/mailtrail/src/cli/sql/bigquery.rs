//! `mailtrail sql` where BigQuery keeps the events.

use std::ops::ControlFlow;

use super::begin;
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output::{Cell, OutputArgs, note};
use crate::cli::question::Question;
use crate::config::BigQuery;
use crate::store::bigquery::{Asker, SqlValue};

/// Queries that read more are asked only with --yes.
const MUCH: u64 = 1 << 30;

pub(super) fn run(
    question: &Question,
    config: &BigQuery,
    query: &str,
    yes: bool,
    output: OutputArgs,
) -> anyhow::Result<Exit> {
    let asker = Asker::open(config)?;
    let bytes = asker.price(query)?;
    if bytes > MUCH && !yes {
        return Err(
            UsageError(format!("this reads {bytes} bytes of BigQuery's: say --yes, or filter by timestamp")).into()
        );
    }
    note(&format!("note: this reads {bytes} bytes"));
    let mut sheet = None;
    let mut rows = 0;
    let mut written = Ok(());
    let columns = asker.sql(query, &mut |columns, values| {
        rows += 1;
        let sheet = match &mut sheet {
            Some(sheet) => sheet,
            empty => match begin(output, columns) {
                Ok(begun) => empty.insert(begun),
                Err(error) => {
                    written = Err(error);
                    return ControlFlow::Break(());
                }
            },
        };
        written = sheet.row(values.into_iter().map(cell).collect());
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    let columns = columns?;
    let sheet = match sheet {
        Some(sheet) => sheet,
        // No row: a heading all the same, where the form has one.
        None => begin(output, &columns)?,
    };
    sheet.end()?;
    question.tell(rows, "row", None);
    Ok(Exit::Done)
}

fn cell(value: SqlValue) -> Cell {
    match value {
        SqlValue::Null => Cell::Null,
        SqlValue::Integer(number) => Cell::Integer(number),
        SqlValue::Real(number) => Cell::Real(number),
        SqlValue::Bool(flag) => Cell::Bool(flag),
        SqlValue::Time(micros) => Cell::Time(micros),
        SqlValue::Text(text) => Cell::Text(text),
        SqlValue::Json(json) => Cell::Json(json),
    }
}
