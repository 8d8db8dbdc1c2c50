//! `send --messages`: each line brings its own content, and gets a line as its answer.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Sender, Sets, interrupted};
use crate::cli::exit::{Exit, UsageError};
use crate::cli::output::note;
use crate::clock::now_micros;
use crate::compose::{Common, Composer, Composition};
use crate::list::{LocalParts, Message, Messages};
use crate::protect::EmailHash;
use crate::run::RecipientId;
use crate::send::{Requested, Rules, Why, choose};
use crate::sendgrid::{Client, Outcome, said};
use crate::stop::Stop;
use crate::store::ledger::{Claims, Known, Sent};

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
        // Before anything is sent: what all messages share.
        let common = self.args.common(&self.question.config.sendgrid, now_micros())?;
        Composer::compose_messages(common, &[], now_micros()).map_err(|error| UsageError(error.to_string()))?;
        let client = Client::new(&self.question.config.sendgrid).map_err(|error| UsageError(error.to_string()))?;
        let stop = interrupted()?;
        let mut ledger = self.take(now_micros())?;
        let sets = self.sets()?;
        let local_parts = LocalParts::utf8_if(self.question.config.sendgrid.utf8_addresses);
        let mut messages = Messages::new(input).with_local_parts(local_parts);
        let mut answers = Answers::default();
        let mut sending = Slices {
            sender: self,
            client: &client,
            sets: &sets,
            known: ledger.known()?,
            limit: self.args.limit,
            ended: None,
        };
        loop {
            let slice = next_slice(&mut messages, &mut answers);
            if slice.is_empty() && answers.is_empty() {
                break;
            }
            match sending.ended.clone() {
                None => sending.send(slice, &mut *ledger, stop.clone(), &mut answers).await,
                Some(end) => {
                    for message in &slice {
                        answers.add(message.row, Some(self.hashes(&message.address).current), &end.answer());
                    }
                }
            }
            answers.write()?;
            // Lines that nobody has written yet are not waited for.
            if matches!(sending.ended, Some(End::Why(Why::Stopped))) && path.as_os_str() == "-" {
                break;
            }
        }
        ledger.close()?;
        if let Some(End::Error(error)) = sending.ended {
            return Err(error.into());
        }
        Ok(if answers.all_sent { Exit::Done } else { Exit::Failed })
    }
}

/// Why no further message is sent.
#[derive(Clone)]
enum End {
    Why(Why),
    Error(SendFailure),
}

impl End {
    fn answer(&self) -> Answer {
        let why = match self {
            Self::Why(why) => super::tell::why(why, &[]),
            Self::Error(error) => error.to_string(),
        };
        Answer { outcome: "not_sent", message_id: None, why: Some(why) }
    }
}

/// An error that ended the send.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct SendFailure(String);

/// Sends slice after slice.
struct Slices<'a> {
    sender: &'a Sender,
    client: &'a Client,
    sets: &'a Sets,
    /// What the ledger has of this run, with what this process sent.
    known: HashMap<EmailHash, Known>,
    /// What `--limit` leaves: all slices share it.
    limit: Option<usize>,
    ended: Option<End>,
}

impl Slices<'_> {
    /// Sends a slice; each of its messages gets an answer.
    async fn send(&mut self, slice: Vec<Message>, ledger: &mut dyn Claims, stop: Stop, answers: &mut Answers) {
        if let Err(error) = self.try_send(&slice, ledger, stop, answers).await {
            self.ended = Some(End::Error(SendFailure(format!("{error:#}"))));
        }
        let Some(end) = &self.ended else { return };
        let answered = answers.rows();
        for message in slice.iter().filter(|message| !answered.contains(&message.row)) {
            answers.add(message.row, Some(self.sender.hashes(&message.address).current), &end.answer());
        }
    }

    async fn try_send(
        &mut self,
        slice: &[Message],
        ledger: &mut dyn Claims,
        stop: Stop,
        answers: &mut Answers,
    ) -> anyhow::Result<()> {
        let now = now_micros();
        let sender = self.sender;
        let common: Common = sender.args.common(&sender.question.config.sendgrid, now)?;
        let Composition { composer, mails, faults } = Composer::compose_messages(common, slice, now)?;
        for fault in faults {
            answers.add(fault.row, None, &Answer::invalid(fault.fault.to_string()));
        }
        let rules = Rules { limit: self.limit, ..self.sets.as_rules(&sender.args) };
        let choice = choose(sender.hashed(mails), &self.known, &rules);
        self.limit = self.limit.map(|limit| limit.saturating_sub(choice.chosen.len()));
        for skipped in &choice.skipped {
            let why = Some(format!("they {}", skipped.skip.explained()));
            answers.add(skipped.mail.row, Some(skipped.hash), &Answer { outcome: "skipped", message_id: None, why });
        }
        let known = &mut self.known;
        let sending = sender.sending(ledger, self.client, &composer, now)?;
        let summary = sending
            .run(choice.chosen, stop, |requested| {
                let answer = Answer::of(requested.outcome);
                for chosen in requested.mails {
                    answers.add(chosen.mail.row, Some(chosen.hash), &answer);
                }
                note_known(known, requested);
            })
            .await?;
        // A refused request ends the send although none of this slice may be left.
        let ends = matches!(summary.why, Some(Why::Stopped | Why::Refused { .. } | Why::TooMany | Why::NotSent(_)));
        if summary.left > 0 || ends {
            self.ended = Some(End::Why(summary.why.unwrap_or(Why::Stopped)));
        }
        Ok(())
    }
}

/// What a line is answered.
struct Answer {
    outcome: &'static str,
    message_id: Option<String>,
    why: Option<String>,
}

impl Answer {
    fn invalid(why: String) -> Self {
        Self { outcome: "invalid", message_id: None, why: Some(why) }
    }

    fn of(outcome: &Outcome) -> Self {
        let (outcome, message_id, why) = match outcome {
            Outcome::Accepted { message_id } => {
                ("accepted", message_id.as_ref().map(|id| id.as_str().to_owned()), None)
            }
            Outcome::Validated => ("validated", None, None),
            Outcome::Refused { errors, .. } => ("refused", None, Some(said(errors))),
            Outcome::TooMany { .. } => ("not_sent", None, Some("SendGrid asks to come again later".to_owned())),
            Outcome::NotSent { why } => ("not_sent", None, Some(why.clone())),
            Outcome::Uncertain { why } => ("uncertain", None, Some(why.clone())),
        };
        Self { outcome, message_id, why }
    }
}

/// Answers of a slice, written to stdout in the order of the input. If its reader closes stdout, the send goes on: the ledger has every
/// outcome.
struct Answers {
    lines: Vec<(u64, Value)>,
    closed: bool,
    /// Whether every message is at SendGrid, or was skipped by a rule of the command.
    all_sent: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self { lines: Vec::new(), closed: false, all_sent: true }
    }
}

impl Answers {
    fn add(&mut self, row: u64, hash: Option<EmailHash>, answer: &Answer) {
        self.all_sent &= matches!(answer.outcome, "accepted" | "skipped");
        let mut line = json!({"row": row, "outcome": answer.outcome, "why": answer.why});
        if let (Some(hash), Some(members)) = (hash, line.as_object_mut()) {
            members.insert("email_hash".to_owned(), hash.to_string().into());
            members.insert("message_id".to_owned(), answer.message_id.clone().into());
        }
        self.lines.push((row, line));
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The rows answered in this slice.
    fn rows(&self) -> std::collections::HashSet<u64> {
        self.lines.iter().map(|(row, _)| *row).collect()
    }

    fn write(&mut self) -> io::Result<()> {
        self.lines.sort_by_key(|(row, _)| *row);
        let lines = std::mem::take(&mut self.lines);
        if self.closed {
            return Ok(());
        }
        let mut out = BufWriter::new(io::stdout().lock());
        let written = lines.iter().try_for_each(|(_, line)| writeln!(out, "{line}")).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                // What the buffer still holds has no reader.
                drop(out.into_parts());
                note("nobody reads the answers any more; the send goes on, and the ledger has every outcome");
                Ok(())
            }
            written => written,
        }
    }
}

/// What later slices must know of this one.
fn note_known(known: &mut HashMap<EmailHash, Known>, requested: &Requested<'_>) {
    let sent = match requested.outcome {
        Outcome::Accepted { .. } => Sent::Accepted,
        Outcome::Uncertain { .. } => Sent::Uncertain,
        Outcome::Refused { .. } => Sent::Refused,
        Outcome::Validated | Outcome::TooMany { .. } | Outcome::NotSent { .. } => Sent::Abandoned,
    };
    for chosen in requested.mails {
        let recipient = RecipientId::from_bytes([0; 16]);
        known.insert(chosen.hash, Known { sent, attempt: chosen.attempt, recipient });
    }
}

/// The next messages; lines among them that are none are answered.
fn next_slice<R: BufRead>(messages: &mut Messages<R>, answers: &mut Answers) -> Vec<Message> {
    let mut slice = Vec::new();
    let mut lines = 0;
    while lines < SLICE
        && let Some(message) = messages.next()
    {
        lines += 1;
        match message {
            Ok(message) => slice.push(message),
            Err(error) => answers.add(error.row, None, &Answer::invalid(error.fault.to_string())),
        }
    }
    slice
}
