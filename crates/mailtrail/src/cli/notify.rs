//! `mailtrail notify`: do notices arrive, and what do they look like?

mod sample;

use std::io::Write as _;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use crate::config::Language;
use crate::notify::{Channel, Manner, Notice, NoticeId, Notifier, Taken, slack};

/// Send a test notice, or show what notices look like
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Send a test notice to everybody who is configured, and say what happened
    Test {
        /// To whom
        #[arg(long, value_enum, default_value_t)]
        to: To,
    },
    /// Print a notice as Slack would get it, with made-up figures; sends nothing
    Preview {
        /// Which
        #[arg(value_enum)]
        kind: sample::Kind,
        /// In this language [default: as configured]
        #[arg(long, value_parser = ["en", "ja"])]
        language: Option<String>,
        /// As lines for a terminal instead of Slack's JSON
        #[arg(long)]
        text: bool,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum To {
    /// `[slack]`
    Slack,
    /// `[webhook]`
    Webhook,
    /// Everybody
    #[default]
    All,
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    match args.what {
        What::Test { to } => test(&Notifier::new(&config)?, to),
        What::Preview { kind, language, text } => {
            let asked = Language::ALL.into_iter().find(|known| language.as_deref() == Some(known.as_str()));
            let manner = Manner::of(&config);
            preview(kind, &Manner { language: asked.unwrap_or(manner.language), ..manner }, text)
        }
    }
}

fn test(notifier: &Notifier, to: To) -> anyhow::Result<Exit> {
    let wanted = |channel: &Channel| match channel {
        Channel::Slack(_) => to != To::Webhook,
        Channel::Webhook => to != To::Slack,
    };
    let channels: Vec<Channel> = notifier.channels(&Notice::Test).into_iter().filter(wanted).collect();
    if channels.is_empty() {
        let section = match to {
            To::Slack => "[slack] webhook_url",
            To::Webhook => "[webhook] url and secret",
            To::All => "[slack] webhook_url, or [webhook] url and secret",
        };
        return Err(UsageError(format!("nobody to notify: set {section} in the configuration")).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let mut out = std::io::stdout().lock();
    let mut exit = Exit::Done;
    for channel in channels {
        // Once each: whoever tests wants to know how it is now.
        match runtime.block_on(notifier.send_once(channel, &Notice::Test, &NoticeId::random()?)) {
            Ok(Taken::Plain) => writeln!(out, "ok: {channel} took the test notice")?,
            Ok(Taken::Json) => {
                writeln!(
                    out,
                    "ok: {channel} took the test notice (answered with JSON, as Mattermost and Rocket.Chat do)"
                )?;
            }
            Err(error) => {
                exit = Exit::Failed;
                writeln!(out, "failed: the test notice did not reach {channel}: {error}")?;
            }
        }
    }
    Ok(exit)
}

fn preview(kind: sample::Kind, manner: &Manner, text: bool) -> anyhow::Result<Exit> {
    let notice = sample::notice(kind);
    let mut out = std::io::stdout().lock();
    if text {
        for line in notice.to_text(manner) {
            writeln!(out, "{line}")?;
        }
    } else {
        serde_json::to_writer_pretty(&mut out, &slack::message(&notice, manner))?;
        writeln!(out)?;
    }
    Ok(Exit::Done)
}
