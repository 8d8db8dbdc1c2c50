//! How far the consumers of `[[relay]]` are.

use std::time::Duration;

use super::check::Check;
use crate::config::Config;
use crate::show::time::age;
use crate::store::Paths;
use crate::store::relay::{self, ConsumerState};

pub(super) fn checks(config: &Config, now: i64) -> Vec<Check> {
    if config.relays.is_empty() {
        return Vec::new();
    }
    match relay::look(&Paths::new(&config.store.path)) {
        Ok(None) => vec![Check::warn("relay", "nothing was passed on yet", "start mailtrail serve, which does it")],
        Ok(Some(states)) => states.iter().map(|state| one(state, config.watch.relay, now)).collect(),
        Err(error) => vec![Check::fail("relay", error.to_string(), "mailtrail serve says more")],
    }
}

/// `late`: by then a consumer is not merely busy.
fn one(state: &ConsumerState, late: Duration, now: i64) -> Check {
    let ConsumerState { name, waiting, set_aside, delivered, dropped, .. } = state;
    let mut what = format!("{name} got {delivered} POSTs, {waiting} wait");
    if let Some(oldest) = state.oldest {
        what.push_str(&format!(", the oldest for {}", age(now - oldest)));
    }
    if *dropped > 0 {
        what.push_str(&format!("; {dropped} were given up and never come"));
    }
    if *set_aside > 0 {
        let statuses: Vec<String> =
            state.refusals.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        what.push_str(&format!("; it refused {set_aside} for good ({})", statuses.join(", ")));
        let todo = format!("mend the consumer, then run mailtrail relay retry {name}, before they are too old");
        return Check::warn("relay", what, todo);
    }
    if state.oldest.is_some_and(|oldest| u128::try_from(now - oldest).is_ok_and(|age| age >= late.as_micros())) {
        let todo = "see whether the consumer is up; the log of mailtrail serve says what it answers";
        return Check::warn("relay", what, todo);
    }
    Check::pass("relay", what)
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    const LATE: i64 = 600 * 1_000_000;

    #[test]
    fn a_consumer_that_is_late_or_refuses_is_told_and_others_pass() {
        let calm = ConsumerState {
            name: "warehouse".to_owned(),
            waiting: 2,
            oldest: Some(LATE),
            set_aside: 0,
            refusals: Default::default(),
            delivered: 5,
            dropped: 1,
        };
        let check = one(&calm, Duration::from_secs(600), LATE + 1_000_000);
        assert_eq!((check.verdict, check.todo.as_deref()), (Verdict::Pass, None));
        assert_eq!(check.what, "warehouse got 5 POSTs, 2 wait, the oldest for 1 s; 1 were given up and never come");
        assert_eq!(one(&calm, Duration::from_secs(600), LATE * 2).verdict, Verdict::Warn);
        let refused = ConsumerState { set_aside: 3, refusals: [(400, 1), (422, 2)].into(), ..calm };
        let check = one(&refused, Duration::from_secs(600), LATE);
        assert!(check.verdict == Verdict::Warn && check.what.contains("(1 × 400, 2 × 422)"), "{check:?}");
        assert!(check.todo.unwrap_or_default().contains("relay retry warehouse"));
    }
}
