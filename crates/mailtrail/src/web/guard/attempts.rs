//! How often passwords may be tried: by where from and by whose, so that neither one machine nor many find one by trying.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

const WITHIN: Duration = Duration::from_secs(15 * 60);

/// Tries from one machine.
const FROM_ONE: u32 = 10;

/// Tries at one name, from wherever.
const AT_ONE: u32 = 20;

/// Machines and names remembered; beyond it nobody new may try until old ones are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Default)]
pub(super) struct Attempts(HashMap<Of, Tries>);

#[derive(PartialEq, Eq, Hash)]
enum Of {
    Peer(IpAddr),
    Name(String),
}

struct Tries {
    count: u32,
    since: Instant,
}

impl Attempts {
    /// Counts a try, and says whether it is one too many.
    pub(super) fn may_try(&mut self, peer: IpAddr, name: &str) -> bool {
        let now = Instant::now();
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, tries| now.duration_since(tries.since) < WITHIN);
        }
        // Both are counted in any case.
        let machine = self.count(Of::Peer(peer), FROM_ONE, now);
        let person = self.count(Of::Name(name.chars().take(100).collect()), AT_ONE, now);
        machine && person
    }

    /// Counts a failure of a machine, and says whether it was one too many.
    pub(super) fn failed(&mut self, peer: IpAddr) -> bool {
        !self.count(Of::Peer(peer), FROM_ONE, Instant::now())
    }

    /// Who got in may try again.
    pub(super) fn succeeded(&mut self, peer: IpAddr, name: &str) {
        self.0.remove(&Of::Peer(peer));
        self.0.remove(&Of::Name(name.to_owned()));
    }

    fn count(&mut self, of: Of, most: u32, now: Instant) -> bool {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&of) {
            return false;
        }
        let tries = self.0.entry(of).or_insert(Tries { count: 0, since: now });
        if now.duration_since(tries.since) >= WITHIN {
            *tries = Tries { count: 0, since: now };
        }
        tries.count = tries.count.saturating_add(1);
        tries.count <= most
    }
}
