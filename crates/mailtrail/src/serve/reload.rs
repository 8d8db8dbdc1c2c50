//! What may change while it runs: credentials, webhook keys and the certificate, all or nothing, and never silently to a
//! weaker authentication.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::road::Road;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::receive::{Access, AccessSummary, CertificatePoll, Shared, Tls};
use crate::stop::Stop;

const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What to do with a configuration that drops a kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakerReload {
    /// The old set stays.
    Refuse,
    /// Taken over, with a warning.
    Allow,
}

/// What became of the last reload. One a process, as the metrics are.
static LAST: Mutex<Option<LastReload>> = Mutex::new(None);

struct LastReload {
    outcome: ReloadOutcome,
    /// µs since the epoch.
    at: i64,
    before: String,
    now: String,
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReloadOutcome {
    Applied,
    /// It would have been weaker.
    Refused,
    /// It could not be read or used.
    Failed,
}

impl ReloadOutcome {
    const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A reload that would drop a kind of proof.
#[derive(Debug, thiserror::Error)]
#[error(
    "the new configuration proves senders less than the present one: {}. Correct it, or start `mailtrail serve --allow-weaker` if this is \
     intended", lost.join(", ")
)]
struct Weaker {
    lost: Vec<&'static str>,
}

/// Takes over `[receive]` from a configuration read again, and notes what came of it.
pub(super) fn apply(
    loaded: Result<Config, ConfigError>,
    shared: &Shared<Road>,
    tls: Option<&Tls>,
    weaker: WeakerReload,
) -> anyhow::Result<Config> {
    let before = shared.access_summary();
    let result = loaded.map_err(anyhow::Error::from).and_then(|config| {
        replace(&config, shared, tls, weaker)?;
        Ok(config)
    });
    let now = shared.access_summary();
    let outcome = match &result {
        Ok(_) => ReloadOutcome::Applied,
        Err(error) if error.is::<Weaker>() => ReloadOutcome::Refused,
        Err(_) => ReloadOutcome::Failed,
    };
    metrics::counter!("mailtrail_reloads_total", "outcome" => outcome.as_str()).increment(1);
    show(&now);
    match &result {
        Ok(_) if before == now => tracing::info!("configuration read again: authentication is unchanged ({now})"),
        Ok(_) => tracing::info!("configuration read again: authentication was {before}, and is now {now}"),
        Err(_) => {}
    }
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(LastReload {
        outcome,
        at: clock::now_micros(),
        before: before.to_string(),
        now: now.to_string(),
        why: result.as_ref().err().map(|error| format!("{error:#}")),
    });
    result
}

fn replace(config: &Config, shared: &Shared<Road>, tls: Option<&Tls>, weaker: WeakerReload) -> anyhow::Result<()> {
    let access = Access::new(&config.receive);
    let lost = shared.access_summary().lost_in(&access.summary());
    if !lost.is_empty() {
        match weaker {
            WeakerReload::Refuse => return Err(Weaker { lost }.into()),
            WeakerReload::Allow => {
                tracing::warn!("authentication is weaker from now on (--allow-weaker): {}", lost.join(", "))
            }
        }
    }
    if let (Some(tls), Some(files)) = (tls, &config.receive.tls) {
        tls.reload(files).context("certificate not replaced, and nothing else either")?;
    }
    shared.replace_access(access);
    Ok(())
}

/// The metrics of what is in force.
pub(super) fn show(access: &AccessSummary) {
    metrics::gauge!("mailtrail_auth_public_keys").set(access.public_keys.len() as f64);
    metrics::gauge!("mailtrail_auth_basic_credentials").set(access.basic as f64);
    metrics::gauge!("mailtrail_auth_signature_enforced").set(f64::from(u8::from(access.is_enforced())));
}

/// Counters begin with 0, so that a rise can be told from a start.
pub(super) fn describe() {
    metrics::describe_counter!("mailtrail_reloads_total", "configurations read again, by outcome");
    metrics::describe_gauge!("mailtrail_auth_public_keys", "public keys of the webhook in force");
    metrics::describe_gauge!("mailtrail_auth_basic_credentials", "Basic credentials in force");
    metrics::describe_gauge!("mailtrail_auth_signature_enforced", "1 if unsigned posts are refused");
    for outcome in ReloadOutcome::ALL {
        metrics::counter!("mailtrail_reloads_total", "outcome" => outcome.as_str()).increment(0);
    }
}

/// The last reload, for `/readyz` and `doctor`; null if there was none.
pub(super) fn last() -> Value {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.as_ref().map_or(Value::Null, |last| {
        json!({
            "outcome": last.outcome.as_str(),
            "at": last.at,
            "before": last.before,
            "now": last.now,
            "why": last.why,
        })
    })
}

/// Reads certificate and key again if their content changes; runs until `stop`.
pub(super) async fn watch_certificate(tls: Arc<Tls>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.requested() => return,
        }
        match tls.poll() {
            CertificatePoll::Replaced => tracing::info!("certificate read again"),
            CertificatePoll::Unchanged => {}
            CertificatePoll::Refused(why) => {
                tracing::error!(
                    "the changed certificate files are refused, and the certificate read before stays: {why}"
                );
            }
        }
    }
}
