//! Who was to get the mail.

use std::collections::HashMap;

use super::selector::Selector;
use super::tracker::{Known, Tracker};
use crate::protect::EmailHash;
use crate::run::RequestId;
use crate::store::ledger::{Asked, Sent};

/// Who was to get the mail, and what is known of everybody.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// Each with the state in the ledger; `None` of a list.
    people: Vec<(EmailHash, Option<(Sent, RequestId)>)>,
    /// Several hashes may be one person's.
    by_hash: HashMap<EmailHash, usize>,
    /// So many, of whom nobody knows who.
    number: Option<u64>,
    has_uncertain: bool,
}

/// A recipient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person<'t> {
    /// Under the key that it was claimed by, or the current one.
    pub(super) hash: EmailHash,
    /// In the ledger.
    pub(super) sent: Option<Sent>,
    /// The request that asked for it.
    pub(super) request: Option<RequestId>,
    /// What events tell.
    pub(super) known: Option<&'t Known>,
}

impl Expected {
    /// Of the ledger: whom mail may have been sent to.
    pub(super) fn of_ledger(asked: &[Asked]) -> Self {
        let mailed = |asked: &&Asked| matches!(asked.sent, Sent::Accepted | Sent::Uncertain | Sent::Sending);
        let people: Vec<_> =
            asked.iter().filter(mailed).map(|asked| (asked.hash, Some((asked.sent, asked.request)))).collect();
        let by_hash = people.iter().enumerate().map(|(at, (hash, _))| (*hash, at)).collect();
        let has_uncertain = people.iter().any(|(_, asked)| asked.is_some_and(|(sent, _)| sent != Sent::Accepted));
        Self { people, by_hash, number: None, has_uncertain }
    }

    /// Whether there is anybody of whom it is not known whether SendGrid took the mail.
    pub(super) fn has_uncertain(&self) -> bool {
        self.has_uncertain
    }

    /// Of who asks; `None` where that does not say.
    pub(super) fn of_selector(selector: &Selector) -> Option<Self> {
        let Some(list) = &selector.list else {
            return selector.expect.map(|number| Self { number: Some(number), ..Self::default() });
        };
        let mut expected = Self::default();
        for hashes in list {
            let Some(first) = hashes.first() else { continue };
            let at = expected.people.len();
            expected.people.push((*first, None));
            expected.by_hash.extend(hashes.iter().map(|hash| (*hash, at)));
        }
        Some(expected)
    }

    /// Calls with each recipient, of whom there are events or not; says how many more there are to be.
    pub(super) fn each<'t>(&self, tracker: &'t Tracker, mut call: impl FnMut(Person<'t>)) -> u64 {
        if let Some(number) = self.number {
            let mut seen = 0;
            for known in tracker.people() {
                call(Person { hash: known.hash, sent: None, request: None, known: Some(known) });
                seen += 1;
            }
            return number.saturating_sub(seen);
        }
        let mut found: Vec<Option<&Known>> = vec![None; self.people.len()];
        for known in tracker.people() {
            let Some(slot) = self.by_hash.get(&known.hash).and_then(|at| found.get_mut(*at)) else { continue };
            // Under two keys: the newer message counts.
            if slot.is_none_or(|held| (held.first_seen, held.status) < (known.first_seen, known.status)) {
                *slot = Some(known);
            }
        }
        for ((hash, asked), known) in self.people.iter().zip(found) {
            let (sent, request) = asked.unzip();
            call(Person { hash: *hash, sent, request, known });
        }
        0
    }
}
