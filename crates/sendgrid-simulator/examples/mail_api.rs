//! SendGrid's Mail API on loopback until Ctrl-C, for trying out and measuring whoever sends; accepts everything within
//! SendGrid's limits. Prints its URL first, and at the end how much it got.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example has no rooms")]

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use sendgrid_simulator::mail_api::{MailApi, Options};

#[derive(Parser)]
struct Args {
    /// The API key that it takes
    #[arg(long, default_value = "SG.simulated")]
    key: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let api = MailApi::start(Options::new(&args.key, i64::try_from(now)?)).await?;
    println!("{}", api.url());
    tokio::signal::ctrl_c().await?;
    println!("{} requests, {} mails", api.requests().len(), api.mails().len());
    api.stop().await;
    Ok(())
}
