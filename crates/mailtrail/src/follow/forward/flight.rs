//! One batch on its way: repeated until BigQuery took each row or named it as one it will not take.

use super::health::{Backoff, Health};
use super::source::Batch;
use crate::store::bigquery::{AppendError, EventWriter, Row};
use crate::store::sqlite::RefusedEvent;

/// What came of a batch.
pub(super) struct Landed {
    /// Rows that BigQuery will not take; the others it has.
    pub(super) refused: Vec<RefusedEvent>,
}

type Rows = Vec<(i64, Row)>;

/// What came of one request.
enum Outcome {
    Taken,
    /// Without what was at fault, the rest is to be sent again.
    Rest(Rows),
    /// Something is at fault, and BigQuery does not say which row.
    Unclear(Rows, String),
}

/// A row that was refused by itself, without another word. It is at fault if BigQuery refuses it again and takes others
/// meanwhile; if it takes nothing at all, the table is, and nothing must be set aside.
struct Suspect {
    id: i64,
    row: Row,
    why: String,
    /// Requests that BigQuery had taken when it refused the row first.
    taken_before: u64,
}

/// Ends when all of it is settled, however long that takes.
pub(super) async fn fly(batch: Batch, writer: &EventWriter, health: &Health) -> Landed {
    let mut refused = batch.refused;
    let mut backoff = Backoff::default();
    // What is still to be sent, the next at the end; cut in halves where BigQuery does not say which row is at fault.
    let mut pieces = vec![batch.rows];
    let mut suspects: Vec<Suspect> = Vec::new();
    loop {
        while let Some(rows) = pieces.pop() {
            if rows.is_empty() {
                continue;
            }
            let taken_before = health.requests_taken();
            match send(rows, writer, health, &mut refused, &mut backoff).await {
                Outcome::Taken => backoff = Backoff::default(),
                Outcome::Rest(rest) => pieces.push(rest),
                Outcome::Unclear(mut rows, why) => {
                    let half = rows.split_off(rows.len() / 2);
                    if rows.is_empty() {
                        let suspect = |(id, row)| Suspect { id, row, why: why.clone(), taken_before };
                        suspects.extend(half.into_iter().map(suspect));
                    } else {
                        pieces.extend([half, rows]);
                    }
                }
            }
        }
        let Some(suspect) = suspects.first() else { return Landed { refused } };
        health.trouble(&suspect.why);
        backoff.wait().await;
        for suspect in std::mem::take(&mut suspects) {
            let Suspect { id, row, why, taken_before } = suspect;
            match send(vec![(id, row)], writer, health, &mut refused, &mut backoff).await {
                Outcome::Taken | Outcome::Rest(_) => {}
                Outcome::Unclear(..) if health.requests_taken() > taken_before => {
                    refused.push(RefusedEvent { id, why });
                }
                Outcome::Unclear(rows, why) => {
                    suspects.extend(rows.into_iter().map(|(id, row)| Suspect {
                        id,
                        row,
                        why: why.clone(),
                        taken_before,
                    }));
                }
            }
        }
    }
}

/// Sends a piece until BigQuery says something about it.
async fn send(
    rows: Rows,
    writer: &EventWriter,
    health: &Health,
    refused: &mut Vec<RefusedEvent>,
    backoff: &mut Backoff,
) -> Outcome {
    loop {
        match writer.append(rows.iter().map(|(_, row)| row)).await {
            Ok(()) => {
                health.taken(rows.len());
                return Outcome::Taken;
            }
            Err(AppendError::Rows(errors)) => {
                let mut rest = Vec::with_capacity(rows.len());
                for (index, (id, row)) in rows.into_iter().enumerate() {
                    match errors.iter().find(|error| error.index == index) {
                        Some(error) => refused.push(RefusedEvent { id, why: error.message.clone() }),
                        None => rest.push((id, row)),
                    }
                }
                return Outcome::Rest(rest);
            }
            Err(AppendError::Refused { reason: "invalid", message }) => return Outcome::Unclear(rows, message),
            Err(error) => {
                health.trouble(&error.to_string());
                backoff.wait().await;
            }
        }
    }
}
