//! Whether what exists is mailtrail's, and fits.

use serde_json::Value;

use super::Dataset;
use super::error::BigQueryError;
use super::resource::fields;
use super::schema::{Column, LABEL, Mode, Table};

impl Dataset {
    pub(super) fn judge_location(&self, dataset: &Value) -> Result<(), BigQueryError> {
        let there = dataset.get("location").and_then(Value::as_str).unwrap_or_default();
        match &self.location {
            Some(wanted) if !there.is_empty() && !there.eq_ignore_ascii_case(wanted) => {
                Err(BigQueryError::Unfit(format!(
                    "{} lies in {there}, and [bigquery] location says {wanted}: a dataset cannot be moved; correct the location or name another dataset",
                    self.shown()
                )))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn judge_label(&self, there: &Value, name: &str, label: &str) -> Result<(), BigQueryError> {
        let found = there.pointer(&format!("/labels/{LABEL}")).and_then(Value::as_str);
        if found == Some(label) {
            return Ok(());
        }
        Err(BigQueryError::Unfit(format!(
            "{} is not mailtrail's: it lacks the label {LABEL}={label}. Name another table or dataset in [bigquery]; nothing was changed",
            self.names.shown(name)
        )))
    }

    /// The columns that are missing; an error where one is of another kind.
    pub(super) fn judge_table(
        &self,
        table: &'static Table,
        there: &Value,
    ) -> Result<Vec<&'static Column>, BigQueryError> {
        let shown = self.names.shown(&self.names.table(table));
        let unfit =
            |what: String| Err(BigQueryError::Unfit(format!("{shown}: {what}. Name another table in [bigquery]")));
        let partition = there.pointer("/timePartitioning/field").and_then(Value::as_str);
        if partition != table.partition {
            let name = |partition: Option<&str>| partition.unwrap_or("nothing").to_owned();
            return unfit(format!("partitioned by {}, not by {}", name(partition), name(table.partition)));
        }
        let fields = fields(there);
        let text = |field: &Value, key| field.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        for field in &fields {
            let (name, kind, mode) = (text(field, "name"), text(field, "type"), text(field, "mode"));
            let Some(column) = table.column(&name) else {
                if mode == "REQUIRED" {
                    return unfit(format!("the column {name} is required, and mailtrail does not know it"));
                }
                continue;
            };
            let is_list = |mode: &str| mode == "REPEATED";
            if !column.kind.is_named(&kind)
                || is_list(&mode) != is_list(column.mode.name())
                || (mode == "REQUIRED" && column.mode != Mode::Required)
            {
                return unfit(format!(
                    "the column {name} is {mode} {kind}, and must be {} {}",
                    column.mode.name(),
                    column.kind.name()
                ));
            }
        }
        let there = |column: &&Column| fields.iter().any(|field| text(field, "name").eq_ignore_ascii_case(column.name));
        Ok(table.columns.iter().filter(|column| !there(column)).collect())
    }
}
