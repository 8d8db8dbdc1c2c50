//! Any table's rows, read from its beginning to its end without a query: listing costs nothing, however large the table is.

use http::Method;
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use super::Dataset;
use super::ask::{SqlValue, value};
use super::error::BigQueryError;
use super::query::escaped;
use super::rest::{Call, Rest};
use crate::config::{BigQuery, BigQueryName as Name};

/// Rows fetched at once: with SendGrid's events a few megabytes.
const PAGE: u32 = 5_000;

/// A table, named as people do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The project.
    pub project: Name,
    /// The dataset.
    pub dataset: Name,
    /// The table.
    pub table: Name,
}

impl TableName {
    /// Reads `project.dataset.table`; `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A project's name may hold dots.
        let (rest, table) = text.rsplit_once('.')?;
        let (project, dataset) = rest.rsplit_once('.')?;
        Some(Self { project: Name::new(project)?, dataset: Name::new(dataset)?, table: Name::new(table)? })
    }

    fn path(&self) -> String {
        let [project, dataset, table] = [&self.project, &self.dataset, &self.table].map(|name| escaped(name.as_str()));
        format!("projects/{project}/datasets/{dataset}/tables/{table}")
    }
}

/// A table, open for being read once.
pub struct TableRows {
    rest: Rest,
    runtime: Runtime,
    path: String,
    fields: Vec<Json>,
    columns: Vec<String>,
    total: Option<u64>,
    next: Next,
}

enum Next {
    First,
    Behind(String),
    End,
}

impl TableRows {
    /// Looks at a table. `config`: how BigQuery is reached.
    ///
    /// # Errors
    /// When it is not there, is no table, or BigQuery cannot be asked.
    pub fn open(config: &BigQuery, name: &TableName) -> Result<Self, BigQueryError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| BigQueryError::Unfit(format!("the runtime cannot be started: {error}")))?;
        let rest = Dataset::new(config)?.rest;
        let path = name.path();
        let call = Call {
            method: Method::GET,
            path: path.clone(),
            body: None,
            doing: "look at the table to import",
            permission: "bigquery.tables.get",
        };
        let table = runtime.block_on(rest.call(&call))?;
        if let Some(kind) = table.get("type").and_then(Json::as_str).filter(|kind| *kind != "TABLE") {
            return Err(BigQueryError::Unfit(format!(
                "what is to be imported is a {kind}, and only a TABLE's rows can be listed: name the table behind it"
            )));
        }
        let fields = super::resource::fields(&table);
        let name = |field: &Json| field.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
        let total = table.get("numRows").and_then(Json::as_str).and_then(|digits| digits.parse().ok());
        Ok(Self { rest, runtime, path, columns: fields.iter().map(name).collect(), fields, total, next: Next::First })
    }

    /// The names of its columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows it has, about: what was streamed in lately may not be counted.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// The next rows, a value a column; `None` behind the last.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub fn page(&mut self) -> Result<Option<Vec<Vec<SqlValue>>>, BigQueryError> {
        let mut path = format!("{}/data?maxResults={PAGE}&formatOptions.useInt64Timestamp=true", self.path);
        match &self.next {
            Next::End => return Ok(None),
            Next::First => {}
            Next::Behind(token) => path.push_str(&format!("&pageToken={}", escaped(token))),
        }
        let call = Call {
            method: Method::GET,
            path,
            body: None,
            doing: "list the rows to import",
            permission: "bigquery.tables.getData",
        };
        let answer = self.runtime.block_on(self.rest.call(&call))?;
        let token = answer.get("pageToken").and_then(Json::as_str).filter(|token| !token.is_empty());
        self.next = token.map_or(Next::End, |token| Next::Behind(token.to_owned()));
        let rows = answer.get("rows").and_then(Json::as_array).into_iter().flatten();
        let row = |row: &Json| -> Vec<SqlValue> {
            let cells = row.get("f").and_then(Json::as_array).into_iter().flatten();
            let cells = cells.map(|cell| cell.get("v").unwrap_or(&Json::Null));
            self.fields.iter().zip(cells).map(|(field, cell)| value(field, cell)).collect()
        };
        Ok(Some(rows.map(row).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables() {
        let name = TableName::parse("example.com:proj.mail.sendgrid_event").unwrap();
        assert_eq!((name.project.as_str(), name.table.as_str()), ("example.com:proj", "sendgrid_event"));
        assert_eq!(TableName::parse("p.d.t").unwrap().path(), "projects/p/datasets/d/tables/t");
        for text in ["", "t", "d.t", "p.d.", ".d.t", "p.d.`t`", "p.d.t u", "p..t"] {
            assert_eq!(TableName::parse(text), None, "{text}");
        }
    }
}
