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
use crate::serve::WeakerReload;
use crate::store::keys::Keys as _;
use crate::{clock, config, log, serve};

/// Receive SendGrid's events and keep them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Use a new hash key although runs are not settled: events of their recipients may not be counted for them any more
    #[arg(long)]
    force: bool,
    /// Let SIGHUP take over a configuration that drops a kind of proof: the last public key or Basic credential, or "enforce"
    #[arg(long)]
    allow_weaker: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let mut config = config::load(global.config.as_deref())?;
    log::start(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    harden();
    check_hash_key(&config, args.force)?;
    limit_connections(&mut config.receive, rustix::process::getrlimit(rustix::process::Resource::Nofile).current);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let weaker = if args.allow_weaker { WeakerReload::Allow } else { WeakerReload::Refuse };
    runtime.block_on(until_stopped(&config, global, weaker))?;
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

async fn until_stopped(config: &config::Config, global: &Global, weaker: WeakerReload) -> anyhow::Result<()> {
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
            _ = hangup.recv() => match server.reload(config::load(global.config.as_deref()), weaker) {
                Ok(()) => tell_link(&server),
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

/// Files that are open beside the connections of the public listener: store, page, metrics, outgoing requests.
const OTHER_FILES: u64 = 384;

/// Lowers what the system's limit of open files does not allow. `files`: that limit; `None`: there is none.
fn limit_connections(receive: &mut config::Receive, files: Option<u64>) {
    let Some(files) = files else { return };
    let most = usize::try_from(files.saturating_sub(OTHER_FILES).max(files / 2)).unwrap_or(usize::MAX).max(1);
    if receive.max_connections > most {
        tracing::warn!(
            "[receive] max_connections is lowered from {} to {most}, because only {files} files may be open: raise the limit \
             (ulimit -Hn, LimitNOFILE= in systemd), or set max_connections to {most}",
            receive.max_connections
        );
        receive.max_connections = most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mailtrail.toml");
        std::fs::write(&file, "[receive]\ninsecure_no_auth = true\n").unwrap();
        let receive = config::load_file_alone(&file).unwrap().receive;
        for (files, most) in [(None, 1024), (Some(1_048_576), 1024), (Some(1024), 640), (Some(256), 128), (Some(1), 1)]
        {
            let mut receive = receive.clone();
            limit_connections(&mut receive, files);
            assert_eq!(receive.max_connections, most, "{files:?}");
        }
    }
}
