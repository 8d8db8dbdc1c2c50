//! Who is logged in: digests of cookies, in memory alone, so that a restart ends all sessions.

use std::collections::HashMap;

use tokio::time::Instant;

use super::SESSION;
use crate::config::Role;

/// Most sessions; beyond it the oldest ends.
const MOST: usize = 1_000;

#[derive(Default)]
pub(super) struct Sessions(HashMap<[u8; 32], Session>);

struct Session {
    name: String,
    role: Role,
    until: Instant,
}

impl Sessions {
    pub(super) fn open(&mut self, digest: [u8; 32], name: &str, role: Role) {
        let now = Instant::now();
        self.0.retain(|_, session| session.until > now);
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.iter().min_by_key(|(_, session)| session.until).map(|(digest, _)| *digest)
        {
            self.0.remove(&oldest);
        }
        self.0.insert(digest, Session { name: name.to_owned(), role, until: now + SESSION });
    }

    pub(super) fn find(&self, digest: &[u8; 32]) -> Option<(String, Role)> {
        let session = self.0.get(digest).filter(|session| session.until > Instant::now())?;
        Some((session.name.clone(), session.role))
    }

    pub(super) fn close(&mut self, digest: &[u8; 32]) {
        self.0.remove(digest);
    }
}
