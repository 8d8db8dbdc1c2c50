//! `mailtrail tail`

use std::thread;
use std::time::Duration;

use super::Global;
use super::exit::{Exit, UsageError};
use super::outage;
use super::output::{OutputArgs, note};
use super::question::Question;
use super::record;
use super::server::ServerArgs;
use crate::clock;
use crate::config::StoreKind;
use crate::store::bigquery::Asker;
use crate::store::query::EventRecord;
use crate::store::questions::{AskError, Questions as _};

/// How soon a new event is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How soon one on another host is.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The same with BigQuery, where each look costs: soon after something came, seldom while nothing does.
const LOOK_SOON: Duration = Duration::from_secs(2);
const LOOK_LATE: Duration = Duration::from_secs(30);
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
    if let (StoreKind::BigQuery, Some(section)) = (question.config.store.kind, &question.config.bigquery) {
        return tail_bigquery(&args, &question, &Asker::open(section)?);
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
        let why = "the server's events are in BigQuery, which numbers none: follow them where its configuration is";
        return Err(UsageError(why.to_owned()).into());
    }
    events.truncate(args.lines);
    record::print(events, args.output)?;
    question.tell_backlog();
    if args.follow { follow(after, every, last, args.output) } else { Ok(Exit::Done) }
}

fn tail_bigquery(args: &Args, question: &Question, asker: &Asker) -> anyhow::Result<Exit> {
    let now = clock::now_micros();
    let patience = if args.follow { None } else { Some(Duration::ZERO) };
    let answer = outage::wait_out(patience, AskError::may_pass, || asker.newest(args.lines))?;
    let found = answer.value.len();
    let mut tail = asker.tail(&answer.value, now);
    record::print(answer.value, args.output)?;
    question.tell(found, "event", answer.scanned.as_ref());
    if !args.follow {
        return Ok(Exit::Done);
    }
    note(&format!(
        "each look reads {} bytes: after {} s, up to every {} s while nothing comes",
        tail.cost()?,
        LOOK_SOON.as_secs(),
        LOOK_LATE.as_secs()
    ));
    let mut pause = LOOK_SOON;
    loop {
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK_LATE);
        let mut more = true;
        while more {
            let events = match tail.next(clock::now_micros()) {
                Ok((events, rest)) => {
                    more = rest;
                    events
                }
                Err(error) if error.may_pass() => {
                    note(&format!("note: {error}; it is asked again"));
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            if !events.is_empty() {
                pause = LOOK_SOON;
                record::print_more(events, args.output)?;
            }
        }
    }
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
