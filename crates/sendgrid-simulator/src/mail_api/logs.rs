//! The Email Logs API (`tsg_logs_v3.yaml`): a search without pages, and the details of one message.

mod message;
mod query;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

pub use message::Logged;
use query::Query;

use super::answer::{self, Answer};
use super::fault::{Fault, FaultPlan};

/// Most messages of one answer; there is no next page.
pub const MOST_MESSAGES: u64 = 1000;
const DEFAULT_MESSAGES: u64 = 10;
const PATH: &str = "/v3/logs";

/// What the logs have, and what was asked of them.
pub(crate) struct Logs {
    inner: Mutex<Inner>,
    faults: FaultPlan,
}

#[derive(Default)]
struct Inner {
    /// In the order of creation.
    messages: Vec<Logged>,
    by_id: HashMap<String, usize>,
    requests: usize,
}

/// What becomes of a request.
pub(crate) enum Turn {
    Answer(Answer),
    TooMany(std::time::Duration),
    Cut,
}

impl Logs {
    pub(crate) fn new(faults: FaultPlan) -> Self {
        Self { inner: Mutex::default(), faults }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, messages: Vec<Logged>) {
        let mut inner = self.inner();
        inner.messages.extend(messages);
        inner.messages.sort_by_key(|message| message.created_ms);
        inner.by_id =
            inner.messages.iter().enumerate().map(|(at, message)| (message.sg_message_id.clone(), at)).collect();
    }

    pub(crate) fn requests(&self) -> usize {
        self.inner().requests
    }

    /// `None` where the path is not of this API.
    pub(crate) fn answer(&self, method: &Method, path: &str, query: Option<&str>, body: &[u8]) -> Option<Turn> {
        let rest = path.strip_prefix(PATH)?;
        let number = {
            let mut inner = self.inner();
            inner.requests += 1;
            inner.requests - 1
        };
        match (self.faults)(number) {
            Fault::TooMany { reset_after } => return Some(Turn::TooMany(reset_after)),
            Fault::Status500 { .. } => {
                let failed = answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal server error");
                return Some(Turn::Answer(failed));
            }
            Fault::CutAfterAccepting | Fault::CutBeforeAccepting => return Some(Turn::Cut),
            _ => {}
        }
        Some(Turn::Answer(match (rest.strip_prefix('/'), method) {
            (None, &Method::POST) if rest.is_empty() => self.search(body),
            (Some(id), &Method::GET) => self.details(id, query),
            (None, _) if rest.is_empty() => answer::method_not_allowed("POST"),
            (Some(_), _) => answer::method_not_allowed("GET"),
            _ => return None,
        }))
    }

    fn search(&self, body: &[u8]) -> Answer {
        let bad = |message: &str| answer::error(StatusCode::BAD_REQUEST, message);
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return bad("Bad Request") };
        let limit = match &body["limit"] {
            Value::Null => DEFAULT_MESSAGES,
            limit => match limit.as_u64() {
                Some(limit @ 1..=MOST_MESSAGES) => limit,
                _ => return bad("limit must be between 1 and 1000"),
            },
        };
        let Some(query) = Query::parse(body["query"].as_str().unwrap_or_default()) else {
            return bad("invalid query");
        };
        // A parent's key sees a subuser's messages only where it names the subuser, and one at a time.
        let subuser = match &body["subusers"] {
            Value::Null => None,
            Value::Array(ids) if ids.len() <= 1 && ids.iter().all(is_id) => ids.first().and_then(Value::as_str),
            _ => return bad("subusers must have at most one numeric id"),
        };
        let inner = self.inner();
        // Newest first, as the console shows them.
        let mine = inner.messages.iter().rev().filter(|message| message.subuser.as_deref() == subuser);
        let found = mine.filter(|message| query.fits(message));
        let messages: Vec<Value> =
            found.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Logged::summary).collect();
        answer::json(StatusCode::OK, &json!({"messages": messages}))
    }

    fn details(&self, id: &str, query: Option<&str>) -> Answer {
        let subuser = query.and_then(|query| query.strip_prefix("subuser="));
        let inner = self.inner();
        match inner.by_id.get(id).and_then(|at| inner.messages.get(*at)) {
            Some(message) if message.subuser.as_deref() == subuser => answer::json(StatusCode::OK, &message.details()),
            _ => answer::error(StatusCode::NOT_FOUND, "message not found"),
        }
    }
}

fn is_id(id: &Value) -> bool {
    id.as_str().is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}
