//! `mailtrail bigquery check`

use std::io::Write as _;

use super::wait;
use crate::cli::exit::Exit;
use crate::clock;
use crate::config::BigQuery;
use crate::store::bigquery::{Dataset, Entry};

/// Append a probe row, read it back, delete it, have two owners try for a lock, and say what that cost
///
/// The row has something in every column. It is named mailtrail_probe, and no question about mail finds it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

pub(super) fn run(_args: &Args, config: &BigQuery, entries: &[Entry]) -> anyhow::Result<Exit> {
    let dataset = Dataset::new(config)?;
    let checked = wait(dataset.check(entries, clock::now_micros()))??;
    let mut stdout = std::io::stdout().lock();
    writeln!(
        stdout,
        "appended     a probe row to {}, acknowledged after {} ms",
        dataset.shown(),
        checked.append.as_millis()
    )?;
    writeln!(stdout, "read back    {} columns as they were written", checked.columns)?;
    writeln!(stdout, "locks        hold: of two owners at once one got it")?;
    match &checked.left_behind {
        None => writeln!(stdout, "deleted      the probe row")?,
        Some(why) => writeln!(
            stdout,
            "left there   the probe row (event mailtrail_probe), which BigQuery does not let go yet: {why}"
        )?,
    }
    let cost = checked.cost;
    writeln!(
        stdout,
        "cost         {} bytes appended; {} statements that read {} bytes, {} bytes billed",
        cost.bytes_appended, cost.statements, cost.bytes_processed, cost.bytes_billed
    )?;
    Ok(Exit::Done)
}
