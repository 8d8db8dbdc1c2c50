//! Calls of SendGrid's API that are not mail: settings of webhooks, logs. JSON in, JSON out.
//!
//! What changes nothing, or ends the same however often it is done, is repeated while the trouble may pass; what creates
//! something is repeated only where it certainly did not arrive, or there would be two of it.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::read;
use super::patience::random;
use super::{ApiError, Client, Patience, answer, said};
use crate::clock::now_micros;
use crate::log::chain;

/// How much of an answer is read, bytes: a thousand messages of the logs are about half a mebibyte.
const MAX_ANSWER: usize = 16 << 20;

/// Why a call brought nothing. Holds no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// SendGrid will not do it.
    #[error("SendGrid refused ({status}): {}", said(errors))]
    Refused {
        /// HTTP status.
        status: u16,
        /// Why, in SendGrid's words; never empty.
        errors: Vec<ApiError>,
    },
    /// 429 until patience ended.
    #[error("SendGrid says that there were too many requests, still after waiting; try again later")]
    TooMany,
    /// No connection came about.
    #[error("SendGrid could not be reached: {0}")]
    NotSent(String),
    /// The call may have been done, but SendGrid did not say so.
    #[error("SendGrid gave no clear answer: {0}")]
    Uncertain(String),
    /// The answer is not what SendGrid documents.
    #[error("SendGrid's answer could not be read: {0}")]
    Unreadable(String),
}

impl CallError {
    /// Whether there is no such thing (404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// Whether a call may be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Always,
    IfNotDone,
}

/// A call, ready to go as often as needed.
struct Call {
    method: Method,
    url: Url,
    body: Option<bytes::Bytes>,
    repeat: Repeat,
}

/// One attempt that brought nothing.
enum Failed {
    /// Worth another attempt, after what SendGrid asked for.
    Passing(CallError, Option<Duration>),
    Final(CallError),
}

impl Client {
    /// `GET`. `path` is its segments, each taken literally: `["v3", "logs", id]`.
    ///
    /// # Errors
    /// When SendGrid refuses, or trouble outlasts `patience`.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str], patience: &Patience) -> Result<T, CallError> {
        let call = self.prepare(Method::GET, path, None::<&()>, Repeat::Always)?;
        parse(&self.call(&call, patience).await?)
    }

    /// [`get`](Self::get) with a query of names and values.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        patience: &Patience,
    ) -> Result<T, CallError> {
        let mut call = self.prepare(Method::GET, path, None::<&()>, Repeat::Always)?;
        if !query.is_empty() {
            call.url.query_pairs_mut().extend_pairs(query);
        }
        parse(&self.call(&call, patience).await?)
    }

    /// `POST` that only asks, so that it may be repeated.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn query<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        patience: &Patience,
    ) -> Result<T, CallError> {
        let call = self.prepare(Method::POST, path, Some(body), Repeat::Always)?;
        parse(&self.call(&call, patience).await?)
    }

    /// `POST` that makes something. Where SendGrid gave no clear answer it is [`CallError::Uncertain`]: see whether it is
    /// there before it is made again.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn create<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        patience: &Patience,
    ) -> Result<T, CallError> {
        let call = self.prepare(Method::POST, path, Some(body), Repeat::IfNotDone)?;
        parse(&self.call(&call, patience).await?)
    }

    /// `POST` that has something done and says nothing of it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn trigger(&self, path: &[&str], body: &impl Serialize, patience: &Patience) -> Result<(), CallError> {
        let call = self.prepare(Method::POST, path, Some(body), Repeat::IfNotDone)?;
        self.call(&call, patience).await.map(drop)
    }

    /// `PATCH`: ends the same however often it is done.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        patience: &Patience,
    ) -> Result<T, CallError> {
        let call = self.prepare(Method::PATCH, path, Some(body), Repeat::Always)?;
        parse(&self.call(&call, patience).await?)
    }

    /// `DELETE`. What is not there is deleted: an answer that was lost leaves a 404 for the second attempt.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, path: &[&str], patience: &Patience) -> Result<(), CallError> {
        let call = self.prepare(Method::DELETE, path, None::<&()>, Repeat::Always)?;
        match self.call(&call, patience).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn prepare(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&impl Serialize>,
        repeat: Repeat,
    ) -> Result<Call, CallError> {
        let mut url = self.host.clone();
        // A host over HTTP always takes a path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|_| CallError::NotSent("the request cannot be written as JSON".to_owned()))?;
        Ok(Call { method, url, body: body.map(Into::into), repeat })
    }

    async fn call(&self, call: &Call, patience: &Patience) -> Result<Vec<u8>, CallError> {
        let mut waited = Duration::ZERO;
        let mut attempt = 0;
        loop {
            // What an earlier answer said counts for this one too.
            if let Ok(ahead @ 1..) = u64::try_from(self.ready_at().saturating_sub(now_micros())) {
                tokio::time::sleep(Duration::from_micros(ahead).min(patience.longest_wait)).await;
            }
            let (error, asked) = match self.attempt(call).await {
                Ok(body) => return Ok(body),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Passing(error, asked)) => (error, asked),
            };
            let pause = asked.unwrap_or_default().max(patience.pause(attempt, random()));
            attempt += 1;
            waited = waited.saturating_add(pause);
            if attempt >= patience.attempts || waited > patience.longest_wait {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Vec<u8>, Failed> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        self.count();
        let unclear = |why: String| match call.repeat {
            Repeat::Always => Failed::Passing(CallError::Uncertain(why), None),
            Repeat::IfNotDone => Failed::Final(CallError::Uncertain(why)),
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Err(Failed::Passing(CallError::NotSent(chain(error)), None)),
            Err(error) if error.is_builder() => return Err(Failed::Final(CallError::NotSent(chain(error)))),
            Err(error) if error.is_timeout() => return Err(unclear("no answer in time".to_owned())),
            Err(error) => return Err(unclear(chain(error))),
        };
        let status = response.status();
        let wait = self.limit.note(response.headers(), status == StatusCode::TOO_MANY_REQUESTS, now_micros());
        match status.as_u16() {
            200..=299 => whole(response).await.map_err(unclear),
            429 => Err(Failed::Passing(CallError::TooMany, wait)),
            300..=407 | 409..=499 => {
                let errors = answer::errors(&read(response).await, status.as_u16(), self.key());
                Err(Failed::Final(CallError::Refused { status: status.as_u16(), errors }))
            }
            code => {
                let errors = answer::errors(&read(response).await, code, self.key());
                Err(unclear(format!("HTTP status {code}: {}", said(&errors))))
            }
        }
    }
}

/// The whole body: a part of one would be taken for less than there is.
async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(chain)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(format!("an answer of more than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error names the place alone: serde's own text quotes values.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| {
        let kind = match error.classify() {
            serde_json::error::Category::Data => "a value that is not as documented",
            _ => "no JSON",
        };
        CallError::Unreadable(format!("{kind} at line {} column {}", error.line(), error.column()))
    })
}

#[cfg(test)]
mod tests;
