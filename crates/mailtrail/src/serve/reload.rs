//! What may change while it runs: credentials, webhook keys and the certificate, all or nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::road::Road;
use crate::config::Config;
use crate::receive::{Access, Shared, Tls};
use crate::stop::Stop;

const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Takes over `[receive]` from a configuration read again.
pub(super) fn apply(config: &Config, shared: &Shared<Road>, tls: Option<&Tls>) -> anyhow::Result<()> {
    if let Some(tls) = tls {
        tls.reload_if_changed().context("certificate not replaced, and nothing else either")?;
    }
    shared.replace_access(Access::new(&config.receive));
    Ok(())
}

/// Reads certificate and key again when their files change; runs until `stop`.
pub(super) async fn watch_certificate(tls: Arc<Tls>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.requested() => return,
        }
        match tls.reload_if_changed() {
            Ok(true) => tracing::info!("certificate read again"),
            Ok(false) => {}
            Err(error) => crate::log::limited("certificate", || {
                tracing::error!(%error, "the changed certificate cannot be used; the old one stays");
            }),
        }
    }
}
