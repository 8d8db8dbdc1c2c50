//! `mailtrail export`

mod file;

use std::cell::OnceCell;
use std::io::{IsTerminal as _, Write};
use std::path::PathBuf;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{self, OutputArgs, Sheet};
use super::question::{FilterArgs, Question, Window};
use super::record;
use super::server::ServerArgs;
use crate::archive::parquet::{Form, Writer};
use crate::store::query::{EventRecord, Filter, Scanned};
use crate::store::questions::Questions;

/// Events read at once; memory is bounded by it.
const PAGE: usize = 5_000;

/// Events as JSON lines, CSV or Parquet, in the order of time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The form
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// The file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// CSV without the ' that is put before cells which a spreadsheet would take for a formula (= + - @, tab, line break)
    #[arg(long)]
    raw_csv: bool,
    /// Begin CSV with the byte order mark by which a spreadsheet recognises UTF-8 ([output] csv_bom)
    #[arg(long)]
    bom: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values
    Csv,
    /// Apache Parquet
    Parquet,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let to_stdout = args.out.as_os_str() == "-";
    let to_terminal = to_stdout && std::io::stdout().is_terminal();
    if to_terminal && args.format == Format::Parquet {
        return Err(UsageError("Parquet is nothing for a terminal: name a file with --out".to_owned()).into());
    }
    let question = Question::anywhere(global, &args.server)?;
    // An export without --since is of everything: that is what it is for.
    let mut filter = question.filter(&args.filter, Window::Everything)?;
    filter.include_tests = true;
    let store = question.store()?;
    let scanned = OnceCell::new();
    let events = Events { store: store.as_ref(), filter: &filter, scanned: &scanned };
    let written = if to_stdout {
        write(&args, events, std::io::BufWriter::new(std::io::stdout()), to_terminal)?
    } else {
        // A file has its name when it is whole, so that half an export never looks like one.
        let mut file = file::Unfinished::create(&args.out)?;
        let written = write(&args, events, &mut file, false)?;
        file.finish()?;
        written
    };
    question.tell(written, "event", scanned.get());
    Ok(Exit::Done)
}

fn write<W: Write + Send>(args: &Args, events: Events<'_>, out: W, terminal: bool) -> anyhow::Result<usize> {
    let as_rows = |format| OutputArgs { format, raw_csv: args.raw_csv, bom: args.bom, terminal };
    match args.format {
        Format::Parquet => write_parquet(events, out),
        Format::Ndjson => write_rows(events, out, as_rows(output::Format::Json)),
        Format::Csv => write_rows(events, out, as_rows(output::Format::Csv)),
    }
}

fn write_rows(events: Events<'_>, out: impl Write, output: OutputArgs) -> anyhow::Result<usize> {
    let format = output.format;
    let mut sheet = Sheet::begin(out, output, record::columns(format))?;
    let mut written = 0;
    for page in events.pages() {
        for event in page? {
            sheet.row(record::cells(event, format))?;
            written += 1;
        }
    }
    drop(sheet.end()?);
    Ok(written)
}

fn write_parquet<W: Write + Send>(events: Events<'_>, out: W) -> anyhow::Result<usize> {
    let mut writer = Writer::begin(out, Form::ForExchange).context("beginning the file")?;
    let mut written = 0;
    for page in events.pages() {
        let page = page?;
        writer.add(&page).context("writing events")?;
        written += page.len();
    }
    writer.finish().context("finishing the file")?.flush().context("finishing the file")?;
    Ok(written)
}

/// The events to export.
#[derive(Clone, Copy)]
struct Events<'a> {
    store: &'a dyn Questions,
    filter: &'a Filter,
    /// What had to be looked through, as soon as that is known.
    scanned: &'a OnceCell<Scanned>,
}

impl<'a> Events<'a> {
    fn pages(self) -> impl Iterator<Item = anyhow::Result<Vec<EventRecord>>> + 'a {
        self.store.pages(self.filter, PAGE).map(move |page| {
            let page = page?;
            if let Some(scanned) = page.scanned {
                self.scanned.get_or_init(|| scanned);
            }
            Ok(page.value)
        })
    }
}
