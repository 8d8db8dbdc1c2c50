//! `mailtrail serve`

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::exit::Exit;
use super::output::note;
use crate::{config, log, serve};

/// Receive SendGrid's events and keep them
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = config::load(global.config.as_deref())?;
    log::start(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    harden();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(until_stopped(&config, global))?;
    Ok(Exit::Done)
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
