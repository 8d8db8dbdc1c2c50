//! Runs and recipients as rows, the same for every way out.

use super::report::Report;
use super::runs::Run;
use super::sent::Earlier;
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::Cell;
use crate::store::ledger::Sent;

/// Of [`of_run`].
pub const RUN: [&str; 11] = [
    "run",
    "begun",
    "asked",
    "accepted",
    "refused",
    "uncertain",
    "settled",
    "delivered",
    "unreached",
    "completeness",
    "last_event",
];

/// Of somebody who already got it; the address comes from the caller's list, and what follows from [`of_sent`].
pub const SENT: [&str; 6] = ["email", "email_hash", "status", "ledger", "last", "verified"];

/// A run in a list of runs.
#[must_use]
pub fn of_run(run: &Run) -> Vec<Cell> {
    let report: &Report = &run.report;
    // Without a ledger nobody knows what was asked.
    let of_ledger = |count: Option<u64>| count.map_or(Cell::Null, number);
    vec![
        Cell::Text(run.name.clone()),
        run.record.as_ref().map_or(Cell::Null, |record| Cell::Time(record.begun_at)),
        of_ledger(run.record.is_some().then_some(report.recipients)),
        of_ledger(run.record.is_some().then_some(report.accepted)),
        of_ledger(run.record.is_some().then(|| report.count(Status::Refused))),
        of_ledger(run.record.is_some().then_some(report.uncertain)),
        number(report.settled()),
        number(report.count(Status::Delivered)),
        number(report.unreached()),
        run.completeness().map_or(Cell::Null, |ratio| Cell::Text(percent(ratio))),
        report.last_event.map_or(Cell::Null, Cell::Time),
    ]
}

/// A ratio for people.
#[must_use]
pub fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// All figures of a run by name. For people, completeness is a percentage; for programs a ratio.
#[must_use]
pub fn figures(run: &Run, for_people: bool) -> Vec<(&'static str, Cell)> {
    let mut figures: Vec<(&'static str, Cell)> = RUN.into_iter().zip(of_run(run)).collect();
    if !for_people
        && let Some((_, cell)) = figures.iter_mut().find(|(name, _)| *name == "completeness")
        && let Some(ratio) = run.completeness()
    {
        *cell = Cell::Real(ratio);
    }
    // Those of the list of runs are there already.
    for (status, count) in run.report.counts().filter(|(status, _)| !RUN.contains(&status.as_str())) {
        figures.push((status.as_str(), number(count)));
    }
    if let Some(record) = &run.record {
        figures.push(("abandoned", number(record.count(Sent::Abandoned))));
        figures.push(("unsent", number(run.report.unsent)));
        figures.push(("sandbox", Cell::Bool(record.sandbox)));
        figures.push(("accepted_at", record.accepted_at.map_or(Cell::Null, Cell::Time)));
        figures.push(("send_at", record.send_at.map_or(Cell::Null, Cell::Time)));
    }
    figures.push(("left_out", number(run.report.left_out)));
    figures
}

/// The columns behind the address.
#[must_use]
pub fn of_sent(hash: Option<EmailHash>, earlier: &Earlier) -> [Cell; 5] {
    [
        Cell::text(hash.map(|hash| hash.to_string())),
        Cell::Text(earlier.status.as_str().to_owned()),
        Cell::text(earlier.ledger.map(|sent| sent.as_str().to_owned())),
        Cell::Time(earlier.at),
        Cell::Bool(!earlier.unverified),
    ]
}

fn number(count: u64) -> Cell {
    Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
