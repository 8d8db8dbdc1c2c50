//! The open connections, and which of them may be closed to make room: those without progress for longest.
//!
//! A connection may be closed while it is idle, during its TLS handshake, while its head or body arrives, and while an answer is
//! written; not while an authenticated body is being stored. So clients that prove nothing cannot keep others out, however
//! many they are and however slowly they send.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::peer::{Peer, VerifiedPeers};

/// One address may have so many of all connections, and so much of the memory for bodies, while more than half of all is used.
const SHARE_OF_ONE: usize = 4;
/// A body that has not grown by a step for this long may be given up for another one.
const SLOW: Duration = Duration::from_secs(1);

/// All connections of a listener. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Registry>);

struct Registry {
    places: Arc<Semaphore>,
    most: usize,
    state: Mutex<State>,
    verified: VerifiedPeers,
}

#[derive(Default)]
struct State {
    next_turn: u64,
    /// By the time of their last progress.
    evictable: BTreeMap<u64, Evictable>,
    /// Open connections by address, where it is known.
    connections: HashMap<Peer, usize>,
    /// Memory of bodies that nothing has proven yet, by address, where it is known.
    body_kib: HashMap<Peer, usize>,
}

struct Evictable {
    evict: Arc<Notify>,
    peer: Option<Peer>,
    body: Option<BodyProgress>,
}

struct BodyProgress {
    kib: u32,
    since: Instant,
}

/// Room for one connection that is not accepted yet.
pub(crate) struct Room {
    all: Connections,
    permit: OwnedSemaphorePermit,
}

/// One connection's place; free again when dropped.
pub(crate) struct Place {
    all: Connections,
    evict: Arc<Notify>,
    peer: Option<Peer>,
    /// Its key in `evictable`.
    turn: Mutex<Option<u64>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Registry {
            places: Arc::new(Semaphore::new(most)),
            most,
            state: Mutex::default(),
            verified: VerifiedPeers::default(),
        }))
    }

    /// Room for a new connection, made by closing the connection without progress for longest if need be.
    pub(crate) async fn room(&self) -> Option<Room> {
        let permit = match Arc::clone(&self.0.places).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.evict_longest();
                Arc::clone(&self.0.places).acquire_owned().await.ok()?
            }
        };
        Some(Room { all: self.clone(), permit })
    }

    /// Closes the connection without progress for longest.
    pub(crate) fn evict_longest(&self) {
        let longest = self.state().evictable.pop_first();
        if let Some((_, longest)) = longest {
            evict(&longest);
        }
    }

    /// Gives up slow bodies until memory of so many KiB is about to be free; says whether it will be.
    pub(super) fn evict_slow_bodies(&self, kib: u32) -> bool {
        let mut state = self.state();
        let (mut slow, mut freed) = (Vec::new(), 0);
        for (turn, evictable) in &state.evictable {
            let Some(body) = &evictable.body else { continue };
            if freed >= kib || body.since.elapsed() < SLOW {
                break;
            }
            if body.kib > 0 {
                slow.push(*turn);
                freed += body.kib;
            }
        }
        if freed < kib {
            return false;
        }
        slow.iter().filter_map(|turn| state.evictable.remove(turn)).for_each(|body| evict(&body));
        true
    }

    /// A POST from this client was verified: no limit by address applies to it for a while.
    pub(super) fn note_verified(&self, client: Option<Peer>) {
        if let Some(client) = client {
            self.0.verified.note(client);
        }
    }

    /// Counts the memory of a body against its client's part until it is proven. `None` if no limit applies.
    pub(super) fn charge(&self, client: Option<Peer>) -> Option<Charge> {
        let client = client.filter(|client| !self.0.verified.contains(*client))?;
        Some(Charge { all: self.clone(), client, kib: 0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// Whether one more connection of this address is more than its part.
    fn is_too_much(&self, state: &State, peer: Peer) -> bool {
        let in_use = self.0.most - self.0.places.available_permits().min(self.0.most);
        in_use > self.0.most / 2
            && state.connections.get(&peer).is_some_and(|count| *count > (self.0.most / SHARE_OF_ONE).max(1))
            && !self.0.verified.contains(peer)
    }
}

fn evict(evictable: &Evictable) {
    metrics::counter!("mailtrail_connections_evicted_total").increment(1);
    if evictable.body.is_some() {
        metrics::counter!("mailtrail_refused_total", "reason" => BODY_EVICTED).increment(1);
    }
    evictable.evict.notify_one();
}

/// A body that was given up without an answer, so that it is no refusal of a request.
pub(super) const BODY_EVICTED: &str = "body_evicted";

impl Room {
    /// The place of the connection that was accepted. An address with more than its part gives up its own connection that is
    /// without progress for longest.
    pub(crate) fn taken_by(self, peer: Option<Peer>) -> Place {
        let Self { all, permit } = self;
        let mut beyond = None;
        if let Some(peer) = peer {
            let mut state = all.state();
            *state.connections.entry(peer).or_default() += 1;
            if all.is_too_much(&state, peer) {
                let own = state.evictable.iter().find(|(_, evictable)| evictable.peer == Some(peer));
                let turn = own.map(|(turn, _)| *turn);
                beyond = turn.and_then(|turn| state.evictable.remove(&turn));
            }
        }
        if let Some(own) = beyond {
            crate::log::limited("connections of one address", || {
                tracing::warn!(
                    "one address has more than a quarter of [receive] max_connections while more than half are in use: its idle \
                     and slow connections are closed"
                );
            });
            evict(&own);
        }
        let place = Place { all, evict: Arc::default(), peer, turn: Mutex::default(), _permit: permit };
        place.waits();
        place
    }
}

impl Place {
    /// Between requests, and from the connection's start to its first request.
    pub(crate) fn waits(&self) {
        self.progresses(None);
    }

    /// A request's body arrives and holds so much memory, more than when this was last said; also a refused body that is
    /// being discarded.
    pub(super) fn reads(&self, kib: u32) {
        self.progresses(Some(BodyProgress { kib, since: Instant::now() }));
    }

    fn progresses(&self, body: Option<BodyProgress>) {
        let mut turn = lock(&self.turn);
        let mut state = self.all.state();
        let evictable = match turn.map(|turn| state.evictable.remove(&turn)) {
            // It was evicted, and is about to be closed.
            Some(None) => return,
            Some(Some(before)) => Evictable { body, ..before },
            None => Evictable { evict: Arc::clone(&self.evict), peer: self.peer, body },
        };
        let next = state.next_turn;
        state.next_turn += 1;
        state.evictable.insert(next, evictable);
        *turn = Some(next);
    }

    /// The request is authenticated: this connection stays until it is answered.
    pub(crate) fn works(&self) {
        if let Some(turn) = lock(&self.turn).take() {
            self.all.state().evictable.remove(&turn);
        }
    }

    /// Resolves when this connection has to make room for another.
    pub(crate) async fn must_close(&self) {
        self.evict.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.works();
        if let Some(peer) = self.peer {
            subtract(&mut self.all.state().connections, peer, 1);
        }
    }
}

/// The memory of a body that nothing has proven yet, counted against its client's part until this is dropped.
pub(super) struct Charge {
    all: Connections,
    client: Peer,
    kib: usize,
}

impl Charge {
    /// Adds so many KiB. `false`, and nothing is added, if that is more than one client's part of `most`; `is_scarce`: more
    /// than half of that is used.
    pub(super) fn grow(&mut self, kib: u32, most: usize, is_scarce: bool) -> bool {
        let kib = kib as usize;
        let mut state = self.all.state();
        let used = state.body_kib.entry(self.client).or_default();
        if is_scarce && *used + kib > most {
            return false;
        }
        *used += kib;
        self.kib += kib;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        subtract(&mut self.all.state().body_kib, self.client, self.kib);
    }
}

/// The most that one client's bodies may hold of so much memory; one body of the largest size always fits.
pub(super) fn part_of_one(all_kib: usize, largest_body_kib: usize) -> usize {
    (all_kib / SHARE_OF_ONE).max(largest_body_kib)
}

fn subtract(counts: &mut HashMap<Peer, usize>, peer: Peer, less: usize) {
    let left = counts.get(&peer).map_or(0, |count| count.saturating_sub(less));
    if left == 0 {
        counts.remove(&peer);
    } else {
        counts.insert(peer, left);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks can panic half way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> Option<Peer> {
        Some(Peer::of([203, 0, 113, n].into()))
    }

    async fn connect(connections: &Connections, peer: Option<Peer>) -> Place {
        connections.room().await.expect("room").taken_by(peer)
    }

    async fn must_close(place: &Place) -> bool {
        tokio::time::timeout(Duration::ZERO, place.must_close()).await.is_ok()
    }

    #[tokio::test]
    async fn the_longest_without_progress_is_closed_and_an_authenticated_request_stays() {
        let connections = Connections::new(3);
        let works = connect(&connections, None).await;
        works.works();
        let reads = connect(&connections, None).await;
        let waits = connect(&connections, None).await;
        reads.reads(4);
        let newcomer = tokio::spawn({
            let connections = connections.clone();
            async move { connections.room().await.is_some() }
        });
        waits.must_close().await;
        drop(waits);
        assert!(newcomer.await.expect("no panic"));
        connections.evict_longest();
        assert!(must_close(&reads).await, "a body that nothing has proven");
        connections.evict_longest();
        assert!(!must_close(&works).await);
    }

    #[tokio::test]
    async fn a_connection_that_was_evicted_does_not_come_back() {
        let connections = Connections::new(1);
        let place = connect(&connections, None).await;
        connections.evict_longest();
        place.reads(4);
        assert!(connections.state().evictable.is_empty());
        assert!(must_close(&place).await);
    }

    #[tokio::test]
    async fn one_address_beyond_its_part_gives_up_its_own_connections_only() {
        let connections = Connections::new(16);
        let mut others = Vec::new();
        for n in 10..19 {
            others.push(connect(&connections, peer(n)).await);
        }
        let mut flood = Vec::new();
        for _ in 0..4 {
            flood.push(connect(&connections, peer(1)).await);
        }
        assert!(!must_close(&flood[0]).await, "a quarter of all");
        let _fifth = connect(&connections, peer(1)).await;
        assert!(must_close(&flood[0]).await, "its own first");
        for other in &others {
            assert!(!must_close(other).await);
        }
        // Where there is room, nothing is limited.
        drop(others);
        drop(flood);
        let mut alone = Vec::new();
        for _ in 0..7 {
            alone.push(connect(&connections, peer(1)).await);
        }
        assert!(!must_close(&alone[0]).await);
    }

    #[tokio::test]
    async fn an_address_with_a_verified_post_is_never_limited() {
        let connections = Connections::new(16);
        connections.note_verified(peer(1));
        let mut all = Vec::new();
        for _ in 0..16 {
            all.push(connect(&connections, peer(1)).await);
        }
        for place in &all {
            assert!(!must_close(place).await);
        }
        assert!(connections.charge(peer(1)).is_none());
        assert!(connections.charge(None).is_none());
        let mut stranger = connections.charge(peer(2)).expect("limited");
        assert!(stranger.grow(10, 10, true) && !stranger.grow(1, 10, true) && stranger.grow(1, 10, false));
        drop(stranger);
        assert!(connections.state().body_kib.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn only_slow_bodies_make_room_for_others() {
        let connections = Connections::new(4);
        let idle = connect(&connections, None).await;
        let slow = connect(&connections, None).await;
        slow.reads(100);
        assert!(!connections.evict_slow_bodies(10), "it has just grown");
        tokio::time::advance(SLOW).await;
        let fresh = connect(&connections, None).await;
        fresh.reads(100);
        assert!(!connections.evict_slow_bodies(101), "not enough would become free: it is left alone");
        assert!(connections.evict_slow_bodies(100));
        assert!(must_close(&slow).await && !must_close(&fresh).await && !must_close(&idle).await);
    }
}
