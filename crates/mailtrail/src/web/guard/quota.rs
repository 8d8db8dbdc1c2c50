//! How many rows and addresses each token took today (UTC). Viewers have quotas, because the parts of a trail that they may read
//! one by one would together be the whole of it. The table has one entry by configured token and begins anew with each process.

use std::collections::HashMap;

const DAY_SECONDS: u64 = 24 * 3600;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum QuotaKind {
    /// Events in answers.
    Rows,
    /// Addresses in requests, whose hash the answer tells.
    Addresses,
}

impl QuotaKind {
    pub(in crate::web) fn noun(self) -> &'static str {
        match self {
            Self::Rows => "events",
            Self::Addresses => "addresses",
        }
    }

    /// The log has a line each time that a token has taken so many more.
    fn log_step(self) -> usize {
        match self {
            Self::Rows => 1_000,
            Self::Addresses => 100,
        }
    }
}

/// The quota does not allow it. Nothing was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web) struct QuotaExceeded {
    pub(in crate::web) counted: QuotaKind,
    pub(in crate::web) quota: usize,
    pub(in crate::web) left: usize,
    /// Seconds until the next day.
    pub(in crate::web) retry_after: u64,
}

#[derive(Default)]
pub(super) struct DailyUse {
    day: u64,
    by_token: HashMap<String, TokenUse>,
}

#[derive(Default)]
struct TokenUse {
    rows: usize,
    addresses: usize,
    was_refused: bool,
}

impl DailyUse {
    /// Counts what a token is about to take, and logs it from time to time. `quota`: `None` without a limit.
    pub(super) fn charge(
        &mut self,
        token: &str,
        counted: QuotaKind,
        count: usize,
        quota: Option<usize>,
        now_seconds: u64,
    ) -> Result<(), QuotaExceeded> {
        let day = now_seconds / DAY_SECONDS;
        if day != self.day {
            self.day = day;
            self.by_token.clear();
        }
        let token_use = self.by_token.entry(token.to_owned()).or_default();
        let taken = match counted {
            QuotaKind::Rows => &mut token_use.rows,
            QuotaKind::Addresses => &mut token_use.addresses,
        };
        if let Some(quota) = quota {
            let left = quota.saturating_sub(*taken);
            if left == 0 || count > left {
                if !std::mem::replace(&mut token_use.was_refused, true) {
                    tracing::warn!(token = %token, quota, "the API refused a token more {} today", counted.noun());
                }
                let retry_after = DAY_SECONDS - now_seconds % DAY_SECONDS;
                return Err(QuotaExceeded { counted, quota, left, retry_after });
            }
        }
        let before = *taken / counted.log_step();
        *taken = taken.saturating_add(count);
        if *taken / counted.log_step() > before {
            tracing::info!(token = %token, today = *taken, "a token took {} from the API", counted.noun());
        }
        Ok(())
    }

    /// Drops tokens that are no longer configured.
    pub(super) fn retain(&mut self, is_configured: impl Fn(&str) -> bool) {
        self.by_token.retain(|token, _| is_configured(token));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_never_takes_more_than_its_quota_in_a_day(counts in prop::collection::vec(0_usize..50, 0..60)) {
            let mut daily = DailyUse::default();
            let mut taken = 0;
            for count in counts {
                match daily.charge("board", QuotaKind::Rows, count, Some(100), 7) {
                    Ok(()) => taken += count,
                    Err(refused) => {
                        prop_assert_eq!(refused.left, 100 - taken);
                        prop_assert!(refused.left == 0 || count > refused.left);
                    }
                }
                prop_assert!(taken <= 100);
            }
        }
    }

    #[test]
    fn quotas_are_by_token_kind_and_day() {
        let mut daily = DailyUse::default();
        let noon = 20_000 * DAY_SECONDS + DAY_SECONDS / 2;
        assert_eq!(daily.charge("board", QuotaKind::Rows, 10, Some(10), noon), Ok(()));
        let refused = daily.charge("board", QuotaKind::Rows, 1, Some(10), noon).expect_err("nothing is left");
        assert_eq!(
            refused,
            QuotaExceeded { counted: QuotaKind::Rows, quota: 10, left: 0, retry_after: DAY_SECONDS / 2 }
        );
        assert_eq!(daily.charge("board", QuotaKind::Addresses, 1, Some(10), noon), Ok(()));
        assert_eq!(daily.charge("wall", QuotaKind::Rows, 1, Some(10), noon), Ok(()));
        assert_eq!(daily.charge("ci", QuotaKind::Rows, 1_000_000, None, noon), Ok(()));
        assert_eq!(daily.charge("board", QuotaKind::Rows, 1, Some(10), noon + DAY_SECONDS / 2), Ok(()));
    }

    #[test]
    fn only_configured_tokens_stay_in_the_table() {
        let mut daily = DailyUse::default();
        for token in ["board", "gone"] {
            daily.charge(token, QuotaKind::Rows, 1, None, 0).expect("no quota");
        }
        daily.retain(|token| token == "board");
        assert_eq!(daily.by_token.keys().collect::<Vec<_>>(), ["board"]);
    }
}
