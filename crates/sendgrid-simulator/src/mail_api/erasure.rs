//! Erasing recipients' data: `POST /v3/recipients/erasejob` (`tsg_recipients_data_erasure_v3.yaml`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::settings::uuid;
use crate::random::Random;

const PATH: &str = "/v3/recipients/erasejob";
/// Most addresses of a request.
pub const MOST_ERASED: usize = 5_000;
/// A request's body is no longer, bytes: SendGrid says 256 kB, here in the narrower sense.
pub const ERASURE_BYTES: usize = 256_000;

/// What was asked to be erased.
pub(crate) struct Erasure {
    inner: Mutex<Inner>,
    allowed: bool,
}

struct Inner {
    random: Random,
    jobs: Vec<Vec<String>>,
}

impl Erasure {
    /// `allowed`: whether the key may.
    pub(crate) fn new(seed: u64, allowed: bool) -> Self {
        let random = Random::new(seed ^ 0x0065_7261_7365);
        Self { inner: Mutex::new(Inner { random, jobs: Vec::new() }), allowed }
    }

    /// The addresses of each job, in the order in which they were accepted.
    pub(crate) fn jobs(&self) -> Vec<Vec<String>> {
        self.inner().jobs.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the path is not of this API. `keyed`: whether the key is valid.
    pub(crate) fn answer(&self, method: &Method, path: &str, body: Option<&[u8]>, keyed: bool) -> Option<Answer> {
        if path != PATH {
            return None;
        }
        Some(match (method, body) {
            _ if !keyed => refuse(StatusCode::UNAUTHORIZED, "Failed to authenticate", ""),
            (&Method::POST, _) if !self.allowed => refuse(StatusCode::FORBIDDEN, "Not authorized", ""),
            (&Method::POST, Some(body)) if body.len() <= ERASURE_BYTES => self.take(body),
            (&Method::POST, _) => answer::too_large(),
            _ => refuse(StatusCode::NOT_FOUND, "Not Found", ""),
        })
    }

    fn take(&self, body: &[u8]) -> Answer {
        let bad = |message: &str| refuse(StatusCode::BAD_REQUEST, message, "email_addresses");
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(given) = body["email_addresses"].as_array() else { return bad("email_addresses is required") };
        if !(1..=MOST_ERASED).contains(&given.len()) {
            return bad("email_addresses must have between 1 and 5000 addresses");
        }
        let mut addresses: Vec<String> = Vec::new();
        for address in given {
            match address.as_str() {
                Some(text) if is_sound(text) => addresses.push(text.to_owned()),
                // As in SendGrid's own example: the address stands in the error.
                other => return bad(&format!("Email_address {} is not valid", other.unwrap_or_default())),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let mut inner = self.inner();
        let id = uuid(&mut inner.random);
        inner.jobs.push(addresses);
        answer::json(StatusCode::ACCEPTED, &json!({ "job_id": id }))
    }
}

fn is_sound(address: &str) -> bool {
    let sound = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    address.split_once('@').is_some_and(|(local, domain)| sound(local) && sound(domain) && !domain.contains('@'))
}

fn refuse(status: StatusCode, message: &str, field: &str) -> Answer {
    answer::json(status, &json!({ "errors": [{ "message": message, "field": field }] }))
}
