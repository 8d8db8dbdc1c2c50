//! `mailtrail tail`

use std::thread;
use std::time::Duration;

use super::Global;
use super::exit::Exit;
use super::output::{OutputArgs, note};
use super::question::Question;
use super::record;
use crate::clock;
use crate::config::StoreKind;
use crate::store::bigquery::Asker;
use crate::store::questions::Questions as _;
use crate::store::sqlite::Reader;

/// How soon a new event is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
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
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    if let (StoreKind::BigQuery, Some(section)) = (question.config.store.kind, &question.config.bigquery) {
        return tail_bigquery(&args, &question, &Asker::open(section)?);
    }
    let reader = question.reader()?;
    // One at least: where to go on from has to be known even where nothing old is to be shown.
    let mut events = reader.newest(args.lines.max(1))?;
    let last = events.last().map_or(0, |event| event.id);
    events.truncate(args.lines);
    record::print(events, args.output)?;
    question.tell_backlog();
    if args.follow { follow(&reader, last, args.output) } else { Ok(Exit::Done) }
}

fn tail_bigquery(args: &Args, question: &Question, asker: &Asker) -> anyhow::Result<Exit> {
    let now = clock::now_micros();
    let answer = asker.newest(args.lines)?;
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
fn follow(reader: &Reader, mut last: i64, output: OutputArgs) -> anyhow::Result<Exit> {
    loop {
        let events = reader.after(last, PAGE)?;
        if let Some(newest) = events.last() {
            last = newest.id;
            record::print_more(events, output)?;
        } else {
            thread::sleep(LOOK_EVERY);
        }
    }
}
