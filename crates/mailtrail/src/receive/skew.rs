//! How old signatures are when they arrive, by our clock. Only POSTs whose signature held count: anybody can send a header.

use std::sync::{Mutex, PoisonError};

/// Seen since it was last asked. One a process, as the metrics are.
static AGES: Mutex<Option<Ages>> = Mutex::new(None);

/// Ages of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// The least, in seconds: what repetitions and slow networks add is not in it. Negative: from our future.
    pub least: i64,
    /// Of how many POSTs.
    pub posts: u64,
}

impl Ages {
    /// With another one.
    #[must_use]
    pub fn and(earlier: Option<Self>, age: i64) -> Self {
        match earlier {
            None => Self { least: age, posts: 1 },
            Some(ages) => Self { least: ages.least.min(age), posts: ages.posts.saturating_add(1) },
        }
    }
}

pub(super) fn note(age: i64) {
    let mut ages = AGES.lock().unwrap_or_else(PoisonError::into_inner);
    *ages = Some(Ages::and(*ages, age));
}

/// What was seen since the last call.
#[must_use]
pub fn take() -> Option<Ages> {
    AGES.lock().unwrap_or_else(PoisonError::into_inner).take()
}
