//! Posts notices to everybody who is configured.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::task::JoinSet;

use super::answer::{self, Taken};
use super::client::{Client, SendError};
use super::label::Label;
use super::manner::Manner;
use super::notice::{Destination, Notice, Ops};
use super::page::Page;
use super::retry::{Backoff, Patience};
use super::{slack, webhook};
use crate::clock;
use crate::config::{Config, HookUrl, Slack, Webhook};

/// Of one POST.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A place that notices are posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// `[slack]`
    Slack(Destination),
    /// `[webhook]`
    Webhook,
}

impl Channel {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Slack(Destination::Business), Self::Slack(Destination::Ops), Self::Webhook];

    /// In metrics and in names of saved places.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Slack(Destination::Business) => "slack",
            Self::Slack(Destination::Ops) => "slack_ops",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slack(Destination::Business) => "Slack",
            Self::Slack(Destination::Ops) => "Slack (ops)",
            Self::Webhook => "the webhook",
        })
    }
}

/// Tells a notice from others, also when it is posted again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeId(String);

impl NoticeId {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, SendError> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).map_err(|_| SendError::Client("the system gives no random numbers".to_owned()))?;
        Ok(Self(format!("msg_{:032x}", u128::from_be_bytes(bytes))))
    }

    /// For where there are no random numbers and something has to be told all the same.
    pub(crate) fn fixed() -> Self {
        Self(format!("msg_{:032x}", clock::now_micros()))
    }

    /// `msg_` and 32 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who took a notice; nobody where nothing is configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Each channel that took it.
    pub channels: Vec<Channel>,
}

/// Somebody was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyError {
    /// Who took the notice.
    pub told: Vec<Channel>,
    /// Who did not, and why. Not empty.
    pub failed: Vec<(Channel, SendError)>,
}

impl std::error::Error for NotifyError {}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (channel, error)) in self.failed.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}the notice did not reach {channel}: {error}")?;
        }
        Ok(())
    }
}

/// Posts notices. Cheap to clone.
#[derive(Clone)]
pub struct Notifier(Option<Arc<Parts>>);

struct Parts {
    client: Client,
    slack: Slack,
    webhook: Option<Webhook>,
    manner: Manner,
    patience: Patience,
    /// Channels that refuse notices for good, and whether the others were told.
    refusing: Mutex<BTreeMap<Channel, bool>>,
}

impl Parts {
    /// Notes how a try ended.
    fn note(&self, channel: Channel, sent: &Result<Taken, SendError>) {
        let refused = match sent {
            Ok(_) => false,
            Err(error) if error.may_pass() => return,
            Err(_) => true,
        };
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if refused {
            refusing.entry(channel).or_insert(false);
        } else {
            refusing.remove(&channel);
        }
        metrics::gauge!("mailtrail_notices_refused", "channel" => channel.key()).set(f64::from(u8::from(refused)));
    }

    /// Whether the other channels are to be told now that this one refuses.
    fn is_news(&self, channel: Channel) -> bool {
        let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        refusing.get_mut(&channel).is_some_and(|told| !std::mem::replace(told, true))
    }
}

impl Notifier {
    /// For everybody who is configured, with the patience of a command; without anybody as [`none`](Self::none).
    ///
    /// # Errors
    /// When the HTTP client cannot be used (the system's root certificates, for one).
    pub fn new(config: &Config) -> Result<Self, SendError> {
        Self::with(config.slack.clone(), config.webhook.clone(), Manner::of(config), Patience::COMMAND)
    }

    /// From parts of a configuration, with other patience.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(slack: Slack, webhook: Option<Webhook>, manner: Manner, patience: Patience) -> Result<Self, SendError> {
        if slack.business.is_none() && slack.ops.is_none() && webhook.is_none() {
            return Ok(Self::none());
        }
        let (client, refusing) = (Client::new(TIMEOUT)?, Mutex::default());
        Ok(Self(Some(Arc::new(Parts { client, slack, webhook, manner, patience, refusing }))))
    }

    /// Tells nobody.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether anybody would be told anything.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// Who is to be told of this notice.
    #[must_use]
    pub fn channels(&self, notice: &Notice) -> Vec<Channel> {
        match (&self.0, notice) {
            (Some(parts), Notice::Test) if parts.slack.ops != parts.slack.business => self.of(&Destination::ALL),
            _ => self.of(&[notice.destination()]),
        }
    }

    /// Where notices for a destination are posted.
    #[must_use]
    pub fn channels_of(&self, destination: Destination) -> Vec<Channel> {
        self.of(&[destination])
    }

    fn of(&self, destinations: &[Destination]) -> Vec<Channel> {
        let Some(parts) = &self.0 else { return Vec::new() };
        let mut channels = Vec::new();
        let configured = destinations.iter().filter(|destination| parts.slack.url(**destination).is_some());
        channels.extend(configured.map(|destination| Channel::Slack(*destination)));
        channels.extend(parts.webhook.as_ref().map(|_| Channel::Webhook));
        channels
    }

    /// Tells everybody, trying again for up to two minutes where that may help.
    ///
    /// # Errors
    /// When somebody could not be told; says who, and who was.
    pub async fn send(&self, notice: &Notice) -> Result<Told, NotifyError> {
        // All at once: one that hangs must not hold up the others.
        let mut sends = JoinSet::new();
        for channel in self.channels(notice) {
            let (this, notice) = (self.clone(), notice.clone());
            sends.spawn(async move { (channel, this.send_to(channel, &notice).await) });
        }
        let (mut told, mut failed) = (Vec::new(), Vec::new());
        for (channel, result) in sends.join_all().await {
            match result {
                Ok(()) => told.push(channel),
                Err(error) => failed.push((channel, error)),
            }
        }
        told.sort_unstable();
        failed.sort_unstable_by_key(|(channel, _)| *channel);
        if failed.is_empty() { Ok(Told { channels: told }) } else { Err(NotifyError { told, failed }) }
    }

    /// Tells one channel, trying again as [`send`](Self::send) does.
    ///
    /// # Errors
    /// When it did not take the notice.
    pub async fn send_to(&self, channel: Channel, notice: &Notice) -> Result<(), SendError> {
        let Some(parts) = &self.0 else { return Ok(()) };
        let id = NoticeId::random()?;
        let mut backoff = Backoff::new(parts.patience);
        loop {
            let Err(error) = self.send_once(channel, notice, &id).await else { return Ok(()) };
            match backoff.wait(error.retry_after()).filter(|_| error.may_pass()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    /// Tries one channel once; a channel that is not configured is told at once.
    ///
    /// # Errors
    /// When it did not take the notice.
    pub async fn send_once(&self, channel: Channel, notice: &Notice, id: &NoticeId) -> Result<Taken, SendError> {
        let Some(parts) = &self.0 else { return Ok(Taken::Plain) };
        let sent = Self::post(parts, channel, notice, id).await;
        parts.note(channel, &sent);
        sent
    }

    /// Tells the other channels that one refuses notices, once until it takes one again.
    pub async fn tell_others(&self, refusing: Channel, error: &SendError) {
        let Some(parts) = &self.0 else { return };
        if error.may_pass() || !parts.is_news(refusing) {
            return;
        }
        let url = |channel| match channel {
            Channel::Slack(destination) => parts.slack.url(destination),
            Channel::Webhook => parts.webhook.as_ref().map(|webhook| &webhook.url),
        };
        let notice = Notice::Ops(Ops::NoticesRefused { channel: refusing.key(), why: Label::new(&error.to_string()) });
        for channel in Channel::ALL {
            // Both of Slack's may be the same URL.
            let another = url(channel).is_some_and(|other| Some(other) != url(refusing));
            if another && let Err(error) = self.send_to(channel, &notice).await {
                tracing::error!("nor does {channel} take notices: {error}");
            }
        }
    }

    async fn post(parts: &Parts, channel: Channel, notice: &Notice, id: &NoticeId) -> Result<Taken, SendError> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match channel {
            Channel::Slack(destination) => {
                let Some(url) = parts.slack.url(destination) else { return Ok(Taken::Plain) };
                let message = slack::message(notice, &parts.manner);
                let answer = parts.client.post(url, HeaderMap::from_iter([json]), message.to_string()).await?;
                answer::of_slack(answer, url).await
            }
            Channel::Webhook => {
                let Some(to) = &parts.webhook else { return Ok(Taken::Plain) };
                let now = clock::now_micros();
                let body = webhook::body(notice, &parts.manner, now);
                let mut headers = webhook::headers(&to.secret, id, now.div_euclid(1_000_000), &body);
                headers.extend([json]);
                parts.client.post(&to.url, headers, body).await.map(|_| Taken::Plain)
            }
        }
    }
}

impl Slack {
    fn url(&self, destination: Destination) -> Option<&HookUrl> {
        match destination {
            Destination::Business => self.business.as_ref(),
            Destination::Ops => self.ops.as_ref(),
        }
    }
}

impl Notice {
    /// The notice as lines for a terminal: what Slack shows.
    #[must_use]
    pub fn to_text(&self, manner: &Manner) -> Vec<String> {
        Page::new(self, manner).lines()
    }
}

#[cfg(test)]
mod tests;
