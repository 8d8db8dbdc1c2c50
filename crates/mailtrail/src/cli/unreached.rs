//! `mailtrail unreached`

use std::path::Path;

use anyhow::Context as _;

use super::Global;
use super::exit::Exit;
use super::output::{Cell, Format, OutputArgs, Sheet, note};
use super::question::Question;
use super::selection::{Selection, SelectionArgs, need_since};
use super::server::{self, ServerArgs};
use super::{private_file, pruned, style};
use crate::clock;
use crate::config::Language;
use crate::list::Listed;
use crate::outcome::{self, UNREACHED_COLUMNS, Watched};
use crate::protect::EmailHash;
use crate::store::remote::Remote;
use crate::store::remote::wire::Mail;

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
    server: ServerArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    need_since(&args.selection)?;
    let question = Question::anywhere(global, &args.server)?;
    let selection = args.selection.read(&question, None)?;
    // JSON is for machines.
    let language = if args.output.format == Format::Json { Language::English } else { style::language() };
    let found = match &question.server {
        Some(remote) => there(remote, selection.mail(), args.include_pending, language)?,
        None => here(&question, &selection, args.include_pending, language)?,
    };
    let mut sheet = Sheet::begin(std::io::stdout().lock(), args.output, &UNREACHED_COLUMNS)?;
    let rows = found.rows.len();
    for (hash, mut cells) in found.rows {
        let address = selection.listed.as_ref().and_then(|listed| listed.row(&hash)).map(crate::list::Row::address);
        if let Some(address) = address {
            cells[0] = Cell::Text(address.expose().to_owned());
            if args.output.format == Format::Table {
                // Beside the address the whole of it would only push the reason off the screen.
                cells[1] = Cell::Text(format!("{:.12}…", hash.to_string()));
            }
        }
        sheet.row(cells)?;
    }
    drop(sheet.end()?);
    question.tell(rows, "recipient", None);
    pruned::tell_of_send(&question, &selection.selector);
    if found.not_asked > 0 {
        note(&format!(
            "{} recipients of the list are not in this run: its sender left them out, or they were not on its list",
            found.not_asked
        ));
    }
    if found.pending > 0 && !args.include_pending {
        note(&format!("{} of {} are not settled yet (--include-pending)", found.pending, found.recipients));
    }
    Ok(Exit::Done)
}

/// Who was not reached, without addresses, and of how many.
struct Found {
    rows: Vec<(EmailHash, Vec<Cell>)>,
    recipients: u64,
    pending: u64,
    /// Recipients of the list that are none of them.
    not_asked: u64,
}

fn here(question: &Question, selection: &Selection, pending: bool, language: Language) -> anyhow::Result<Found> {
    let sends = question.sends()?;
    selection.catch_up(&*sends, true)?;
    let now = clock::now_micros();
    let watched = Watched::begin(&*sends, selection.selector.clone())?;
    let rows = outcome::unreached(&watched, pending, now).into_iter();
    let rows = rows.map(|row| (row.hash, row.cells(None, language).to_vec())).collect();
    let report = watched.report();
    Ok(Found { rows, recipients: report.recipients, pending: report.pending(), not_asked: watched.not_asked() })
}

fn there(remote: &Remote, mail: Mail, pending: bool, language: Language) -> anyhow::Result<Found> {
    let language = match language {
        Language::English => "en",
        Language::Japanese => "ja",
    };
    let mail = Mail { include_pending: pending, language: Some(language.to_owned()), ..mail };
    let rows = remote.unreached(&mail)?;
    let each = rows.iter().map(|row| {
        let hash = row.text("email_hash").and_then(EmailHash::parse).context("a row of the server has no hash")?;
        Ok((hash, server::cells(row, &UNREACHED_COLUMNS)))
    });
    let rows = each.collect::<anyhow::Result<_>>()?;
    let about = remote.about();
    Ok(Found {
        rows,
        recipients: about.recipients.unwrap_or_default(),
        pending: about.pending.unwrap_or_default(),
        not_asked: about.not_asked.unwrap_or_default(),
    })
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
