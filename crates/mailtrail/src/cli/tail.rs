//! `mailtrail tail`

use std::thread;
use std::time::Duration;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::OutputArgs;
use super::question::Question;
use super::record;
use super::server::ServerArgs;
use crate::config::StoreKind;
use crate::store::query::EventRecord;
use crate::store::questions::{AskError, Questions as _};

/// How soon a new event is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How soon one on another host is.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Events read at once.
const PAGE: usize = 1000;

/// The newest events in the order they came in; -f follows
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// Go on with what comes in, until interrupted
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::anywhere(global, &args.server)?;
    // One at least: where to go on from has to be known even where nothing old is to be shown.
    let newest = args.lines.max(1);
    if let Some(remote) = &question.server {
        let events = remote.newest(newest)?.value;
        return go_on(&question, &args, events, ASK_EVERY, |last| remote.after(last, PAGE));
    }
    if question.config.store.kind == StoreKind::BigQuery {
        if args.follow {
            let why =
                "tail -f asks again and again, and each time costs with BigQuery: use tail, or a query of its console";
            return Err(UsageError(why.to_owned()).into());
        }
        let answer = question.store()?.newest(args.lines)?;
        let found = answer.value.len();
        record::print(answer.value, args.output)?;
        question.tell(found, "event", answer.scanned.as_ref());
        return Ok(Exit::Done);
    }
    let reader = question.reader()?;
    let events = reader.newest(newest)?;
    go_on(&question, &args, events, LOOK_EVERY, |last| Ok(reader.after(last, PAGE)?))
}

/// Prints the newest events, and follows where that was asked for.
fn go_on(
    question: &Question,
    args: &Args,
    mut events: Vec<EventRecord>,
    every: Duration,
    after: impl Fn(i64) -> Result<Vec<EventRecord>, AskError>,
) -> anyhow::Result<Exit> {
    let last = events.last().map_or(0, |event| event.id);
    if args.follow && last == 0 && !events.is_empty() {
        return Err(UsageError(
            "the server's events are in BigQuery, which numbers none: they cannot be followed".to_owned(),
        )
        .into());
    }
    events.truncate(args.lines);
    record::print(events, args.output)?;
    question.tell_backlog();
    if args.follow { follow(after, every, last, args.output) } else { Ok(Exit::Done) }
}

/// Prints what is new, for ever. A CSV heading was printed with the first rows.
fn follow(
    after: impl Fn(i64) -> Result<Vec<EventRecord>, AskError>,
    every: Duration,
    mut last: i64,
    output: OutputArgs,
) -> anyhow::Result<Exit> {
    loop {
        let events = after(last)?;
        if let Some(newest) = events.last() {
            last = newest.id;
            record::print_more(events, output)?;
        } else {
            thread::sleep(every);
        }
    }
}
