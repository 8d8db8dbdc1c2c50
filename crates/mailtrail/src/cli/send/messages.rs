//! `send --messages`: each line brings its own content, and is answered by a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use anyhow::Context as _;
use serde_json::json;

use super::{Sender, interrupted};
use crate::cli::exit::{Exit, UsageError};
use crate::clock::now_micros;
use crate::compose::Composer;
use crate::list::{Message, Messages};
use crate::protect::{EmailHash, on_the_wire};
use crate::run::RecipientId;
use crate::send::{Choice, Rules, Why, choose};
use crate::sendgrid::{Client, Outcome};
use crate::store::ledger::{Known, Sent};

/// So many messages are read, checked and sent together.
const SLICE: usize = 1_000;

impl Sender {
    pub(super) async fn messages(&self) -> anyhow::Result<Exit> {
        let Some(path) = &self.args.messages else { return Ok(Exit::Usage) };
        let input: Box<dyn BufRead> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(path).with_context(|| format!("opening {}", path.display()))?))
        };
        if self.args.dry_run || self.args.sandbox {
            return Err(UsageError("--messages has neither --dry-run nor --sandbox: try a list".to_owned()).into());
        }
        let client = Client::new(&self.question.config.sendgrid).map_err(|error| UsageError(error.to_string()))?;
        let interrupted = interrupted()?;
        let mut ledger = self.take(now_micros())?;
        let sets = self.sets()?;
        let mut known = ledger.known()?;
        let mut messages = Messages::new(input);
        let (mut all_sent, mut stop) = (true, false);
        // All slices share what --limit allows.
        let mut limit = self.args.limit;
        while !stop {
            let (slice, refused) = next_slice(&mut messages);
            let mut out = BufWriter::new(io::stdout().lock());
            for error in &refused {
                writeln!(out, "{}", json!({"row": error.row, "outcome": "invalid", "why": error.fault.to_string()}))?;
                all_sent = false;
            }
            if slice.is_empty() && refused.is_empty() {
                break;
            }
            let now = now_micros();
            let common = self.args.common(&self.question.config.sendgrid, now)?;
            let composer = Composer::of_messages(common, &slice, now).map_err(|error| UsageError(error.to_string()))?;
            let hashes = slice.iter().map(|message| self.keys.lookup_hashes(message.address.expose()));
            let choice = choose(hashes, &known, &Rules { limit, ..sets.as_rules(&self.args) });
            limit = limit.map(|limit| limit.saturating_sub(choice.chosen()));
            for (message, skip) in slice.iter().zip(&choice.rows).filter_map(|(m, row)| Some((m, row.err()?))) {
                let line = json!({"row": message.row, "email_hash": self.hash(message).to_string(),
                    "outcome": "skipped", "why": format!("they {}", skip.explained())});
                writeln!(out, "{line}")?;
            }
            let mut answers: Vec<(usize, Outcome)> = Vec::new();
            let summary = self
                .sending(&mut *ledger, &client, &composer, &choice, now)?
                .run(interrupted.clone(), |done| {
                    answers.extend(done.rows.iter().map(|row| (*row, done.outcome.clone())))
                })
                .await?;
            answers.sort_by_key(|(row, _)| *row);
            for (row, outcome) in &answers {
                let Some(message) = slice.get(*row) else { continue };
                writeln!(out, "{}", self.answer(message, outcome))?;
                note_known(&mut known, &choice, *row, outcome);
            }
            for (row, message) in slice.iter().enumerate() {
                let answered = answers.binary_search_by_key(&row, |(row, _)| *row).is_ok();
                if choice.rows.get(row).is_some_and(Result::is_ok) && !answered {
                    let line = json!({"row": message.row, "email_hash": self.hash(message).to_string(),
                        "outcome": "not_sent", "why": summary.why.as_ref().map(super::tell::why)});
                    writeln!(out, "{line}")?;
                }
            }
            out.flush()?;
            all_sent &= summary.refused + summary.uncertain + summary.left == 0;
            stop = summary.left > 0 || matches!(summary.why, Some(Why::Stopped));
        }
        ledger.close()?;
        Ok(if all_sent { Exit::Done } else { Exit::Failed })
    }

    fn hash(&self, message: &Message) -> EmailHash {
        self.keys.email_hash(&on_the_wire(message.address.expose()))
    }

    fn answer(&self, message: &Message, outcome: &Outcome) -> serde_json::Value {
        let (name, message_id, why) = match outcome {
            Outcome::Accepted { message_id } => {
                ("accepted", message_id.as_ref().map(|id| id.as_str().to_owned()), None)
            }
            Outcome::Validated => ("validated", None, None),
            Outcome::Refused { errors, .. } => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                ("refused", None, Some(errors.join("; ")))
            }
            Outcome::TooMany { .. } => ("not_sent", None, Some("SendGrid asks to come again later".to_owned())),
            Outcome::NotSent { why } => ("not_sent", None, Some(why.clone())),
            Outcome::Uncertain { why } => ("uncertain", None, Some(why.clone())),
        };
        json!({"row": message.row, "email_hash": self.hash(message).to_string(), "outcome": name,
            "message_id": message_id, "why": why})
    }
}

/// What later slices must know of this one.
fn note_known(known: &mut std::collections::HashMap<EmailHash, Known>, choice: &Choice, row: usize, outcome: &Outcome) {
    let Some(Ok((hash, attempt))) = choice.rows.get(row) else { return };
    let sent = match outcome {
        Outcome::Accepted { .. } => Sent::Accepted,
        Outcome::Uncertain { .. } => Sent::Uncertain,
        Outcome::Refused { .. } => Sent::Refused,
        Outcome::Validated | Outcome::TooMany { .. } | Outcome::NotSent { .. } => Sent::Abandoned,
    };
    known.insert(*hash, Known { sent, attempt: *attempt, recipient: RecipientId::from_bytes([0; 16]) });
}

/// The next messages, and the lines among them that are none.
fn next_slice<R: BufRead>(messages: &mut Messages<R>) -> (Vec<Message>, Vec<crate::list::MessageError>) {
    let (mut slice, mut refused) = (Vec::new(), Vec::new());
    for message in messages.by_ref() {
        match message {
            Ok(message) => slice.push(message),
            Err(error) => refused.push(error),
        }
        if slice.len() + refused.len() >= SLICE {
            break;
        }
    }
    (slice, refused)
}
