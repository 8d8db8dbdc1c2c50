//! SendGrid's Mail API on loopback, for demos and tests of whoever sends: it judges each request by SendGrid's limits,
//! keeps what it accepts in an outbox, goes wrong by a plan, and posts the events of accepted mail to a webhook. Beside
//! it stand the settings of the Event Webhook, the Email Logs and the erasure of recipients' data, for who sets up, reconciles
//! and forgets.
//!
//! ```
//! use sendgrid_simulator::mail_api::{Fault, MailApi, Options};
//!
//! # async fn example(now: i64) -> std::io::Result<()> {
//! // The second request is accepted, but its client never hears of it.
//! let plan = |request| if request == 1 { Fault::CutAfterAccepting } else { Fault::None };
//! let api = MailApi::start(Options::new("SG.key", now).with_faults(plan)).await?;
//! // … have something send to api.url(), with the key SG.key …
//! # let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
//! # let message = r#"{"personalizations": [{"to": [{"email": "jane@example.com"}]}],
//! #     "from": {"email": "news@example.org"}, "subject": "Hello", "content": [{"type": "text/plain", "value": "Hi"}]}"#;
//! # let request = client.post(format!("{}/v3/mail/send", api.url())).bearer_auth("SG.key");
//! # request.header("Content-Type", "application/json").body(message).send().await.expect("answered");
//! api.wait_for(1).await;
//! assert_eq!(api.mails_to("jane@example.com").len(), 1);
//! assert_eq!(api.requests()[0].status, Some(202));
//! api.stop().await;
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().expect("a runtime").block_on(example(1_700_000_000)).expect("played");
//! ```
//!
//! With events, as the demo has them:
//!
//! ```no_run
//! use std::sync::Arc;
//! use sendgrid_simulator::mail_api::{MailApi, Options, Webhook};
//! use sendgrid_simulator::{Signer, Target, fate::Mix};
//!
//! # async fn example(now: i64) -> Result<(), Box<dyn std::error::Error>> {
//! let api = MailApi::start(Options::new("SG.key", now)).await?;
//! let target = Target::parse("http://user:password@127.0.0.1:8080/event")?;
//! let webhook = Webhook::new(target, Arc::new(Signer::generate()?));
//! let events = api.deliver_events(webhook, |mail| Mix::default().of(&mail.address, 42));
//! // … send …
//! api.wait_for(1000).await;
//! let told = events.finish().await?;
//! assert!(told.report.complete() && told.report.acknowledged == told.story.keys());
//! api.stop().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod erasure;
mod events;
mod fault;
mod handle;
mod judge;
mod logs;
mod mail;
mod outbox;
mod sample;
mod server;
mod settings;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use erasure::{ERASURE_BYTES, MOST_ERASED};
pub use events::{Events, Told, Webhook};
pub use fault::{Fault, FaultPlan, random};
pub use judge::{CUSTOM_ARGS_BYTES, MOST_PERSONALIZATIONS, SCHEDULE_SECONDS, SUBSTITUTIONS_BYTES};
pub use logs::{Logged, MOST_MESSAGES};
pub use mail::Mail;
pub use outbox::Request;
pub use settings::WebhookSetting;

use crate::fate::Fate;
use handle::Handler;

/// A request has at most this; SendGrid takes less than 30 MB.
pub const MOST_BODY_BYTES: usize = 30 * 1024 * 1024 - 1;

/// How a server plays. `Debug` does not show the key.
#[derive(Clone)]
pub struct Options {
    /// The one API key that is valid.
    pub api_key: String,
    /// The time at the start, Unix seconds; from there a monotonic clock goes on.
    pub now: i64,
    /// The same seed gives the same ids, where requests come in the same order.
    pub seed: u64,
    /// What goes wrong; nothing, unless said.
    pub faults: FaultPlan,
    /// What `X-RateLimit-Limit` says, requests a second. Said, not enforced: [`Fault::TooMany`] refuses.
    pub rate_limit: u32,
    /// How many webhooks the plan allows.
    pub most_webhooks: usize,
    /// What goes wrong with requests to the Email Logs API, counted by themselves.
    pub log_faults: FaultPlan,
    /// Whether the key may erase recipients' data.
    pub may_erase: bool,
}

impl Options {
    /// Valid key and time (Unix seconds); nothing goes wrong.
    #[must_use]
    pub fn new(api_key: &str, now: i64) -> Self {
        Self {
            api_key: api_key.to_owned(),
            now,
            seed: 0,
            faults: Arc::new(|_| Fault::None),
            rate_limit: 10_000,
            most_webhooks: 5,
            log_faults: Arc::new(|_| Fault::None),
            may_erase: true,
        }
    }

    /// With a plan of what goes wrong: a function of the request's number (from 0), or [`random`].
    #[must_use]
    pub fn with_faults(self, plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        Self { faults: Arc::new(plan), ..self }
    }

    /// With a plan of what goes wrong with the Email Logs API: a function of the request's number there, from 0.
    #[must_use]
    pub fn with_log_faults(self, plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> Self {
        Self { log_faults: Arc::new(plan), ..self }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options(from {}, seed {})", self.now, self.seed)
    }
}

/// A server on loopback. All its tasks end when it is stopped or dropped.
#[derive(Debug)]
pub struct MailApi {
    address: SocketAddr,
    handler: Arc<Handler>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl MailApi {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let handler = Arc::new(Handler::new(options));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(server::serve(listener, Arc::clone(&handler), stopped));
        Ok(Self { address, handler, stop, task })
    }

    /// What a client has in place of `https://api.sendgrid.com`; no slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All accepted mail, in the order of acceptance.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.handler.outbox.mails()
    }

    /// The mail to one address, compared byte by byte.
    #[must_use]
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.handler.outbox.mails_to(address)
    }

    /// Every `POST /v3/mail/send`, in the order of arrival, refused ones too.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.handler.outbox.requests()
    }

    /// Ends as soon as `mails` mails have been accepted. For ever, if they never come: bound it by the caller's time-out.
    pub async fn wait_for(&self, mails: usize) {
        self.handler.outbox.wait_for_mails(mails).await;
    }

    /// Ends as soon as `requests` requests to send have arrived whole.
    pub async fn wait_for_requests(&self, requests: usize) {
        self.handler.outbox.wait_for_requests(requests).await;
    }

    /// From now on, posts the events of each accepted mail to a webhook, soon after acceptance: those of the fate that
    /// `fate_of` gives it ([`Mix::of`](crate::fate::Mix::of) draws one by seed), with its ids, categories and custom
    /// args. Their times are seconds apart from the acceptance on, whatever hours the fate would take. `send_at` is not
    /// waited for.
    pub fn deliver_events(&self, webhook: Webhook, fate_of: impl Fn(&Mail) -> Fate + Send + 'static) -> Events {
        Events::start(Arc::clone(&self.handler), webhook, fate_of, self.stop.subscribe())
    }

    /// The webhooks as they are set now. Posting events to them is the caller's.
    #[must_use]
    pub fn webhooks(&self) -> Vec<WebhookSetting> {
        self.handler.settings.all()
    }

    /// Puts messages into the Email Logs.
    pub fn log(&self, messages: Vec<Logged>) {
        self.handler.logs.add(messages);
    }

    /// The addresses of each job that erases recipients' data, in the order of acceptance.
    #[must_use]
    pub fn erased(&self) -> Vec<Vec<String>> {
        self.handler.erasure.jobs()
    }

    /// How many requests the Email Logs got, refused ones too.
    #[must_use]
    pub fn log_requests(&self) -> usize {
        self.handler.logs.requests()
    }

    /// Stops: no new connections, those that hang are cut, and all have ended when this returns. What the outbox held
    /// is gone with it; events not yet posted are given up ([`Events::finish`] first).
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // A panic of the server's own task is the server's fault alone, and was printed.
        (&mut self.task).await.ok();
    }
}

impl Drop for MailApi {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}
