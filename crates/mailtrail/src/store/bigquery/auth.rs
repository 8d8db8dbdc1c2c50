//! Who we are to Google: Application Default Credentials, or nobody for an emulator on this machine.

use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use super::error::BigQueryError;
use crate::config::BigQuery;

const SCOPE: &str = "https://www.googleapis.com/auth/bigquery";

/// Hands out the headers of a request. Cheap to clone; tokens are kept and renewed inside.
#[derive(Clone)]
pub(crate) struct Auth {
    /// `None`: anonymous.
    credentials: Option<Credentials>,
    quota_project: Option<HeaderValue>,
}

impl Auth {
    /// Finds the credentials. Asks nobody yet.
    pub(crate) fn find(config: &BigQuery) -> Result<Self, BigQueryError> {
        if config.is_emulator() {
            return Ok(Self { credentials: None, quota_project: None });
        }
        let credentials =
            Builder::default().with_scopes([SCOPE]).build().map_err(|error| BigQueryError::Credentials(why(&error)))?;
        let quota_project = config.quota_project.as_ref().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
        Ok(Self { credentials: Some(credentials), quota_project })
    }

    /// With a token that is valid now.
    pub(crate) async fn headers(&self) -> Result<HeaderMap, BigQueryError> {
        let Some(credentials) = &self.credentials else { return Ok(HeaderMap::new()) };
        let found = credentials.headers(Extensions::new()).await;
        let mut headers = match found.map_err(|error| BigQueryError::Credentials(why(&error)))? {
            CacheableResource::New { data, .. } => data,
            CacheableResource::NotModified => HeaderMap::new(),
        };
        if let Some(project) = &self.quota_project {
            headers.insert(HeaderName::from_static("x-goog-user-project"), project.clone());
        }
        Ok(headers)
    }
}

/// An error with its innermost cause, without the full stops that would end our own sentence.
fn why(error: &dyn std::error::Error) -> String {
    let said = error.to_string();
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let (said, root) = (said.trim_end_matches('.'), cause.to_string());
    if said.contains(root.trim_end_matches('.')) { said.to_owned() } else { format!("{said} ({root})") }
}
