//! `mailtrail hash`

use std::borrow::Cow;
use std::io::{self, BufRead as _, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::Global;
use super::exit::{Exit, UsageError};
use super::list_file::{self, ListFormatArgs};
use super::output::{Cell, Format, OutputArgs, Sheet};
use crate::config::{HashMode, without_bom};
use crate::list::{Address, AddressFault, ListTable, LocalParts, Problem, Problems, TableRow};
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
    /// A list, CSV with a heading, as `send` takes it; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "addresses")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    list_format: ListFormatArgs,
    /// The older name of --email-column
    #[arg(long, value_name = "NAME", hide = true, conflicts_with = "email_column")]
    column: Option<String>,
    /// Print rows of the list that have no address without a hash, instead of ending with an error
    #[arg(long, requires = "csv")]
    skip_invalid: bool,
    /// The key file, where there is no configuration
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With --key-file: hash as [privacy] hash = "sha256" does
    #[arg(long, requires = "key_file")]
    sha256: bool,
}

pub(super) fn run(mut args: Args, global: &Global) -> anyhow::Result<Exit> {
    if let Some(column) = args.column.take() {
        args.list_format.email_column = Some(column);
    }
    let keys = match &args.key_file {
        Some(path) => KeyRing::from_file(if args.sha256 { HashMode::Sha256 } else { HashMode::HmacSha256 }, path)?,
        None => KeyRing::load(&global.config()?.privacy)?,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match &args.csv {
        Some(path) => add_column(&args, path, &keys, &mut out)?,
        None => {
            for (number, given) in (1_usize..).zip(&args.addresses) {
                if given == "-" {
                    each_line(&keys, &mut out)?;
                } else {
                    let none = |fault| UsageError(format!("argument {number} is not an address: {fault}"));
                    writeln!(out, "{}", hash(&keys, given).map_err(none)?)?;
                }
            }
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// One address a line; an empty line stays an empty line, so that lines keep fitting each other.
fn each_line(keys: &KeyRing, out: &mut impl Write) -> anyhow::Result<()> {
    for (number, line) in (1_usize..).zip(io::stdin().lock().lines()) {
        let line = Zeroizing::new(line.with_context(|| format!("reading line {number} of standard input"))?);
        let line = if number == 1 { without_bom(&line) } else { &line };
        if line.trim().is_empty() {
            writeln!(out)?;
        } else {
            let none = |fault| UsageError(format!("line {number} of standard input is not an address: {fault}"));
            writeln!(out, "{}", hash(keys, line).map_err(none)?)?;
        }
    }
    Ok(())
}

/// The list with each row's hash. All rows are judged before the first is printed.
fn add_column(args: &Args, path: &Path, keys: &KeyRing, out: impl Write) -> anyhow::Result<()> {
    let table = args.list_format.read_table(path)?;
    let problems: Problems = table.rows().filter_map(|row| table.address(&row).err()).collect();
    if args.skip_invalid {
        list_file::print_problems(&problems, "without a hash");
    } else {
        list_file::refuse(&problems, ", or print such rows without a hash with --skip-invalid")?;
    }
    let columns: Vec<&str> = table.columns().iter().map(String::as_str).chain(["email_hash"]).collect();
    let output = OutputArgs { format: Format::Csv, ..OutputArgs::default() };
    let mut sheet = Sheet::begin(out, output, &columns)?;
    for row in table.rows() {
        sheet.row(with_hash(&table, row, keys))?;
    }
    sheet.end()?;
    Ok(())
}

fn with_hash(table: &ListTable, row: TableRow<'_>, keys: &KeyRing) -> Vec<Cell> {
    let address: Result<Address, Problem> = table.address(&row);
    let hash = address.map(|address| keys.email_hash(address.expose()).to_string()).unwrap_or_default();
    let mut cells: Vec<Cell> = row.cells.into_iter().map(Cow::into_owned).map(Cell::Text).collect();
    // A row with too few cells has its hash in the right column all the same.
    cells.resize_with(cells.len().max(table.columns().len()), || Cell::Text(String::new()));
    cells.push(Cell::Text(hash));
    cells
}

fn hash(keys: &KeyRing, text: &str) -> Result<EmailHash, AddressFault> {
    Ok(keys.email_hash(Address::parse(text, LocalParts::Utf8)?.expose()))
}
