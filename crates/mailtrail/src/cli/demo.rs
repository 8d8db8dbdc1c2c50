//! `mailtrail demo`

use super::Global;
use super::exit::Exit;

/// To be written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args, _global: &Global) -> anyhow::Result<Exit> {
    anyhow::bail!("not built yet")
}
