//! Takes requests through the ledger, one after another.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Choice;
use crate::clock::now_micros;
use crate::compose::{Composer, Group};
use crate::run::{NoRandomness, RecipientId, RequestId, RunName};
use crate::sendgrid::{ApiError, Client, Outcome, Patience};
use crate::stop::Stop;
use crate::store::ledger::{Claims, Ended, LedgerError};

/// So many requests in a row without a known outcome, and no more are made: something is broken, and each would leave up to a
/// thousand recipients in doubt.
const UNCERTAIN_IN_A_ROW: u32 = 3;

/// So many of a refused request's reasons are kept.
const SAID: usize = 5;

/// What is needed to send.
pub struct Sending<'a> {
    /// The run's ledger, ours alone.
    pub ledger: &'a mut dyn Claims,
    /// SendGrid.
    pub client: &'a Client,
    /// Content and recipients.
    pub composer: &'a Composer<'a>,
    /// The run.
    pub run: &'a RunName,
    /// Who of the composer's rows is mailed.
    pub choice: &'a Choice,
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
    /// Why some are left, or the first refusal's reasons.
    pub why: Option<Why>,
}

/// Why not all were mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Asked to stop.
    Stopped,
    /// SendGrid refused some recipients by themselves.
    Recipients(Vec<ApiError>),
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

/// A request that ended.
#[derive(Debug)]
pub struct Requested<'a> {
    /// The composer's rows, by index.
    pub rows: &'a [usize],
    /// What SendGrid said of them.
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
}

impl Sending<'_> {
    /// Sends until all are mailed or something forbids to go on; `told` hears of each request that ended.
    ///
    /// # Errors
    /// When the ledger cannot be written. What SendGrid may have by then counts as uncertain.
    pub async fn run(mut self, mut stop: Stop, mut told: impl FnMut(&Requested<'_>)) -> Result<Summary, SendError> {
        let mut summary = Summary { left: self.choice.chosen() as u64, ..Summary::default() };
        let mut attempts: Vec<u32> = self.choice.rows.iter().map(|row| row.map_or(0, |(_, attempt)| attempt)).collect();
        let mut queue: VecDeque<Group> = self.composer.groups(|row| attempts.get(row).is_some_and(|n| *n > 0)).into();
        let (mut uncertain_in_a_row, mut not_before) = (0, Instant::now());
        while let Some(group) = queue.pop_front() {
            let stopped = tokio::select! {
                biased;
                () = stop.requested() => true,
                () = tokio::time::sleep_until(not_before) => false,
            };
            if stopped {
                summary.why = Some(Why::Stopped);
                break;
            }
            not_before = Instant::now() + self.pace(group.rows().len());
            let count = group.rows().len() as u64;
            let (request, outcome) = self.request(&group, &attempts).await?;
            let now = now_micros();
            let (mut refused_rows, mut halt) = (Vec::new(), false);
            match &outcome {
                Outcome::Accepted { message_id } => {
                    let id = message_id.as_ref().map(sendgrid_events::MessageId::as_str);
                    self.ledger.ended(request, Ended::Accepted(id), now)?;
                    (summary.accepted, summary.left) = (summary.accepted + count, summary.left - count);
                }
                Outcome::Validated => self.ledger.ended(request, Ended::Abandoned("sandbox"), now)?,
                Outcome::Refused { status, errors } => {
                    let blamed = rows_to_blame(*status, errors, group.rows());
                    self.refused(request, *status, errors, &blamed, now)?;
                    refused_rows = blamed.into_iter().map(|(row, _)| row).collect();
                    let blamed = if refused_rows.is_empty() { count } else { refused_rows.len() as u64 };
                    (summary.refused, summary.left) = (summary.refused + blamed, summary.left - blamed);
                    halt = refused_rows.is_empty();
                    summary.why = Some(if halt {
                        Why::Refused { status: *status, errors: errors.clone() }
                    } else {
                        Why::Recipients(errors.clone())
                    });
                }
                Outcome::TooMany { .. } => {
                    self.ledger.ended(request, Ended::Abandoned("429"), now)?;
                    (halt, summary.why) = (true, Some(Why::TooMany));
                }
                Outcome::NotSent { why } => {
                    self.ledger.ended(request, Ended::Abandoned("no connection"), now)?;
                    (halt, summary.why) = (true, Some(Why::NotSent(why.clone())));
                }
                Outcome::Uncertain { why } => {
                    self.ledger.ended(request, Ended::Uncertain(short(why)), now)?;
                    (summary.uncertain, summary.left) = (summary.uncertain + count, summary.left - count);
                    summary.why = Some(Why::Uncertain(why.clone()));
                    halt = uncertain_in_a_row + 1 >= UNCERTAIN_IN_A_ROW;
                }
            }
            uncertain_in_a_row = if matches!(outcome, Outcome::Uncertain { .. }) { uncertain_in_a_row + 1 } else { 0 };
            summary.requests += 1;
            told(&Requested {
                rows: if refused_rows.is_empty() { group.rows() } else { &refused_rows },
                outcome: &outcome,
            });
            if halt {
                break;
            }
            if !refused_rows.is_empty() {
                // Nobody of this request was mailed; all but those to blame are asked for again.
                let rest: Vec<usize> = group.rows().iter().copied().filter(|row| !refused_rows.contains(row)).collect();
                for row in &rest {
                    attempts[*row] += 1;
                }
                for group in self.composer.groups(|row| rest.binary_search(&row).is_ok()).into_iter().rev() {
                    queue.push_front(group);
                }
            }
        }
        Ok(summary)
    }

    /// One request through the ledger, up to SendGrid's answer.
    async fn request(&mut self, group: &Group, attempts: &[u32]) -> Result<(RequestId, Outcome), SendError> {
        let request = RequestId::random()?;
        let mut claims = Vec::with_capacity(group.rows().len());
        for row in group.rows() {
            if let (Some(Ok((hash, _))), Some(attempt)) = (self.choice.rows.get(*row), attempts.get(*row)) {
                claims.push((*hash, RecipientId::random()?, *attempt));
            }
        }
        let recipients: Vec<(usize, RecipientId)> =
            group.rows().iter().copied().zip(claims.iter().map(|(_, recipient, _)| *recipient)).collect();
        let mail = self.composer.request(group, Some(self.run), request, |row| {
            let at = recipients.binary_search_by_key(&row, |(row, _)| *row);
            // Every row of the group was claimed just now.
            at.ok().and_then(|at| recipients.get(at)).map_or(RecipientId::from_bytes([0; 16]), |(_, id)| *id)
        });
        self.ledger.claim(request, group.categories(), self.send_at, claims, now_micros())?;
        self.ledger.sending(request, now_micros())?;
        let outcome = self.client.send_with_patience(&mail, &self.patience).await;
        Ok((request, outcome))
    }

    /// Notes a refusal: of the recipients that SendGrid names, else of the whole request.
    fn refused(
        &mut self,
        request: RequestId,
        status: u16,
        errors: &[ApiError],
        blamed: &[(usize, String)],
        now: i64,
    ) -> Result<(), LedgerError> {
        if blamed.is_empty() {
            let said: Vec<String> = errors.iter().take(SAID).map(ToString::to_string).collect();
            return self.ledger.ended(request, Ended::Refused { status, why: &said.join("; ") }, now);
        }
        let hash = |row: usize| self.choice.rows.get(row).and_then(|row| row.ok()).map(|(hash, _)| hash);
        let recipients: Vec<_> = blamed
            .iter()
            .filter_map(|(row, why)| Some((hash(*row)?, self.composer.without_address(*row, why))))
            .collect();
        self.ledger.ended(request, Ended::RefusedFor { status, recipients: &recipients }, now)
    }

    /// How long after a request of so many recipients the next may begin.
    fn pace(&self, recipients: usize) -> Duration {
        let recipients = f64::from(u32::try_from(recipients).unwrap_or(u32::MAX));
        self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(recipients / f64::from(rate.max(1))))
    }
}

/// The rows that a refusal is about, where all its errors name some and not the whole request is to blame: SendGrid says
/// `personalizations.3.to.0.email`. Each with SendGrid's first reason, by row.
fn rows_to_blame(status: u16, errors: &[ApiError], rows: &[usize]) -> Vec<(usize, String)> {
    if status != 400 {
        return Vec::new();
    }
    let place = |error: &ApiError| -> Option<usize> {
        error.field.as_deref()?.strip_prefix("personalizations.")?.split('.').next()?.parse().ok()
    };
    let Some(places) = errors.iter().map(place).collect::<Option<Vec<usize>>>() else { return Vec::new() };
    let blamed = places.into_iter().zip(errors);
    let mut blamed: Vec<(usize, String)> =
        blamed.filter_map(|(at, error)| Some((*rows.get(at)?, error.message.clone()))).collect();
    blamed.sort_by_key(|(row, _)| *row);
    blamed.dedup_by_key(|(row, _)| *row);
    blamed
}

/// The ledger keeps a word, not the story.
fn short(why: &str) -> &str {
    let end = why.char_indices().nth(100).map_or(why.len(), |(at, _)| at);
    &why[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(field: Option<&str>) -> ApiError {
        ApiError { message: "no".to_owned(), field: field.map(str::to_owned), help: None }
    }

    #[test]
    fn only_a_refusal_that_names_recipients_blames_them() {
        let rows = [10, 11, 12];
        let nobody: [(usize, String); 0] = [];
        let named = error(Some("personalizations.1.to.0.email"));
        assert_eq!(rows_to_blame(400, &[named.clone(), named.clone()], &rows), [(11, "no".to_owned())]);
        assert_eq!(rows_to_blame(400, &[named.clone(), error(Some("from.email"))], &rows), nobody);
        assert_eq!(rows_to_blame(400, &[error(None)], &rows), nobody);
        assert_eq!(rows_to_blame(401, std::slice::from_ref(&named), &rows), nobody);
        assert_eq!(rows_to_blame(400, &[error(Some("personalizations.7.to"))], &rows), nobody, "beyond the request");
    }

    #[test]
    fn what_happened_is_kept_short() {
        assert_eq!(short("時間切れ"), "時間切れ");
        assert_eq!(short(&"é".repeat(300)).chars().count(), 100);
    }
}
