//! `mailtrail restore`

use std::io::Write as _;
use std::path::PathBuf;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::note;
use super::question::Question;
use super::time;
use crate::config::StoreKind;
use crate::protect::KeyRing;
use crate::store::backup::manifest::Origin;
use crate::store::restore::Sound;
use crate::store::restored;

/// Put a backup back where there is no store
///
/// Overwrites nothing. The configuration says where to, and its key file must be the one of the backup. What was sent after the
/// backup is not in its ledger, so `send` refuses until `reconcile` has run or --ledger-is-whole was said.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that `backup` wrote
    #[arg(value_name = "DIR", required_unless_present = "ledger_is_whole")]
    dir: Option<PathBuf>,
    /// Put the key file back first, of a backup that has it
    #[arg(long, requires = "dir")]
    with_key: bool,
    /// Restore a backup that is not signed, as those of earlier versions are: only its checksums and tables are checked
    #[arg(long, requires = "dir")]
    allow_unauthenticated: bool,
    /// Instead, say of a restored store that nothing was sent since its backup: `send` works again
    #[arg(long, conflicts_with = "dir")]
    ledger_is_whole: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    if question.config.store.kind == StoreKind::BigQuery {
        let why = "restore puts a trail back on this machine, and [store] kind = \"bigquery\" has none: bring lost rows back by BigQuery's time \
                   travel or a table snapshot. To look into a backup, restore it with a configuration of kind \"sqlite\"";
        return Err(UsageError(why.to_owned()).into());
    }
    let mut out = std::io::stdout().lock();
    let Some(dir) = &args.dir else {
        match restored::look(&question.paths)? {
            None => writeln!(out, "this store needs no such word: it was not restored, or it is settled")?,
            Some(found) => {
                restored::clear(&question.paths)?;
                writeln!(out, "noted: nothing was sent since {}", time::rfc3339(found.since))?;
            }
        }
        return Ok(Exit::Done);
    };
    let sound = Sound::check(dir)?;
    let privacy = &question.config.privacy;
    if args.with_key {
        sound.restore_key(&privacy.key_file)?;
    }
    let origin = sound.restore(&question.paths, &KeyRing::load(privacy)?, args.allow_unauthenticated)?;
    if origin == Origin::Unsigned {
        note(
            "the backup is not signed. Its checksums and tables were checked, but not who made it: whoever could write the folder could change, add or remove events and sends",
        );
    }
    let manifest = sound.manifest();
    writeln!(
        out,
        "restored to {}: {} events as of {}",
        question.paths.trail().display(),
        manifest.rows("event"),
        time::rfc3339(manifest.created_at)
    )?;
    writeln!(
        out,
        "What came in after that is missing until mailtrail reconcile has run. So is what was sent: send refuses until then, or until mailtrail restore --ledger-is-whole."
    )?;
    Ok(Exit::Done)
}
