//! Reads a JSON body piece by piece and notes each piece that is not what it must be, in SendGrid's form of errors.

use serde_json::{Map, Value, json};

const HELP: &str = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#message.";

/// One entry of SendGrid's error body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) message: String,
    pub(crate) field: Option<String>,
    pub(crate) help: Option<String>,
}

impl ApiError {
    /// One that belongs to no field.
    pub(crate) fn general(message: &str) -> Self {
        Self { message: message.to_owned(), field: None, help: None }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"message": self.message, "field": self.field, "help": self.help})
    }
}

/// A value of the body and where it stands: keys and places with dots between, as SendGrid names fields.
#[derive(Clone)]
pub(crate) struct Node<'v> {
    pub(crate) path: String,
    pub(crate) value: &'v Value,
}

impl<'v> Node<'v> {
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        self.value.get(key).map(|value| Self { path: self.below(key), value })
    }

    pub(crate) fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// What is wrong with a body, so far.
#[derive(Default)]
pub(crate) struct Findings(pub(crate) Vec<ApiError>);

impl Findings {
    pub(crate) fn refuse(&mut self, path: &str, message: impl Into<String>) {
        // The page of errors names fields without places in lists.
        let anchor: Vec<&str> = path.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        self.0.push(ApiError {
            message: message.into(),
            field: Some(path.to_owned()),
            help: Some(format!("{HELP}{}", anchor.join("."))),
        });
    }

    fn typed<'v, T>(&mut self, node: &Node<'v>, expected: &str, read: impl Fn(&'v Value) -> Option<T>) -> Option<T> {
        let found = read(node.value);
        if found.is_none() {
            let given = match node.value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            self.refuse(&node.path, format!("Invalid type. Expected: {expected}, given: {given}."));
        }
        found
    }

    pub(crate) fn object<'v>(&mut self, node: &Node<'v>) -> Option<&'v Map<String, Value>> {
        self.typed(node, "object", Value::as_object)
    }

    /// An object that may have these keys and no others.
    pub(crate) fn closed<'v>(&mut self, node: &Node<'v>, keys: &[&str]) -> Option<&'v Map<String, Value>> {
        let object = self.object(node)?;
        for unknown in object.keys().filter(|key| !keys.contains(&key.as_str())) {
            self.refuse(&node.path, format!("Additional property {unknown} is not allowed"));
        }
        Some(object)
    }

    pub(crate) fn list<'v>(&mut self, node: &Node<'v>) -> Option<Vec<Node<'v>>> {
        let items = self.typed(node, "array", Value::as_array)?;
        Some(
            items
                .iter()
                .enumerate()
                .map(|(place, value)| Node { path: node.below(&place.to_string()), value })
                .collect(),
        )
    }

    pub(crate) fn text<'v>(&mut self, node: &Node<'v>) -> Option<&'v str> {
        self.typed(node, "string", Value::as_str)
    }

    /// A text that must not be empty.
    pub(crate) fn filled<'v>(&mut self, node: &Node<'v>) -> Option<&'v str> {
        let text = self.text(node)?;
        if text.is_empty() {
            self.refuse(&node.path, "The value must be a string at least one character in length.");
        }
        Some(text)
    }

    pub(crate) fn integer(&mut self, node: &Node<'_>) -> Option<i64> {
        self.typed(node, "integer", Value::as_i64)
    }

    pub(crate) fn flag(&mut self, node: &Node<'_>) -> Option<bool> {
        self.typed(node, "boolean", Value::as_bool)
    }

    /// An object whose values are texts.
    pub(crate) fn texts<'v>(&mut self, node: &Node<'v>) -> Option<Vec<(&'v str, &'v str)>> {
        let object = self.object(node)?;
        let mut pairs = Vec::with_capacity(object.len());
        for (key, value) in object {
            let text = self.text(&Node { path: node.below(key), value })?;
            pairs.push((key.as_str(), text));
        }
        Some(pairs)
    }
}
