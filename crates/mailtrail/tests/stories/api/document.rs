//! The API is what its document says: every path and method, and every row.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Api;
use crate::support::request;

const DOCUMENT: &str = include_str!("../../../openapi.yaml");
const ROUTER: &str = include_str!("../../../src/web/api.rs");

fn document() -> Value {
    serde_saphyr::from_str(DOCUMENT).unwrap()
}

/// `POST /activity`, of all operations.
fn described(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = paths.flat_map(|(path, operations)| {
        let path = path.strip_prefix("/api/v1").unwrap();
        operations.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    methods.collect()
}

/// How many operations there are.
pub fn operations() -> usize {
    described(&document()).len()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let routes: BTreeSet<String> = ROUTER
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\""))
        .map(|rest| {
            let (path, handler) = rest.split_once("\", ").unwrap();
            let method = handler.split('(').next().unwrap().to_uppercase();
            format!("{method} {path}")
        })
        .collect();
    assert!(routes.len() > 10, "the router was not understood: {routes:?}");
    assert_eq!(routes, described(&document()));
}

#[test]
fn the_server_has_what_is_described_and_serves_the_description() {
    let api = Api::start();
    let served = request(api.page, "GET", "/api/v1/openapi.yaml", &[], b"").unwrap();
    assert_eq!(served, (200, DOCUMENT.to_owned()), "without a token, since it tells nothing of this server");
    let document = document();
    let described = described(&document);
    for path in document["paths"].as_object().unwrap().keys() {
        let path = path.strip_prefix("/api/v1/").unwrap();
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let (status, _, told) = api.call("mailtrail_wrong", method, &path.replace("{name}", "r1"), "{}");
            let expected = match described.contains(&format!("{method} /{path}")) {
                true if path == "openapi.yaml" => status == 200,
                // Too many wrong ones come from here.
                true => matches!(status, 401 | 429),
                false => status == 405,
            };
            assert!(expected, "{method} {path}: {status} {told}");
        }
    }
}

/// Every row and header of an answer fulfils the document's schema.
#[test]
fn rows_are_as_described() {
    let api = Api::start();
    let document = document();
    let validator = |pointer: &str| {
        let mut schema = document.clone();
        schema["$ref"] = json!(pointer);
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
    };
    let about = validator("#/components/schemas/About");
    for (method, path, body) in [
        ("POST", "activity", json!({})),
        ("POST", "activity", json!({"status": ["bounce"]})),
        ("POST", "timeline", json!({"email": "alice@example.com"})),
        ("GET", "newest", json!({})),
        ("POST", "export", json!({})),
        ("POST", "stats", json!({"by": ["domain", "reason"]})),
        ("POST", "stats", json!({"by": [], "distinct": "recipients"})),
        ("POST", "latest", json!({"category": "news"})),
        ("GET", "runs", json!({})),
        ("GET", "runs/r1", json!({})),
        (
            "POST",
            "unreached",
            json!({"category": "news", "since": "1d", "email": ["bob@example.org", "x@example.org"], "include_pending": true}),
        ),
        ("POST", "sent", json!({"category": "news"})),
        ("POST", "hashes", json!({"email": ["bob@example.org"]})),
    ] {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let (status, headers, answer) = api.call(&api.operator, method, path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
        let rows: Vec<Value> = answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!rows.is_empty(), "{path} {body}: nothing to look at");
        let template = path.replace("runs/r1", "runs/{name}").replace('/', "~1");
        let operation = format!("/paths/~1api~1v1~1{template}/{}", method.to_lowercase());
        let answered = document.pointer(&format!("{operation}/responses/200")).unwrap();
        let base = match answered["$ref"].as_str() {
            Some(shared) => shared.to_owned(),
            None => format!("#{}/responses/200", operation.replace("{name}", "%7Bname%7D")),
        };
        let rows = Value::Array(rows);
        let validator = validator(&format!("{base}/content/application~1x-ndjson/schema"));
        let faults: Vec<String> =
            validator.iter_errors(&rows).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{path} {body}: {}", faults.join("\n"));
        let told: Value = serde_json::from_str(&headers["mailtrail-answer"]).unwrap();
        assert!(about.is_valid(&told), "{path}: {told}");
    }
    let problem = validator("#/components/schemas/Problem");
    let (_, _, told) = api.call(&api.operator, "POST", "activity", "[]");
    assert!(problem.is_valid(&serde_json::from_str(&told).unwrap()), "{told}");
    assert!(!about.is_valid(&json!({"rows": 1})), "the schemas refuse what is not in them");
}
