//! The tables, in one place: SQL, Terraform, the REST API's form, the rows' protobuf and the check of a table that exists all
//! come from here.

mod tables;

pub(crate) use tables::{EVENTS, LOCKS, META, PLACES, QUARANTINE, RUNS, SENDS, TABLES, TOLD};

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Timestamp,
    Integer,
    Bool,
    Json,
    Bytes,
}

impl Kind {
    /// As the REST API and Terraform write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Timestamp => "TIMESTAMP",
            Self::Integer => "INTEGER",
            Self::Bool => "BOOLEAN",
            Self::Json => "JSON",
            Self::Bytes => "BYTES",
        }
    }

    /// As SQL writes it.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Integer => "INT64",
            Self::Bool => "BOOL",
            other => other.name(),
        }
    }

    /// Whether a table that exists calls the type so: the API knows two names of some.
    pub(crate) fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name()) || name.eq_ignore_ascii_case(self.sql())
    }
}

/// Whether a column may be null or is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Nullable,
    Required,
    Repeated,
}

impl Mode {
    /// As the REST API and Terraform write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nullable => "NULLABLE",
            Self::Required => "REQUIRED",
            Self::Repeated => "REPEATED",
        }
    }
}

/// A column.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) description: &'static str,
}

/// What a table is for: the value of its label `mailtrail`, by which it is known as ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Event,
    Send,
    Run,
    Told,
    Quarantine,
    Meta,
    Lock,
    Place,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) purpose: Purpose,
    /// The table's name; events' own is in the configuration.
    pub(crate) default_name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) columns: &'static [Column],
    /// The column whose day is the partition.
    pub(crate) partition: Option<&'static str>,
    pub(crate) cluster: &'static [&'static str],
}

/// The label by which a table or view is known as mailtrail's.
pub(crate) const LABEL: &str = "mailtrail";
/// The value of a view's label.
pub(crate) const VIEW_LABEL: &str = "view";

impl Purpose {
    /// The value of the label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Send => "send",
            Self::Run => "run",
            Self::Told => "told",
            Self::Quarantine => "quarantine",
            Self::Meta => "meta",
            Self::Lock => "lock",
            Self::Place => "place",
        }
    }
}

impl Table {
    /// The columns, by name.
    pub(crate) fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// One row an event: the repetition received first. A filter on `timestamp` still prunes partitions, since the window is
/// partitioned by it.
pub(crate) fn unique_view(events: &str) -> String {
    format!(
        "SELECT * FROM {events} WHERE TRUE\n\
         QUALIFY ROW_NUMBER() OVER (PARTITION BY timestamp, event_key ORDER BY received_at) = 1"
    )
}

/// What the view is for.
pub(crate) const UNIQUE_DESCRIPTION: &str = "Every event once. Filter by timestamp: that is what a query costs.";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn partitions_and_clusters_are_columns_that_bigquery_takes_for_them() {
        for table in TABLES {
            let names: HashSet<&str> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns.len(), "{}: two columns of one name", table.default_name);
            if let Some(partition) = table.partition {
                let column = table.column(partition).expect("a column");
                assert_eq!((column.kind, column.mode), (Kind::Timestamp, Mode::Required), "{partition}");
            }
            assert!(table.cluster.iter().all(|name| names.contains(name)));
            // Labels: lower case, digits, - and _.
            assert!(table.purpose.label().bytes().all(|byte| byte.is_ascii_lowercase()));
        }
    }

    #[test]
    fn descriptions_fit_in_every_form_unescaped() {
        let texts = TABLES.iter().flat_map(|table| {
            table.columns.iter().map(|column| column.description).chain([table.description, UNIQUE_DESCRIPTION])
        });
        for text in texts {
            assert!(text.len() <= 1024 && !text.contains(['"', '\\', '\n', '$', '%', '`']), "{text}");
        }
    }
}
