//! `mailtrail prune`

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use super::Global;
use super::exit::{Exit, UsageError};
use super::question::Question;
use super::time;
use crate::archive::{self, Folder, Forwarding, Rules, Survey, YOUNGEST};
use crate::clock;
use crate::protect::KeyRing;
use crate::store::keys::Keys as _;
use crate::store::sqlite::Reader;

/// Remove old events from the trail that are proven to be kept elsewhere
///
/// In an archive that `mailtrail archive` wrote, or, without --archive, in BigQuery, as far as the trail was forwarded there.
/// Refused where one of them is not. The ledger of sends stays whole. `serve` may go on meanwhile. Interrupted, the same command
/// goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Events before this time: 2026-01-01, 365d; at least 31 days ago
    #[arg(long, value_name = "TIME")]
    before: String,
    /// The archive that holds them
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Then build the trail's file anew, so that the disk gets the room back
    #[arg(long, conflicts_with = "dry_run")]
    vacuum: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    let now = clock::now_micros();
    let until = time::parse(&args.before, now)?;
    old_enough(until, now, false)?;
    let reader = question.reader()?;
    let keys = KeyRing::load(&question.config.privacy)?.identity();
    let folder = args.archive.as_deref().map(|path| Folder::existing(path, &keys)).transpose()?;
    let kept = Kept::of(&question, folder.as_ref())?;
    let survey = archive::survey(&reader, until, kept.rules())?;
    let mut out = std::io::stdout().lock();
    if args.dry_run {
        writeln!(out, "would be removed: {} events before {}", survey.proven, time::rfc3339(until))?;
    }
    if !survey.is_clear() {
        anyhow::bail!(refusal(&survey, &kept));
    }
    if !args.dry_run {
        remove(&question, &reader, until, &kept, args.vacuum, &mut out)?;
    }
    Ok(Exit::Done)
}

/// What is too young is refused: it could come back as a new event.
pub(super) fn old_enough(until: i64, now: i64, months: bool) -> Result<(), UsageError> {
    if !archive::young(until, now) {
        return Ok(());
    }
    let newest = now - YOUNGEST;
    let newest = if months { archive::Month::of(newest).begin() } else { newest - newest.rem_euclid(1_000_000) };
    Err(UsageError(format!(
        "events of the last 31 days are not pruned: SendGrid repeats for a day, and `reconcile` fetches what its logs hold, \
         for 30 days; an event that is gone would come back as a new one. Today at most --before {}",
        time::rfc3339(newest)
    )))
}

/// Where what is removed is kept.
pub(super) struct Kept<'f> {
    folder: Option<&'f Folder>,
    forwarding: Option<Forwarding>,
}

impl<'f> Kept<'f> {
    pub(super) fn of(question: &Question, folder: Option<&'f Folder>) -> anyhow::Result<Self> {
        // With an archive BigQuery has a say only where the trail is still copied there.
        let bigquery = question.config.bigquery.as_ref().filter(|bigquery| bigquery.forward || folder.is_none());
        let forwarding = bigquery.map(|bigquery| Forwarding::look(bigquery, &question.paths)).transpose()?;
        if folder.is_none() && forwarding.is_none() {
            return Err(UsageError(
                "nothing says where these events are kept: name their archive by --archive DIR (mailtrail archive writes one), or \
                 forward the trail to BigQuery ([bigquery] forward = true)"
                    .to_owned(),
            )
            .into());
        }
        Ok(Self { folder, forwarding })
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules { archive: self.folder, forwarding: self.forwarding.as_ref() }
    }
}

/// Why nothing is removed.
pub(super) fn refusal(survey: &Survey, kept: &Kept<'_>) -> String {
    let table = kept.forwarding.as_ref().map_or("BigQuery", |forwarding| forwarding.table.as_str());
    let reasons = [
        (survey.not_archived, "are in no file of the archive: run mailtrail archive first".to_owned()),
        (survey.not_forwarded, format!("are not copied to {table} yet: a running mailtrail serve copies them")),
        (
            survey.refused,
            format!("were refused by {table} and are nowhere else: archive them, and name the archive by --archive"),
        ),
    ];
    let mut text = "nothing was removed".to_owned();
    for (events, why) in reasons.into_iter().filter(|(events, _)| *events > 0) {
        // Writing to a text cannot fail.
        let _written = write!(text, "; {events} events {why}");
    }
    text
}

/// Removes what is proven, and says what became of it.
pub(super) fn remove(
    question: &Question,
    reader: &Reader,
    until: i64,
    kept: &Kept<'_>,
    vacuum: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let pruned = archive::prune(&question.paths, reader, until, kept.rules())?;
    let deleted = pruned.deleted;
    writeln!(
        out,
        "removed from the trail: {} events before {}, {} messages, {} addresses",
        deleted.events,
        time::rfc3339(until),
        deleted.messages,
        deleted.addresses
    )?;
    let late = pruned.survey.not_archived + pruned.survey.not_forwarded + pruned.survey.refused;
    if late > 0 {
        writeln!(out, "{late} events came in meanwhile and stay; the same command takes them, too")?;
    }
    if vacuum {
        archive::give_back(&question.paths)?;
        writeln!(out, "the trail's file is built anew: {} bytes went back to the disk", pruned.free_bytes)?;
    } else if pruned.free_bytes > 0 {
        let free = pruned.free_bytes;
        writeln!(
            out,
            "{free} bytes of the trail's file are free for new events; --vacuum gives them back to the disk"
        )?;
    }
    Ok(())
}
