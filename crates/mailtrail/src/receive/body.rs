//! Reads a body: bounded in size, in time, and in what all bodies together hold in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::answer::Refusal;

/// A body that sends nothing for this long is given up, well before its whole time is over.
const STALL: Duration = Duration::from_secs(10);

/// The memory that all bodies share, counted in KiB.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(1024).min(Semaphore::MAX_PERMITS))))
    }
}

/// A body, and its share of the budget. The share outlives the bytes: what is made of them takes their place in memory
/// until it is durable.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) share: Share,
}

/// A share of the budget, free again when dropped.
pub(super) struct Share(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

/// Reads the body. Memory is taken from the budget as bytes arrive, not as they are announced, so that whoever only
/// announces much costs nothing.
pub(super) async fn read(
    body: &mut Incoming,
    max_body: usize,
    within: Duration,
    budget: &Budget,
) -> Result<Held, Refusal> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > max_body as u64) {
        return Err(Refusal::TooLarge);
    }
    let deadline = Instant::now() + within;
    let mut share: Option<OwnedSemaphorePermit> = None;
    let mut come = Pieces::new(announced.map_or(STEP, |length| STEP.min(length as usize)));
    loop {
        let frame = match timeout_at(deadline.min(Instant::now() + STALL), body.frame()).await {
            Err(_) => return Err(Refusal::BodySlow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Refusal::BodyCut),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if come.length + data.len() > max_body {
            return Err(Refusal::TooLarge);
        }
        let held_kib = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed_kib = (come.length + data.len()).div_ceil(1024).saturating_sub(held_kib);
        if needed_kib > 0 {
            // A share for each frame would cost more than it saves.
            let step = u32::try_from(needed_kib.max((STEP / 1024).min(max_body.div_ceil(1024)))).unwrap_or(u32::MAX);
            let more = Arc::clone(&budget.0).try_acquire_many_owned(step).map_err(|_| Refusal::MemoryFull)?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
        }
        if come.length == 0 && announced == Some(data.len() as u64) {
            // The common case of one frame: no copy.
            return Ok(Held { bytes: data, share: Share(share) });
        }
        come.add(&data);
        if announced == Some(come.length as u64) {
            break;
        }
    }
    Ok(Held { bytes: come.into_whole(), share: Share(share) })
}

/// So many bytes are asked of the budget, and of memory, at once.
const STEP: usize = 64 * 1024;

/// What has come of a body, in pieces that grow with it as its share of the budget does: a buffer of the announced length
/// would be memory that nothing has arrived for.
struct Pieces {
    pieces: Vec<Vec<u8>>,
    /// Of each.
    size: usize,
    length: usize,
}

impl Pieces {
    fn new(size: usize) -> Self {
        Self { pieces: Vec::new(), size: size.max(1), length: 0 }
    }

    fn add(&mut self, mut data: &[u8]) {
        self.length += data.len();
        while !data.is_empty() {
            let piece = match self.pieces.last_mut() {
                Some(last) if last.len() < self.size => last,
                _ => {
                    self.pieces.push(Vec::with_capacity(self.size));
                    continue;
                }
            };
            let (fits, rest) = data.split_at(data.len().min(self.size - piece.len()));
            piece.extend_from_slice(fits);
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

/// Reads and forgets a body, for clients (proxies) that take an early answer for a broken connection.
pub(super) async fn discard(body: &mut Incoming, max_body: usize, within: Duration) {
    let deadline = Instant::now() + within.min(STALL);
    let mut seen = 0;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > max_body {
            return;
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
            let mut come = Pieces::new(STEP);
            sent.chunks(size).for_each(|frame| come.add(frame));
            assert_eq!((come.pieces.len(), come.length), (4, sent.len()));
            assert_eq!(come.into_whole(), sent);
        }
        assert_eq!(Pieces::new(0).into_whole(), Bytes::new());
    }
}
