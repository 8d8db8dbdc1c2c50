//! A load job: sent with its rows, and waited for.

use std::time::Duration;

use http::Method;
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::store::bigquery::Dataset;
use crate::store::bigquery::error::{BigQueryError, harmless};
use crate::store::bigquery::query::escaped;
use crate::store::bigquery::rest::Call;

/// How long a load job may take.
const LONGEST: Duration = Duration::from_secs(1800);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Sends a load job, and waits for its end.
pub(super) async fn run(dataset: &Dataset, job: Json, lines: &[u8]) -> Result<(), BigQueryError> {
    let doing = "load events";
    let project = escaped(dataset.names.project());
    let mut answer = match dataset.rest.upload(&format!("projects/{project}/jobs"), &job, lines, doing).await {
        // Sent twice, and taken the first time: it is asked for by its name.
        Err(BigQueryError::Refused { reason, .. }) if reason == "duplicate" => job.clone(),
        answer => answer?,
    };
    let begun = Instant::now();
    loop {
        if answer.pointer("/status/state").and_then(Json::as_str) == Some("DONE") {
            let Some(error) = answer.pointer("/status/errorResult") else { return Ok(()) };
            let text = |key| error.get(key).and_then(Json::as_str).unwrap_or("unknown").to_owned();
            return Err(BigQueryError::Refused {
                doing: doing.to_owned(),
                reason: text("reason"),
                message: harmless(&text("message")),
                permission: "bigquery.tables.updateData",
            });
        }
        if begun.elapsed() > LONGEST {
            let why = format!("not done within {} minutes", LONGEST.as_secs() / 60);
            return Err(BigQueryError::Answer { doing: doing.to_owned(), why });
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let id = answer.pointer("/jobReference/jobId").and_then(Json::as_str).unwrap_or_default();
        let location = answer.pointer("/jobReference/location").and_then(Json::as_str);
        let location = location.map(|place| format!("?location={}", escaped(place))).unwrap_or_default();
        let call = Call {
            method: Method::GET,
            path: format!("projects/{project}/jobs/{}{location}", escaped(id)),
            body: None,
            doing,
            permission: "bigquery.jobs.get",
        };
        answer = dataset.rest.call(&call).await?;
    }
}
