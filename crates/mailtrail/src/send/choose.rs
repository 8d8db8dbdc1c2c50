//! Who of a list is mailed, and why the others are not.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::compose::Mail;
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

/// A row that is mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<M> {
    /// Its mail.
    pub mail: M,
    /// The recipient, under the current key.
    pub hash: EmailHash,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl<M: AsRef<Mail>> AsRef<Mail> for Chosen<M> {
    fn as_ref(&self) -> &Mail {
        self.mail.as_ref()
    }
}

/// A row that is not mailed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped<M> {
    /// Its mail.
    pub mail: M,
    /// The recipient, under the current key.
    pub hash: EmailHash,
    /// Why.
    pub skip: Skip,
}

/// Who is mailed: each row is in one of the two, in the order of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<M> {
    /// Rows that are mailed.
    pub chosen: Vec<Chosen<M>>,
    /// Rows that are not.
    pub skipped: Vec<Skipped<M>>,
}

impl<M> Choice<M> {
    /// How many are not mailed, by reason.
    #[must_use]
    pub fn skip_counts(&self) -> BTreeMap<Skip, usize> {
        let mut counts = BTreeMap::new();
        for skipped in &self.skipped {
            *counts.entry(skipped.skip).or_default() += 1;
        }
        counts
    }
}

/// All hashes of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// Under the current key.
    pub current: EmailHash,
    /// Under all keys, the current one's first.
    pub all: Vec<EmailHash>,
}

/// Chooses. `known` is what the ledger has of this run.
pub fn choose<M>(
    rows: impl IntoIterator<Item = (M, Hashes)>,
    known: &HashMap<EmailHash, Known>,
    rules: &Rules<'_>,
) -> Choice<M> {
    let mut taken: HashSet<EmailHash> = HashSet::new();
    let mut left = rules.limit.unwrap_or(usize::MAX);
    let mut choice = Choice { chosen: Vec::new(), skipped: Vec::new() };
    for (mail, hashes) in rows {
        let hash = hashes.current;
        let judged = judge(&hashes.all, known, rules).and_then(|attempt| {
            if !taken.insert(hash) {
                return Err(Skip::Duplicate);
            }
            left = left.checked_sub(1).ok_or(Skip::BeyondLimit)?;
            Ok(attempt)
        });
        match judged {
            Ok(attempt) => choice.chosen.push(Chosen { mail, hash, attempt }),
            Err(skip) => choice.skipped.push(Skipped { mail, hash, skip }),
        }
    }
    choice
}

/// The number of the attempt that is next.
fn judge(hashes: &[EmailHash], known: &HashMap<EmailHash, Known>, rules: &Rules<'_>) -> Result<u32, Skip> {
    let is_in = |set: Option<&HashSet<EmailHash>>| set.is_some_and(|set| hashes.iter().any(|hash| set.contains(hash)));
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
    Ok(attempt)
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
        let choice = choose(rows.iter().enumerate().map(|(at, row)| (at, hashes(row))), known, rules);
        let chosen = choice.chosen.iter().map(|row| (row.mail, Ok((row.hash, row.attempt))));
        let mut all: Vec<_> = chosen.chain(choice.skipped.iter().map(|row| (row.mail, Err(row.skip)))).collect();
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, judged)| judged).collect()
    }

    fn hashes(row: &[u8]) -> Hashes {
        Hashes { current: hash(row[0]), all: row.iter().map(|n| hash(*n)).collect() }
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
            let choice = choose(rows.iter().map(|n| ((), hashes(&[*n]))), &known, &Rules { limit, ..Rules::default() });
            let chosen: Vec<EmailHash> = choice.chosen.iter().map(|row| row.hash).collect();
            let distinct: HashSet<&EmailHash> = chosen.iter().collect();
            prop_assert_eq!(distinct.len(), chosen.len());
            prop_assert!(chosen.iter().all(|hash| known.get(hash).is_none_or(|known| !known.sent.is_taken())));
            prop_assert!(chosen.len() <= limit.unwrap_or(usize::MAX));
            let skipped: usize = choice.skip_counts().values().sum();
            prop_assert_eq!(skipped + choice.chosen.len(), rows.len());
        }
    }
}
