//! This receiver's side: what its configuration accepts, that a running `serve` reads it again, and that it has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{StatusCode, redirect};

use super::PostUrl;
use crate::config::edit::{Edit, EditError, List};
use crate::config::sendgrid::is_loopback;
use crate::config::{self, BasicCredential, Config, ConfigError};
use crate::store::Paths;
use crate::store::lock;

/// How long a `serve` may take to read its configuration again.
const RELOAD: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why the receiver is not known to accept what SendGrid will send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// The file was not changed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no file to change.
    #[error(
        "there is no configuration file that could be changed: name one with --config (mailtrail init writes a first one)"
    )]
    NoFile,
    /// The environment wins.
    #[error(
        "{0} was changed, but the environment says otherwise and wins: unset MAILTRAIL_RECEIVE_BASIC_AUTH and MAILTRAIL_RECEIVE_PUBLIC_KEYS"
    )]
    Overridden(PathBuf),
    /// The process could not be told.
    #[error(
        "the running serve (process {process}) could not be told to read its configuration: {why}; run kill -HUP {process}, then this again"
    )]
    NotTold {
        /// Its id.
        process: u32,
        /// Why.
        why: String,
    },
    /// It does not take them.
    #[error(
        "the receiver at {url} does not accept the new credentials: {why}; let it read its configuration again (kill -HUP), then run this again"
    )]
    NotAccepted {
        /// Where.
        url: PostUrl,
        /// What it did instead.
        why: String,
    },
}

/// The receiver that a configuration file describes.
pub struct Receiver {
    file: PathBuf,
    paths: Paths,
}

impl Receiver {
    /// Of a configuration that was read from a file.
    ///
    /// # Errors
    /// When it was not.
    pub fn new(config: &Config) -> Result<Self, ReceiverError> {
        let file = config.file.clone().ok_or(ReceiverError::NoFile)?;
        Ok(Self { file, paths: Paths::new(&config.store.path) })
    }

    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Accepts a credential and a key from the next reading on, beside what is accepted already.
    ///
    /// # Errors
    /// When the file cannot be changed, or the environment wins over it.
    pub fn accept(&self, credential: Option<&BasicCredential>, key: Option<&str>) -> Result<(), ReceiverError> {
        let mut edit = Edit::open(&self.file)?;
        if let Some(credential) = credential {
            edit.add(List::BasicAuth, credential.expose())?;
        }
        if let Some(key) = key {
            edit.add(List::PublicKeys, key)?;
        }
        edit.save()?;
        let now = config::load_for_questions(Some(&self.file))?.receive;
        let has_key = |text: &str| {
            sendgrid_events::PublicKey::parse(text)
                .is_ok_and(|key| now.public_keys.iter().any(|known| known.id() == key.id()))
        };
        let has = credential.is_none_or(|given| now.basic_auth.iter().any(|known| known.expose() == given.expose()));
        if has && key.is_none_or(has_key) { Ok(()) } else { Err(ReceiverError::Overridden(self.file.clone())) }
    }

    /// Accepts a credential and a key no more.
    ///
    /// # Errors
    /// When the file cannot be changed.
    pub fn refuse(&self, credential: Option<&BasicCredential>, key: Option<&str>) -> Result<(), ReceiverError> {
        let mut edit = Edit::open(&self.file)?;
        if let Some(credential) = credential {
            edit.remove(List::BasicAuth, credential.expose())?;
        }
        if let Some(key) = key {
            edit.remove(List::PublicKeys, key)?;
        }
        Ok(edit.save()?)
    }

    /// Tells a `serve` of this machine to read its configuration again; `false` where none runs here.
    ///
    /// # Errors
    /// When it cannot be told.
    pub fn reload(&self) -> Result<bool, ReceiverError> {
        let Some(process) = lock::holder_of(&self.paths.lock()) else { return Ok(false) };
        let not_told = |why: String| ReceiverError::NotTold { process, why };
        let id = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
        let id = id.ok_or_else(|| not_told("it is no process".to_owned()))?;
        rustix::process::kill_process(id, rustix::process::Signal::HUP).map_err(|error| not_told(error.to_string()))?;
        Ok(true)
    }

    /// Waits until the receiver, asked at its public URL, lets these credentials in. What is posted is empty and unsigned, so
    /// that it stores nothing whatever the answer. Keys come with the credentials: reloading takes all or nothing.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_until_accepted(&self, url: &PostUrl, credential: &BasicCredential) -> Result<(), ReceiverError> {
        let target = url.with(credential);
        let not_accepted = |why: String| ReceiverError::NotAccepted { url: url.clone(), why };
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .timeout(RELOAD);
        if is_loopback(&target) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| not_accepted(error.without_url().to_string()))?;
        let until = tokio::time::Instant::now() + RELOAD;
        loop {
            let why = match client.post(target.clone()).body("[]").send().await {
                // Unsigned is refused after the credentials were found right, and then no others are asked for.
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
                    if !answer.headers().contains_key(WWW_AUTHENTICATE) {
                        return Ok(());
                    }
                    "it asks for others".to_owned()
                }
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("it answers {}", answer.status()),
                Err(error) => format!("it cannot be reached from here ({})", error.without_url()),
            };
            if tokio::time::Instant::now() >= until {
                return Err(not_accepted(why));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
