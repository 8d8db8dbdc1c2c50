//! `mailtrail timeline`

use super::exit::Exit;
use super::output::{OutputArgs, note};
use super::question::{Question, message_id};
use super::{Global, pruned, record, subject};
use crate::protect::EmailHash;
use crate::store::query::Subject;

/// Everything about one recipient or one message, in order
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An address, - to read one from standard input, a hash, or a message id
    #[arg(value_name = "ADDRESS|MESSAGE_ID")]
    subject: String,
    /// Most events; of more, the newest
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    let given = args.subject.trim();
    let is_recipient = given == "-" || given.contains('@') || EmailHash::parse(given).is_some();
    let subject = if is_recipient {
        Subject::Hashes(subject::hashes(given, &question.config.privacy)?)
    } else {
        Subject::Message(message_id(given))
    };
    let answer = question.store()?.timeline(&subject, args.limit)?;
    let events = answer.value;
    let found = events.len();
    record::print(events, args.output)?;
    question.tell(found, "event", answer.scanned.as_ref());
    pruned::tell(&question, None);
    if found == args.limit {
        note(&format!("only the newest {found} are shown: --limit shows more"));
    }
    Ok(Exit::Done)
}
