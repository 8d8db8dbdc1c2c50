//! `mailtrail import`

mod recipients;
mod tell;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::{self, note};
use super::question::Question;
use crate::config::{BigQuery, StoreKind};
use crate::files;
use crate::import::{self, ImportError, Importer, Manner, Opened, Target};
use crate::protect::{KeyRing, Vouching};
use crate::show::visible;
use crate::store::bigquery::{Dataset, Loader, TableName, TableRows, entries};
use crate::store::keys::Keys as _;
use crate::store::lock;
use crate::store::sqlite::{ReadError, Reader, Trail};

/// Bring events in that another system, another mailtrail or a file kept
///
/// Exports of mailtrail (JSON lines, CSV, Parquet), another trail (mailtrail.db), tables with columns of ours such as event,
/// timestamp, sg_event_id, email_hash, and events as SendGrid posts them. Each event is stored once, however often it is imported
/// and whether or not the webhook brings it too. What is written is marked verified_by = import: it counts as mail that was sent,
/// and proves no uncertain send. `serve` may go on meanwhile; an import that was interrupted is begun again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files; - is standard input; bigquery:PROJECT.DATASET.TABLE a table
    #[arg(value_name = "SOURCE", required_unless_present = "from")]
    sources: Vec<String>,
    /// The same, said aloud: --from old/mailtrail.db --from bigquery:project.dataset.table
    #[arg(long, value_name = "SOURCE", conflicts_with = "sources")]
    from: Vec<String>,
    /// What the files are [default: by how they begin]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    #[command(flatten)]
    recipients: recipients::RecipientArgs,
    /// Keep what the source says of who vouched for each event. Only for a source that nobody else could write: it then counts
    /// as if SendGrid had said it here
    #[arg(long)]
    keep_verified_by: bool,
    /// Say what would become of the events, and store none
    #[arg(long)]
    dry_run: bool,
    /// How to print the counts
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format_out: output::Format,
}

/// Before the name of a table.
const BIGQUERY: &str = "bigquery:";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Events as SendGrid posts them, as JSON: one or a whole body a line, or arrays
    Sendgrid,
    /// Rows as JSON, one a line or in arrays, as `export` writes them
    Ndjson,
    /// Rows as CSV with a heading
    Csv,
    /// Rows as Parquet
    Parquet,
}

impl From<Format> for import::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Sendgrid => import::Format::SendGrid,
            Format::Ndjson => import::Format::Rows,
            Format::Csv => import::Format::Csv,
            Format::Parquet => import::Format::Parquet,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let recipients = args.recipients.read(&keys)?;
    let sources = if args.sources.is_empty() { &args.from } else { &args.sources };
    let target = target(&question, &keys, args.dry_run)?;
    let manner = Manner {
        vouching: if args.keep_verified_by { Vouching::AsStored } else { Vouching::Import },
        beside_serve: lock::holder_of(&question.paths.lock()).is_some(),
    };
    let mut importer = Importer::new(Arc::clone(&keys), &question.config.privacy, recipients, target, &manner);
    let mut told = tell::Told::begin(args.format_out, args.dry_run)?;
    for source in sources {
        let shown = visible(source).into_owned();
        let mut opened = open(source, args.format, &question).with_context(|| shown.clone())?;
        let before = *importer.counts();
        let bar = tell::Bar::new(&shown, opened.total());
        let ended = importer.run(&mut opened, |counts, opened| bar.at(counts, &before, opened.read()));
        bar.gone();
        if let Err(ImportError::Undecided) = ended {
            told.end()?;
            return Err(UsageError(format!("{shown}: {}", ImportError::Undecided)).into());
        }
        let counts = tell::since(importer.counts(), &before);
        told.source(&shown, &counts)?;
        importer.note_left_out(&identity(source), counts.unmatched)?;
        match ended {
            Ok(unknown) => {
                tell::unreadable(&shown, &unknown);
                tell::unknown(&shown, &unknown);
            }
            Err(error) => {
                told.end()?;
                return Err(anyhow::Error::from(error).context(shown));
            }
        }
    }
    importer.finish()?;
    told.end()?;
    let counts = importer.counts();
    Ok(if counts.quarantined + counts.unmatched > 0 { Exit::Failed } else { Exit::Done })
}

fn target(question: &Question, keys: &KeyRing, dry_run: bool) -> anyhow::Result<Target> {
    let paths = &question.paths;
    if let (StoreKind::BigQuery, Some(config)) = (question.config.store.kind, &question.config.bigquery) {
        if dry_run {
            note("note: what BigQuery has already is not looked up in a dry run");
            return Ok(Target::DryRun(None));
        }
        let loader = Loader::open(Dataset::new(config)?, &entries(&keys.identity()))?;
        return Ok(Target::BigQuery(Box::new(loader)));
    }
    if dry_run {
        return match Reader::open(paths) {
            Ok(reader) => Ok(Target::DryRun(Some(Box::new(reader)))),
            Err(ReadError::Missing { .. }) => Ok(Target::DryRun(None)),
            Err(error) => Err(error.into()),
        };
    }
    // A trail may begin with what is imported.
    files::owner_only();
    let folder = paths.folder();
    files::create_folder(folder).with_context(|| format!("the folder {}", folder.display()))?;
    let mut trail = Trail::open(paths.trail())?;
    trail.adopt(&keys.identity())?;
    Ok(Target::Trail(Box::new(trail)))
}

fn open(source: &str, format: Option<Format>, question: &Question) -> anyhow::Result<Opened> {
    let format = format.map(import::Format::from);
    if let Some(name) = source.strip_prefix(BIGQUERY) {
        let name = TableName::parse(name)
            .ok_or_else(|| UsageError(format!("a table of BigQuery's is written {BIGQUERY}project.dataset.table")))?;
        let google = || BigQuery::at_google(name.project.clone(), name.dataset.clone(), name.table.clone());
        let config = question.config.bigquery.clone().unwrap_or_else(google);
        return Ok(Opened::table(TableRows::open(&config, &name)?)?);
    }
    let paths = &question.paths;
    if source == "-" {
        return Ok(Opened::input(io::stdin(), format)?);
    }
    let path = Path::new(source);
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if real(path) == real(paths.trail()) {
        return Err(UsageError("that is the trail to import into ([store] path)".to_owned()).into());
    }
    Ok(Opened::file(path, format)?)
}

/// What tells sources apart: the same file is the same source from wherever it is named.
fn identity(source: &str) -> String {
    let path = PathBuf::from(source);
    path.canonicalize().map_or_else(|_| source.to_owned(), |path| path.to_string_lossy().into_owned())
}
