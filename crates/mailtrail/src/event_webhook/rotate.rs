//! Replacing key and credentials with no gap.
//!
//! A second webhook is made and signed while it posts nothing, the receiver accepts both, the second one begins to post
//! beside the first (each event then comes twice, and is stored once), and only when nothing of the first can be on its way
//! any more is it removed, and later what the receiver accepted of it. Each step is saved when it is done, and each can be
//! done again: whatever interrupts it, the next call goes on.

mod step;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PostUrl, Receiver, Settings, Webhook};
use crate::config::BasicCredential;
use crate::files;
pub use step::{Next, RotateError, Step};

/// A rotation under way. Saved in a file for its owner alone: it holds credentials.
#[derive(Serialize, Deserialize)]
pub struct Rotation {
    /// How far it is.
    step: Step,
    /// Where both webhooks post, without credentials.
    url: String,
    old_id: String,
    old_credential: Option<String>,
    old_key: Option<String>,
    credential: String,
    /// `None`: the plan has room for one webhook alone, whose credentials are replaced.
    second: Option<Second>,
    #[serde(skip)]
    file: PathBuf,
}

/// The webhook that replaces the first.
#[derive(Default, Serialize, Deserialize)]
struct Second {
    id: String,
    key: String,
}

impl Rotation {
    /// The file beside the configuration that says how far a rotation is.
    #[must_use]
    pub fn file_of(receiver: &Receiver) -> PathBuf {
        let mut name = receiver.file().as_os_str().to_owned();
        name.push(".rotation");
        name.into()
    }

    /// The rotation that is under way.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn under_way(receiver: &Receiver) -> Result<Option<Self>, RotateError> {
        let file = Self::file_of(receiver);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RotateError::State { path: file, why: error.to_string() }),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(rotation) => Ok(Some(Self { file, ..rotation })),
            // Not serde's text, which quotes values.
            Err(_) => Err(RotateError::State {
                path: file,
                why: "is no state of a rotation; remove it to begin anew".to_owned(),
            }),
        }
    }

    /// Begins to replace a webhook; `alone` where the plan has no room for a second.
    ///
    /// # Errors
    /// When the state cannot be saved, or the webhook has no URL.
    pub fn begin(
        receiver: &Receiver,
        old: &Webhook,
        credential: &BasicCredential,
        alone: bool,
    ) -> Result<Self, RotateError> {
        let (url, known) = old.post_url().ok_or(RotateError::Changed("the webhook has no usable URL"))?;
        // Asking for what the first one does not send would refuse it, which is the gap that must not be.
        if known.is_none() || (!alone && old.public_key().is_none()) {
            return Err(RotateError::Changed(
                "the webhook has no credentials or is not signed, so there is nothing to replace: mailtrail webhook create \
                 sets both",
            ));
        }
        let rotation = Self {
            step: Step::Begun,
            url: url.as_str().to_owned(),
            old_id: old.id.clone(),
            old_credential: known.map(|known| known.expose().to_owned()),
            old_key: old.public_key().map(str::to_owned),
            credential: credential.expose().to_owned(),
            second: (!alone).then(Second::default),
            file: Self::file_of(receiver),
        };
        rotation.save()?;
        Ok(rotation)
    }

    /// How far it is.
    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether credentials alone are replaced.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.second.is_none()
    }

    /// Does the next step and saves it. `overlap`: how long what the first webhook posts may be on its way.
    ///
    /// # Errors
    /// When the step could not be done; called again, it is tried again.
    pub async fn go_on(
        &mut self,
        settings: &Settings<'_>,
        receiver: &Receiver,
        overlap: Duration,
        now: i64,
    ) -> Result<Next, RotateError> {
        let (url, credential) = self.parts()?;
        let overlap = crate::clock::micros(overlap);
        let target = url.with(&credential);
        match self.step {
            Step::Begun => {
                if let Some(second) = &mut self.second {
                    // It may have been made before an interruption: its URL is its own.
                    let made = match settings.find(&target).await? {
                        Some(webhook) => webhook,
                        None => settings.create(&target).await?,
                    };
                    *second = Second { key: settings.sign(&made.id).await?, id: made.id };
                }
                self.reach(Step::Made)?;
            }
            Step::Made => {
                receiver.accept(Some(&credential), self.second.as_ref().map(|second| second.key.as_str()))?;
                receiver.reload()?;
                receiver.wait_until_accepted(&url, &credential).await?;
                self.reach(Step::Accepted)?;
            }
            Step::Accepted => {
                let id = self.second.as_ref().map_or(&self.old_id, |second| &second.id);
                settings.set(id, &target, true).await?;
                self.reach(Step::Both { since: now })?;
            }
            Step::Both { since } => {
                let until = since.saturating_add(overlap);
                if now < until && self.second.is_some() {
                    return Ok(Next::At(until));
                }
                match &self.second {
                    Some(second) => {
                        let all = settings.all().await?;
                        // Somebody may have switched it off or removed it: then the first one is all there is.
                        if !all.webhooks.iter().any(|webhook| webhook.id == second.id && webhook.enabled) {
                            return Err(RotateError::Changed(
                                "the second webhook does not post any more, so the first one stays: look at both in SendGrid",
                            ));
                        }
                        settings.delete(&self.old_id).await?;
                        self.reach(Step::OldGone { since: now })?;
                    }
                    None => self.reach(Step::OldGone { since })?,
                }
            }
            Step::OldGone { since } => {
                let until = since.saturating_add(overlap);
                if now < until {
                    return Ok(Next::At(until));
                }
                self.refuse_old(settings, receiver).await?;
                fs::remove_file(&self.file).map_err(|error| self.state_error(&error))?;
                return Ok(Next::Done);
            }
        }
        Ok(Next::Now)
    }

    /// Takes the old ones out of the configuration, but for what another webhook still uses.
    async fn refuse_old(&self, settings: &Settings<'_>, receiver: &Receiver) -> Result<(), RotateError> {
        let all = settings.all().await?;
        let used = |given: &str| {
            let credentials = all.webhooks.iter().filter_map(|webhook| webhook.post_url()?.1);
            credentials.into_iter().any(|known| known.expose() == given)
        };
        let old = self.old_credential.as_deref().filter(|old| !used(old)).and_then(BasicCredential::parse);
        let key = self.old_key.as_deref().filter(|_| self.second.is_some());
        let key = key.filter(|key| !all.webhooks.iter().any(|webhook| webhook.public_key() == Some(key)));
        receiver.refuse(old.as_ref(), key)?;
        receiver.reload()?;
        Ok(())
    }

    fn parts(&self) -> Result<(PostUrl, BasicCredential), RotateError> {
        let url = PostUrl::split(&self.url).map(|(url, _)| url);
        url.zip(BasicCredential::parse(&self.credential)).ok_or_else(|| RotateError::State {
            path: self.file.clone(),
            why: "holds no usable URL and credential; remove it to begin anew".to_owned(),
        })
    }

    fn reach(&mut self, step: Step) -> Result<(), RotateError> {
        self.step = step;
        self.save()
    }

    fn save(&self) -> Result<(), RotateError> {
        let write = || {
            let text = serde_json::to_vec(self)?;
            files::replace(&self.file, |file| std::io::Write::write_all(file, &text))
        };
        write().map_err(|error| self.state_error(&error))
    }

    fn state_error(&self, error: &std::io::Error) -> RotateError {
        RotateError::State { path: self.file.clone(), why: error.to_string() }
    }
}
