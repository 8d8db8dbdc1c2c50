//! Rows that cannot be mailed: of a list's form, and of the mails composed from it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::output::{Cell, Format, OutputArgs, Sheet, note};
use crate::compose::RowFault;
use crate::list::Problems;

/// How many are shown.
const SHOWN: usize = 20;

/// A row that cannot be mailed. Names no address and no value.
struct RowProblem {
    row: u64,
    column: Option<String>,
    reason: String,
}

/// All rows that cannot be mailed, in the order of the file.
#[derive(Default)]
pub(super) struct RowProblems(Vec<RowProblem>);

impl RowProblems {
    pub(super) fn new(of_list: &Problems, of_mails: &[RowFault]) -> Self {
        let of_list = of_list.all().iter().map(|problem| RowProblem {
            row: problem.row,
            column: problem.column.clone(),
            reason: problem.fault.to_string(),
        });
        let of_mails =
            of_mails.iter().map(|fault| RowProblem { row: fault.row, column: None, reason: fault.fault.to_string() });
        let mut all: Vec<RowProblem> = of_list.chain(of_mails).collect();
        all.sort_by_key(|problem| problem.row);
        Self(all)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Shows the first ones on stderr. `file`: where all of them are.
    pub(super) fn show(&self, skipped: bool, file: Option<&Path>) {
        let before = if skipped { "skipped" } else { "cannot be mailed" };
        for RowProblem { row, column, reason } in self.0.iter().take(SHOWN) {
            match column {
                Some(column) => note(&format!("{before}: row {row}, column {column}: {reason}")),
                None => note(&format!("{before}: row {row}: {reason}")),
            }
        }
        let more = self.0.len().saturating_sub(SHOWN);
        match file {
            _ if more == 0 => {}
            Some(file) => note(&format!("and {more} more; all are in {}", file.display())),
            None => note(&format!("and {more} more (--problems-out FILE writes all of them)")),
        }
    }

    /// Writes all of them as CSV.
    pub(super) fn write(&self, path: &Path, output: OutputArgs) -> anyhow::Result<()> {
        let written = || {
            let file = BufWriter::new(File::create(path)?);
            let output = OutputArgs { format: Format::Csv, terminal: false, ..output };
            let mut sheet = Sheet::begin(file, output, &["row", "column", "reason"])?;
            for RowProblem { row, column, reason } in &self.0 {
                let row = Cell::Integer(i64::try_from(*row).unwrap_or(i64::MAX));
                sheet.row(vec![row, Cell::text(column.clone()), Cell::Text(reason.clone())])?;
            }
            sheet.end()?.flush()
        };
        written().with_context(|| format!("writing {}", path.display()))
    }

    pub(super) fn to_json(&self) -> Value {
        let all = self
            .0
            .iter()
            .map(|problem| json!({"row": problem.row, "column": problem.column, "reason": problem.reason}));
        Value::Array(all.collect())
    }
}
