//! `mailtrail webhook show`

use std::io::Write as _;

use super::find;
use crate::cli::exit::Exit;
use crate::config::{Config, Receive, SignatureMode};
use crate::event_webhook::{Receiver, Rotation, Settings, Webhook};

pub(super) async fn run(config: &Config, settings: &Settings<'_>) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let all = settings.all().await?;
    writeln!(out, "{} of {} webhooks in use", all.webhooks.len(), all.max_allowed)?;
    let mut fits = false;
    for webhook in &all.webhooks {
        let url = webhook.post_url().map_or_else(|| "(no usable URL)".to_owned(), |(url, _)| url.to_string());
        let ours = find::has_credential(&config.receive, webhook) || find::has_key(&config.receive, webhook);
        writeln!(out, "\n{url}  (id {})", webhook.id)?;
        if !ours {
            writeln!(out, "  another receiver's: neither its key nor its credentials are accepted here")?;
            continue;
        }
        let wrong = wrong(&config.receive, webhook);
        for problem in &wrong {
            writeln!(out, "  not right: {problem}")?;
        }
        if wrong.is_empty() {
            fits = true;
            writeln!(out, "  fits: enabled, all events, signed with a key that is accepted here")?;
        }
    }
    if let Some(rotation) = Receiver::new(config).ok().and_then(|r| Rotation::under_way(&r).ok().flatten()) {
        writeln!(out, "\na rotation is under way ({:?}): mailtrail webhook rotate goes on with it", rotation.step())?;
    }
    if !fits {
        writeln!(out, "\nno webhook fits this receiver: mailtrail webhook create --url … makes one, or mends it")?;
    }
    Ok(if fits { Exit::Done } else { Exit::Failed })
}

/// What is not as it should be.
fn wrong(receive: &Receive, webhook: &Webhook) -> Vec<String> {
    let mut wrong = Vec::new();
    if !webhook.enabled {
        wrong.push("it is disabled, so that nothing is posted".to_owned());
    }
    let missing = webhook.missing_events();
    if !missing.is_empty() {
        wrong.push(format!("these events are not chosen: {}", missing.join(", ")));
    }
    if !receive.basic_auth.is_empty() && !find::has_credential(receive, webhook) {
        wrong.push("its credentials are not accepted here, so every post is refused".to_owned());
    }
    match webhook.public_key() {
        None if receive.signature == SignatureMode::Enforce => {
            wrong.push("signing is off, so every post is refused".to_owned());
        }
        None => wrong.push("signing is off, so that only the password proves who posts".to_owned()),
        Some(_) if !find::has_key(receive, webhook) => {
            wrong.push("its public key is not in [receive] public_keys".to_owned());
        }
        Some(_) => {}
    }
    wrong
}
