//! Spool → trail: one thread, at lower priority than the one that answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::keys::Keys;
use super::paths::Paths;
use super::priority::give_way;
use super::relay::{RelayError, RelayFile};
use super::scrub::Scrubber;
use super::sqlite::{Appended, Trail, TrailError};
use crate::database::{self, Replaced};
use crate::spool::{Outlet, OutletError, Position, SpooledPost};

/// Items in one transaction, about: large ones are what makes the trail fast (`BEGIN IMMEDIATE` lets other writers in
/// between).
const ITEMS_A_COMMIT: u64 = 20_000;
/// Idle, the thread looks again after this even if nobody woke it.
const IDLE: Duration = Duration::from_secs(1);
/// After a small transaction it lets more come in: many small ones would take the disk's syncs from those who wait for a
/// 200, and cost the trail far more than one large one.
const GATHER: Duration = Duration::from_millis(100);
/// While posts queue up and the backlog is small, it rests so many times as long as it worked, at most so long at once. Its
/// priority alone does not keep it from the gaps in which they wait for the disk, and there it is in the way of the next.
const RESTS: u32 = 8;
const LONGEST_REST: Duration = Duration::from_secs(2);
/// The files are compared with their paths so often.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// After a failure it waits, from the first to the second, doubling.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What the drain tells others.
pub(super) struct DrainState {
    totals: Mutex<Appended>,
    trouble: Mutex<Option<Arc<str>>>,
    position: watch::Sender<Position>,
    stop: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl DrainState {
    pub(super) fn new() -> Self {
        Self {
            totals: Mutex::default(),
            trouble: Mutex::default(),
            position: watch::Sender::new(Position::default()),
            stop: AtomicBool::new(false),
            deadline: Mutex::default(),
        }
    }

    pub(super) fn totals(&self) -> Appended {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Asks for the end: when all is drained, or at the deadline.
    pub(super) fn stop_by(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.stop.store(true, Ordering::Release);
    }

    fn must_stop(&self) -> bool {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_stopping() && deadline.is_none_or(|deadline| Instant::now() >= deadline)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn set_trouble(&self, trouble: Option<String>) {
        let mut held = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&trouble, &*held) {
            (Some(new), None) => tracing::error!("draining stopped for now, received events wait in the spool: {new}"),
            (None, Some(_)) => tracing::info!("draining goes on"),
            _ => {}
        }
        *held = trouble.map(Into::into);
    }
}

#[derive(Debug, thiserror::Error)]
enum DrainError {
    #[error(transparent)]
    Replaced(#[from] Replaced),
    #[error(transparent)]
    Spool(#[from] OutletError),
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error(transparent)]
    Relay(#[from] RelayError),
}

/// Where posts go that are to be passed on. Opened with the first one: most stores pass nothing on. Whoever drains needs it,
/// also a command that knows nothing of consumers, or their posts would be lost with the spool's rows.
pub(super) struct Relayed {
    paths: Paths,
    wanted: bool,
    file: Option<RelayFile>,
    /// Up to here the trail may have rows of POSTs that are not in the file yet, so that known events prove nothing.
    unsure_through: Position,
}

impl Relayed {
    /// Before the drain begins and deliveries do.
    pub(super) fn open(paths: Paths, wanted: bool) -> Self {
        let file = match if wanted { RelayFile::open_or_give_up(&paths) } else { Ok(None) } {
            Ok(file) => file,
            Err(error) => {
                tracing::error!("{error}; it is opened again when a POST is to be passed on");
                None
            }
        };
        Self { paths, wanted, file, unsure_through: Position::default() }
    }

    fn add(&mut self, posts: &[SpooledPost]) -> Result<(), RelayError> {
        if posts.is_empty() || !self.wanted {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(RelayFile::open(&self.paths)?),
        };
        let added = file.add(posts);
        if added.as_ref().is_err_and(RelayError::is_io)
            && let Some(file) = self.file.take()
        {
            file.abandon();
        }
        added
    }
}

/// The trail as the drain has it. After a failed sync it is closed, and opened again before anything is written to it.
struct TrailHandle<'k> {
    trail: Option<Trail>,
    paths: Paths,
    keys: &'k dyn Keys,
}

impl TrailHandle<'_> {
    fn get(&mut self) -> Result<&mut Trail, TrailError> {
        let trail = match self.trail.take() {
            Some(trail) => trail,
            None => {
                let mut trail = Trail::open_existing(self.paths.trail())?;
                trail.adopt(&self.keys.identity())?;
                trail
            }
        };
        Ok(self.trail.insert(trail))
    }

    fn distrust_after(&mut self, error: &TrailError) {
        if error.is_of_file()
            && let Some(trail) = self.trail.take()
        {
            trail.abandon();
        }
    }
}

/// Runs until told to stop.
pub(super) fn run(mut outlet: Outlet, trail: Trail, mut relayed: Relayed, keys: &dyn Keys, state: &DrainState) {
    give_way("the drain");
    let mut pause = RETRY.0;
    let mut scrubber = Scrubber::default();
    // What an earlier process left in the spool.
    relayed.unsure_through = outlet.head();
    let mut handle = TrailHandle { trail: Some(trail), paths: relayed.paths.clone(), keys };
    let folder = relayed.paths.folder().canonicalize().unwrap_or_else(|_| relayed.paths.folder().to_owned());
    let mut compared: Option<Instant> = None;
    while !state.must_stop() {
        let begun = Instant::now();
        if compared.is_none_or(|at| at.elapsed() >= COMPARE_EVERY) {
            compared = Some(begun);
            outlet.set_replaced(database::check_folder(&folder).err());
        }
        let stepped = handle.get().map_err(DrainError::from);
        match stepped.and_then(|trail| step(&mut outlet, trail, &mut relayed, keys, state)) {
            Ok(drained) => {
                pause = RETRY.0;
                state.set_trouble(None);
                state.position.send_replace(outlet.position());
                if let Err(error) = handle.get().and_then(|trail| scrubber.look(&outlet, trail)) {
                    tracing::warn!("the spool is not cleaned of people who were forgotten, and will be later: {error}");
                    handle.distrust_after(&error);
                }
                match drained {
                    Some(_) if state.is_stopping() => {}
                    Some(_) if outlet.is_rushed() => {
                        outlet.rest_while_rushed((begun.elapsed() * RESTS).min(LONGEST_REST))
                    }
                    Some(Amount::Little) => outlet.rest(GATHER),
                    Some(Amount::Much) => {}
                    None if state.is_stopping() => break,
                    None => outlet.wait(IDLE),
                }
            }
            Err(error) => {
                if let DrainError::Trail(error) = &error {
                    handle.distrust_after(error);
                }
                state.set_trouble(Some(error.to_string()));
                outlet.rest(pause);
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
    if let Some(mut trail) = handle.trail
        && let Err(error) = trail.settle()
    {
        tracing::warn!("the trail's log stays for the next start: {error}");
    }
    // Whoever waits for a position looks once more, and sees that the keeper is closed.
    state.position.send_modify(|_| {});
}

/// How much a transaction took.
enum Amount {
    Little,
    Much,
}

/// One transaction; `None` where there is nothing to drain.
fn step(
    outlet: &mut Outlet,
    trail: &mut Trail,
    relayed: &mut Relayed,
    keys: &dyn Keys,
    state: &DrainState,
) -> Result<Option<Amount>, DrainError> {
    // What an earlier one left that failed.
    outlet.again();
    let mut next = outlet.next(ITEMS_A_COMMIT)?;
    if next.is_none() {
        return Ok(None);
    }
    let (mut posts, mut known) = (Vec::new(), 0);
    let is_sure = outlet.position() >= relayed.unsure_through;
    let appended = trail.append_each(
        &mut |add| {
            // Asked for once more: the first piece went into the transaction that failed.
            if next.is_none() {
                (posts, known) = (Vec::new(), 0);
                outlet.again();
                next = outlet.next(ITEMS_A_COMMIT)?;
            }
            while let Some(piece) = next.take() {
                let mut of_piece = piece.posts.into_iter().peekable();
                for (at, record) in piece.records.iter().enumerate() {
                    let is_new = add(record)?;
                    match of_piece.next_if(|(of, _)| *of == at) {
                        Some((_, post)) if is_new || !is_sure => posts.push(post),
                        Some(_) => known += 1,
                        None => {}
                    }
                }
                next = outlet.next(ITEMS_A_COMMIT)?;
            }
            Ok::<_, DrainError>(())
        },
        &|bytes, why| keys.seal(bytes, why),
    )?;
    // From here until the posts are added, a failure leaves rows in the trail whose posts are still to be relayed.
    let before = std::mem::replace(&mut relayed.unsure_through, outlet.chunk_through());
    trail.check_in_place()?;
    // Behind the trail, whose duplicate rows are recognised if this fails and all is read again; posts are not.
    relayed.add(&posts)?;
    relayed.unsure_through = before;
    if known > 0 {
        metrics::counter!("mailtrail_relay_known_total").increment(known);
    }
    // Durable in both: only now may the spool let go.
    let chunk = outlet.drained();
    *state.totals.lock().unwrap_or_else(PoisonError::into_inner) += appended;
    // The chunk is in; a failing checkpoint is tried again at the next commit.
    if let Err(error) = trail.checkpoint_if_long() {
        tracing::warn!("the trail's log stays long: {error}");
    }
    Ok(Some(if chunk.is_small(ITEMS_A_COMMIT) { Amount::Little } else { Amount::Much }))
}
