//! `mailtrail completions`

use std::io::Write as _;

use clap::CommandFactory as _;

use super::exit::Exit;
use super::{Cli, Global};

/// Print the completions of a shell, for its own folder of completions
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    // By way of memory: written straight to a pipe that hangs up, the generator would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mailtrail", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Done)
}
