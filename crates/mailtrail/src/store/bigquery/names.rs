//! Where the tables of one configuration stand, and how SQL and the APIs name them.

use super::schema::{Purpose, Table};
use crate::config::BigQuery;

/// Project, dataset and the name of the table of events.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    project: String,
    dataset: String,
    events: String,
}

impl Names {
    pub(crate) fn of(config: &BigQuery) -> Self {
        Self {
            project: config.project.to_string(),
            dataset: config.dataset.to_string(),
            events: config.table.to_string(),
        }
    }

    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    pub(crate) fn dataset(&self) -> &str {
        &self.dataset
    }

    /// A table's name within the dataset.
    pub(crate) fn table(&self, table: &Table) -> String {
        match table.purpose {
            Purpose::Event => self.events.clone(),
            _ => table.default_name.to_owned(),
        }
    }

    /// The name of the view with every event once.
    pub(crate) fn unique(&self) -> String {
        format!("{}_unique", self.events)
    }

    /// The dataset's name for SQL, quoted.
    pub(crate) fn sql_dataset(&self) -> String {
        format!("`{}.{}`", self.project, self.dataset)
    }

    /// A name for SQL, quoted. The parts come from `config::bigquery::Name`, which holds no back quote.
    pub(crate) fn sql(&self, name: &str) -> String {
        format!("`{}.{}.{name}`", self.project, self.dataset)
    }

    /// A table's name for SQL, quoted.
    pub(crate) fn sql_table(&self, table: &Table) -> String {
        self.sql(&self.table(table))
    }

    /// A table for people.
    pub(crate) fn shown(&self, name: &str) -> String {
        format!("{}.{}.{name}", self.project, self.dataset)
    }

    /// The default stream of a table: rows are there when acknowledged, at least once.
    pub(crate) fn stream(&self, table: &Table) -> String {
        format!("projects/{}/datasets/{}/tables/{}/streams/_default", self.project, self.dataset, self.table(table))
    }
}
