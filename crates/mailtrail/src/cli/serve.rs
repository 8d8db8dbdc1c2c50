//! `mailtrail serve`

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::note;
use super::question::sends_of;
use crate::outcome::{NewKeyError, refuse_new_key};
use crate::protect::KeyRing;
use crate::store::keys::Keys as _;
use crate::{clock, config, log, serve};

/// Receive SendGrid's events and keep them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Use a new hash key although runs are not settled: events of their recipients may not be counted for them any more
    #[arg(long)]
    force: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = config::load(global.config.as_deref())?;
    log::start(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    harden();
    check_hash_key(&config, args.force)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(until_stopped(&config, global))?;
    Ok(Exit::Done)
}

/// A new hash key is refused while a run awaits events. That the ledger cannot be read is no reason not to receive.
fn check_hash_key(config: &config::Config, force: bool) -> anyhow::Result<()> {
    if config.privacy.previous_key_files.is_empty() {
        return Ok(());
    }
    let keys = KeyRing::load(&config.privacy)?.identity();
    let checked = sends_of(config).map(|sends| refuse_new_key(&*sends, &keys, force, clock::now_micros()));
    match checked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error @ NewKeyError::Unsettled { .. })) => Err(UsageError(error.to_string()).into()),
        Ok(Err(error)) => {
            tracing::warn!("whether a run is unsettled under another hash key could not be checked: {error}");
            Ok(())
        }
        Err(error) => {
            tracing::warn!("whether a run is unsettled under another hash key could not be checked: {error:#}");
            Ok(())
        }
    }
}

async fn until_stopped(config: &config::Config, global: &Global) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("watching SIGHUP")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching SIGINT")?;
    let server = serve::start(config).await?;
    let scheme = if config.receive.tls.is_some() { "https" } else { "http" };
    tracing::info!("receiving on {scheme}://{}{}", server.address(), config.receive.path);
    if let Some(address) = server.metrics_address() {
        tracing::info!("metrics on http://{address}/metrics");
    }
    if let Some(address) = server.page_address() {
        tracing::info!("page on http://{address}/");
    }
    tell_link(&server);
    loop {
        tokio::select! {
            _ = hangup.recv() => match config::load(global.config.as_deref()).map_err(anyhow::Error::from).and_then(|c| server.reload(&c)) {
                Ok(()) => {
                    tracing::info!("credentials and keys read again");
                    tell_link(&server);
                }
                Err(error) => tracing::error!("reload failed, nothing changed: {error:#}"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping: no new connections, open requests are finished");
    server.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// The link that logs in goes to a terminal alone: in a log it would be anybody's.
fn tell_link(server: &serve::Server) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    if let Some(link) = server.page_link() {
        note(&format!("open {} to look at the trail; it works once (SIGHUP makes a new one)", &*link));
    }
}

/// No core dumps (memory holds addresses while a request is worked on), and as many files as the system allows.
fn harden() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
    let files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum }) {
        tracing::warn!(%error, "the number of open files could not be raised");
    }
}
