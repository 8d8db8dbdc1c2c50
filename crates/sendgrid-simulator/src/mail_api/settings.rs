//! Settings of the Event Webhook: `/v3/user/webhooks/event/…` (`tsg_webhooks_v3.yaml`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Answer};
use super::sample;
use crate::random::Random;
use crate::sign::Signer;
use crate::target::Target;

const ROOT: &str = "/v3/user/webhooks/event/";
/// Choices of events, as requests and answers name them.
const EVENTS: [&str; 11] = [
    "group_resubscribe",
    "delivered",
    "group_unsubscribe",
    "spam_report",
    "bounce",
    "deferred",
    "unsubscribe",
    "processed",
    "open",
    "click",
    "dropped",
];

/// A webhook as it is set. `Debug` does not show its credentials.
#[derive(Debug, Clone)]
pub struct WebhookSetting {
    /// UUID.
    pub id: String,
    /// Where events go.
    pub target: Target,
    /// Whether they go.
    pub enabled: bool,
    /// Names of the events that were chosen, as in the API.
    pub events: Vec<&'static str>,
    /// Who signs; `None`: posts are unsigned.
    pub signer: Option<Arc<Signer>>,
    /// `friendly_name`
    pub friendly_name: Option<String>,
    /// Unix seconds; the last one may have the same.
    created: i64,
    updated: i64,
}

pub(crate) struct Settings {
    inner: Mutex<Inner>,
}

struct Inner {
    random: Random,
    most: usize,
    hooks: Vec<WebhookSetting>,
}

impl Settings {
    pub(crate) fn new(seed: u64, most: usize) -> Self {
        let random = Random::new(seed ^ 0x0068_6f6f_6b73);
        Self { inner: Mutex::new(Inner { random, most, hooks: Vec::new() }) }
    }

    pub(crate) fn all(&self) -> Vec<WebhookSetting> {
        self.inner().hooks.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` where the path is not of this API.
    pub(crate) fn answer(&self, method: &Method, path: &str, body: &[u8], now: i64) -> Option<Answer> {
        let rest = path.strip_prefix(ROOT)?;
        let body = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        Some(match (rest, method) {
            ("test", &Method::POST) => self.test(&body(), now),
            ("settings", &Method::POST) => self.create(&body(), now),
            ("settings/all", &Method::GET) => self.list(),
            _ => match (rest.strip_prefix("settings/signed/"), rest.strip_prefix("settings/")) {
                (Some(id), _) if method == Method::GET => self.signed(id, None),
                (Some(id), _) if method == Method::PATCH => self.signed(id, body()["enabled"].as_bool()),
                (None, Some(id)) => match *method {
                    Method::GET => self.change(id, |_, hook| answer::json(StatusCode::OK, &shown(hook, false, true))),
                    Method::PATCH => self.patch(id, &body(), now),
                    Method::DELETE => self.delete(id),
                    _ => answer::method_not_allowed("GET, PATCH, DELETE"),
                },
                _ => answer::error(StatusCode::NOT_FOUND, "not found"),
            },
        })
    }

    fn create(&self, body: &Value, now: i64) -> Answer {
        let mut inner = self.inner();
        let target = match url(body, &inner.hooks, None) {
            Ok(target) => target,
            Err(refused) => return *refused,
        };
        if inner.hooks.len() >= inner.most {
            return refused("You have reached the maximum number of webhooks per your current billing plan.");
        }
        let id = uuid(&mut inner.random);
        let mut hook = WebhookSetting {
            id,
            target,
            enabled: false,
            events: Vec::new(),
            signer: None,
            friendly_name: None,
            created: now,
            updated: now,
        };
        set(&mut hook, body);
        inner.hooks.push(hook.clone());
        answer::json(StatusCode::CREATED, &shown(&hook, true, false))
    }

    fn list(&self) -> Answer {
        let inner = self.inner();
        let hooks: Vec<Value> = inner.hooks.iter().map(|hook| shown(hook, true, true)).collect();
        answer::json(StatusCode::OK, &json!({"max_allowed": inner.most, "webhooks": hooks}))
    }

    fn patch(&self, id: &str, body: &Value, now: i64) -> Answer {
        self.change(id, |others, hook| {
            let target = match url(body, others, Some(&hook.id)) {
                Ok(target) => target,
                Err(refused) => return *refused,
            };
            hook.target = target;
            hook.updated = now;
            set(hook, body);
            answer::json(StatusCode::OK, &shown(hook, true, false))
        })
    }

    fn delete(&self, id: &str) -> Answer {
        let mut inner = self.inner();
        let before = inner.hooks.len();
        inner.hooks.retain(|hook| hook.id != id);
        if inner.hooks.len() == before { unknown() } else { answer::empty(StatusCode::NO_CONTENT) }
    }

    /// `enabled`: what is asked for; each turning on makes a new key pair.
    fn signed(&self, id: &str, enabled: Option<bool>) -> Answer {
        self.change(id, |_, hook| {
            match enabled {
                Some(true) if hook.signer.is_none() => match Signer::generate() {
                    Ok(signer) => hook.signer = Some(Arc::new(signer)),
                    Err(_) => return answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal server error"),
                },
                Some(false) => hook.signer = None,
                _ => {}
            }
            answer::json(StatusCode::OK, &json!({"id": hook.id, "public_key": key(hook)}))
        })
    }

    fn change(&self, id: &str, change: impl FnOnce(&[WebhookSetting], &mut WebhookSetting) -> Answer) -> Answer {
        let mut inner = self.inner();
        let others = inner.hooks.clone();
        match inner.hooks.iter_mut().find(|hook| hook.id == id) {
            Some(hook) => change(&others, hook),
            None => unknown(),
        }
    }

    /// Posts the sample batch, signed where the webhook is, once: whether it arrives is not said.
    fn test(&self, body: &Value, now: i64) -> Answer {
        let Some(target) = body["url"].as_str().and_then(|url| Target::parse(url).ok()) else {
            return refused("'url' is not a valid url");
        };
        let id = body["id"].as_str().unwrap_or_default();
        let signer = self.inner().hooks.iter().find(|hook| hook.id == id).and_then(|hook| hook.signer.clone());
        sample::post(target, signer, now);
        answer::empty(StatusCode::NO_CONTENT)
    }
}

fn unknown() -> Answer {
    answer::json(StatusCode::NOT_FOUND, &json!({"errors": [{"message": "Invalid id provided."}]}))
}

fn refused(message: &str) -> Answer {
    answer::json(StatusCode::BAD_REQUEST, &json!({"errors": [{"message": message}]}))
}

/// The URL of a request, which no other webhook may have.
fn url(body: &Value, hooks: &[WebhookSetting], own: Option<&str>) -> Result<Target, Box<Answer>> {
    let text = body["url"].as_str().unwrap_or_default();
    let target = Target::parse(text).map_err(|_| Box::new(refused(&format!("'{text}' is not a valid url"))))?;
    match hooks.iter().find(|hook| hook.target.expose() == target.expose() && Some(hook.id.as_str()) != own) {
        None => Ok(target),
        Some(taken) => {
            let message = format!("Webhook at '{text}' already exists. Please provide a unique URL.");
            let errors = json!({"errors": [{"id": taken.id, "message": message, "url": text}]});
            Err(Box::new(answer::json(StatusCode::BAD_REQUEST, &errors)))
        }
    }
}

/// Takes what a request says; what it does not say stays.
fn set(hook: &mut WebhookSetting, body: &Value) {
    hook.enabled = body["enabled"].as_bool().unwrap_or(hook.enabled);
    hook.events = EVENTS
        .into_iter()
        .filter(|event| body[*event].as_bool().unwrap_or_else(|| hook.events.contains(event)))
        .collect();
    if let Some(name) = body["friendly_name"].as_str() {
        hook.friendly_name = Some(name.to_owned());
    }
}

fn key(hook: &WebhookSetting) -> &str {
    hook.signer.as_ref().map_or("", |signer| signer.public_key())
}

fn shown(hook: &WebhookSetting, dates: bool, signed: bool) -> Value {
    let mut told: BTreeMap<&str, Value> =
        EVENTS.into_iter().map(|event| (event, Value::Bool(hook.events.contains(&event)))).collect();
    told.insert("id", json!(hook.id));
    told.insert("url", json!(hook.target.expose().as_str()));
    told.insert("enabled", json!(hook.enabled));
    told.insert("friendly_name", json!(hook.friendly_name));
    told.insert("oauth_client_id", Value::Null);
    told.insert("oauth_token_url", Value::Null);
    if signed {
        told.insert("public_key", json!(key(hook)));
    }
    if dates {
        told.insert("created_date", json!(date(hook.created)));
        told.insert("updated_date", json!(date(hook.updated)));
    }
    json!(told)
}

fn date(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

pub(super) fn uuid(random: &mut Random) -> String {
    let hex: String = random.sixteen().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-11ed-a1eb-{}", &hex[..8], &hex[8..12], &hex[20..])
}
