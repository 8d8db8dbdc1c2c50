//! Whether events still come in. Times are µs since the epoch.

use std::time::Duration;

use super::rule::Rule;
use crate::clock::micros;
use crate::notify::Ops;

/// Watches one rule's events.
#[derive(Debug)]
pub(super) struct Silence {
    after: i64,
    /// When the last event came in.
    last: Option<i64>,
    /// From when on silence is counted where there never was an event.
    started: i64,
    not_before: i64,
    /// Since when it is silent, where that was told.
    told: Option<i64>,
}

impl Silence {
    /// `last`: when the last event came in. `told`: as [`told_since`](Self::told_since) said before the process ended. `started`:
    /// since when events are waited for. Before `not_before` nothing is called silence.
    pub(super) fn new(after: Duration, last: Option<i64>, told: Option<i64>, started: i64, not_before: i64) -> Self {
        Self { after: micros(after), last, started, not_before, told }
    }

    /// When the last event came in, or else since when one is waited for.
    pub(super) fn heard_or_awaited(&self) -> (Option<i64>, Option<i64>) {
        (self.last, self.last.is_none().then_some(self.started))
    }

    /// An event came in.
    pub(super) fn heard(&mut self, at: i64) {
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }

    /// Since when it is silent, while that is what people were told last.
    pub(super) fn told_since(&self) -> Option<i64> {
        self.told
    }

    /// What is to be told now; counts as told.
    pub(super) fn look(&mut self, rule: &Rule, now: i64) -> Option<Ops> {
        let since = self.last.unwrap_or(self.started);
        match self.told {
            None if now >= self.not_before && now.saturating_sub(since) >= self.after => {
                self.told = Some(since);
                let lasting = duration(now.saturating_sub(since));
                Some(Ops::Silence { rule: rule.name.clone(), lasting, last: self.last })
            }
            Some(told) if self.last.is_some_and(|last| last > told) => {
                self.told = None;
                let lasted = duration(self.last.unwrap_or(now).saturating_sub(told));
                Some(Ops::SilenceOver { rule: rule.name.clone(), lasted })
            }
            _ => None,
        }
    }
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::rule::tests::alert;
    use super::*;
    use crate::config::Alert;

    const HOUR: i64 = 3600 * 1_000_000;
    const NOW: i64 = 1_780_000_000_000_000;

    fn rule() -> Rule {
        Rule::new(&Alert { silence: Some(Duration::from_secs(6 * 3600)), ..alert(&[], &[]) })
    }

    fn silence(last: Option<i64>, told: Option<i64>) -> Silence {
        Silence::new(Duration::from_secs(6 * 3600), last, told, NOW, NOW + HOUR / 4)
    }

    #[test]
    fn told_once_and_once_when_it_is_over() {
        let rule = rule();
        let mut silence = silence(Some(NOW - HOUR), None);
        assert_eq!(silence.look(&rule, NOW + 4 * HOUR), None);
        let told = silence.look(&rule, NOW + 5 * HOUR);
        assert!(
            matches!(told, Some(Ops::Silence { lasting, last: Some(_), .. }) if lasting == duration(6 * HOUR)),
            "{told:?}"
        );
        assert_eq!(silence.look(&rule, NOW + 50 * HOUR), None);
        silence.heard(NOW + 51 * HOUR);
        let over = silence.look(&rule, NOW + 51 * HOUR);
        assert!(matches!(over, Some(Ops::SilenceOver { lasted, .. }) if lasted == duration(52 * HOUR)), "{over:?}");
        assert_eq!(silence.look(&rule, NOW + 52 * HOUR), None);
        assert!(silence.look(&rule, NOW + 58 * HOUR).is_some(), "silent once more");
    }

    #[test]
    fn a_restart_neither_repeats_nor_forgets_it() {
        let rule = rule();
        let mut told = silence(None, Some(NOW - 9 * HOUR));
        assert_eq!(told.look(&rule, NOW + HOUR), None);
        told.heard(NOW + HOUR);
        assert!(matches!(told.look(&rule, NOW + HOUR), Some(Ops::SilenceOver { .. })));
    }

    #[test]
    fn after_a_start_what_was_missed_comes_first() {
        let rule = rule();
        let mut down_for_long = silence(Some(NOW - 20 * HOUR), None);
        assert_eq!(down_for_long.look(&rule, NOW + HOUR / 60), None);
        assert!(down_for_long.look(&rule, NOW + HOUR).is_some());
        let mut new = silence(None, None);
        assert_eq!(new.look(&rule, NOW + 5 * HOUR), None);
        assert!(matches!(new.look(&rule, NOW + 6 * HOUR), Some(Ops::Silence { last: None, .. })));
    }
}
