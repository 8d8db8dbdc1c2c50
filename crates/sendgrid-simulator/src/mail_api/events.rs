//! The events of accepted mail, posted to a webhook as SendGrid posts them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::handle::Handler;
use super::mail::Mail;
use super::server::stopped;
use crate::bulk::Story;
use crate::delivery::{Delivery, DeliveryError};
use crate::event::Event;
use crate::fate::Fate;
use crate::message::Message;
use crate::plan::{Plan, Shape};
use crate::random::Random;
use crate::report::Report;
use crate::sign::Signer;
use crate::target::Target;

/// Most mails whose events are gathered at once.
const MOST_GATHERED: usize = 10_000;

/// Where and how events are posted.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to, signed by whom, with what retries.
    pub delivery: Delivery,
    /// How events are spread over POSTs.
    pub shape: Shape,
    /// How long events are gathered before they are posted (SendGrid: about 30 seconds).
    pub gather: Duration,
}

impl Webhook {
    /// Signed events in batches as large as SendGrid's, in order, each once, gathered for a twentieth of a second.
    #[must_use]
    pub fn new(target: Target, signer: Arc<Signer>) -> Self {
        let delivery = Delivery { signer: Some(signer), ..Delivery::new(target) };
        Self { delivery, shape: Shape::default(), gather: Duration::from_millis(50) }
    }
}

/// The events of a server's mail on their way. They end when this is dropped or the server stops; to have all of them
/// posted, [`finish`](Self::finish).
#[derive(Debug)]
pub struct Events {
    finish: oneshot::Sender<()>,
    task: Ended,
}

/// Aborts the task when dropped.
#[derive(Debug)]
struct Ended(JoinHandle<Result<Told, DeliveryError>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What was told of accepted mail.
#[derive(Debug, Clone)]
pub struct Told {
    /// What came of the POSTs.
    pub report: Report,
    /// The truth to hold a receiver against: the events, each once, and every recipient's outcome.
    pub story: Story,
}

impl Events {
    /// Posts the events of all mail accepted before this, and tells what was told.
    ///
    /// # Errors
    /// When a delivery could not begin or go on.
    pub async fn finish(self) -> Result<Told, DeliveryError> {
        // A task that has ended already hears nothing.
        self.finish.send(()).ok();
        let mut task = self.task;
        match (&mut task.0).await {
            Ok(told) => told,
            Err(error) => Err(DeliveryError::Client(error.to_string())),
        }
    }

    pub(crate) fn start(
        handler: Arc<Handler>,
        webhook: Webhook,
        fate_of: impl Fn(&Mail) -> Fate + Send + 'static,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (finish, finished) = oneshot::channel();
        let mails = handler.outbox.feed();
        let random = Random::new(handler.options.seed ^ 0x6576_656e_7473);
        let told = Told {
            report: Report::default(),
            story: Story { events: Vec::new(), outcomes: std::collections::BTreeMap::new() },
        };
        let postman = Postman { handler, webhook, fate_of, random, told };
        Self { finish, task: Ended(tokio::spawn(postman.run(mails, finished, stop))) }
    }
}

struct Postman<F> {
    handler: Arc<Handler>,
    webhook: Webhook,
    fate_of: F,
    random: Random,
    told: Told,
}

impl<F: Fn(&Mail) -> Fate> Postman<F> {
    async fn run(
        mut self,
        mut mails: UnboundedReceiver<Mail>,
        mut finished: oneshot::Receiver<()>,
        stop: watch::Receiver<bool>,
    ) -> Result<Told, DeliveryError> {
        let mut end = std::pin::pin!(stopped(stop));
        let mut finishing = false;
        let mut gathered = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                _ = &mut finished, if !finishing => {
                    finishing = true;
                    // What was accepted is still to be had.
                    mails.close();
                }
                count = mails.recv_many(&mut gathered, MOST_GATHERED) => {
                    if count == 0 {
                        break;
                    }
                    if !finishing && timeout(self.webhook.gather, &mut finished).await.is_ok() {
                        finishing = true;
                        mails.close();
                    }
                    while let Ok(mail) = mails.try_recv() {
                        gathered.push(mail);
                    }
                    let plan = self.plan(std::mem::take(&mut gathered));
                    tokio::select! {
                        () = &mut end => break,
                        report = self.webhook.delivery.post(&plan, self.handler.now()) => self.told.report.merge(report?),
                    }
                }
            }
        }
        Ok(self.told)
    }

    fn plan(&mut self, mails: Vec<Mail>) -> Plan {
        let mut events: Vec<Event> = Vec::new();
        for mail in mails {
            let at = mail.accepted;
            let mut message =
                Message::of_request(&mail.message_id, mail.recipient, &mut self.random, &mail.address, at);
            let fate = (self.fate_of)(&mail);
            message.categories = mail.categories;
            message.custom_args = mail.custom_args.into_iter().collect();
            let mut own = Vec::new();
            let outcome = fate.live_through(&message, at, &mut self.random, &mut own);
            self.told.story.outcomes.insert(mail.address, outcome);
            // Told at once, so the hours of a story become seconds: times stay in order and near the present.
            events.extend((at..).zip(own).map(|(second, event)| event.at(second)));
        }
        events.sort_by_key(Event::timestamp);
        self.told.story.events.extend(events.iter().cloned());
        let shape = Shape { seed: self.random.bits(), ..self.webhook.shape.clone() };
        Plan::new(&events, &shape)
    }
}
