//! `mailtrail unreached`

use std::path::Path;

use super::Global;
use super::exit::Exit;
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::question::Question;
use super::selection::{SelectionArgs, need_since};
use super::{private_file, pruned, style};
use crate::clock;
use crate::config::Language;
use crate::list::Listed;
use crate::outcome::{self, UNREACHED_COLUMNS, Watched};

/// List who did not get a send, and why
///
/// Addresses come from the list, and from nowhere else: without --list there are hashes alone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Those as well who are not settled
    #[arg(long)]
    include_pending: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    need_since(&args.selection)?;
    let question = Question::new(global)?;
    let sends = question.sends()?;
    let selection = args.selection.read(&question, None)?;
    sends.catch_up(selection.keys.clone(), true)?;
    let now = clock::now_micros();
    let watched = Watched::begin(&*sends, selection.selector)?;
    let rows = outcome::unreached(&watched, args.include_pending, now);
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &UNREACHED_COLUMNS)?;
    // JSON is for machines.
    let language = if args.output.format == Format::Json { Language::English } else { style::language() };
    for row in &rows {
        let address = selection.listed.as_ref().and_then(|listed| listed.row(&row.hash)).map(crate::list::Row::address);
        let mut cells = row.cells(address.as_ref(), language).to_vec();
        if address.is_some() && args.output.format == Format::Table {
            // Beside the address the whole of it would only push the reason off the screen.
            cells[1] = Cell::Text(format!("{:.12}…", row.hash.to_string()));
        }
        sheet.row(cells)?;
    }
    drop(sheet.end()?);
    let report = watched.report();
    question.tell(rows.len(), "recipient", None);
    pruned::tell_of_send(&question, watched.selector());
    let pending = report.recipients - report.settled();
    if pending > 0 && !args.include_pending {
        note(&format!("{pending} of {} are not settled yet (--include-pending)", report.recipients));
    }
    Ok(Exit::Done)
}

/// Writes those of the list who were not reached, with all its columns, as CSV that `send` and a spreadsheet take; how many.
pub(super) fn write(path: &Path, watched: &Watched, listed: &Listed, pending: bool, now: i64) -> anyhow::Result<usize> {
    let own = listed.list.columns();
    let columns = UNREACHED_COLUMNS.into_iter().skip(1).map(|name| free(name, own));
    let columns: Vec<String> = own.iter().cloned().chain(columns).collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let output = OutputArgs { format: Format::Csv, raw_csv: false, bom: true, terminal: false };
    let mut sheet = Sheet::begin(Vec::new(), output, &columns)?;
    let mut written = 0;
    for row in outcome::unreached(watched, pending, now) {
        let Some(of_list) = listed.row(&row.hash) else { continue };
        let mut cells: Vec<Cell> = of_list.cells().map(|cell| Cell::Text(cell.to_owned())).collect();
        cells.extend(row.cells(None, style::language()).into_iter().skip(1));
        sheet.row(cells)?;
        written += 1;
    }
    let text = String::from_utf8(sheet.end()?).map_err(std::io::Error::other)?;
    private_file::write(path, &text)?;
    Ok(written)
}

/// A heading that the list does not have: two of one name could not be read again.
fn free(name: &str, taken: &[String]) -> String {
    let mut name = name.to_owned();
    while taken.iter().any(|column| column.eq_ignore_ascii_case(&name)) {
        name = format!("mailtrail_{name}");
    }
    name
}
