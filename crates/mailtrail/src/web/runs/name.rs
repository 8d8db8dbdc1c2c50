//! The run that a URL names.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::run::of_path_segment;

/// The run's name of a path such as `/runs/{name}`.
pub(in crate::web) struct RunInPath(pub(in crate::web) String);

impl<S: Send + Sync> FromRequestParts<S> for RunInPath {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PathRejection> {
        let Path(segment) = Path::<String>::from_request_parts(parts, state).await?;
        Ok(Self(of_path_segment(&segment).to_owned()))
    }
}
