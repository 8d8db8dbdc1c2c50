//! `mailtrail activity`

use super::Global;
use super::exit::Exit;
use super::output::{OutputArgs, note};
use super::question::{FilterArgs, Question, Window};
use super::record;
use super::server::ServerArgs;

/// Search events, newest first
///
/// Filters of one kind are alternatives, different kinds must all hold (--any: one is enough). A table shows the telling
/// columns; json and csv have all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filter: FilterArgs,
    /// Most events
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::anywhere(global, &args.server)?;
    let mut filter = question.filter(&args.filter, Window::Search)?;
    // Whoever tries the set-up out looks here for what arrived.
    filter.include_tests = true;
    let answer = question.store()?.activity(&filter, args.limit)?;
    let found = answer.value.len();
    record::print(answer.value, args.output)?;
    question.tell(found, "event", answer.scanned.as_ref());
    if found == args.limit {
        note(&format!("only the newest {found} are shown: --limit shows more, export has all"));
    }
    Ok(Exit::Done)
}
