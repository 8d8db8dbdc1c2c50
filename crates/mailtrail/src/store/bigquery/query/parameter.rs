//! A statement and the values it names.

use serde_json::{Value, json};

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Text(String),
    Texts(Vec<String>),
    /// µs since the epoch.
    Timestamp(i64),
}

impl Parameter {
    pub(super) fn to_json(&self, name: &str) -> Value {
        let (kind, value) = match self {
            Self::Text(text) => (json!({ "type": "STRING" }), json!({ "value": text })),
            Self::Texts(texts) => {
                let values: Vec<Value> = texts.iter().map(|text| json!({ "value": text })).collect();
                (json!({ "type": "ARRAY", "arrayType": { "type": "STRING" } }), json!({ "arrayValues": values }))
            }
            Self::Timestamp(micros) => (json!({ "type": "TIMESTAMP" }), json!({ "value": time(*micros) })),
        };
        json!({ "name": name, "parameterType": kind, "parameterValue": value })
    }
}

fn time(micros: i64) -> String {
    // What lies outside of what jiff knows lies outside of what BigQuery knows, too.
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// A statement and its values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<(&'static str, Parameter)>,
    /// Whether an earlier answer to the same question will not do.
    pub(crate) fresh: bool,
}

impl Query {
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), ..Self::default() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: Parameter) -> Self {
        self.parameters.push((name, value));
        self
    }

    #[must_use]
    pub(crate) fn fresh(mut self) -> Self {
        self.fresh = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_as_parameters() {
        let list = Parameter::Texts(vec!["a'); DROP".to_owned()]).to_json("x");
        assert_eq!(list["parameterValue"]["arrayValues"][0]["value"], "a'); DROP");
        let time = Parameter::Timestamp(1_700_000_000_123_456).to_json("t");
        assert_eq!(time["parameterValue"]["value"], "2023-11-14T22:13:20.123456Z");
    }
}
