//! `mailtrail wait`

mod console;
mod notices;
mod print;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Global;
use super::exit::{Exit, UsageError};
use super::outage;
use super::output::{Format, OutputArgs};
use super::question::Question;
use super::selection::{Selection, SelectionArgs, need_since};
use super::{pruned, time};
use crate::clock;
use crate::outcome::wait::{End, Limits, Until, wait};
use crate::outcome::{OutcomeError, Watched};
use crate::store::sends::Sends;
use console::Console;

/// Wait until a send is settled: everybody's mail has arrived, or failed for good
///
/// Exit codes: 0 settled, 3 settled but somebody was not reached (with --exit-status), 4 not in time or never sent, 5 all who are
/// left are deferred and nothing changed for --quiet, or the time is up. Mail of any tool is waited for by --category, --since and --list or --expect.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// How many were to get it, where there is no list
    #[arg(long, value_name = "N", conflicts_with = "file")]
    expect: Option<u64>,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How long to wait for what, and what comes at the end.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct WaitArgs {
    /// How long at most: 90s, 15m, 2h, 3d [default: 9 s a recipient, at least 5m, at most 73h]
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// What is waited for
    #[arg(long, value_enum, default_value_t)]
    until: Until,
    /// When all who are left are deferred and nothing changed for so long, that is enough; never: it is not
    #[arg(long, value_name = "TIME", default_value = "15m")]
    quiet: String,
    /// Tell how it stands when it takes so long, and then on change; never: only the end
    #[arg(long, value_name = "TIME", default_value = "5m")]
    report_after: String,
    /// Exit code 3 where somebody was not reached
    #[arg(long)]
    exit_status: bool,
    /// Tell nobody but this terminal
    #[arg(long)]
    no_notify: bool,
    /// Write who was not reached to this file, as CSV with all columns of the list
    #[arg(long, value_name = "FILE")]
    unreached_out: Option<PathBuf>,
}

/// How long it waits at its start for a store that cannot answer for now, unless --timeout says otherwise.
const START_PATIENCE: Duration = Duration::from_secs(300);

impl WaitArgs {
    /// What is wrong with them can be said before anybody is mailed.
    pub(super) fn check(&self, has_list: bool) -> Result<Limits, UsageError> {
        if self.unreached_out.is_some() && !has_list {
            return Err(UsageError(
                "--unreached-out needs the list: only it knows addresses. Add --list FILE".to_owned(),
            ));
        }
        let unless_never = |text: &str| -> Result<Option<Duration>, UsageError> {
            if text.trim() == "never" { Ok(None) } else { time::duration(text).map(Some) }
        };
        Ok(Limits {
            until: self.until,
            timeout: self.timeout.as_deref().map(time::duration).transpose()?,
            quiet: unless_never(&self.quiet)?,
            report_after: unless_never(&self.report_after)?,
        })
    }
}

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    need_since(&args.selection)?;
    args.wait.check(args.selection.list.is_given())?;
    let question = Question::new(global)?;
    let sends = question.sends()?;
    let selection = args.selection.read(&question, args.expect)?;
    watch(&question, &sends, &selection, &args.wait, args.output)
}

/// Waits, says how it ended, and tells whom the configuration names. Blocks.
pub(super) fn watch(
    question: &Question,
    sends: &Arc<dyn Sends>,
    selection: &Selection,
    args: &WaitArgs,
    output: OutputArgs,
) -> anyhow::Result<Exit> {
    let limits = args.check(selection.listed.is_some())?;
    let started = clock::now_micros();
    selection.catch_up(&**sends, false)?;
    let patience = limits.timeout.unwrap_or(START_PATIENCE);
    let begin = || Watched::begin(&**sends, selection.selector.clone());
    let mut watched = outage::wait_out(Some(patience), OutcomeError::may_pass, begin)?;
    pruned::tell_of_send(question, &selection.selector);
    let mut console = Console::begin(question, sends, selection.listed.as_ref(), args, started)?;
    let end = wait(&mut watched, &limits, &mut console)?;
    let now = clock::now_micros();
    console.end(end, &watched, now);
    console.write(&watched, end != End::Reached(Until::Settled), now)?;
    print::verdict(&watched, end, now - started, now, output)?;
    console.told();
    let missed = watched.report().unreached() > 0 && args.exit_status;
    Ok(match end {
        End::TimedOut | End::Unsent => Exit::TimedOut,
        End::Quiet => Exit::Quiet,
        End::Reached(_) if missed => Exit::Unreached,
        End::Reached(_) => Exit::Done,
    })
}

/// Whether people read what is printed.
fn is_for_people(output: OutputArgs) -> bool {
    output.format == Format::Table
}
