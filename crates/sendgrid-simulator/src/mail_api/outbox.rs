//! What the server knows: every request, every accepted mail, the ids it gave out. Who waits is woken, not asked to look.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::fault::Fault;
use super::mail::{self, Envelope, Mail};
use crate::random::Random;

/// One `POST /v3/mail/send` as it arrived, and what became of it. `Debug` shows neither body nor headers.
#[derive(Clone)]
pub struct Request {
    /// In the order of arrival, from 0; what the fault plan was asked with.
    pub number: usize,
    /// Since the server's start.
    pub at: Duration,
    /// Without `Authorization`.
    pub headers: HeaderMap,
    /// Header `on-behalf-of`.
    pub on_behalf_of: Option<String>,
    /// The bytes of the body; empty where it was over the limit.
    pub body: Bytes,
    /// What the plan had for it.
    pub fault: Fault,
    /// `X-Message-Id` under which its mail was accepted; `None`: nothing was.
    pub message_id: Option<String>,
    /// Status of the answer; `None`: there was none (yet).
    pub status: Option<u16>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, fault, message_id, status, .. } = self;
        write!(f, "Request({number}, {fault:?}, accepted as {message_id:?}, answered {status:?})")
    }
}

pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    mails: watch::Sender<usize>,
    requests: watch::Sender<usize>,
}

struct Inner {
    random: Random,
    mails: Vec<Mail>,
    requests: Vec<Request>,
    batches: BTreeSet<String>,
    feeds: Vec<mpsc::UnboundedSender<Mail>>,
}

impl Outbox {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            random: Random::new(seed),
            mails: Vec::new(),
            requests: Vec::new(),
            batches: BTreeSet::new(),
            feeds: Vec::new(),
        };
        Self { inner: Mutex::new(inner), mails: watch::Sender::new(0), requests: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole after its statement, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request, under the number that the plan is asked with.
    pub(crate) fn arrived(
        &self,
        at: Duration,
        mut headers: HeaderMap,
        body: Bytes,
        plan: impl FnOnce(usize) -> Fault,
    ) -> (usize, Fault) {
        headers.remove(AUTHORIZATION);
        let on_behalf_of = headers.get("on-behalf-of").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let number = {
            let mut inner = self.inner();
            let number = inner.requests.len();
            let fault = Fault::None;
            let request = Request { number, at, headers, on_behalf_of, body, fault, message_id: None, status: None };
            inner.requests.push(request);
            number
        };
        // Outside the lock: a plan may ask the server.
        let fault = plan(number);
        self.of(number, |request| request.fault = fault);
        self.requests.send_modify(|count| *count += 1);
        (number, fault)
    }

    fn of(&self, number: usize, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.inner().requests.get_mut(number) {
            change(request);
        }
    }

    pub(crate) fn answered(&self, number: usize, status: u16) {
        self.of(number, |request| request.status = Some(status));
    }

    /// Takes the mails of a sound message, all at once, and gives their `X-Message-Id`.
    pub(crate) fn accept(&self, number: usize, message: &Value, accepted: i64) -> String {
        let mut inner = self.inner();
        let message_id = URL_SAFE_NO_PAD.encode(inner.random.sixteen());
        let mut on_behalf_of = None;
        if let Some(request) = inner.requests.get_mut(number) {
            request.message_id = Some(message_id.clone());
            on_behalf_of.clone_from(&request.on_behalf_of);
        }
        let envelope =
            Envelope { request: number, message_id: &message_id, accepted, on_behalf_of: on_behalf_of.as_deref() };
        for mail in mail::mails(message, &envelope) {
            // A feed that has ended takes nothing more.
            inner.feeds.retain(|feed| feed.send(mail.clone()).is_ok());
            inner.mails.push(mail);
        }
        let count = inner.mails.len();
        drop(inner);
        self.mails.send_modify(|known| *known = count.max(*known));
        message_id
    }

    /// A new batch id.
    pub(crate) fn batch(&self) -> String {
        let mut inner = self.inner();
        let bytes = [inner.random.sixteen(), inner.random.sixteen()].concat();
        let id = URL_SAFE_NO_PAD.encode(bytes);
        inner.batches.insert(id.clone());
        id
    }

    pub(crate) fn knows_batch(&self, id: &str) -> bool {
        self.inner().batches.contains(id)
    }

    /// All mails from now on, as they are accepted.
    pub(crate) fn feed(&self) -> mpsc::UnboundedReceiver<Mail> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.inner().feeds.push(sender);
        receiver
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.inner().mails.clone()
    }

    pub(crate) fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.inner().mails.iter().filter(|mail| mail.address == address).cloned().collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.inner().requests.clone()
    }

    pub(crate) async fn wait_for_mails(&self, count: usize) {
        // The sender lives as long as this, so the wait ends by the condition alone.
        self.mails.subscribe().wait_for(|known| *known >= count).await.ok();
    }

    pub(crate) async fn wait_for_requests(&self, count: usize) {
        self.requests.subscribe().wait_for(|known| *known >= count).await.ok();
    }
}
