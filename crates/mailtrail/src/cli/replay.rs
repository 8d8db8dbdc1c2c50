//! `mailtrail replay`

use std::io::Write as _;
use std::sync::Arc;

use super::Global;
use super::exit::Exit;
use super::question::Question;
use crate::protect::{KeyRing, Protector};
use crate::store::keys::Keys as _;
use crate::store::replay::replay;
use crate::store::sqlite::{Reader, Trail};

/// Read the quarantine again, after an upgrade
///
/// What was authentic but could not be read is kept sealed. This opens it, and what this version can read goes to the
/// trail; the rest stays. `serve` may go on meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    // Says where there is no trail, rather than making one.
    drop(Reader::open(&question.paths)?);
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let protector = Protector::new(Arc::clone(&keys), &question.config.privacy);
    let mut trail = Trail::open(question.paths.trail())?;
    trail.adopt(&keys.identity())?;
    let replayed = replay(&mut trail, keys.as_ref(), &protector)?;
    writeln!(
        std::io::stdout(),
        "{} entries in quarantine: {} read ({} new events), {} still unreadable, {} that the key file does not open",
        replayed.entries,
        replayed.read,
        replayed.stored,
        replayed.unreadable,
        replayed.locked
    )?;
    Ok(Exit::Done)
}
