//! `mailtrail demo`: the receiver and a simulated SendGrid on loopback, a bulk mail, an outage, and what the trail answers.

mod proof;
mod stage;
mod tell;

use std::io::Write;

use anyhow::Context as _;

use super::Global;
use super::exit::Exit;
use crate::store::query::Scope;
use stage::Stage;

/// The whole story on this machine with a simulated SendGrid; nothing to configure
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many customers are mailed
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    recipients: u32,
    /// The same seed tells the same story
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Keep the folder with configuration, key and trail, to ask more of it
    #[arg(long)]
    keep: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let stage = Stage::set(args.recipients as usize, args.seed)?;
    tell::opening(&mut out, &stage)?;
    let delivered = runtime.block_on(stage.play())?;
    tell::delivery(&mut out, &delivered)?;
    let reader = stage.reader()?;
    let statuses = reader.latest_status(&Scope::Run(stage::RUN.to_owned()), None, None)?;
    tell::counts(&mut out, &stage, &reader, &statuses)?;
    tell::unreached(&mut out, &stage, &statuses)?;
    tell::timeline(&mut out, &stage, &reader)?;
    let proof = proof::of(&stage, &reader, &statuses, &delivered)?;
    tell::proof(&mut out, &proof)?;
    let held = proof.holds();
    tell::closing(&mut out, stage.leave(args.keep).as_deref())?;
    out.flush()?;
    Ok(if held { Exit::Done } else { Exit::Failed })
}
