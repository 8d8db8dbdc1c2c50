//! Reads a body: bounded in size, in time, in its least rate, and in what all bodies together hold in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Refusal;
use super::connections::{Charge, Connections, Place, part_of_one};
use super::peer::Peer;

/// A body must grow by so much within each of these times, or end.
const LEAST: usize = 40 * 1024;
const LEAST_WITHIN: Duration = Duration::from_secs(10);
/// Bodies up to this size have a part of the memory that larger ones cannot use.
const SMALL_KIB: u32 = 64;
/// How long to wait for the memory of bodies that were given up.
const FREED_WITHIN: Duration = Duration::from_secs(1);

/// What a body may cost.
#[derive(Clone)]
pub(super) struct BodyLimits {
    pub(super) max_body: usize,
    pub(super) within: Duration,
    pub(super) budget: Budget,
}

/// The memory that all bodies share, counted in KiB.
#[derive(Clone)]
pub(super) struct Budget {
    general: Arc<Semaphore>,
    /// For small bodies alone.
    reserve: Arc<Semaphore>,
    general_kib: usize,
    part_of_one: usize,
}

impl Budget {
    /// The reserve for small bodies is an eighth, and never so large that the largest body would not fit beside it.
    pub(super) fn new(bytes: usize, max_body: usize) -> Self {
        let kib = bytes.div_ceil(1024).min(Semaphore::MAX_PERMITS);
        let largest = max_body.div_ceil(1024);
        let reserve = (kib / 8).min(kib.saturating_sub(largest));
        let general_kib = kib - reserve;
        Self {
            general: Arc::new(Semaphore::new(general_kib)),
            reserve: Arc::new(Semaphore::new(reserve)),
            general_kib,
            part_of_one: part_of_one(general_kib, largest),
        }
    }

    /// Takes so many KiB more. Slow bodies make room if there is none.
    async fn take(&self, share: &mut Share, kib: u32, connections: &Connections) -> Result<(), Refusal> {
        let is_scarce = self.general.available_permits() < self.general_kib / 2;
        if share.charge.as_mut().is_some_and(|charge| !charge.grow(kib, self.part_of_one, is_scarce)) {
            return Err(Refusal::ClientMemoryFull);
        }
        let is_small = share.kib() + kib <= SMALL_KIB;
        let permit = match self.try_take(kib, is_small) {
            Some(permit) => permit,
            None if connections.evict_slow_bodies(kib) => {
                let general = Arc::clone(&self.general).acquire_many_owned(kib);
                let reserve = Arc::clone(&self.reserve).acquire_many_owned(kib);
                let freed = async {
                    tokio::select! {
                        permit = general => permit,
                        permit = reserve, if is_small => permit,
                    }
                };
                timeout(FREED_WITHIN, freed).await.ok().and_then(Result::ok).ok_or(Refusal::MemoryFull)?
            }
            None => return Err(Refusal::MemoryFull),
        };
        share.permits.push(permit);
        Ok(())
    }

    fn try_take(&self, kib: u32, is_small: bool) -> Option<OwnedSemaphorePermit> {
        let try_one = |permits: &Arc<Semaphore>| Arc::clone(permits).try_acquire_many_owned(kib).ok();
        try_one(&self.general).or_else(|| is_small.then(|| try_one(&self.reserve)).flatten())
    }
}

/// A body, and its share of the budget. The share outlives the bytes: what is made of them takes their place in memory
/// until it is durable.
pub(super) struct HeldBody {
    pub(super) bytes: Bytes,
    pub(super) share: Share,
}

/// A share of the budget, free again when dropped.
pub(super) struct Share {
    permits: Vec<OwnedSemaphorePermit>,
    charge: Option<Charge>,
}

impl Share {
    fn kib(&self) -> u32 {
        let kib: usize = self.permits.iter().map(OwnedSemaphorePermit::num_permits).sum();
        u32::try_from(kib).unwrap_or(u32::MAX)
    }

    /// The body is authenticated: it no longer counts against its client's part.
    pub(super) fn proven(&mut self) {
        self.charge = None;
    }
}

/// Reads the body. Memory is taken from the budget as bytes arrive, not as they are announced, so that announcing much costs
/// nothing. Meanwhile `place` may be evicted, which ends this with its connection.
pub(super) async fn read(
    body: &mut Incoming,
    limits: &BodyLimits,
    connections: &Connections,
    place: &Place,
    client: Option<Peer>,
) -> Result<HeldBody, Refusal> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limits.max_body as u64) {
        return Err(Refusal::TooLarge);
    }
    let mut share = Share { permits: Vec::new(), charge: connections.charge(client) };
    let mut come = Pieces::new(announced.map_or(FIRST_STEP, |length| FIRST_STEP.min(length as usize)));
    let mut pace = Pace::new(limits.within);
    let mut taken = 0;
    loop {
        let frame = match timeout_at(pace.next_check(), body.frame()).await {
            Err(_) => {
                pace.check(come.length)?;
                continue;
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(broken(&error)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if come.length + data.len() > limits.max_body {
            return Err(Refusal::TooLarge);
        }
        let needed = come.length + data.len();
        if needed > taken {
            // A share for each frame would cost more than it saves.
            let step = come.next_size().min(limits.max_body - taken).max(needed - taken).div_ceil(1024);
            limits.budget.take(&mut share, u32::try_from(step).unwrap_or(u32::MAX), connections).await?;
            taken += step * 1024;
            if come.length == 0 && announced == Some(data.len() as u64) {
                // The common case of one frame: no copy.
                return Ok(HeldBody { bytes: data, share });
            }
            place.reads(share.kib());
        }
        come.add(&data);
        if announced == Some(come.length as u64) {
            break;
        }
        pace.check(come.length)?;
    }
    Ok(HeldBody { bytes: come.into_whole(), share })
}

/// Whether the client hung up, or sent chunks that are none.
fn broken(error: &hyper::Error) -> Refusal {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match source.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData) => Refusal::BodyFraming,
        _ => Refusal::BodyCut,
    }
}

/// Whether a body comes fast enough.
struct Pace {
    deadline: Instant,
    /// By when it must have grown by [`LEAST`].
    window: Instant,
    length_before: usize,
}

impl Pace {
    fn new(within: Duration) -> Self {
        let now = Instant::now();
        Self { deadline: now + within, window: now + LEAST_WITHIN, length_before: 0 }
    }

    fn next_check(&self) -> Instant {
        self.deadline.min(self.window)
    }

    fn check(&mut self, length: usize) -> Result<(), Refusal> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(Refusal::BodySlow);
        }
        if now >= self.window {
            if length < self.length_before + LEAST {
                return Err(Refusal::BodySlow);
            }
            (self.window, self.length_before) = (now + LEAST_WITHIN, length);
        }
        Ok(())
    }
}

/// The first piece of memory; each further one is as large as what has come, up to `STEP`.
const FIRST_STEP: usize = 4 * 1024;
const STEP: usize = 64 * 1024;

/// What has come of a body, in pieces that grow with it as its share of the budget does: a buffer of the announced length
/// would be memory that nothing has arrived for.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    first: usize,
    length: usize,
}

impl Pieces {
    fn new(first: usize) -> Self {
        Self { pieces: Vec::new(), first: first.max(1), length: 0 }
    }

    /// Of the next piece.
    fn next_size(&self) -> usize {
        self.length.clamp(self.first, STEP)
    }

    fn add(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let piece = match self.pieces.last_mut() {
                Some(last) if last.len() < last.capacity() => last,
                _ => {
                    self.pieces.push(Vec::with_capacity(self.next_size()));
                    continue;
                }
            };
            let (fits, rest) = data.split_at(data.len().min(piece.capacity() - piece.len()));
            piece.extend_from_slice(fits);
            self.length += fits.len();
            data = rest;
        }
    }

    fn into_whole(mut self) -> Bytes {
        if self.pieces.len() < 2 {
            return self.pieces.pop().unwrap_or_default().into();
        }
        let mut whole = Vec::with_capacity(self.length);
        for piece in self.pieces {
            whole.extend_from_slice(&piece);
        }
        whole.into()
    }
}

/// Reads and forgets a body, for clients (proxies) that take an early answer for a broken connection. Says whether it was read
/// to its end. The connection may be evicted meanwhile.
pub(super) async fn discard(body: &mut Incoming, limits: &BodyLimits, place: &Place) -> bool {
    let mut pace = Pace::new(limits.within.min(LEAST_WITHIN));
    let (mut seen, mut noted) = (0, 0);
    place.reads(0);
    loop {
        match timeout_at(pace.next_check(), body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => seen += frame.data_ref().map_or(0, Bytes::len),
            Ok(Some(Err(_))) => return false,
            Err(_) => {}
        }
        if seen > limits.max_body || pace.check(seen).is_err() {
            return false;
        }
        if seen >= noted + STEP {
            noted = seen;
            place.reads(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_any_size_come_to_the_whole() {
        for size in [1, 7, 1_000, STEP - 1, STEP, 100_000, 200_000] {
            let sent: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
            let mut come = Pieces::new(FIRST_STEP);
            sent.chunks(size).for_each(|frame| come.add(frame));
            let sizes: Vec<usize> = come.pieces.iter().map(|piece| piece.capacity() / 1024).collect();
            assert_eq!((&sizes[..], come.length), (&[4, 4, 8, 16, 32, 64, 64, 64][..], sent.len()));
            assert_eq!(come.into_whole(), sent);
        }
        assert_eq!(Pieces::new(0).into_whole(), Bytes::new());
    }

    #[test]
    fn the_largest_body_fits_beside_the_reserve_for_small_ones() {
        let budget = |mib: usize| {
            let budget = Budget::new(mib << 20, 8 << 20);
            (budget.general.available_permits() / 1024, budget.reserve.available_permits() / 1024)
        };
        assert_eq!((budget(64), budget(9), budget(8)), ((56, 8), (8, 1), (8, 0)));
    }

    #[test]
    fn large_bodies_leave_the_reserve_to_small_ones() {
        let budget = Budget::new(64 << 20, 8 << 20);
        let large = budget.try_take(56 << 10, false).expect("all but the reserve");
        assert!(budget.try_take(1, false).is_none());
        assert!(budget.try_take(64, true).is_some());
        drop(large);
        assert!(budget.try_take(1, false).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_grow_or_end() {
        let mut pace = Pace::new(Duration::from_secs(30));
        assert_eq!(pace.check(0), Ok(()));
        tokio::time::advance(LEAST_WITHIN).await;
        assert_eq!(pace.check(LEAST), Ok(()));
        assert_eq!(pace.check(LEAST), Ok(()), "counted once a window");
        tokio::time::advance(LEAST_WITHIN).await;
        assert_eq!(pace.check(2 * LEAST - 1), Err(Refusal::BodySlow));
        let mut pace = Pace::new(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(pace.check(8 << 20), Err(Refusal::BodySlow), "the whole time is over");
    }
}
