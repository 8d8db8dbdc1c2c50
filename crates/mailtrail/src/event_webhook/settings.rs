//! `/v3/user/webhooks/event/…` (`tsg_webhooks_v3.yaml`).

use std::collections::BTreeMap;
use std::fmt;

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::PostUrl;
use crate::config::BasicCredential;
use crate::sendgrid::{CallError, Client, Patience};

/// What of a webhook can be chosen, by SendGrid's names. `account_status_change` cannot be asked for there.
pub(crate) const EVENTS: [&str; 11] = [
    "processed",
    "deferred",
    "delivered",
    "bounce",
    "dropped",
    "open",
    "click",
    "spam_report",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
];

const SETTINGS: [&str; 5] = ["v3", "user", "webhooks", "event", "settings"];

/// A webhook as SendGrid has it. `Debug` does not show its URL.
#[derive(Clone, Deserialize)]
pub struct Webhook {
    /// UUID; empty in SendGrid's answer of no webhook.
    #[serde(default)]
    pub id: String,
    /// With credentials.
    #[serde(default)]
    url: String,
    /// Whether events are posted.
    #[serde(default)]
    pub enabled: bool,
    /// Base64 of SubjectPublicKeyInfo; empty where signing is off.
    #[serde(default)]
    public_key: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({}, enabled: {})", self.id, self.enabled)
    }
}

impl Webhook {
    /// Where it posts, and with what credentials; `None` where that is no URL.
    #[must_use]
    pub fn post_url(&self) -> Option<(PostUrl, Option<BasicCredential>)> {
        PostUrl::split(&self.url)
    }

    /// The URL as SendGrid has it, credentials and all.
    pub(super) fn exact_url(&self) -> &str {
        &self.url
    }

    /// The key that its posts are signed with; `None` where they are not.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.public_key.as_deref().filter(|key| !key.is_empty())
    }

    /// Events that it does not post.
    #[must_use]
    pub fn missing_events(&self) -> Vec<&'static str> {
        EVENTS.into_iter().filter(|event| self.rest.get(*event) != Some(&Value::Bool(true))).collect()
    }
}

/// All webhooks of the account, and how many its plan allows.
#[derive(Debug, Deserialize)]
pub struct All {
    /// How many; disabled ones count.
    #[serde(default)]
    pub max_allowed: f64,
    /// Those there are.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
}

impl All {
    /// Whether another one may be made.
    #[must_use]
    pub fn has_room(&self) -> bool {
        (self.webhooks.len() as f64) < self.max_allowed
    }
}

#[derive(Deserialize)]
struct Signed {
    public_key: String,
}

/// The settings, by one client.
pub struct Settings<'c> {
    client: &'c Client,
    patience: Patience,
}

impl<'c> Settings<'c> {
    /// Of the client's account or subuser.
    #[must_use]
    pub fn new(client: &'c Client) -> Self {
        Self { client, patience: Patience::default() }
    }

    /// All webhooks.
    ///
    /// # Errors
    /// When SendGrid does not tell.
    pub async fn all(&self) -> Result<All, CallError> {
        let mut all: All = self.client.get(&[&SETTINGS[..], &["all"]].concat(), &self.patience).await?;
        // Of no webhook SendGrid's document shows an empty one.
        all.webhooks.retain(|webhook| !webhook.url.is_empty());
        Ok(all)
    }

    /// Makes a webhook for all events that does not post yet. Where the answer was lost, it is looked for: a second one is
    /// never made.
    ///
    /// # Errors
    /// When SendGrid refuses (the plan's limit, a URL in use) or does not answer.
    pub async fn create(&self, url: &Url) -> Result<Webhook, CallError> {
        match self.client.create(&SETTINGS, &body(url, false), &self.patience).await {
            Err(error @ CallError::Uncertain(_)) => self.find(url).await?.ok_or(error),
            made => made,
        }
    }

    /// The webhook with exactly this URL.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub async fn find(&self, url: &Url) -> Result<Option<Webhook>, CallError> {
        let all = self.all().await?;
        Ok(all.webhooks.into_iter().find(|webhook| Url::parse(webhook.exact_url()).is_ok_and(|known| known == *url)))
    }

    /// Sets URL and all events of a webhook, and whether it posts.
    ///
    /// # Errors
    /// When SendGrid refuses or does not answer.
    pub async fn set(&self, id: &str, url: &Url, enabled: bool) -> Result<(), CallError> {
        let path = [&SETTINGS[..], &[id]].concat();
        self.client.patch::<Webhook>(&path, &body(url, enabled), &self.patience).await.map(drop)
    }

    /// Turns signing on, where it is off, and gives the public key.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn sign(&self, id: &str) -> Result<String, CallError> {
        let path = [&SETTINGS[..], &["signed", id]].concat();
        let now: Signed = self.client.get(&path, &self.patience).await?;
        if !now.public_key.is_empty() {
            return Ok(now.public_key);
        }
        let signed: Signed = self.client.patch(&path, &json!({"enabled": true}), &self.patience).await?;
        if signed.public_key.is_empty() {
            return Err(CallError::Unreadable("signing was turned on, but there is no public key".to_owned()));
        }
        Ok(signed.public_key)
    }

    /// Deletes a webhook; one that is gone is deleted.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn delete(&self, id: &str) -> Result<(), CallError> {
        self.client.delete(&[&SETTINGS[..], &[id]].concat(), &self.patience).await
    }

    /// Has SendGrid post its sample events there.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn test(&self, webhook: &Webhook) -> Result<(), CallError> {
        let body = json!({"id": webhook.id, "url": webhook.exact_url()});
        self.client.trigger(&["v3", "user", "webhooks", "event", "test"], &body, &self.patience).await
    }
}

/// A friendly name is left as it is: people give those.
fn body(url: &Url, enabled: bool) -> Value {
    let mut body: Map<String, Value> = EVENTS.into_iter().map(|event| (event.to_owned(), Value::Bool(true))).collect();
    body.insert("url".to_owned(), json!(url.as_str()));
    body.insert("enabled".to_owned(), json!(enabled));
    Value::Object(body)
}
