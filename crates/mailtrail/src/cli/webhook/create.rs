//! `mailtrail webhook create`

use std::io::Write as _;

use crate::cli::exit::Exit;
use crate::cli::init;
use crate::config::Config;
use crate::event_webhook::{PostUrl, Receiver, Settings};

/// Whatever was done before an interruption is found by the URL, so that a second call goes on.
pub(super) async fn run(config: &Config, settings: &Settings<'_>, url: &PostUrl) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let receiver = Receiver::new(config)?;
    let all = settings.all().await?;
    let known = all.webhooks.iter().find(|webhook| webhook.post_url().is_some_and(|(known, _)| known == *url));
    if known.is_none() && !all.has_room() {
        writeln!(
            out,
            "Your plan allows {} webhook{}, and all are in use: change the URL of one of them to {url} in SendGrid, then run \
             this again and it is taken over; or delete one there.",
            all.max_allowed,
            if all.webhooks.len() == 1 { "" } else { "s" }
        )?;
        return Ok(Exit::Failed);
    }
    let credential = match config.receive.basic_auth.first() {
        Some(credential) => credential.clone(),
        None => {
            let new = init::credential()?;
            receiver.accept(Some(&new), None)?;
            writeln!(out, "made a password; it stands in {}", receiver.file().display())?;
            new
        }
    };
    let target = url.with(&credential);
    let id = match known {
        Some(webhook) => {
            writeln!(out, "a webhook already posts to {url}: taking it over")?;
            webhook.id.clone()
        }
        None => settings.create(&target).await?.id,
    };
    let key = settings.sign(&id).await?;
    receiver.accept(Some(&credential), Some(&key))?;
    let told = receiver.reload()?;
    settings.set(&id, &target, true).await?;
    writeln!(out, "SendGrid posts all events to {url}, signed, with the credentials of {}", receiver.file().display())?;
    if told {
        writeln!(out, "the running serve was told to read its configuration again")?;
    } else {
        writeln!(out, "no serve runs here: start it, or send SIGHUP to the one that receives elsewhere")?;
    }
    writeln!(out, "look whether all is well: mailtrail webhook show, mailtrail webhook test")?;
    Ok(Exit::Done)
}
