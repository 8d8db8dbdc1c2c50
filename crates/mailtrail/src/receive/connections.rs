//! The connections that are open, and which of them only wait. When all places are taken, the one that has waited
//! longest for its next request gives way, so that idle or slow clients cannot keep others out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

type Waiting = BTreeMap<u64, Arc<Notify>>;

/// All places for connections.
#[derive(Clone)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    waiting: Arc<Mutex<Waiting>>,
    clock: Arc<AtomicU64>,
}

/// One connection's place; free again when dropped.
pub(super) struct Place {
    all: Connections,
    give_way: Arc<Notify>,
    /// Where it stands among those that wait.
    turn: Mutex<Option<u64>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), waiting: Arc::default(), clock: Arc::default() }
    }

    /// A place for a new connection, made free by the longest waiting one if need be.
    pub(super) async fn place(&self) -> Option<Place> {
        let permit = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                if let Some((_, longest)) = lock(&self.waiting).pop_first() {
                    metrics::counter!("mailtrail_connections_evicted_total").increment(1);
                    longest.notify_one();
                }
                Arc::clone(&self.places).acquire_owned().await.ok()?
            }
        };
        let place = Place { all: self.clone(), give_way: Arc::default(), turn: Mutex::default(), _permit: permit };
        place.waits();
        Some(place)
    }
}

impl Place {
    /// This connection waits for a request from now on.
    pub(super) fn waits(&self) {
        let turn = self.all.clock.fetch_add(1, Ordering::Relaxed);
        lock(&self.all.waiting).insert(turn, Arc::clone(&self.give_way));
        *lock(&self.turn) = Some(turn);
    }

    /// This connection has a request in work and is left alone.
    pub(super) fn works(&self) {
        if let Some(turn) = lock(&self.turn).take() {
            lock(&self.all.waiting).remove(&turn);
        }
    }

    /// Resolves when this connection has to make place for another.
    pub(super) async fn must_give_way(&self) {
        self.give_way.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.works();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_waiting_gives_way_and_the_working_stay() {
        let connections = Connections::new(2);
        let works = connections.place().await.expect("a place");
        works.works();
        let waits = connections.place().await.expect("a place");
        let newcomer = tokio::spawn({
            let connections = connections.clone();
            async move { connections.place().await.is_some() }
        });
        waits.must_give_way().await;
        drop(waits);
        assert!(newcomer.await.expect("no panic"));
        let kept = tokio::time::timeout(std::time::Duration::from_millis(1), works.must_give_way()).await;
        assert!(kept.is_err(), "a connection with a request in work is left alone");
    }
}
