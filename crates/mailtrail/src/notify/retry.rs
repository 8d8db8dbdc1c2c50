//! When to try again.

use std::time::Duration;

use aws_lc_rs::rand;

/// How patient a sender is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// About the first wait.
    pub first: Duration,
    /// No own wait is longer (the service may ask for more).
    pub most: Duration,
    /// All waits together are no longer; `None`: for ever.
    pub total: Option<Duration>,
}

impl Patience {
    /// Of a command that somebody waits for.
    pub const COMMAND: Self =
        Self { first: Duration::from_secs(1), most: Duration::from_secs(30), total: Some(Duration::from_secs(120)) };
    /// Of who has all the time there is.
    pub const FOLLOWER: Self = Self { first: Duration::from_secs(1), most: Duration::from_secs(300), total: None };
}

/// The waits of one notice: twice as long each time, between half and all of that, so that senders do not come together.
#[derive(Debug, Clone)]
pub struct Backoff {
    patience: Patience,
    next: Duration,
    waited: Duration,
}

impl Backoff {
    /// Before the first try.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self { patience, next: patience.first, waited: Duration::ZERO }
    }

    /// How long to wait now; `asked`: what the service asks for. `None` where patience is at an end.
    pub fn wait(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let own = self.next / 2 + (self.next / 2).mul_f64(random());
        self.next = (self.next * 2).min(self.patience.most);
        let wait = own.max(asked.unwrap_or_default());
        self.waited = self.waited.saturating_add(wait);
        self.patience.total.is_none_or(|total| self.waited <= total).then_some(wait)
    }
}

/// 0 to 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness all waits are the shortest; no reason not to send.
    let _filled = rand::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_a_bound_and_end() {
        let mut backoff = Backoff::new(Patience { first: SECOND, most: 4 * SECOND, total: Some(30 * SECOND) });
        for most in [1, 2, 4, 4] {
            let wait = backoff.wait(None).expect("patient");
            assert!(wait >= most * SECOND / 2 && wait <= most * SECOND, "{wait:?} of {most}");
        }
        assert_eq!(backoff.wait(Some(10 * SECOND)), Some(10 * SECOND));
        assert_eq!(backoff.wait(Some(20 * SECOND)), None);
    }

    #[test]
    fn a_follower_never_gives_up() {
        let mut backoff = Backoff::new(Patience::FOLLOWER);
        assert!((0..10_000).all(|_| backoff.wait(None).is_some()));
    }
}
