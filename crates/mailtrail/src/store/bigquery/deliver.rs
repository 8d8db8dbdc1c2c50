//! Rows on their way: repeated until BigQuery took each of them or named it as one it will not take.

use std::time::Duration;

use aws_lc_rs::rand;

use super::error::AppendError;
use super::event_writer::{EventWriter, Row};

/// The first wait after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Waits longer after each failure, with jitter, so that many who failed together do not come back together.
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(PAUSES.0)
    }
}

impl Backoff {
    /// Waits once more.
    pub async fn wait(&mut self) {
        let mut random = [0];
        // Without random numbers the wait is the whole one.
        let share = if rand::fill(&mut random).is_ok() { f64::from(random[0]) / 255.0 } else { 1.0 };
        tokio::time::sleep(self.0.mul_f64(0.5 + share / 2.0)).await;
        self.0 = (self.0 * 2).min(PAUSES.1);
    }
}

/// Who counts what becomes of requests, for all that is on the way at once.
pub trait Pulse: Sync {
    /// BigQuery took a request of so many rows.
    fn taken(&self, rows: usize);
    /// How many requests it has taken so far.
    fn requests_taken(&self) -> u64;
    /// Something did not work and is tried again.
    fn trouble(&self, why: &str);
}

/// A row that BigQuery will not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeliverable {
    /// Its place among the rows handed in.
    pub index: usize,
    /// BigQuery's own words.
    pub why: String,
}

type Rows = Vec<(usize, Row)>;

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
    index: usize,
    row: Row,
    why: String,
    /// Requests that BigQuery had taken when it refused the row first.
    taken_before: u64,
}

/// Ends when all rows are settled, however long that takes; dropped, it leaves off. Hands back what BigQuery will not take.
pub async fn deliver(rows: Vec<Row>, writer: &EventWriter, pulse: &impl Pulse) -> Vec<Undeliverable> {
    let mut delivery = Delivery { writer, pulse, refused: Vec::new(), backoff: Backoff::default() };
    // What is still to be sent, the next at the end; cut in halves where BigQuery does not say which row is at fault.
    let mut pieces = cut(rows);
    let mut suspects: Vec<Suspect> = Vec::new();
    loop {
        while let Some(rows) = pieces.pop() {
            let taken_before = pulse.requests_taken();
            match delivery.send(rows).await {
                Outcome::Taken => delivery.backoff = Backoff::default(),
                Outcome::Rest(rest) if rest.is_empty() => {}
                Outcome::Rest(rest) => pieces.push(rest),
                Outcome::Unclear(mut rows, why) => {
                    let half = rows.split_off(rows.len() / 2);
                    if rows.is_empty() {
                        let suspect = |(index, row)| Suspect { index, row, why: why.clone(), taken_before };
                        suspects.extend(half.into_iter().map(suspect));
                    } else {
                        pieces.extend([half, rows]);
                    }
                }
            }
        }
        let Some(suspect) = suspects.first() else { return delivery.refused };
        pulse.trouble(&suspect.why);
        delivery.backoff.wait().await;
        for Suspect { index, row, why, taken_before } in std::mem::take(&mut suspects) {
            match delivery.send(vec![(index, row)]).await {
                Outcome::Taken | Outcome::Rest(_) => {}
                Outcome::Unclear(..) if pulse.requests_taken() > taken_before => {
                    delivery.refused.push(Undeliverable { index, why });
                }
                Outcome::Unclear(rows, why) => suspects.extend(rows.into_iter().map(|(index, row)| Suspect {
                    index,
                    row,
                    why: why.clone(),
                    taken_before,
                })),
            }
        }
    }
}

/// Pieces that a request can hold, the first at the end.
fn cut(rows: Vec<Row>) -> Vec<Rows> {
    let mut pieces: Vec<Rows> = Vec::new();
    let mut size = 0;
    for (index, row) in rows.into_iter().enumerate() {
        size += row.size();
        match pieces.last_mut() {
            Some(piece) if size <= EventWriter::MAX_BYTES => piece.push((index, row)),
            _ => {
                size = row.size();
                pieces.push(vec![(index, row)]);
            }
        }
    }
    pieces.reverse();
    pieces
}

struct Delivery<'a, P> {
    writer: &'a EventWriter,
    pulse: &'a P,
    refused: Vec<Undeliverable>,
    backoff: Backoff,
}

impl<P: Pulse> Delivery<'_, P> {
    /// Sends a piece until BigQuery says something about it.
    async fn send(&mut self, rows: Rows) -> Outcome {
        loop {
            match self.writer.append(rows.iter().map(|(_, row)| row)).await {
                Ok(()) => {
                    self.pulse.taken(rows.len());
                    return Outcome::Taken;
                }
                Err(AppendError::Rows(errors)) => {
                    let mut rest = Vec::with_capacity(rows.len());
                    for (at, (index, row)) in rows.into_iter().enumerate() {
                        match errors.iter().find(|error| error.index == at) {
                            Some(error) => self.refused.push(Undeliverable { index, why: error.message.clone() }),
                            None => rest.push((index, row)),
                        }
                    }
                    return Outcome::Rest(rest);
                }
                Err(AppendError::Refused { reason: "invalid", message }) => return Outcome::Unclear(rows, message),
                Err(error) => {
                    self.pulse.trouble(&error.to_string());
                    self.backoff.wait().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::full_event;

    #[test]
    fn pieces_fit_into_requests_and_hold_every_row_once() {
        let mut large = full_event(1);
        large.reason = Some("x".repeat(EventWriter::MAX_BYTES / 3));
        let rows: Vec<Row> = (0..10).map(|_| Row::of(&large)).collect();
        let pieces = cut(rows);
        assert_eq!(pieces.len(), 5, "two of them fit into one");
        let places: Vec<usize> = pieces.iter().rev().flatten().map(|(index, _)| *index).collect();
        assert_eq!(places, (0..10).collect::<Vec<_>>());
        assert!(cut(Vec::new()).is_empty());
    }
}
