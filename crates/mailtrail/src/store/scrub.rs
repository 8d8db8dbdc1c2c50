//! Cleans the spool of people who were forgotten: what is drained is deleted, but its bytes stay in unused pages and in the log
//! until the file is written anew. Done when somebody asks for it, and when an event of theirs came in late.

use std::time::{Duration, Instant};

use super::sqlite::{Trail, TrailError};
use crate::spool::{Outlet, Position};

/// Late events may come one after the other; answering waits for each cleaning.
const AT_MOST_EVERY: Duration = Duration::from_secs(2);

/// What the drain knows of it.
#[derive(Default)]
pub(super) struct Scrubber {
    /// The wish, and up to where the spool must be drained for it.
    wish: Option<(i64, Position)>,
    last: Option<Instant>,
}

impl Scrubber {
    /// Does what is wished as soon as the drain is far enough.
    pub(super) fn look(&mut self, outlet: &Outlet, trail: &mut Trail) -> Result<(), TrailError> {
        if self.wish.is_none() {
            self.wish = trail.scrub_wanted()?.map(|number| (number, outlet.head()));
        }
        let Some((number, through)) = self.wish else { return Ok(()) };
        if outlet.position() < through || self.last.is_some_and(|last| last.elapsed() < AT_MOST_EVERY) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        if outlet.scrub() {
            trail.note_scrubbed(number)?;
            self.wish = None;
        }
        Ok(())
    }
}
