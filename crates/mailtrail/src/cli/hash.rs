//! `mailtrail hash`

use std::fs::File;
use std::io::{self, BufRead as _, BufWriter, Read, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::Global;
use super::exit::{Exit, UsageError};
use crate::config::HashMode;
use crate::list::original;
use crate::protect::{EmailHash, KeyRing};

/// Addresses to hashes, to join the trail with your own tables
///
/// Without a list, prints one hash a line. With --csv, prints the list with a column email_hash more. Addresses are best
/// read from a file or standard input: on the command line they stay in the shell's history.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Addresses; - reads one a line from standard input
    #[arg(value_name = "ADDRESS", required_unless_present = "csv")]
    addresses: Vec<String>,
    /// A list with a heading; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "addresses")]
    csv: Option<PathBuf>,
    /// The list's column that holds addresses
    #[arg(long, value_name = "NAME", default_value = "email")]
    column: String,
    /// The key file, where there is no configuration
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With --key-file: hash as [privacy] hash = "sha256" does
    #[arg(long, requires = "key_file")]
    sha256: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let keys = match &args.key_file {
        Some(path) => KeyRing::from_file(if args.sha256 { HashMode::Sha256 } else { HashMode::HmacSha256 }, path)?,
        None => KeyRing::load(&global.config()?.privacy)?,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match &args.csv {
        Some(path) if path.as_os_str() == "-" => add_column(io::stdin().lock(), &args.column, &keys, &mut out)?,
        Some(path) => {
            let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
            add_column(file, &args.column, &keys, &mut out)?;
        }
        None => {
            for given in &args.addresses {
                if given == "-" {
                    each_line(&keys, &mut out)?;
                } else {
                    writeln!(out, "{}", keys.email_hash(given))?;
                }
            }
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// One address a line; an empty line stays an empty line, so that lines keep fitting each other.
fn each_line(keys: &KeyRing, out: &mut impl Write) -> anyhow::Result<()> {
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let line = Zeroizing::new(line.with_context(|| format!("reading line {} of standard input", index + 1))?);
        writeln!(out, "{}", of(keys, &line).map(|hash| hash.to_string()).unwrap_or_default())?;
    }
    Ok(())
}

fn add_column(list: impl Read, column: &str, keys: &KeyRing, out: impl Write) -> anyhow::Result<()> {
    // Errors name the row, never what stands in it; so the reader's own are not shown.
    let unreadable = |row: usize| UsageError(format!("row {row} of the list is no CSV in UTF-8"));
    let mut list = csv::ReaderBuilder::new().flexible(true).from_reader(list);
    let heading = list.headers().map_err(|_| unreadable(1))?.clone();
    let name = |text: &str| text.trim().trim_start_matches('\u{feff}').to_lowercase();
    let at = heading.iter().position(|heading| name(heading) == name(column)).ok_or_else(|| {
        UsageError(format!("the list has no column {column:?}: name the one with addresses by --column"))
    })?;
    let mut out = csv::WriterBuilder::new().flexible(true).from_writer(out);
    out.write_record(heading.iter().chain(["email_hash"]))?;
    for (index, record) in list.records().enumerate() {
        let record = record.map_err(|_| unreadable(index + 2))?;
        let hash = record.get(at).and_then(|address| of(keys, address)).map(|hash| hash.to_string());
        out.write_record(record.iter().chain([hash.as_deref().unwrap_or_default()]))?;
    }
    out.flush()?;
    Ok(())
}

/// The hash of a cell; none of an empty one. The `'` that a list of ours has before a formula's sign is not part of it.
fn of(keys: &KeyRing, cell: &str) -> Option<EmailHash> {
    let cell = original(cell);
    (!cell.trim().is_empty()).then(|| keys.email_hash(cell))
}
