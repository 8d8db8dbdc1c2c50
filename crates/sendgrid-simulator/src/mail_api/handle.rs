//! One request: where it goes, what the plan does to it, and what it is answered.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::answer::{self, Answer, Rate, Refusal};
use super::erasure::Erasure;
use super::fault::Fault;
use super::judge::{self, Verdict};
use super::logs::{self, Logs};
use super::outbox::Outbox;
use super::server::stopped;
use super::settings::Settings;
use super::{MOST_BODY_BYTES, Options};

/// The connection is to close without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
pub(crate) struct Cut;

/// What all connections share.
pub(crate) struct Handler {
    pub(crate) options: Options,
    pub(crate) outbox: Outbox,
    pub(crate) settings: Settings,
    pub(crate) logs: Logs,
    pub(crate) erasure: Erasure,
    started: Instant,
    /// The present second, and requests in it.
    second: Mutex<(i64, u32)>,
}

/// What becomes of a request to send mail.
enum Turn {
    Answer(Answer),
    Limited(Duration),
    Silence,
    Cut,
}

impl Handler {
    pub(crate) fn new(options: Options) -> Self {
        let outbox = Outbox::new(options.seed);
        let settings = Settings::new(options.seed, options.most_webhooks);
        let logs = Logs::new(options.log_faults.clone());
        let erasure = Erasure::new(options.seed, options.may_erase);
        Self { options, outbox, settings, logs, erasure, started: Instant::now(), second: Mutex::new((0, 0)) }
    }

    /// Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        self.options.now.saturating_add_unsigned(self.started.elapsed().as_secs())
    }

    pub(crate) async fn handle(&self, request: Request<Incoming>, stop: watch::Receiver<bool>) -> Result<Answer, Cut> {
        let (head, body) = request.into_parts();
        let body = match Limited::new(body, MOST_BODY_BYTES).collect().await {
            Ok(body) => Some(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => None,
            Err(_) => return Err(Cut),
        };
        let rate = self.rate();
        let path = head.uri.path();
        if path == "/v3/mail/send" && head.method == Method::POST {
            let keyed = self.keyed(&head.headers);
            let turn = tokio::select! {
                turn = self.send(head.headers, body, keyed) => turn,
                () = stopped(stop.clone()) => Turn::Cut,
            };
            return match turn {
                Turn::Answer(answer) => Ok(rate.say(answer)),
                Turn::Limited(after) => Ok(rate.used_up(self.now(), after).say(answer::too_many())),
                Turn::Cut => Err(Cut),
                Turn::Silence => {
                    stopped(stop).await;
                    Err(Cut)
                }
            };
        }
        let keyed = self.keyed(&head.headers);
        if let Some(answer) = self.erasure.answer(&head.method, path, body.as_deref(), keyed.is_ok()) {
            return Ok(rate.say(answer));
        }
        let answer = match keyed {
            Err(refused) => refused.answer(),
            Ok(()) => {
                let body = body.unwrap_or_default();
                match self.logs.answer(&head.method, path, head.uri.query(), &body) {
                    Some(logs::Turn::Cut) => return Err(Cut),
                    Some(logs::Turn::TooMany(after)) => {
                        return Ok(rate.used_up(self.now(), after).say(answer::too_many()));
                    }
                    Some(logs::Turn::Answer(answer)) => answer,
                    None => match self.settings.answer(&head.method, path, &body, self.now()) {
                        Some(answer) => answer,
                        None => self.elsewhere(&head.method, path),
                    },
                }
            }
        };
        Ok(rate.say(answer))
    }

    async fn send(&self, headers: HeaderMap, body: Option<Bytes>, keyed: Result<(), Refusal>) -> Turn {
        let json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
        let (number, fault) = self.outbox.arrived(
            self.started.elapsed(),
            headers,
            body.clone().unwrap_or_default(),
            self.options.faults.as_ref(),
        );
        let turn = match (body, keyed) {
            (None, _) => Turn::Answer(answer::too_large()),
            (_, Err(refused)) => Turn::Answer(refused.answer()),
            (Some(body), Ok(())) => self.befall(number, fault, json, &body).await,
        };
        match &turn {
            Turn::Answer(answer) => self.outbox.answered(number, answer.status().as_u16()),
            Turn::Limited(_) => self.outbox.answered(number, StatusCode::TOO_MANY_REQUESTS.as_u16()),
            Turn::Silence | Turn::Cut => {}
        }
        turn
    }

    async fn befall(&self, number: usize, fault: Fault, json: bool, body: &Bytes) -> Turn {
        let failed = || answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal server error");
        match fault {
            Fault::CutBeforeAccepting => return Turn::Cut,
            Fault::Status500 { accepted: false } => return Turn::Answer(failed()),
            Fault::TooMany { reset_after } => return Turn::Limited(reset_after),
            Fault::RefusedHtml413 => return Turn::Answer(answer::too_large()),
            _ => {}
        }
        let answer = match self.take(number, json, body) {
            Ok(answer) => answer,
            Err(refused) => return Turn::Answer(refused.answer()),
        };
        match fault {
            Fault::TimeOutAfterAccepting => Turn::Silence,
            Fault::CutAfterAccepting => Turn::Cut,
            Fault::Status500 { .. } => Turn::Answer(failed()),
            Fault::Slow(time) => {
                sleep(time).await;
                Turn::Answer(answer)
            }
            _ => Turn::Answer(answer),
        }
    }

    /// Judges a message and accepts its mail.
    fn take(&self, number: usize, json: bool, body: &Bytes) -> Result<Answer, Refusal> {
        if !json {
            let text = "Content-Type should be application/json.";
            return Err(Refusal::general(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let message: Value =
            serde_json::from_slice(body).map_err(|_| Refusal::general(StatusCode::BAD_REQUEST, "Bad Request"))?;
        let now = self.now();
        let verdict = judge::judge(&message, now, |id| self.outbox.knows_batch(id))
            .map_err(|errors| Refusal { status: StatusCode::BAD_REQUEST, errors })?;
        Ok(match verdict {
            Verdict::Sandbox => answer::empty(StatusCode::OK),
            Verdict::Send => answer::accepted(&self.outbox.accept(number, &message, now)),
        })
    }

    /// Everything but the sending of mail.
    fn elsewhere(&self, method: &Method, path: &str) -> Answer {
        let batch = path.strip_prefix("/v3/mail/batch/").filter(|id| !id.is_empty() && !id.contains('/'));
        match (path, batch, method) {
            ("/v3/mail/send", ..) => answer::method_not_allowed("POST"),
            ("/v3/mail/batch", _, &Method::POST) => {
                answer::json(StatusCode::CREATED, &json!({"batch_id": self.outbox.batch()}))
            }
            ("/v3/mail/batch", ..) => answer::method_not_allowed("POST"),
            (_, Some(id), &Method::GET) if self.outbox.knows_batch(id) => {
                answer::json(StatusCode::OK, &json!({"batch_id": id}))
            }
            (_, Some(_), &Method::GET) => answer::error(StatusCode::BAD_REQUEST, "invalid batch id"),
            (_, Some(_), _) => answer::method_not_allowed("GET"),
            _ => answer::error(StatusCode::NOT_FOUND, "not found"),
        }
    }

    fn keyed(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let said = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
        let refuse = |message| Err(Refusal::general(StatusCode::UNAUTHORIZED, message));
        match said.map(|text| text.strip_prefix("Bearer ")) {
            Some(Some(key)) if key == self.options.api_key => Ok(()),
            None => refuse("authorization required"),
            Some(_) => refuse("The provided authorization grant is invalid, expired, or revoked"),
        }
    }

    fn rate(&self) -> Rate {
        let now = self.now();
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.0 != now {
            *second = (now, 0);
        }
        second.1 += 1;
        let limit = self.options.rate_limit;
        Rate { limit, remaining: limit.saturating_sub(second.1), reset: now.saturating_add(1) }
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}
