//! A published document, and the questions put to it.

use std::path::Path;

use jsonschema::Draft;
use serde_json::{Map, Value, json};

use crate::breach::{Breach, Fault, ReadError};
use crate::livelike;

/// The file name of the Mail API's document.
pub const MAIL: &str = "tsg_mail_v3.yaml";
/// The file name of the document of webhooks' settings.
pub const WEBHOOKS: &str = "tsg_webhooks_v3.yaml";
/// The file name of the Email Logs API's document.
pub const LOGS: &str = "tsg_logs_v3.yaml";
/// The erasure of recipients' data.
pub const ERASURE: &str = "tsg_recipients_data_erasure_v3.yaml";

/// An OpenAPI 3.1 document of SendGrid.
pub struct Document {
    /// As published, but for what is known to differ from live answers.
    answers: Value,
    /// The same, with no keys beside those it names.
    requests: Value,
}

impl Document {
    /// Reads the Mail API's document from a file.
    ///
    /// # Errors
    /// When it can't be read, is no YAML, or is not the one that is set right here.
    pub fn read(file: &Path) -> Result<Self, ReadError> {
        Self::parse(&std::fs::read_to_string(file)?)
    }

    /// Reads the Mail API's document.
    ///
    /// # Errors
    /// When it is no YAML, or is not the one that is set right here.
    pub fn parse(yaml: &str) -> Result<Self, ReadError> {
        let mut answers: Value = serde_saphyr::from_str(yaml).map_err(|error| ReadError::Yaml(error.to_string()))?;
        livelike::set_right(&mut answers)?;
        Ok(Self::of(answers))
    }

    /// Reads any other document from a file: nothing is set right in it but what `nullable` means.
    ///
    /// # Errors
    /// When it can't be read or is no YAML.
    pub fn read_other(file: &Path) -> Result<Self, ReadError> {
        let yaml = std::fs::read_to_string(file)?;
        let mut answers: Value = serde_saphyr::from_str(&yaml).map_err(|error| ReadError::Yaml(error.to_string()))?;
        livelike::let_nullable_be_null(&mut answers);
        livelike::let_fields_be_null(&mut answers);
        Ok(Self::of(answers))
    }

    fn of(answers: Value) -> Self {
        let mut requests = answers.clone();
        livelike::close(&mut requests);
        Self { answers, requests }
    }

    /// The document of this name in the shared data beside the worktree; says so and gives `None` where that is absent.
    ///
    /// # Panics
    /// When it is there but can't be used.
    #[must_use]
    #[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn shared(name: &str) -> Option<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/openapi").join(name);
        if !file.exists() {
            eprintln!("skipped: ../shared/data/openapi/{name} is not here");
            return None;
        }
        let read = if name == MAIL { Self::read(&file) } else { Self::read_other(&file) };
        match read {
            Ok(document) => Some(document),
            Err(error) => panic!("{error}"),
        }
    }

    /// An example of the document, by JSON pointer.
    #[must_use]
    pub fn example(&self, pointer: &str) -> Option<Value> {
        self.answers.pointer(pointer).cloned()
    }

    /// Holds a request's JSON body against the schema of an operation. Keys that the document does not name are refused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Result<(), Breach> {
        let operation = Place::operation(&self.requests, method, path)?;
        let content = operation.get("requestBody").and_then(|body| body.get("content")).ok_or(Breach::NoOperation)?;
        let schema = content.get("application/json").and_then(|json| json.get("schema")).ok_or(Breach::NoOperation)?;
        schema.judge(body)
    }

    /// Holds an answer against what the document has for its status. Statuses it does not have are refused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn answer(
        &self,
        method: &str,
        path: &str,
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(), Breach> {
        let operation = Place::operation(&self.answers, method, path)?;
        let answers = operation.get("responses").ok_or(Breach::NoOperation)?;
        let answer = answers.get(&status.to_string()).ok_or(Breach::Undocumented(status))?;
        let Some(content) = answer.get("content") else {
            return if body.is_empty() { Ok(()) } else { Err(Breach::BodyNotEmpty) };
        };
        let kind = content_type.and_then(|text| text.split(';').next()).map(|text| text.trim().to_ascii_lowercase());
        let schema = kind.as_deref().and_then(|kind| content.get(kind)).and_then(|media| media.get("schema"));
        schema.ok_or(Breach::ContentType(kind))?.judge(body)
    }
}

/// A reference within a document: a URI, in which the braces of a path cannot stand.
fn reference(pointer: &str) -> String {
    format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D"))
}

/// A place in a document, found by its JSON pointer.
struct Place<'d> {
    document: &'d Value,
    pointer: String,
}

impl<'d> Place<'d> {
    fn operation(document: &'d Value, method: &str, path: &str) -> Result<Self, Breach> {
        let root = Self { document, pointer: String::new() };
        let path = root.get("paths").and_then(|paths| paths.get(path));
        path.and_then(|path| path.get(&method.to_ascii_lowercase())).ok_or(Breach::NoOperation)
    }

    /// What stands below `key`, through the document's own references (OpenAPI's, not those of schemas).
    fn get(&self, key: &str) -> Option<Self> {
        let pointer = format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"));
        let found = self.document.pointer(&pointer)?;
        let reference = found.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        let pointer = if key == "schema" { pointer } else { reference.map_or(pointer, str::to_owned) };
        self.document.pointer(&pointer)?;
        Some(Self { document: self.document, pointer })
    }

    /// Holds a body against the schema that stands here.
    fn judge(&self, body: &[u8]) -> Result<(), Breach> {
        let body: Value = serde_json::from_slice(body).map_err(|error| Breach::NotJson(error.to_string()))?;
        let mut root = Map::from_iter([("$ref".to_owned(), json!(reference(&self.pointer)))]);
        // References in schemas are into the whole document.
        for key in ["components", "paths"] {
            root.insert(key.to_owned(), self.document.get(key).cloned().unwrap_or_default());
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&Value::Object(root))
            .map_err(|error| Breach::Schema(error.to_string()))?;
        let faults: Vec<Fault> = validator
            .iter_errors(&body)
            .map(|error| Fault { place: error.instance_path().to_string(), text: error.to_string() })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(Breach::Refused(faults)) }
    }
}
