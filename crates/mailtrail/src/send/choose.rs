//! Who of a list is mailed, and why the others are not.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::protect::EmailHash;
use crate::store::ledger::{Known, Sent};

/// Why somebody is not mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// SendGrid has this run's mail to them.
    Accepted,
    /// It may have it.
    Uncertain,
    /// Another sender is about to mail them.
    Claimed,
    /// The category went to them not long ago, in whatever run.
    Recently,
    /// They are not among those a second try is for.
    NotAskedFor,
    /// They stood in the list above.
    Duplicate,
    /// As many as were wanted are chosen.
    BeyondLimit,
}

impl Skip {
    /// As in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Uncertain => "uncertain",
            Self::Claimed => "claimed",
            Self::Recently => "recently",
            Self::NotAskedFor => "not_asked_for",
            Self::Duplicate => "duplicate",
            Self::BeyondLimit => "beyond_limit",
        }
    }

    /// For people.
    #[must_use]
    pub fn explained(self) -> &'static str {
        match self {
            Self::Accepted => "were mailed in this run already",
            Self::Uncertain => "may have been mailed: SendGrid's answer was lost (--resend-uncertain mails them again)",
            Self::Claimed => "are about to be mailed by another sender",
            Self::Recently => "got this category not long ago",
            Self::NotAskedFor => "do not need another try",
            Self::Duplicate => "stand in the list twice",
            Self::BeyondLimit => "are beyond --limit",
        }
    }
}

/// By what is chosen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Uncertain recipients without any event since are mailed again.
    pub resend_uncertain: bool,
    /// Recipients whose events prove that this run's mail went out to them, whatever the ledger knows: it may be lost, or another
    /// tool may have sent.
    pub seen: Option<&'a HashSet<EmailHash>>,
    /// Recipients to leave out.
    pub recently: Option<&'a HashSet<EmailHash>>,
    /// The only ones to be mailed.
    pub only: Option<&'a HashSet<EmailHash>>,
    /// How many at most.
    pub limit: Option<usize>,
}

/// Who is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// For each row its hash and the number of the attempt, or why not.
    pub rows: Vec<Result<(EmailHash, u32), Skip>>,
}

impl Choice {
    /// How many are mailed.
    #[must_use]
    pub fn chosen(&self) -> usize {
        self.rows.iter().filter(|row| row.is_ok()).count()
    }

    /// How many are not, by reason.
    #[must_use]
    pub fn skipped(&self) -> BTreeMap<Skip, usize> {
        let mut skipped = BTreeMap::new();
        for skip in self.rows.iter().filter_map(|row| row.err()) {
            *skipped.entry(skip).or_default() += 1;
        }
        skipped
    }
}

/// Chooses. Each row comes with all its hashes, the current key's first; `known` is what the ledger has of this run.
pub fn choose(
    rows: impl Iterator<Item = Vec<EmailHash>>,
    known: &HashMap<EmailHash, Known>,
    rules: &Rules<'_>,
) -> Choice {
    let mut taken: HashSet<EmailHash> = HashSet::new();
    let mut left = rules.limit.unwrap_or(usize::MAX);
    let rows = rows
        .map(|hashes| {
            let (hash, attempt) = judge(&hashes, known, rules)?;
            if !taken.insert(hash) {
                return Err(Skip::Duplicate);
            }
            if left == 0 {
                return Err(Skip::BeyondLimit);
            }
            left -= 1;
            Ok((hash, attempt))
        })
        .collect();
    Choice { rows }
}

fn judge(hashes: &[EmailHash], known: &HashMap<EmailHash, Known>, rules: &Rules<'_>) -> Result<(EmailHash, u32), Skip> {
    let is_in = |set: Option<&HashSet<EmailHash>>| set.is_some_and(|set| hashes.iter().any(|hash| set.contains(hash)));
    let Some(hash) = hashes.first() else { return Err(Skip::Duplicate) };
    if is_in(rules.seen) {
        return Err(Skip::Accepted);
    }
    let mut attempt = 1;
    for known in hashes.iter().filter_map(|hash| known.get(hash)) {
        match known.sent {
            Sent::Accepted => return Err(Skip::Accepted),
            Sent::Claimed | Sent::Sending => return Err(Skip::Claimed),
            Sent::Uncertain if !rules.resend_uncertain => return Err(Skip::Uncertain),
            Sent::Uncertain | Sent::Refused | Sent::Abandoned => attempt = attempt.max(known.attempt.saturating_add(1)),
        }
    }
    if rules.only.is_some() && !is_in(rules.only) {
        return Err(Skip::NotAskedFor);
    }
    if is_in(rules.recently) {
        return Err(Skip::Recently);
    }
    Ok((*hash, attempt))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::run::RecipientId;

    fn hash(n: u8) -> EmailHash {
        EmailHash::from_bytes([n; 32])
    }

    fn known(entries: &[(u8, Sent, u32)]) -> HashMap<EmailHash, Known> {
        let recipient = RecipientId::from_bytes([0; 16]);
        entries
            .iter()
            .map(|(n, sent, attempt)| (hash(*n), Known { sent: *sent, attempt: *attempt, recipient }))
            .collect()
    }

    fn chosen(
        rows: &[&[u8]],
        known: &HashMap<EmailHash, Known>,
        rules: &Rules<'_>,
    ) -> Vec<Result<(EmailHash, u32), Skip>> {
        choose(rows.iter().map(|row| row.iter().map(|n| hash(*n)).collect()), known, rules).rows
    }

    #[test]
    fn whoever_may_have_it_is_left_out_and_whoever_has_not_gets_the_next_attempt() {
        let known = known(&[
            (1, Sent::Accepted, 1),
            (2, Sent::Uncertain, 1),
            (3, Sent::Refused, 2),
            (4, Sent::Abandoned, 1),
            (5, Sent::Sending, 1),
        ]);
        let rows: &[&[u8]] = &[&[1], &[2], &[3], &[4], &[5], &[6], &[6]];
        let expected = [
            Err(Skip::Accepted),
            Err(Skip::Uncertain),
            Ok((hash(3), 3)),
            Ok((hash(4), 2)),
            Err(Skip::Claimed),
            Ok((hash(6), 1)),
            Err(Skip::Duplicate),
        ];
        assert_eq!(chosen(rows, &known, &Rules::default()), expected);
        let again = Rules { resend_uncertain: true, ..Rules::default() };
        assert_eq!(chosen(&[&[2]], &known, &again), [Ok((hash(2), 2))]);
        let seen = HashSet::from([hash(2), hash(7)]);
        let again = Rules { seen: Some(&seen), ..again };
        let rows = chosen(&[&[2], &[7]], &known, &again);
        assert_eq!(rows, [Err(Skip::Accepted), Err(Skip::Accepted)], "events prove that it went out, known or not");
    }

    #[test]
    fn hashes_of_earlier_keys_count() {
        let known = known(&[(9, Sent::Accepted, 1), (8, Sent::Refused, 4)]);
        assert_eq!(
            chosen(&[&[1, 9], &[2, 8]], &known, &Rules::default()),
            [Err(Skip::Accepted), Ok((hash(2), 5))],
            "and the claim is made under the current key"
        );
    }

    #[test]
    fn only_some_not_recently_and_not_too_many() {
        let (only, recently) = (HashSet::from([hash(1), hash(2), hash(3), hash(4)]), HashSet::from([hash(2)]));
        let rules = Rules { only: Some(&only), recently: Some(&recently), limit: Some(2), ..Rules::default() };
        let expected =
            [Err(Skip::NotAskedFor), Ok((hash(1), 1)), Err(Skip::Recently), Ok((hash(3), 1)), Err(Skip::BeyondLimit)];
        assert_eq!(chosen(&[&[7], &[1], &[2], &[3], &[4]], &HashMap::new(), &rules), expected);
    }

    proptest! {
        /// Whatever is known: nobody is chosen twice, nobody who may have the mail, never more than wanted.
        #[test]
        fn nobody_is_chosen_twice(
            rows in prop::collection::vec(0_u8..20, 0..60),
            states in prop::collection::vec((0_u8..20, 0_usize..6), 0..20),
            limit in prop::option::of(0_usize..30),
        ) {
            let all = [Sent::Claimed, Sent::Sending, Sent::Accepted, Sent::Refused, Sent::Uncertain, Sent::Abandoned];
            let known = known(&states.iter().map(|(n, state)| (*n, all[*state], 1)).collect::<Vec<_>>());
            let choice = choose(rows.iter().map(|n| vec![hash(*n)]), &known, &Rules { limit, ..Rules::default() });
            let chosen: Vec<EmailHash> = choice.rows.iter().filter_map(|row| row.ok()).map(|(hash, _)| hash).collect();
            let distinct: HashSet<&EmailHash> = chosen.iter().collect();
            prop_assert_eq!(distinct.len(), chosen.len());
            prop_assert!(chosen.iter().all(|hash| known.get(hash).is_none_or(|known| !known.sent.is_taken())));
            prop_assert!(chosen.len() <= limit.unwrap_or(usize::MAX));
            let skipped: usize = choice.skipped().values().sum();
            prop_assert_eq!(skipped + choice.chosen(), rows.len());
        }
    }
}
