//! What the spool holds, counted, and bounded before it is written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Position;

/// So many posts being worked on at once are a rush.
const RUSH: u64 = 4;
/// Whoever rests in a rush looks so often whether it is over, and believes it after so many looks: between a commit and
/// the next posts there is none for a moment.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 5;

/// An amount of spooled batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Batches.
    pub rows: u64,
    /// Their items, events and sealed ones.
    pub items: u64,
    /// Their size.
    pub bytes: u64,
}

/// What writer, outlet and those who ask share.
pub(crate) struct Shared {
    rows: AtomicU64,
    items: AtomicU64,
    /// With what waits for its commit.
    bytes: AtomicU64,
    /// Posts between their body and their answer.
    underway: AtomicU64,
    max_bytes: u64,
    closed: AtomicBool,
    progress: Mutex<Progress>,
    grew: Condvar,
    /// Apart from growth: whoever rests is not to be woken by each commit.
    poked: Condvar,
}

#[derive(Default)]
struct Progress {
    head: Position,
    /// Why the last write failed.
    blocked: Option<Arc<str>>,
    /// Why nothing may be written although that would succeed: a file was replaced.
    replaced: Option<Arc<str>>,
    /// When the oldest batch that is not drained came in.
    oldest: Option<i64>,
    /// Wakes the outlet though nothing came in.
    poked: bool,
}

impl Shared {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            rows: AtomicU64::new(0),
            items: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            underway: AtomicU64::new(0),
            max_bytes,
            closed: AtomicBool::new(false),
            progress: Mutex::default(),
            grew: Condvar::new(),
            poked: Condvar::new(),
        }
    }

    /// A post is being worked on, from now on until what this returns is dropped.
    pub(super) fn enter(shared: &Arc<Self>) -> Underway {
        shared.underway.fetch_add(1, Ordering::Relaxed);
        Underway { shared: Arc::clone(shared) }
    }

    /// Room for a batch; `None` where there is none. An empty spool takes a batch of any size.
    pub(super) fn reserve(shared: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let room = |held: u64| (held == 0 || held.saturating_add(bytes) <= shared.max_bytes).then(|| held + bytes);
        shared.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        Some(Reservation { shared: Arc::clone(shared), bytes })
    }

    pub(super) fn add(&self, more: Backlog) {
        self.rows.fetch_add(more.rows, Ordering::Relaxed);
        self.items.fetch_add(more.items, Ordering::Relaxed);
        self.bytes.fetch_add(more.bytes, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, less: Backlog) {
        for (counter, less) in [(&self.rows, less.rows), (&self.items, less.items), (&self.bytes, less.bytes)] {
            // Counts of a damaged file may be short of what is read from it later.
            let _before = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_sub(less)));
        }
    }

    pub(crate) fn backlog(&self) -> Backlog {
        Backlog {
            rows: self.rows.load(Ordering::Relaxed),
            items: self.items.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Whether posts wait for each other while the backlog is still small: then answering them comes first.
    pub(super) fn is_rushed(&self) -> bool {
        self.underway.load(Ordering::Relaxed) >= RUSH && self.bytes.load(Ordering::Relaxed) < self.max_bytes / 4
    }

    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // Nothing panics while it holds the lock; if it ever does, the values are still whole.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, head: Position) {
        let mut progress = self.progress();
        (progress.head, progress.poked) = (head, true);
        self.wake();
    }

    /// A commit succeeded.
    pub(super) fn committed(&self, id: i64) {
        let mut progress = self.progress();
        progress.blocked = None;
        if id > progress.head.id {
            progress.head.id = id;
            self.grew.notify_all();
        }
    }

    pub(super) fn blocked(&self, why: Arc<str>) {
        self.progress().blocked = Some(why);
    }

    pub(crate) fn why_blocked(&self) -> Option<Arc<str>> {
        let progress = self.progress();
        progress.replaced.clone().or_else(|| progress.blocked.clone())
    }

    pub(super) fn set_replaced(&self, why: Option<String>) {
        let mut progress = self.progress();
        match (&why, &progress.replaced) {
            (Some(why), None) => tracing::error!("{why}; posts are answered 503 and SendGrid repeats them"),
            (None, Some(_)) => tracing::info!("all files of the store are in place again"),
            _ => {}
        }
        progress.replaced = why.map(Into::into);
    }

    pub(crate) fn why_replaced(&self) -> Option<Arc<str>> {
        self.progress().replaced.clone()
    }

    pub(crate) fn head(&self) -> Position {
        self.progress().head
    }

    pub(super) fn set_oldest(&self, received_at: Option<i64>) {
        self.progress().oldest = received_at;
    }

    pub(crate) fn oldest(&self) -> Option<i64> {
        self.progress().oldest
    }

    /// Waits until there is more than `seen`, or somebody pokes, or the time is over.
    pub(super) fn wait_beyond(&self, seen: Position, at_most: Duration) {
        let waiting = |progress: &mut Progress| progress.head <= seen && !progress.poked;
        let guard = self.progress();
        let (mut progress, _timeout) =
            self.grew.wait_timeout_while(guard, at_most, waiting).unwrap_or_else(PoisonError::into_inner);
        progress.poked = false;
    }

    /// Waits until somebody pokes or the time is over.
    pub(super) fn rest(&self, at_most: Duration) {
        self.was_poked_within(at_most);
    }

    /// The same, but no longer than posts wait for each other.
    pub(super) fn rest_while_rushed(&self, at_most: Duration) {
        let (begun, mut quiet) = (Instant::now(), 0);
        while quiet < LOOKS && begun.elapsed() < at_most && !self.was_poked_within(LOOK) {
            quiet = if self.is_rushed() { 0 } else { quiet + 1 };
        }
    }

    fn was_poked_within(&self, time: Duration) -> bool {
        let guard = self.progress();
        let (mut progress, _timeout) = self
            .poked
            .wait_timeout_while(guard, time, |progress| !progress.poked)
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut progress.poked)
    }

    pub(crate) fn poke(&self) {
        self.progress().poked = true;
        self.wake();
    }

    fn wake(&self) {
        self.grew.notify_all();
        self.poked.notify_all();
    }
}

/// Room taken for a batch, given back where the batch is not stored.
pub(super) struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Reservation {
    /// The batch is stored: from here on it counts as backlog.
    pub(super) fn keep(mut self, items: u32) {
        self.shared.add(Backlog { rows: 1, items: u64::from(items), bytes: 0 });
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A post that is being worked on.
pub struct Underway {
    shared: Arc<Shared>,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.shared.underway.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_given_back() {
        let shared = Arc::new(Shared::new(100));
        let first = Shared::reserve(&shared, 60).expect("room");
        assert!(Shared::reserve(&shared, 41).is_none());
        let second = Shared::reserve(&shared, 40).expect("room");
        assert!(Shared::reserve(&shared, 1).is_none());
        drop(second);
        first.keep(7);
        assert_eq!(shared.backlog(), Backlog { rows: 1, items: 7, bytes: 60 });
        shared.remove(Backlog { rows: 1, items: 7, bytes: 60 });
        assert_eq!(shared.backlog(), Backlog::default());
        let large = Shared::reserve(&shared, 1_000).expect("an empty spool takes any batch");
        assert!(Shared::reserve(&shared, 1).is_none());
        drop(large);
    }

    #[test]
    fn a_rush_is_many_posts_while_there_is_room() {
        let shared = Arc::new(Shared::new(100));
        let mut underway: Vec<_> = (0..RUSH).map(|_| Shared::enter(&shared)).collect();
        assert!(shared.is_rushed());
        let large = Shared::reserve(&shared, 30).expect("room");
        assert!(!shared.is_rushed(), "a backlog that grows comes first again");
        drop(large);
        assert!(shared.is_rushed());
        underway.pop();
        assert!(!shared.is_rushed());
    }

    #[test]
    fn whoever_rests_in_a_rush_goes_on_when_the_rush_is_over_or_somebody_pokes() {
        const FOREVER: Duration = Duration::from_secs(600);
        let shared = Arc::new(Shared::new(100));
        let underway: Vec<_> = (0..RUSH).map(|_| Shared::enter(&shared)).collect();
        shared.rest_while_rushed(2 * LOOK);
        assert!(shared.is_rushed(), "the time is over, the rush is not");
        shared.poke();
        shared.rest_while_rushed(FOREVER);
        let other = Arc::clone(&shared);
        let rests = std::thread::spawn(move || other.rest_while_rushed(FOREVER));
        drop(underway);
        rests.join().expect("it goes on");
    }
}
