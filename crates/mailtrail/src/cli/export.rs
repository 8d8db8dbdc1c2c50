//! `mailtrail export`

mod file;
mod parquet;

use std::io::Write;
use std::path::PathBuf;

use super::Global;
use super::exit::Exit;
use super::output::{self, OutputArgs, Sheet};
use super::question::{FilterArgs, Question};
use super::record;
use crate::store::query::{EventRecord, Filter};
use crate::store::sqlite::Reader;

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
    /// Leave cells of CSV as they are, even those that a spreadsheet would take for a formula
    #[arg(long)]
    raw_csv: bool,
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
    let question = Question::new(global)?;
    // An export without --since is of everything: that is what it is for.
    let mut filter = question.filter(&args.filter, false)?;
    filter.include_tests = true;
    let reader = question.reader()?;
    let events = Events { reader: &reader, filter: &filter };
    let written = if args.out.as_os_str() == "-" {
        write(&args, events, std::io::BufWriter::new(std::io::stdout()))?
    } else {
        // A file has its name when it is whole, so that half an export never looks like one.
        let mut file = file::Unfinished::create(&args.out)?;
        let written = write(&args, events, &mut file)?;
        file.finish()?;
        written
    };
    question.tell(written, "event", None);
    Ok(Exit::Done)
}

fn write<W: Write + Send>(args: &Args, events: Events<'_>, out: W) -> anyhow::Result<usize> {
    match args.format {
        Format::Parquet => parquet::write(events, out),
        Format::Ndjson => write_rows(events, out, output::Format::Json, args.raw_csv),
        Format::Csv => write_rows(events, out, output::Format::Csv, args.raw_csv),
    }
}

fn write_rows(events: Events<'_>, out: impl Write, format: output::Format, raw_csv: bool) -> anyhow::Result<usize> {
    let mut sheet = Sheet::begin(out, OutputArgs { format, raw_csv }, record::columns(format))?;
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

/// The events to export.
#[derive(Clone, Copy)]
struct Events<'a> {
    reader: &'a Reader,
    filter: &'a Filter,
}

impl<'a> Events<'a> {
    /// Page after page, each a question of its own, so that a long export holds nothing up.
    fn pages(self) -> impl Iterator<Item = anyhow::Result<Vec<EventRecord>>> + 'a {
        let mut after = None;
        std::iter::from_fn(move || {
            let page = match self.reader.page(self.filter, after.as_ref(), PAGE) {
                Ok(page) => page.value,
                Err(error) => return Some(Err(error.into())),
            };
            after = Some(page.last()?.place());
            Some(Ok(page))
        })
    }
}
