//! Runs that somebody looks at, kept read: the next look reads only what is new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::super::failure::Failure;
use crate::outcome::{self, OutcomeError, Run, Watched};
use crate::store::sends::Sends;

/// Questions at once: each may read a hundred thousand recipients.
const AT_ONCE: usize = 2;

/// Runs kept, and all recipients of theirs.
const MOST_RUNS: usize = 6;
const MOST_RECIPIENTS: u64 = 500_000;

/// Nobody looks any more.
const IDLE: Duration = Duration::from_secs(120);

/// The runs.
pub(in crate::web) struct Held {
    sends: Arc<dyn Sends>,
    runs: Mutex<Vec<Entry>>,
    turns: Arc<Semaphore>,
    /// Names alone are quick, and wait for no figures.
    quick_turns: Arc<Semaphore>,
}

struct Entry {
    name: String,
    asked_at: Instant,
    recipients: u64,
    slot: Slot,
}

type Slot = Arc<Mutex<Option<Watched>>>;

impl Held {
    pub(in crate::web) fn new(sends: Arc<dyn Sends>) -> Arc<Self> {
        Arc::new(Self {
            sends,
            runs: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            quick_turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The runs there are, by name.
    pub(super) async fn names(self: &Arc<Self>) -> Result<Vec<String>, Failure> {
        self.in_turn(&self.quick_turns, |held| outcome::run_names(&*held.sends)).await
    }

    /// How a run stands, for who looks once; nothing is kept that was not kept before.
    pub(super) async fn glance(self: &Arc<Self>, name: &str) -> Result<Run, Failure> {
        let name = name.to_owned();
        let is_held = lock(&self.runs).iter().any(|entry| entry.name == name);
        if is_held { self.look(&name, |_| ()).await.map(|(run, ())| run) } else { self.once(name).await }
    }

    /// How a run stands, for who will look again. `more`: what else is asked of it; nothing of what went to the sandbox alone.
    pub(super) async fn look<T: Default + Send + 'static>(
        self: &Arc<Self>,
        name: &str,
        more: impl FnOnce(&Watched) -> T + Send + 'static,
    ) -> Result<(Run, T), Failure> {
        let asked = name.to_owned();
        let looked = self
            .blocking(move |held| {
                let slot = held.slot(&asked);
                let mut watched = lock(&slot);
                let read = match watched.as_mut() {
                    Some(watched) => watched.poll().map(|_| ()),
                    None => outcome::watch(&*held.sends, &asked).map(|new| *watched = Some(new)),
                };
                if let Err(error) = read {
                    *watched = None;
                    held.forget(&asked);
                    return Err(error);
                }
                Ok(watched.as_ref().map(|watched| {
                    held.note(&asked, watched.report().recipients);
                    (Run::of(watched), more(watched))
                }))
            })
            .await;
        match looked {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Failure::Broken),
            Err(Failure::Outcome(OutcomeError::Usage(_))) => Ok((self.once(name.to_owned()).await?, T::default())),
            Err(failure) => Err(failure),
        }
    }

    async fn once(self: &Arc<Self>, name: String) -> Result<Run, Failure> {
        self.blocking(move |held| outcome::run(&*held.sends, &name)).await
    }

    /// Asks on a thread that may wait for a disk, when it is this question's turn.
    pub(in crate::web) async fn blocking<T: Send + 'static, E: Into<Failure> + Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure> {
        self.in_turn(&self.turns, ask).await
    }

    async fn in_turn<T: Send + 'static, E: Into<Failure> + Send + 'static>(
        self: &Arc<Self>,
        turns: &Arc<Semaphore>,
        ask: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|_| Failure::Stopping)?;
        let held = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            ask(&held)
        });
        answer.await.map_err(|_| Failure::Broken)?.map_err(Into::into)
    }

    pub(in crate::web) fn sends(&self) -> &dyn Sends {
        &*self.sends
    }

    /// Where a run is kept; the one that nobody asked for longest makes room.
    fn slot(&self, name: &str) -> Slot {
        let mut runs = lock(&self.runs);
        runs.retain(|entry| entry.asked_at.elapsed() < IDLE);
        let mut entry = match runs.iter().position(|entry| entry.name == name) {
            Some(at) => runs.remove(at),
            None => Entry { name: name.to_owned(), asked_at: Instant::now(), recipients: 0, slot: Slot::default() },
        };
        entry.asked_at = Instant::now();
        let slot = Arc::clone(&entry.slot);
        runs.push(entry);
        while runs.len() > MOST_RUNS
            || (runs.len() > 1 && runs.iter().map(|entry| entry.recipients).sum::<u64>() > MOST_RECIPIENTS)
        {
            runs.remove(0);
        }
        slot
    }

    fn note(&self, name: &str, recipients: u64) {
        if let Some(entry) = lock(&self.runs).iter_mut().find(|entry| entry.name == name) {
            entry.recipients = recipients;
        }
    }

    fn forget(&self, name: &str) {
        lock(&self.runs).retain(|entry| entry.name != name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is held is only read and replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
