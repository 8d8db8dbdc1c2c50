//! `mailtrail follow`

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::exit::{Exit, UsageError};
use super::time;
use crate::config::{self, Config, StoreKind};
use crate::follow::alert::{Singleton, SingletonError, Start};
use crate::notify::Notifier;
use crate::protect::KeyRing;
use crate::stop::Stop;
use crate::store::bigquery::{Dataset, entries};
use crate::store::keys::Keys as _;
use crate::{log, stop};

/// More often a look would cost without telling anything sooner: messages are gathered for half a minute.
const LEAST: Duration = Duration::from_secs(5);
/// How long --once waits at its start for a BigQuery that cannot answer for now.
const ONCE_PATIENCE: Duration = Duration::from_secs(60);

/// Tell alerts of events in BigQuery; one process for any number of receivers
///
/// With a trail on this machine `serve` itself tells them. Here one process does: the rules of [[alert]] and [slack] or [webhook] as
/// there. How far it came is kept in BigQuery, so nothing is lost when it is stopped for a while; a message may come twice after
/// it was killed. A second one is refused until the first ends.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell what came in since the last time, and end: for cron or a Cloud Run job
    #[arg(long)]
    once: bool,
    /// How often BigQuery is asked; each time it reads the last days' events, which costs
    #[arg(long, value_name = "DURATION", default_value = "1m", conflicts_with = "once")]
    every: String,
    /// Follow although another one holds the lock, which is known to be dead or stops then
    #[arg(long)]
    take_over: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = config::load_for_questions(global.config.as_deref())?;
    let every = time::duration(&args.every)?;
    if every < LEAST {
        return Err(UsageError(format!("--every {} is too often: 5s at least", args.every)).into());
    }
    let dataset = dataset(&config)?;
    let notifier = Notifier::new(&config)?;
    if config.alerts.is_empty() || !notifier.is_configured() {
        let why =
            "nobody is to be told anything: write [[alert]] rules, and [slack] webhook_url or [webhook] url and secret";
        return Err(UsageError(why.to_owned()).into());
    }
    log::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(follow(&args, &config, &dataset, notifier, every))
}

fn dataset(config: &Config) -> anyhow::Result<Dataset> {
    match (config.store.kind, &config.bigquery) {
        (StoreKind::BigQuery, Some(section)) => Ok(Dataset::new(section)?),
        _ => {
            let why = "this is for [store] kind = \"bigquery\": with a trail on this machine, mailtrail serve tells alerts itself";
            Err(UsageError(why.to_owned()).into())
        }
    }
}

async fn follow(
    args: &Args,
    config: &Config,
    dataset: &Dataset,
    notifier: Notifier,
    every: Duration,
) -> anyhow::Result<Exit> {
    // Before the lock is taken, so that it is released whenever somebody stops this.
    let mut terminate = signal(SignalKind::terminate()).context("watching SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching SIGINT")?;
    let (stopper, stopped) = stop::channel();
    let signals = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stopper.stop();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = followed(args, config, dataset, &notifier, every, stopped) => ended,
        () = signals => Ok(Exit::Done),
    }
}

async fn followed(
    args: &Args,
    config: &Config,
    dataset: &Dataset,
    notifier: &Notifier,
    every: Duration,
    stopped: Stop,
) -> anyhow::Result<Exit> {
    let entries = entries(&KeyRing::load(&config.privacy)?.identity());
    let start = Start { every, take_over: args.take_over, patience: args.once.then_some(ONCE_PATIENCE) };
    let begun = Singleton::begin(config, dataset, &entries, notifier, start, stopped.clone()).await;
    let singleton = begun.map_err(|error| match error {
        SingletonError::Lock(_) => anyhow::anyhow!(
            "{error}. Stop that one; where it was killed and cannot let go, begin with mailtrail follow --take-over"
        ),
        other => other.into(),
    })?;
    if args.once {
        let once = singleton.once().await?;
        writeln!(std::io::stdout(), "told {} messages", once.told)?;
        if once.untold > 0 {
            let untold = once.untold;
            anyhow::bail!(
                "{untold} messages were not taken within a minute. Those that were refused for good are not sent again, the others are sent the \
                 next time; the log says why"
            );
        }
        return Ok(Exit::Done);
    }
    match singleton.cost().await {
        Ok(bytes) => tracing::info!(
            "following {}: {bytes} bytes are read each {}",
            dataset.shown(),
            time::long(crate::clock::micros(every))
        ),
        Err(error) => tracing::warn!("what following costs is not known: {error}"),
    }
    singleton.run(stopped).await?;
    tracing::info!("stopped");
    Ok(Exit::Done)
}
