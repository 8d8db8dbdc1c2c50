//! The tables as SQL and as Terraform, for those who may not have mailtrail make them.

use std::fmt::Write as _;

use super::meta::Entry;
use super::names::Names;
use super::schema::{EVENTS, LABEL, META, Mode, TABLES, Table, UNIQUE_DESCRIPTION, VIEW_LABEL, unique_view};
use crate::config::BigQuery;

/// GoogleSQL that makes everything; run again, it changes nothing.
#[must_use]
pub fn sql(config: &BigQuery, entries: &[Entry]) -> String {
    let names = Names::of(config);
    let mut text = format!("CREATE SCHEMA IF NOT EXISTS {}", names.sql_dataset());
    if let Some(location) = &config.location {
        let _fits = write!(text, "\nOPTIONS (location = \"{location}\")");
    }
    text.push_str(";\n");
    for table in TABLES {
        text.push('\n');
        text.push_str(&create_table(&names, table));
        text.push_str(";\n");
    }
    let _fits = write!(
        text,
        "\nCREATE VIEW IF NOT EXISTS {}\nOPTIONS (description = \"{UNIQUE_DESCRIPTION}\", labels = [(\"{LABEL}\", \"{VIEW_LABEL}\")])\nAS {};\n",
        names.sql(&names.unique()),
        unique_view(&names.sql_table(&EVENTS)),
    );
    let table = names.sql_table(&META);
    for Entry { name, value } in entries {
        // Names, modes and hex digits: nothing in them that would need an escape.
        let _fits = write!(
            text,
            "\nINSERT INTO {table} (name, value)\nSELECT \"{name}\", \"{value}\" FROM (SELECT 1 AS one)\n\
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE name = \"{name}\");\n"
        );
    }
    text
}

fn create_table(names: &Names, table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let kind = column.kind.sql();
            let kind = match column.mode {
                Mode::Nullable => kind.to_owned(),
                Mode::Required => format!("{kind} NOT NULL"),
                Mode::Repeated => format!("ARRAY<{kind}>"),
            };
            format!("  `{}` {kind} OPTIONS (description = \"{}\")", column.name, column.description)
        })
        .collect();
    let mut text = format!("CREATE TABLE IF NOT EXISTS {} (\n{}\n)", names.sql_table(table), columns.join(",\n"));
    if let Some(partition) = table.partition {
        let _fits = write!(text, "\nPARTITION BY TIMESTAMP_TRUNC(`{partition}`, DAY)");
    }
    if !table.cluster.is_empty() {
        let _fits = write!(text, "\nCLUSTER BY {}", table.cluster.join(", "));
    }
    let _fits = write!(
        text,
        "\nOPTIONS (description = \"{}\", labels = [(\"{LABEL}\", \"{}\")])",
        table.description,
        table.purpose.label()
    );
    text
}

/// Terraform resources for everything but the entries of `mailtrail_meta`, which `bigquery init` writes.
#[must_use]
pub fn terraform(config: &BigQuery) -> String {
    let names = Names::of(config);
    let mut text = format!(
        "resource \"google_bigquery_dataset\" \"mailtrail\" {{\n  project    = \"{}\"\n  dataset_id = \"{}\"\n",
        names.project(),
        names.dataset()
    );
    if let Some(location) = &config.location {
        let _fits = writeln!(text, "  location   = \"{location}\"");
    }
    text.push_str("}\n");
    for table in TABLES {
        text.push('\n');
        text.push_str(&table_resource(&names, table));
    }
    let _fits = write!(
        text,
        "\nresource \"google_bigquery_table\" \"unique\" {{\n{}  description         = \"{UNIQUE_DESCRIPTION}\"\n  \
         deletion_protection = false\n  labels              = {{ {LABEL} = \"{VIEW_LABEL}\" }}\n  depends_on          = [google_bigquery_table.event]\n\n  \
         view {{\n    use_legacy_sql = false\n    query          = <<-EOT\n{}\n    EOT\n  }}\n}}\n",
        home(&names, &names.unique()),
        indented(&unique_view(&names.sql_table(&EVENTS)), 6),
    );
    text
}

fn home(names: &Names, table: &str) -> String {
    format!(
        "  project             = \"{}\"\n  dataset_id          = google_bigquery_dataset.mailtrail.dataset_id\n  table_id            = \"{table}\"\n",
        names.project()
    )
}

fn table_resource(names: &Names, table: &Table) -> String {
    let mut text = format!(
        "resource \"google_bigquery_table\" \"{}\" {{\n{}  description         = \"{}\"\n  deletion_protection = true\n  labels              = {{ {LABEL} = \"{}\" }}\n",
        table.purpose.label(),
        home(names, &names.table(table)),
        table.description,
        table.purpose.label(),
    );
    if !table.cluster.is_empty() {
        let cluster: Vec<String> = table.cluster.iter().map(|name| format!("\"{name}\"")).collect();
        let _fits = writeln!(text, "  clustering          = [{}]", cluster.join(", "));
    }
    if let Some(partition) = table.partition {
        let _fits = write!(text, "\n  time_partitioning {{\n    type  = \"DAY\"\n    field = \"{partition}\"\n  }}\n");
    }
    text.push_str("\n  schema = jsonencode([\n");
    for column in table.columns {
        let _fits = writeln!(
            text,
            "    {{ name = \"{}\", type = \"{}\", mode = \"{}\", description = \"{}\" }},",
            column.name,
            column.kind.name(),
            column.mode.name(),
            column.description
        );
    }
    text.push_str("  ])\n}\n");
    text
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}", "")).collect::<Vec<_>>().join("\n")
}
