//! The command line: one file a subcommand, which parses, calls and prints.

pub mod exit;

mod activity;
mod archive;
mod backup;
mod bigquery;
mod completions;
mod demo;
mod doctor;
mod export;
mod follow;
mod forget;
mod hash;
mod import;
mod init;
mod list_file;
mod notify;
mod outage;
mod output;
mod private_file;
mod prune;
mod pruned;
mod quarantine;
mod question;
mod reconcile;
mod record;
mod relay;
mod replay;
mod restore;
mod runs;
mod selection;
mod send;
mod sent;
mod serve;
mod server;
mod sql;
mod stats;
mod style;
mod subject;
mod tail;
mod time;
mod timeline;
mod trigger;
mod unreached;
mod verify;
mod wait;
mod web;
mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, ConfigError};
use exit::Exit;

/// Keeps every event that SendGrid tells about your mail, and answers what became of it.
#[derive(Debug, Parser)]
#[command(name = "mailtrail", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Configuration file [default: $MAILTRAIL_CONFIG, else ./mailtrail.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl Global {
    /// The configuration as questions need it; from now on this process speaks as it says.
    fn config(&self) -> Result<Config, ConfigError> {
        let config = config::load_for_questions(self.config.as_deref())?;
        style::set(&config.output);
        Ok(config)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Init(init::Args),
    Doctor(doctor::Args),
    Demo(demo::Args),
    Trigger(Box<trigger::Args>),
    Verify(verify::Args),
    Activity(activity::Args),
    Timeline(timeline::Args),
    Stats(stats::Args),
    Tail(tail::Args),
    Follow(follow::Args),
    Sql(sql::Args),
    Export(export::Args),
    Import(import::Args),
    Send(Box<send::Args>),
    Wait(Box<wait::Args>),
    Unreached(unreached::Args),
    Sent(sent::Args),
    Runs(runs::Args),
    Replay(replay::Args),
    Quarantine(quarantine::Args),
    #[command(name = "bigquery")]
    BigQuery(bigquery::Args),
    Reconcile(reconcile::Args),
    Forget(forget::Args),
    Relay(relay::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Archive(archive::Args),
    Prune(prune::Args),
    Notify(notify::Args),
    Webhook(webhook::Args),
    Hash(hash::Args),
    Web(web::Args),
    Completions(completions::Args),
}

/// Runs the command line and says how the process ends.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything is read that a panic could quote.
    crate::log::quiet_panics();
    deny_memory_to_other_processes();
    let cli = Cli::parse();
    let exit = exit::report(run(cli));
    crate::log::flush();
    exit.into()
}

/// No core dumps and no tracing by other processes of this user: memory holds keys, tokens, passwords and addresses.
fn deny_memory_to_other_processes() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        crate::log::write_line(&format!("warning: other processes can read the memory of this one: {error}"));
    }
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let global = &cli.global;
    match cli.command {
        Command::Serve(args) => serve::run(args, global),
        Command::Init(args) => init::run(args, global),
        Command::Doctor(args) => doctor::run(args, global),
        Command::Demo(args) => demo::run(args, global),
        Command::Trigger(args) => trigger::run(*args, global),
        Command::Verify(args) => verify::run(args, global),
        Command::Activity(args) => activity::run(args, global),
        Command::Timeline(args) => timeline::run(args, global),
        Command::Stats(args) => stats::run(args, global),
        Command::Tail(args) => tail::run(args, global),
        Command::Follow(args) => follow::run(args, global),
        Command::Sql(args) => sql::run(args, global),
        Command::Export(args) => export::run(args, global),
        Command::Import(args) => import::run(args, global),
        Command::Send(args) => send::run(*args, global),
        Command::Wait(args) => wait::run(*args, global),
        Command::Unreached(args) => unreached::run(args, global),
        Command::Sent(args) => sent::run(args, global),
        Command::Runs(args) => runs::run(args, global),
        Command::Replay(args) => replay::run(args, global),
        Command::Quarantine(args) => quarantine::run(args, global),
        Command::BigQuery(args) => bigquery::run(args, global),
        Command::Reconcile(args) => reconcile::run(args, global),
        Command::Forget(args) => forget::run(args, global),
        Command::Relay(args) => relay::run(args, global),
        Command::Backup(args) => backup::run(args, global),
        Command::Restore(args) => restore::run(args, global),
        Command::Archive(args) => archive::run(args, global),
        Command::Prune(args) => prune::run(args, global),
        Command::Notify(args) => notify::run(args, global),
        Command::Webhook(args) => webhook::run(args, global),
        Command::Hash(args) => hash::run(args, global),
        Command::Web(args) => web::run(args),
        Command::Completions(args) => completions::run(args, global),
    }
}
