//! Where the published document and the live API are known to differ, and the document is set right; and its schemas
//! made strict for requests.

use serde_json::{Value, json};

use crate::breach::ReadError;

/// A place of the mail document that says other than live traffic does.
struct Difference {
    pointer: &'static str,
    published: &'static str,
    /// What it is taken for instead.
    live: fn() -> Value,
}

const DIFFERENCES: [Difference; 3] = [
    // `nullable: true` beside it is of OpenAPI 3.0 and means nothing in 3.1, where live answers still carry null.
    Difference {
        pointer: "/components/schemas/ErrorResponse/properties/errors/items/properties/field/type",
        published: "string",
        live: || json!(["string", "null"]),
    },
    // Live answers carry a link as text, or null (sendgrid-nodejs 288).
    Difference {
        pointer: "/components/schemas/ErrorResponse/properties/errors/items/properties/help/type",
        published: "object",
        live: || json!(["object", "string", "null"]),
    },
    // SendGrid's own libraries send an object of texts, as in a personalization.
    Difference {
        pointer: "/components/requestBodies/PostMailSend/content/application~1json/schema/properties/custom_args/type",
        published: "string",
        live: || json!("object"),
    },
];

/// Sets right what is known to differ.
pub(crate) fn set_right(document: &mut Value) -> Result<(), ReadError> {
    for Difference { pointer, published, live } in DIFFERENCES {
        match document.pointer_mut(pointer) {
            Some(found) if *found == published => *found = live(),
            _ => return Err(ReadError::Changed { pointer }),
        }
    }
    Ok(())
}

/// `nullable: true` is of OpenAPI 3.0 and means nothing in 3.1; the documents say it all the same.
pub(crate) fn let_nullable_be_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("nullable") == Some(&Value::Bool(true))
                && let Some(Value::String(kind)) = map.get("type").cloned()
            {
                map.insert("type".to_owned(), json!([kind, "null"]));
            }
            map.values_mut().for_each(let_nullable_be_null);
        }
        Value::Array(items) => items.iter_mut().for_each(let_nullable_be_null),
        _ => {}
    }
}

/// Live errors carry `"field": null`, whatever an API's own document says of them.
pub(crate) fn let_fields_be_null(document: &mut Value) {
    if let Some(kind) = document.pointer_mut("/components/schemas/Error/properties/field/type") {
        *kind = json!(["string", "null"]);
    }
}

/// Lets no object have keys beside those its schema names, where it names any: a misspelt key is a mistake.
pub(crate) fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("properties").is_some_and(Value::is_object) && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
