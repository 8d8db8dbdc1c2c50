//! The checker, held to say no: SendGrid's own examples pass, and each mistake is found where it stands.

use sendgrid_openapi_check::{Breach, Document, MAIL, ReadError};
use serde_json::{Value, json};

const SEND: &str = "/v3/mail/send";

fn send() -> Value {
    json!({
        "personalizations": [{"to": [{"email": "jane@example.com"}], "custom_args": {"order": "7"}}],
        "from": {"email": "news@example.org", "name": "News"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello"}],
        "categories": ["spring"],
        "custom_args": {"run": "spring"},
    })
}

/// Where the document says no to `body`.
fn places(document: &Document, body: &Value) -> Vec<String> {
    match document.request("POST", SEND, body.to_string().as_bytes()) {
        Ok(()) => Vec::new(),
        Err(Breach::Refused(faults)) => faults.into_iter().map(|fault| fault.place).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_good_request_passes_and_each_mistake_is_found_where_it_stands() {
    let Some(document) = Document::shared(MAIL) else { return };
    assert_eq!(places(&document, &send()), [""; 0]);
    for (pointer, wrong, place) in [
        ("/personalizations/0/to/0/email", json!("no address"), "/personalizations/0/to/0/email"),
        ("/personalizations/0/to", json!(null), "/personalizations/0/to"),
        ("/personalizations/0", json!({"to": [], "substitution": {}}), "/personalizations/0"),
        ("/from", json!({"name": "News"}), "/from"),
        ("/subject", json!(""), "/subject"),
        ("/content/0", json!({"type": "text/plain"}), "/content/0"),
        ("/categories", json!(["twice", "twice"]), "/categories"),
        ("/categories/0", json!("x".repeat(256)), "/categories/0"),
        ("/custom_args", json!("text"), "/custom_args"),
    ] {
        let mut body = send();
        *body.pointer_mut(pointer).expect("in the sample") = wrong;
        assert_eq!(places(&document, &body), [place], "{pointer}");
    }
    let mut body = send();
    body["catgories"] = json!(["spring"]);
    assert_eq!(places(&document, &body), [""], "a key that the document does not name");
}

#[test]
fn sendgrids_own_examples_pass() {
    let Some(document) = Document::shared(MAIL) else { return };
    for name in ["MailSendDynamicTemplate", "MailSendNoTemplate"] {
        let example = document.example(&format!(
            "/components/requestBodies/PostMailSend/content/application~1json/examples/{name}/value"
        ));
        assert_eq!(places(&document, &example.expect("in the document")), [""; 0], "{name}");
    }
}

#[test]
fn answers_are_held_against_their_status() {
    let Some(document) = Document::shared(MAIL) else { return };
    let json = Some("application/json; charset=utf-8");
    let error = br#"{"errors":[{"message":"Bad Request","field":null,"help":null}]}"#;
    let answer = |status, kind, body: &[u8]| document.answer("POST", SEND, status, kind, body);
    assert_eq!(answer(202, None, b""), Ok(()));
    assert_eq!(answer(202, json, b"{}"), Err(Breach::BodyNotEmpty));
    assert_eq!(answer(400, json, error), Ok(()));
    assert!(matches!(answer(400, json, br#"{"errors":[{"message":7}]}"#), Err(Breach::Refused(_))));
    assert!(matches!(answer(400, json, b"<html>"), Err(Breach::NotJson(_))));
    assert_eq!(answer(413, Some("text/html"), error), Err(Breach::ContentType(Some("text/html".to_owned()))));
    assert_eq!(answer(401, None, error), Err(Breach::ContentType(None)));
    assert_eq!(answer(429, json, error), Err(Breach::Undocumented(429)));
    assert_eq!(document.answer("POST", "/v3/mail/batch", 201, json, br#"{"batch_id":"x"}"#), Ok(()));
    assert_eq!(document.answer("GET", SEND, 200, json, b"{}"), Err(Breach::NoOperation));
}

#[test]
fn a_document_that_is_absent_or_has_changed_is_not_taken_for_the_one_known() {
    assert!(Document::shared("absent.yaml").is_none());
    assert!(matches!(Document::parse("openapi: [").err(), Some(ReadError::Yaml(_))));
    // As if SendGrid now said what its live answers say.
    let changed = "components: {schemas: {ErrorResponse: {properties: {errors: {items: {properties: {field: {type: [string, 'null']}}}}}}}}";
    let Some(ReadError::Changed { pointer }) = Document::parse(changed).err() else { panic!("taken") };
    assert!(pointer.ends_with("/field/type"), "{pointer}");
}
