//! One consumer: what it is to get, in order, each until it has it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::SharedFile;
use super::health;
use super::post::Poster;
use crate::config;
use crate::log;
use crate::notify::{Backoff, Patience, SendError};
use crate::protect::{KeyRing, Post};
use crate::stop::Stop;
use crate::store::keeper::Looks;
use crate::store::relay::{Done, Outcome, WaitingPost};

/// Between tries, as long as it takes.
const PATIENCE: Patience = Patience { first: Duration::from_secs(1), most: Duration::from_secs(60), total: None };
/// What is read at once.
const POSTS: usize = 64;
const BYTES: usize = 4 << 20;
/// How far a consumer is, is saved so often: a kill repeats no more.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// What was begun when it is to stop may be finished.
const GRACE: Duration = Duration::from_secs(3);
/// The answer of a mailtrail that relayed the POST before.
const LOOP_DETECTED: u16 = 508;
/// After the file failed.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Consumer {
    name: String,
    tries: usize,
    poster: Poster,
    file: SharedFile,
    keys: Arc<KeyRing>,
}

/// Why a post has no outcome.
enum Left {
    /// It is to stop.
    Stop,
    /// The post waits no more: too old, no room, or somebody in it is forgotten.
    Gone,
}

impl Consumer {
    pub(super) fn new(relay: &config::Relay, poster: Poster, file: SharedFile, keys: Arc<KeyRing>) -> Self {
        Self { name: relay.name.clone(), tries: relay.tries, poster, file, keys }
    }

    pub(super) async fn run(self, mut looks: Looks, mut stop: Stop) {
        loop {
            let name = self.name.clone();
            match self.file.with(move |file| file.next(&name, POSTS, BYTES)).await {
                Ok(posts) if posts.is_empty() => tokio::select! {
                    () = looks.next() => {}
                    () = stop.requested() => return,
                },
                Ok(posts) => match self.deliver(posts, &mut stop).await {
                    Ok(()) | Err(Left::Gone) => {}
                    Err(Left::Stop) => return,
                },
                Err(error) => {
                    log::limited("relay file", || tracing::error!(consumer = self.name, "{error}"));
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = stop.requested() => return,
                    }
                }
            }
        }
    }

    async fn deliver(&self, posts: Vec<WaitingPost>, stop: &mut Stop) -> Result<(), Left> {
        let (mut done, mut saved) = (Vec::new(), Instant::now());
        for waiting in posts {
            if saved.elapsed() >= SAVE_EVERY {
                self.save(&mut done).await;
                saved = Instant::now();
            }
            let mut failed = false;
            match self.insist(&waiting, &mut done, &mut failed, stop).await {
                Ok(outcome) => {
                    health::count(&self.name, outcome);
                    done.push(Done { id: waiting.id, again: waiting.again, outcome });
                    if failed {
                        // What was read long ago may wait no more, as when somebody was forgotten meanwhile.
                        break;
                    }
                }
                Err(left) => {
                    self.save(&mut done).await;
                    return Err(left);
                }
            }
        }
        self.save(&mut done).await;
        Ok(())
    }

    /// Tries until the consumer has it or has refused it often enough.
    async fn insist(
        &self,
        waiting: &WaitingPost,
        done: &mut Vec<Done>,
        failed: &mut bool,
        stop: &mut Stop,
    ) -> Result<Outcome, Left> {
        let post = match self.keys.open_post(&waiting.post) {
            Ok(post) => post,
            Err(error) => {
                tracing::error!(consumer = self.name, "a POST cannot be passed on and is set aside: {error}");
                return Ok(Outcome::SetAside(0));
            }
        };
        let (mut backoff, mut refused) = (Backoff::new(PATIENCE), 0);
        loop {
            let Some(result) = self.try_once(&post, stop).await else { return Err(Left::Stop) };
            let error = match result {
                Ok(()) => {
                    if *failed {
                        tracing::info!(consumer = self.name, "takes POSTs again");
                    }
                    return Ok(Outcome::Delivered);
                }
                Err(error) => error,
            };
            if matches!(error, SendError::Busy { status: LOOP_DETECTED, .. }) {
                log::limited("relay loop", || {
                    tracing::error!(
                        consumer = self.name,
                        "answers that a POST was relayed in a loop (HTTP status 508); it is not sent again: the url of this [[relay]] \
                         leads back to a mailtrail that relayed the POST before"
                    );
                });
                return Ok(Outcome::Looped);
            }
            health::failed(&self.name);
            if let SendError::Refused { status, .. } = error {
                refused += 1;
                if refused >= self.tries {
                    tracing::error!(
                        consumer = self.name,
                        status,
                        "refused a POST {refused} times: it is set aside, and the next has its turn; `mailtrail relay retry` \
                         gives it again"
                    );
                    return Ok(Outcome::SetAside(status));
                }
            }
            if !std::mem::replace(failed, true) {
                tracing::warn!(consumer = self.name, "does not take a POST, which is tried again: {}", told(&error));
            }
            // It may be long until something is saved again.
            self.save(done).await;
            let wait = backoff.wait(error.retry_after()).unwrap_or(PATIENCE.most);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.requested() => return Err(Left::Stop),
            }
            if !self.still_waits(waiting).await {
                return Err(Left::Gone);
            }
        }
    }

    /// `None` where it is to stop and the consumer takes its time.
    async fn try_once(&self, post: &Post, stop: &mut Stop) -> Option<Result<(), SendError>> {
        tokio::select! {
            result = self.poster.post(post) => Some(result),
            () = async { stop.requested().await; tokio::time::sleep(GRACE).await } => None,
        }
    }

    async fn still_waits(&self, waiting: &WaitingPost) -> bool {
        let (name, id, again) = (self.name.clone(), waiting.id, waiting.again);
        // Where that cannot be told, one try more does no harm.
        self.file.with(move |file| file.waits(&name, id, again)).await.unwrap_or(true)
    }

    async fn save(&self, done: &mut Vec<Done>) {
        if done.is_empty() {
            return;
        }
        let (name, saved) = (self.name.clone(), std::mem::take(done));
        if let Err(error) = self.file.with(move |file| file.done(&name, &saved)).await {
            log::limited("relay place", || {
                tracing::error!(consumer = self.name, "what was delivered is not noted and comes again: {error}");
            });
        }
    }
}

/// An error without hints, which are about notices.
fn told(error: &SendError) -> String {
    match error {
        SendError::Refused { status, .. } => format!("it answers with HTTP status {status}"),
        other => other.to_string(),
    }
}
