//! `mailtrail bigquery init`

use std::io::Write as _;

use super::wait;
use crate::cli::exit::Exit;
use crate::config::BigQuery;
use crate::store::bigquery::{self, Dataset, Entry};

/// Make dataset, tables and view
///
/// What is there stays as it is; run again after an upgrade, it adds the columns that are new.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Print SQL that makes it, for somebody who may run it; asks nobody
    #[arg(long, conflicts_with_all = ["dry_run", "print_terraform"])]
    print_sql: bool,
    /// Print Terraform resources; asks nobody
    #[arg(long, conflicts_with = "dry_run")]
    print_terraform: bool,
}

pub(super) fn run(args: &Args, config: &BigQuery, entries: &[Entry]) -> anyhow::Result<Exit> {
    let mut stdout = std::io::stdout();
    if args.print_sql {
        stdout.write_all(bigquery::sql(config, entries).as_bytes())?;
        return Ok(Exit::Done);
    }
    if args.print_terraform {
        stdout.write_all(bigquery::terraform(config).as_bytes())?;
        return Ok(Exit::Done);
    }
    wait(make(args.dry_run, config, entries))?
}

async fn make(dry_run: bool, config: &BigQuery, entries: &[Entry]) -> anyhow::Result<Exit> {
    let mut stdout = std::io::stdout();
    let dataset = Dataset::new(config)?;
    let plan = dataset.plan(entries).await?;
    if plan.is_empty() {
        writeln!(stdout, "nothing to do: {} has everything", dataset.shown())?;
        return Ok(Exit::Done);
    }
    if dry_run {
        for line in dataset.describe(&plan) {
            writeln!(stdout, "would {line}")?;
        }
        return Ok(Exit::Done);
    }
    let mut told = Ok(());
    let done = |line: &str| {
        if told.is_ok() {
            told = writeln!(stdout, "done: {line}");
        }
    };
    dataset.carry_out(plan, done).await?;
    told?;
    Ok(Exit::Done)
}
