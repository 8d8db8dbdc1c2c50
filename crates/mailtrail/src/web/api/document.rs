//! The document that describes the API; it says nothing about this server, so it asks for no token.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// OpenAPI 3.1.
/// The same file stands in docs/, held by a test.
const DOCUMENT: &str = include_str!("../../../openapi.yaml");

pub(super) async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], DOCUMENT).into_response()
}
