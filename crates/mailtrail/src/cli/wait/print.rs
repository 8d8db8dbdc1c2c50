//! How the waiting ended, printed.

use std::io;

use super::console::line;
use super::is_for_people;
use crate::cli::output::{Cell, OutputArgs, Sheet, note};
use crate::outcome::Watched;
use crate::outcome::wait::{End, Until};
use crate::settle::Status;
use crate::store::query::Scope;

/// A table of statuses for people; for programs one object.
pub(super) fn verdict(watched: &Watched, end: End, elapsed: i64, now: i64, output: OutputArgs) -> anyhow::Result<()> {
    if is_for_people(output) {
        table(watched, output)?;
    } else {
        object(watched, end, elapsed, output)?;
    }
    let report = watched.report();
    let how = match end {
        End::Reached(Until::Settled) => "settled",
        End::Reached(Until::Seen) => "seen",
        End::TimedOut => "not settled in time",
        End::Unsent => "not settled",
        End::Quiet => "all who are left are deferred, SendGrid tries them for 72 hours",
    };
    note(&format!("{how}: {}", line(report, now)));
    if report.recipients == 0 {
        note("note: nobody was to get this mail, so there is nothing to wait for");
    }
    if report.unsent > 0 {
        note(&format!(
            "note: {} recipients were not sent this mail: SendGrid was not asked for it. `mailtrail send` with the same run sends it",
            report.unsent
        ));
    }
    if watched.not_asked() > 0 {
        note(&format!("note: {} recipients of the list are not in this run", watched.not_asked()));
    }
    if report.uncertain > 0 {
        note(&format!(
            "note: whether SendGrid took the mail of {} recipients is uncertain: its answer was lost, and no event confirms it",
            report.uncertain
        ));
    }
    if report.left_out > 0 {
        note(&format!(
            "note: {} events are left out because nothing vouches for them, although a public key is configured",
            report.left_out
        ));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a share, for people")]
fn table(watched: &Watched, output: OutputArgs) -> anyhow::Result<()> {
    let report = watched.report();
    let mut sheet = Sheet::begin(io::stdout().lock(), output, &["status", "recipients", "share"])?;
    for (status, count) in report.counts().filter(|(_, count)| *count > 0) {
        let share = count as f64 * 100.0 / report.recipients.max(1) as f64;
        sheet.row(vec![Cell::Text(status.as_str().to_owned()), number(count), Cell::Text(format!("{share:.1} %"))])?;
    }
    drop(sheet.end()?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "seconds, for people and programs")]
fn object(watched: &Watched, end: End, elapsed: i64, output: OutputArgs) -> anyhow::Result<()> {
    let report = watched.report();
    let (run, category) = match &watched.selector().scope {
        Scope::Run(run) => (Cell::Text(run.clone()), Cell::Null),
        Scope::Category(category) => (Cell::Null, Cell::Text(category.clone())),
    };
    let ended = match end {
        End::Reached(Until::Settled) => "settled",
        End::Reached(Until::Seen) => "seen",
        End::TimedOut => "timed_out",
        End::Quiet => "quiet",
        End::Unsent => "unsent",
    };
    let mut columns = vec!["run", "category", "recipients"];
    let mut cells = vec![run, category, number(report.recipients)];
    for status in Status::ALL {
        columns.push(status.as_str());
        cells.push(number(report.count(status)));
    }
    let more = [
        ("settled", number(report.settled())),
        ("unreached", number(report.unreached())),
        ("accepted", number(report.accepted)),
        ("uncertain", number(report.uncertain)),
        ("unsent", number(report.unsent)),
        ("completeness", report.completeness().map_or(Cell::Null, Cell::Real)),
        ("left_out", number(report.left_out)),
        ("oldest_deferral", report.oldest_deferral.map_or(Cell::Null, Cell::Time)),
        ("elapsed_s", Cell::Real((elapsed / 1_000) as f64 / 1_000.0)),
        ("timed_out", Cell::Bool(end == End::TimedOut)),
        ("ended", Cell::Text(ended.to_owned())),
        ("behind", watched.behind().map_or(Cell::Null, Cell::Integer)),
    ];
    for (column, cell) in more {
        columns.push(column);
        cells.push(cell);
    }
    let mut sheet = Sheet::begin(io::stdout().lock(), output, &columns)?;
    sheet.row(cells)?;
    drop(sheet.end()?);
    Ok(())
}

pub(super) fn number(count: u64) -> Cell {
    Cell::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
