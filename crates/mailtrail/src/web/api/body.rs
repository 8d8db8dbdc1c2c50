//! What is asked, as it was sent: JSON of bounded length.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::protect::without_addresses;
use crate::store::remote::wire::Which;

/// A JSON body.
pub(super) struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") || request.headers().contains_key(header::CONTENT_ENCODING) {
            return Err(Problem::wrong_type());
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(BytesRejection::FailedToBufferBody(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_long())
            }
            Err(_) => Err(Problem::malformed("the body broke off")),
        }
    }
}

impl Body {
    /// One type's fields.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // Through a value: where the same key stands twice, the last one counts, as everywhere with JSON.
        typed(Value::Object(self.object()?))
    }

    /// The fields that choose events, and those of the question itself, named by `own`.
    pub(super) fn split<T: DeserializeOwned>(&self, own: &[&str]) -> Result<(Which, T), Problem> {
        let mut which = self.object()?;
        let own: Map<String, Value> =
            own.iter().filter_map(|name| Some(((*name).to_owned(), which.remove(*name)?))).collect();
        Ok((typed(Value::Object(which))?, typed(Value::Object(own))?))
    }

    fn object(&self) -> Result<Map<String, Value>, Problem> {
        let object: Map<String, Value> = serde_json::from_slice(&self.0).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::malformed(format!("the body is no JSON object (line {line}, column {column})"))
        })?;
        // Serde takes null for a field that is left out, and the document does not.
        if object.values().any(Value::is_null) {
            return Err(Problem::malformed("a field is null: leave it out"));
        }
        Ok(object.into_iter().map(|(name, value)| (name, whole(value))).collect())
    }
}

/// JSON knows one kind of number: 3.0 is the integer 3.
fn whole(value: Value) -> Value {
    let integer =
        value.as_f64().filter(|_| value.is_f64()).filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    #[expect(clippy::cast_possible_truncation, reason = "it is a whole number within bounds")]
    integer.map_or(value, |number| Value::from(number as i64))
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    // The error names what is there.
    serde_json::from_value(value).map_err(|error| {
        let told: String = without_addresses(&error.to_string()).chars().take(300).collect();
        Problem::malformed(told)
    })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;
    use crate::store::remote::wire::{HowMany, Timeline};

    fn body(text: &str) -> Body {
        Body(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn fields_are_parted_and_unknown_ones_refused() {
        let asked = body(r#"{"event":["bounce"],"limit":3.0,"since":"2h"}"#).split::<HowMany>(&["limit"]);
        let Ok((which, own)) = asked else { panic!("understood") };
        assert_eq!((which.event, which.since.as_deref(), own.limit), (vec!["bounce".to_owned()], Some("2h"), Some(3)));
        for wrong in [
            "",
            "[]",
            "{",
            "null",
            r#"{"by":[]}"#,
            r#"{"limit":-1}"#,
            r#"{"event":"bounce"}"#,
            "{} {}",
            r#"{"limit":null}"#,
            r#"{"limit":1.5}"#,
        ] {
            let problem = body(wrong).split::<HowMany>(&["limit"]).err().expect(wrong);
            assert_eq!(problem.into_response().status(), StatusCode::BAD_REQUEST, "{wrong}");
        }
    }

    #[test]
    fn problems_quote_no_address() {
        for wrong in
            [r#"{"jane@example.com":1}"#, r#"{"limit":"jane@example.com"}"#, r#"{"email":"a","x jane@example.com":"#]
        {
            let problem = body(wrong).read::<Timeline>().err().expect(wrong);
            assert!(!format!("{problem:?}").contains("jane"), "{problem:?}");
        }
    }
}
