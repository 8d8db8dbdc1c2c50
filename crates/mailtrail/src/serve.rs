//! The one place where the parts are put together: receiver, spool and drain, alerts, metrics, reload, and the order of
//! stopping.

mod alarm;
mod metrics_page;
mod readiness;
mod reload;
mod road;
mod sink;
mod tell;
pub(crate) mod watch;

pub use reload::WeakerReload;
pub use road::Road;
pub use sink::Sink;

use std::net::SocketAddr;
use std::sync::Arc;

use alarm::Alarm;
use anyhow::Context as _;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::clock;
use crate::config::{Config, ConfigError, StoreKind};
use crate::follow::{self, forward::Forward};
use crate::notify::Notifier;
use crate::protect::{KeyRing, Protector};
use crate::receive::{self, Listener, Shared, Tls};
use crate::relay::Relay;
use crate::stop::{self, Stop, Stopper};
use crate::store::bigquery::{self, Dataset, Intake};
use crate::store::keys::{Identity, Keys as _};
use crate::store::sqlite::Reader;
use crate::store::{self, Keeper, KeeperOptions, Paths};
use crate::web;

/// A running receiver.
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    page: Option<(SocketAddr, web::Invitations)>,
    shared: Arc<Shared<Road>>,
    sink: Sink,
    tls: Option<Arc<Tls>>,
    stop: Stopper,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts everything that `config` asks for; returns when it takes requests.
///
/// # Errors
/// When a file, a key or an address cannot be used, or another process serves the same store.
pub async fn start(config: &Config) -> anyhow::Result<Server> {
    if config.metrics_listen.is_some() {
        metrics_page::install().context("[metrics]")?;
    }
    let keys = Arc::new(KeyRing::load(&config.privacy)?);
    let protector = Protector::new(Arc::clone(&keys), &config.privacy);
    let identity = keys.identity();
    let (sink, forward) = match config.store.kind {
        StoreKind::Sqlite => on_this_machine(config, Arc::clone(&keys), &identity)?,
        StoreKind::BigQuery => (in_bigquery(config, &identity).await?, None),
    };
    // Before the first POST: a new consumer gets what comes from here on.
    let relay = consumers(config, &keys).context("[[relay]]")?;

    let tls =
        config.receive.tls.clone().map(Tls::load).transpose().context("[receive] tls_cert, tls_key")?.map(Arc::new);
    let listener = Listener::bind(&config.receive, tls.clone()).await.context("[receive] listen")?;
    let address = listener.address()?;
    let (stop, stopped) = stop::channel();
    let alarm = Alarm::new(config.watch.refusals);
    let road = Road::new(protector, sink.clone(), relay.as_ref().map(|_| Arc::clone(&keys)), alarm.clone());
    let shared = Arc::new(Shared::new(&config.receive, road));
    reload::show(&shared.access_summary());

    let mut tasks = Vec::new();
    let metrics_address = match config.metrics_listen {
        None => None,
        Some(listen) => {
            let forwarding = forward.as_ref().map(Forward::forwarding);
            let page =
                metrics_page::bind(listen, sink.clone(), forwarding, tls.clone()).await.context("[metrics] listen")?;
            let bound = page.address()?;
            tasks.push(tokio::spawn(page.serve(stopped.clone())));
            Some(bound)
        }
    };
    let page = page(config, keys, &sink).await;
    let found = page.as_ref().map(|page| (page.address(), page.invitations()));
    tasks.extend(page.map(|page| tokio::spawn(page.serve(stopped.clone()))));
    let notifier = notifier(config);
    note_last_event(config, &sink);
    // Followers read a trail; of stateless receivers there are many, and each would tell the same.
    if sink.keeper().is_some() {
        tasks.extend(alerts(config, &notifier, stopped.clone()).await);
    }
    let watch = watch::Watch {
        store: sink.keeper().map(|keeper| (keeper.clone(), config.store.path.clone())),
        tls: tls.clone(),
        relay: relay.as_ref().map(Relay::health),
        notifier: notifier.clone(),
        when: config.watch,
    };
    tasks.push(tokio::spawn(watch.run(stopped.clone())));
    if let Some(keeper) = sink.keeper() {
        tasks.extend(relay.map(|relay| relay.start(keeper, &stopped)).into_iter().flatten());
    }
    tasks.push(tokio::spawn(alarm.watch(config.watch.every, notifier, stopped.clone())));
    if let Some(forward) = forward {
        tasks.push(tokio::spawn(forward.run(stopped.clone())));
    }
    if let Some(tls) = &tls {
        tasks.push(tokio::spawn(reload::watch_certificate(Arc::clone(tls), stopped.clone())));
    }
    tasks.push(tokio::spawn(receive::serve(listener, Arc::clone(&shared), stopped)));
    Ok(Server { address, metrics_address, page: found, shared, sink, tls, stop, tasks })
}

fn on_this_machine(
    config: &Config,
    keys: Arc<KeyRing>,
    identity: &Identity,
) -> anyhow::Result<(Sink, Option<Forward>)> {
    let options = KeeperOptions {
        max_backlog_bytes: config.store.max_backlog,
        has_public_key: !config.receive.public_keys.is_empty(),
        keep_posts: !config.relays.is_empty(),
        ..KeeperOptions::default()
    };
    let paths = Paths::new(&config.store.path);
    let keeper = Keeper::start(&paths, options, keys)?;
    let forward = config
        .bigquery
        .as_ref()
        .filter(|bigquery| bigquery.forward)
        .map(|bigquery| Forward::new(bigquery, &paths, bigquery::entries(identity)))
        .transpose()
        .context("[bigquery] forward")?;
    Ok((Sink::Spool(keeper), forward))
}

/// The consumers of POSTs. Where there are none, nothing may lie there for them.
fn consumers(config: &Config, keys: &Arc<KeyRing>) -> anyhow::Result<Option<Relay>> {
    if config.store.kind != StoreKind::Sqlite {
        return Ok(None);
    }
    let paths = Paths::new(&config.store.path);
    if config.relays.is_empty() {
        if store::relay::discard(&paths)? {
            tracing::warn!("[[relay]] names no consumer any more: what still waited to be passed on is deleted");
        }
        return Ok(None);
    }
    Ok(Some(Relay::open(&config.relays, config.store.max_relay, &paths, keys)?))
}

/// Refuses to start where rows could not be kept, or would be of another key than those that are there.
async fn in_bigquery(config: &Config, identity: &Identity) -> anyhow::Result<Sink> {
    let section = config.bigquery.as_ref().context("[bigquery] project is missing")?;
    let dataset = Dataset::new(section)?;
    dataset.verify(&bigquery::entries(identity)).await?;
    if !config.receive.public_keys.is_empty() {
        dataset.note_public_key(clock::now_micros()).await?;
    }
    Ok(Sink::BigQuery(Intake::start(&dataset)?))
}

/// The page for people. As with the notifier, receiving comes first.
async fn page(config: &Config, keys: Arc<KeyRing>, sink: &Sink) -> Option<web::Page> {
    let settings = config.web.as_ref()?;
    let store = match (sink, &config.bigquery) {
        (Sink::Spool(keeper), _) => web::Store::Trail(keeper.clone()),
        (Sink::BigQuery(_), Some(bigquery)) => web::Store::BigQuery(bigquery),
        (Sink::BigQuery(_), None) => return None,
    };
    let receive = &config.receive;
    let timeouts =
        web::Timeouts { head: receive.header_timeout, body: receive.body_timeout, idle: receive.idle_timeout };
    match web::Page::bind(settings, &config.output, &Paths::new(&config.store.path), store, keys, timeouts).await {
        Ok(page) => Some(page),
        Err(error) => {
            tracing::error!("there is no web page, see [web] listen: {error}");
            None
        }
    }
}

/// Who is told. That nobody can be told is no reason not to receive.
fn notifier(config: &Config) -> Notifier {
    Notifier::new(config).unwrap_or_else(|error| {
        tracing::error!("nobody will be notified of anything: {error}");
        Notifier::none()
    })
}

/// The follower of alerts. As with the notifier, receiving comes first.
async fn alerts(config: &Config, notifier: &Notifier, stopped: Stop) -> Option<JoinHandle<()>> {
    match follow::alert::start(config, notifier, stopped).await {
        Ok(end) => end.map(|end| {
            tokio::spawn(async move {
                // An error says that its thread is gone, which means the same.
                let _ended = end.await;
            })
        }),
        Err(error) => {
            tracing::error!("no alert will be told: {error}");
            None
        }
    }
}

/// Until the next event comes in, the metric has the time of the last one, or of this start if there is none, so that alerts on silence
/// can fire before the first.
fn note_last_event(config: &Config, sink: &Sink) {
    if sink.keeper().is_none() {
        road::note_last_event(clock::now_micros());
        return;
    }
    let last = Reader::open_to_follow(&Paths::new(&config.store.path)).and_then(|reader| reader.last_received(0));
    match last {
        Ok(Some(at)) => road::note_last_event(at),
        Ok(None) => road::note_last_event(clock::now_micros()),
        Err(error) => {
            tracing::warn!("when the last event came in is not known: {error}");
            road::note_last_event(clock::now_micros());
        }
    }
}

impl Server {
    /// Where the public listener is bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are served.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Where the page for people is served.
    #[must_use]
    pub fn page_address(&self) -> Option<SocketAddr> {
        self.page.as_ref().map(|(address, _)| *address)
    }

    /// A URL that logs somebody into the page, once. `None` where they log in otherwise.
    #[must_use]
    pub fn page_link(&self) -> Option<Zeroizing<String>> {
        self.page.as_ref().and_then(|(_, invitations)| invitations.link())
    }

    /// The store on this machine that it writes; `None` where that is BigQuery.
    #[must_use]
    pub fn keeper(&self) -> Option<&Keeper> {
        self.sink.keeper()
    }

    /// Takes over credentials, keys, tokens and certificate from a configuration read again: all of them, or none.
    ///
    /// # Errors
    /// When the configuration or the certificate cannot be used, or would be weaker; then nothing changes.
    pub fn reload(&self, loaded: Result<Config, ConfigError>, weaker: WeakerReload) -> anyhow::Result<()> {
        let config = reload::apply(loaded, &self.shared, self.tls.as_deref(), weaker)?;
        if let (Some((_, invitations)), Some(web)) = (&self.page, &config.web) {
            invitations.replace_tokens(&web.tokens);
        }
        Ok(())
    }

    /// Stops in order: no new connections, open requests answered, the spool drained as far as time allows.
    pub async fn stop(self) {
        self.stop.stop();
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(panicked = error.is_panic(), "a task ended badly");
            }
        }
        let Sink::Spool(keeper) = self.sink else { return };
        if tokio::task::spawn_blocking(move || keeper.stop()).await.is_err() {
            tracing::error!("closing the store ended in a panic; what is spooled is drained at the next start");
        }
    }
}
