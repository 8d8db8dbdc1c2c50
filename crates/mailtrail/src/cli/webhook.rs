//! `mailtrail webhook`: SendGrid's Event Webhook, set up by its API.

mod create;
mod find;
mod rotate;
mod show;

use std::io::Write as _;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use crate::config::Config;
use crate::event_webhook::{PostUrl, Settings};
use crate::sendgrid::Client;

/// Set up SendGrid's Event Webhook, look whether it fits, replace its key and credentials
///
/// Needs an API key that may change webhook settings (Full Access, or Mail Settings > Event Notification).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make the webhook, or take over one that posts there already: all events, signed, with the key in the configuration
    Create {
        /// Where SendGrid reaches this receiver, such as https://events.example.com/event
        #[arg(long, value_name = "URL")]
        url: String,
    },
    /// Show what is set at SendGrid, and whether it fits this receiver
    Show,
    /// Have SendGrid post its sample events
    Test {
        /// Of the webhook that posts there, where several are this receiver's
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Replace key and credentials with no gap; call it again until it is done
    Rotate(rotate::Args),
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let client = Client::new(&config.sendgrid)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let settings = Settings::new(&client);
    runtime.block_on(async {
        match args.what {
            What::Create { url } => create::run(&config, &settings, &post_url(&url)?).await,
            What::Show => show::run(&config, &settings).await,
            What::Test { url } => test(&config, &settings, url.as_deref()).await,
            What::Rotate(args) => rotate::run(&config, &settings, &args).await,
        }
    })
}

fn post_url(text: &str) -> Result<PostUrl, UsageError> {
    PostUrl::parse(text).map_err(|error| UsageError(format!("--url: {error}")))
}

async fn test(config: &Config, settings: &Settings<'_>, url: Option<&str>) -> anyhow::Result<Exit> {
    let url = url.map(post_url).transpose()?;
    let webhook = find::one(&config.receive, settings.all().await?.webhooks, url.as_ref())?;
    settings.test(&webhook).await?;
    writeln!(
        std::io::stdout(),
        "SendGrid was asked to post its 11 sample events; it does not say whether they arrive.\n\
         They are stored as tests: mailtrail activity --message 14c5d75ce93 shows them."
    )?;
    Ok(Exit::Done)
}
