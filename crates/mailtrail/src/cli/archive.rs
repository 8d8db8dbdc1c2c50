//! `mailtrail archive`

use std::io::Write as _;
use std::path::PathBuf;

use super::Global;
use super::exit::Exit;
use super::prune::{self, Kept};
use super::question::Question;
use super::time;
use crate::archive::{Folder, Month, archive, survey};
use crate::clock;
use crate::protect::KeyRing;
use crate::store::keys::Keys as _;
use crate::store::sqlite::health;

/// Write old months to Parquet files, and take them out of the trail if you say so
///
/// One file a month of UTC, with the columns of `export`; each is read back and compared before it counts, and manifest.json names
/// it with its checksums. What comes in for a month that has its file goes to another one beside it. `serve` may go on
/// meanwhile. Interrupted, the same command goes on.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whole months before this event time: 2026-01-01, 365d
    #[arg(long, value_name = "TIME")]
    before: String,
    /// The archive's folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Then remove from the trail what the archive holds
    #[arg(long)]
    prune: bool,
    /// Then build the trail's file anew, so that the disk gets the room back
    #[arg(long, requires = "prune")]
    vacuum: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    let now = clock::now_micros();
    let before = Month::of(time::parse(&args.before, now)?.min(now));
    if args.prune {
        prune::old_enough(before.begin(), now, true)?;
    }
    // Says where there is no trail, rather than making one.
    let reader = question.reader()?;
    let mut out = std::io::stdout().lock();
    if reader.first_between(i64::MIN, before.begin())?.is_none() {
        writeln!(out, "nothing to archive: no event in the trail is of a month before {before}")?;
        return Ok(Exit::Done);
    }
    let keys = KeyRing::load(&question.config.privacy)?.identity();
    health::keys_fit(question.paths.trail(), &keys)?;
    let mut folder = Folder::open(&args.to, &keys)?;
    let mut told = Ok(());
    let written = archive(&reader, &mut folder, before, |entry| {
        let line =
            writeln!(out, "{}  {:>10} events  {:>12} bytes  {}", entry.month, entry.events, entry.bytes, entry.name);
        // The archive goes on where nobody reads along.
        told = std::mem::replace(&mut told, Ok(())).and(line);
    })?;
    told?;
    let files = &folder.manifest().files;
    let events: u64 = files.iter().map(|file| file.events).sum();
    writeln!(
        out,
        "archived and read back: {written} events; {} holds {events} in {} files",
        args.to.display(),
        files.len()
    )?;
    question.tell_backlog();
    if !args.prune {
        return Ok(Exit::Done);
    }
    let kept = Kept::of(&question, Some(&folder))?;
    // What came in meanwhile is archived next time, and stays until then; what waits to be copied stays, too.
    let found = survey(&reader, before.begin(), kept.rules())?;
    if found.not_forwarded > 0 {
        anyhow::bail!(prune::refusal(&found, &kept));
    }
    prune::remove(&question, &reader, before.begin(), &kept, args.vacuum, &mut out)?;
    Ok(Exit::Done)
}
