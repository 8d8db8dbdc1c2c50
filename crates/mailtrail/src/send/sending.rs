//! Takes requests through the ledger, one after another.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Chosen;
use super::refusal::{Refused, RowRefusal, split};
use crate::clock::now_micros;
use crate::compose::{BrokenMail, Composer, Group, Mail};
use crate::protect::without_address;
use crate::run::{NoRandomness, RecipientId, RequestId, RunName};
use crate::sendgrid::{ApiError, Client, Outcome, Patience, said};
use crate::stop::Stop;
use crate::store::ledger::{Claim, Claims, Ended, LedgerError};

/// So many requests in a row without a known outcome, and no more are made: something is broken, and each would leave up to a
/// thousand recipients in doubt.
const UNCERTAIN_IN_A_ROW: u32 = 3;

/// What is needed to send.
pub struct Sending<'a> {
    /// The run's ledger, ours alone.
    pub ledger: &'a mut dyn Claims,
    /// SendGrid.
    pub client: &'a Client,
    /// The content of the mails.
    pub composer: &'a Composer,
    /// The run.
    pub run: &'a RunName,
    /// When it is to be delivered, µs; for the record.
    pub send_at: Option<i64>,
    /// Recipients a second at most.
    pub rate: Option<u32>,
    /// How long what mailed nobody is tried again.
    pub patience: Patience,
}

/// What became of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Recipients whose mail SendGrid has.
    pub accepted: u64,
    /// Whose mail it refused.
    pub refused: u64,
    /// Whose mail may have arrived.
    pub uncertain: u64,
    /// Whom nothing was sent.
    pub left: u64,
    /// Requests made.
    pub requests: u64,
    /// Recipients that SendGrid refused by themselves, in the order of its answers.
    pub refusals: Vec<RowRefusal>,
    /// Why some are left, or why the last request that was not accepted was not.
    pub why: Option<Why>,
}

/// Why not all were mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Asked to stop.
    Stopped,
    /// SendGrid refused some recipients by themselves: see [`Summary::refusals`].
    Recipients,
    /// SendGrid refused a request as a whole; others would fare no better.
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        errors: Vec<ApiError>,
    },
    /// SendGrid asked for more patience than there is.
    TooMany,
    /// No connection.
    NotSent(String),
    /// The outcome is unknown, several times in a row where some are left.
    Uncertain(String),
}

/// Mails of a request that ended.
pub struct Requested<'a> {
    /// The mails.
    pub mails: &'a [Chosen<Mail>],
    /// SendGrid's answer for each of them.
    pub outcome: &'a Outcome,
}

/// Why sending broke off. What was asked for is in the ledger; started again, it goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The ledger cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No ids.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A request cannot be made.
    #[error(transparent)]
    Broken(#[from] BrokenMail),
}

impl Sending<'_> {
    /// Sends until all are mailed or something forbids to go on. `ended` gets each mail once, when its outcome is known and before that is
    /// in the ledger; a mail that it does not get was not sent.
    ///
    /// # Errors
    /// When the ledger cannot be written. What SendGrid may have by then counts as uncertain.
    pub async fn run(
        mut self,
        mails: Vec<Chosen<Mail>>,
        mut stop: Stop,
        mut ended: impl FnMut(&Requested<'_>),
    ) -> Result<Summary, SendError> {
        let mut summary = Summary { left: mails.len() as u64, ..Summary::default() };
        let mut queue: VecDeque<Group<Chosen<Mail>>> = self.composer.groups(mails).into();
        let (mut uncertain_in_a_row, mut not_before) = (0, Instant::now());
        while let Some(group) = queue.pop_front() {
            let stopped = tokio::select! {
                biased;
                () = stop.requested() => true,
                () = tokio::time::sleep_until(not_before) => false,
            };
            if stopped {
                summary.why = Some(Why::Stopped);
                queue.push_front(group);
                break;
            }
            not_before = Instant::now() + self.pace(group.mails().len());
            let count = group.mails().len() as u64;
            let (request, outcome) = self.request(&group).await?;
            summary.requests += 1;
            uncertain_in_a_row = if matches!(outcome, Outcome::Uncertain { .. }) { uncertain_in_a_row + 1 } else { 0 };
            let now = now_micros();
            let mut halt = false;
            if !matches!(outcome, Outcome::Refused { .. }) {
                ended(&Requested { mails: group.mails(), outcome: &outcome });
            }
            match outcome {
                Outcome::Accepted { message_id } => {
                    let id = message_id.as_ref().map(sendgrid_events::MessageId::as_str);
                    self.ledger.ended(request, Ended::Accepted(id), now)?;
                    (summary.accepted, summary.left) = (summary.accepted + count, summary.left - count);
                }
                Outcome::Validated => self.ledger.ended(request, Ended::Abandoned("sandbox"), now)?,
                Outcome::Refused { status, errors } => {
                    let others = self.refused(
                        request,
                        status,
                        split(status, errors, group.into_mails()),
                        &mut summary,
                        &mut ended,
                    )?;
                    halt = matches!(summary.why, Some(Why::Refused { .. }));
                    for group in self.composer.groups(others).into_iter().rev() {
                        queue.push_front(group);
                    }
                }
                Outcome::TooMany { .. } => {
                    self.ledger.ended(request, Ended::Abandoned("429"), now)?;
                    (halt, summary.why) = (true, Some(Why::TooMany));
                }
                Outcome::NotSent { why } => {
                    self.ledger.ended(request, Ended::Abandoned("no connection"), now)?;
                    (halt, summary.why) = (true, Some(Why::NotSent(why)));
                }
                Outcome::Uncertain { why } => {
                    self.ledger.ended(request, Ended::Uncertain(short(&why)), now)?;
                    (summary.uncertain, summary.left) = (summary.uncertain + count, summary.left - count);
                    summary.why = Some(Why::Uncertain(why));
                    halt = uncertain_in_a_row >= UNCERTAIN_IN_A_ROW;
                }
            }
            if halt {
                break;
            }
        }
        self.leave(queue)?;
        Ok(summary)
    }

    /// Notes those who are left, because they belong to the run: questions about it count them as not sent.
    fn leave(&mut self, left: VecDeque<Group<Chosen<Mail>>>) -> Result<(), SendError> {
        for group in left {
            let (request, claims) = (RequestId::random()?, claims(&group)?);
            self.ledger.claim(request, group.categories(), self.send_at, claims, now_micros())?;
            self.ledger.ended(request, Ended::Abandoned("not tried"), now_micros())?;
        }
        Ok(())
    }

    /// Notes a refusal; returns the mails to ask for again, because other recipients of their request were refused.
    fn refused(
        &mut self,
        request: RequestId,
        status: u16,
        refused: Refused<Chosen<Mail>>,
        summary: &mut Summary,
        ended: &mut impl FnMut(&Requested<'_>),
    ) -> Result<Vec<Chosen<Mail>>, LedgerError> {
        let count = match &refused {
            Refused::Whole { mails, errors } => {
                let outcome = Outcome::Refused { status, errors: errors.clone() };
                ended(&Requested { mails, outcome: &outcome });
                self.ledger.ended(request, Ended::Refused { status, why: &said(errors) }, now_micros())?;
                mails.len() as u64
            }
            Refused::Some { refused, .. } => {
                let mut recipients = Vec::with_capacity(refused.len());
                for (chosen, errors) in refused {
                    let outcome = Outcome::Refused { status, errors: errors.clone() };
                    ended(&Requested { mails: std::slice::from_ref(chosen), outcome: &outcome });
                    let why = errors.first().map(|error| error.message.as_str()).unwrap_or_default();
                    recipients.push((chosen.hash, without_address(why, chosen.mail.address.expose()).into_owned()));
                }
                self.ledger.ended(request, Ended::RefusedFor { status, recipients: &recipients }, now_micros())?;
                refused.len() as u64
            }
        };
        (summary.refused, summary.left) = (summary.refused + count, summary.left - count);
        Ok(match refused {
            Refused::Whole { errors, .. } => {
                summary.why = Some(Why::Refused { status, errors });
                Vec::new()
            }
            Refused::Some { refused, mut others } => {
                let refusals = refused.into_iter().map(|(mail, errors)| RowRefusal { row: mail.mail.row, errors });
                summary.refusals.extend(refusals);
                summary.why = Some(Why::Recipients);
                others.iter_mut().for_each(|mail| mail.attempt += 1);
                others
            }
        })
    }

    /// One request through the ledger, up to SendGrid's answer.
    async fn request(&mut self, group: &Group<Chosen<Mail>>) -> Result<(RequestId, Outcome), SendError> {
        let (request, claims) = (RequestId::random()?, claims(group)?);
        let recipients = claims.iter().map(|(_, recipient, _)| *recipient);
        let mail = self.composer.request(group, self.run, request, recipients)?;
        self.ledger.claim(request, group.categories(), self.send_at, claims, now_micros())?;
        self.ledger.sending(request, now_micros())?;
        let outcome = self.client.send_with_patience(&mail, &self.patience).await;
        Ok((request, outcome))
    }

    /// How long after a request of so many recipients the next may begin.
    fn pace(&self, recipients: usize) -> Duration {
        let recipients = f64::from(u32::try_from(recipients).unwrap_or(u32::MAX));
        self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(recipients / f64::from(rate.max(1))))
    }
}

fn claims(group: &Group<Chosen<Mail>>) -> Result<Vec<Claim>, NoRandomness> {
    group.mails().iter().map(|chosen| Ok((chosen.hash, RecipientId::random()?, chosen.attempt))).collect()
}

/// The ledger keeps a word, not the story.
fn short(why: &str) -> &str {
    let end = why.char_indices().nth(100).map_or(why.len(), |(at, _)| at);
    &why[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_kept_short() {
        assert_eq!(short("時間切れ"), "時間切れ");
        assert_eq!(short(&"é".repeat(300)).chars().count(), 100);
    }
}
