//! `mailtrail bigquery`

mod check;
mod init;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use crate::clock;
use crate::config::{BigQuery, Config};
use crate::protect::KeyRing;
use crate::store::bigquery::{Entry, entries, first_public_key};
use crate::store::keys::Keys as _;

/// Make the tables in Google BigQuery, and see that they work
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = global.config()?;
    let bigquery = section(&config)?;
    let entries = dataset_entries(&config)?;
    match args.command {
        Command::Init(args) => init::run(&args, bigquery, &entries),
        Command::Check(args) => check::run(&args, bigquery, &entries),
    }
}

fn section(config: &Config) -> Result<&BigQuery, UsageError> {
    config.bigquery.as_ref().ok_or_else(|| {
        let example = "[bigquery]\nproject = \"my-project\"\ndataset = \"mail\"";
        UsageError(format!("no project and dataset are configured. Add to mailtrail.toml:\n\n{example}"))
    })
}

/// What the dataset notes of this configuration's keys.
fn dataset_entries(config: &Config) -> anyhow::Result<Vec<Entry>> {
    let mut entries = entries(&KeyRing::load(&config.privacy)?.identity());
    if !config.receive.public_keys.is_empty() {
        // Where one is noted already, the earlier time stays.
        entries.push(first_public_key(clock::now_micros()));
    }
    Ok(entries)
}

/// Commands ask one thing after the other.
fn wait<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    Ok(runtime.block_on(future))
}
