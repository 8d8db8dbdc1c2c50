//! `mailtrail relay`

use std::io::Write as _;

use serde_json::json;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::note;
use crate::clock;
use crate::config::{self, Config};
use crate::show::time::age;
use crate::store::Paths;
use crate::store::relay::{self, ConsumerState, RelayFile};

/// See how far the consumers of `[[relay]]` are, and give them again what they refused
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say how far each consumer is
    Status {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Give a consumer again what it refused, beside a running `serve`
    Retry {
        /// Which consumer
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line a consumer, for people
    Text,
    /// An object a line
    Json,
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let config = config::load_for_questions(global.config.as_deref())?;
    if config.relays.is_empty() {
        return Err(UsageError("[[relay]] names no consumer".to_owned()).into());
    }
    let paths = Paths::new(&config.store.path);
    match args.action {
        Action::Status { format } => status(&paths, format),
        Action::Retry { name } => retry(&config, &paths, &name),
    }
}

fn status(paths: &Paths, format: Format) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let now = clock::now_micros();
    for state in relay::look(paths)?.unwrap_or_default() {
        match format {
            Format::Json => writeln!(out, "{}", object(&state, now))?,
            Format::Text => {
                let oldest = state.oldest.map(|at| format!(", the oldest for {}", age(now - at))).unwrap_or_default();
                writeln!(
                    out,
                    "{}: {} waiting{oldest}, {} delivered, {} set aside, {} given up",
                    state.name, state.waiting, state.delivered, state.set_aside, state.dropped
                )?;
            }
        }
    }
    Ok(Exit::Done)
}

fn object(state: &ConsumerState, now: i64) -> serde_json::Value {
    json!({
        "consumer": state.name, "waiting": state.waiting, "lag_s": state.oldest.map_or(0, |at| (now - at).max(0) / 1_000_000),
        "delivered": state.delivered, "set_aside": state.set_aside, "refusals": state.refusals, "dropped": state.dropped,
    })
}

fn retry(config: &Config, paths: &Paths, name: &str) -> anyhow::Result<Exit> {
    if !config.relays.iter().any(|relay| relay.name == name) {
        let known: Vec<&str> = config.relays.iter().map(|relay| relay.name.as_str()).collect();
        return Err(UsageError(format!("no [[relay]] is called {name:?}; there is {}", known.join(", "))).into());
    }
    // Says where nothing was passed on yet, rather than making a file.
    let posts = match relay::look(paths)? {
        Some(_) => RelayFile::open(paths)?.give_again(name)?,
        None => 0,
    };
    note(&format!("{posts} refused POSTs are given to {name} again; mailtrail serve does it"));
    Ok(Exit::Done)
}
