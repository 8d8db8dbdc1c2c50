//! Dataset, tables and view as the REST API writes them.

use serde_json::{Value, json};

use super::Dataset;
use super::query::escaped;
use super::schema::{Column, EVENTS, LABEL, Mode, Table, UNIQUE_DESCRIPTION, VIEW_LABEL, unique_view};

impl Dataset {
    pub(super) fn datasets(&self) -> String {
        format!("projects/{}/datasets", escaped(self.names.project()))
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.datasets(), escaped(self.names.dataset()))
    }

    pub(super) fn dataset_body(&self) -> Value {
        let mut body = json!({
            "datasetReference": { "projectId": self.names.project(), "datasetId": self.names.dataset() },
            "description": "Events of SendGrid's webhook, kept by mailtrail.",
        });
        if let (Some(location), Some(body)) = (&self.location, body.as_object_mut()) {
            body.insert("location".to_owned(), json!(location));
        }
        body
    }

    pub(super) fn table_body(&self, table: &Table) -> Value {
        let fields: Vec<Value> = table.columns.iter().map(|column| field(column, column.mode)).collect();
        let mut body = json!({
            "tableReference": self.reference(&self.names.table(table)),
            "description": table.description,
            "labels": { LABEL: table.purpose.label() },
            "schema": { "fields": fields },
        });
        if let Some(body) = body.as_object_mut() {
            if let Some(partition) = table.partition {
                body.insert("timePartitioning".to_owned(), json!({ "type": "DAY", "field": partition }));
            }
            if !table.cluster.is_empty() {
                body.insert("clustering".to_owned(), json!({ "fields": table.cluster }));
            }
        }
        body
    }

    pub(super) fn view_body(&self) -> Value {
        json!({
            "tableReference": self.reference(&self.names.unique()),
            "description": UNIQUE_DESCRIPTION,
            "labels": { LABEL: VIEW_LABEL },
            "view": { "query": self.view_text(), "useLegacySql": false },
        })
    }

    pub(super) fn view_text(&self) -> String {
        unique_view(&self.names.sql_table(&EVENTS))
    }

    pub(super) fn reference(&self, table: &str) -> Value {
        json!({ "projectId": self.names.project(), "datasetId": self.names.dataset(), "tableId": table })
    }
}

pub(super) fn field(column: &Column, mode: Mode) -> Value {
    json!({ "name": column.name, "type": column.kind.name(), "mode": mode.name(), "description": column.description })
}

pub(super) fn fields(table: &Value) -> Vec<Value> {
    table.pointer("/schema/fields").and_then(Value::as_array).cloned().unwrap_or_default()
}
