//! Who was to get the mail.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::recipient::{Entry, Recipient};
use super::selector::{OutcomeError, Selector};
use super::tracker::{Known, Tracker};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::ledger::{Asked, Ledger, RunRecord, Sent};
use crate::store::query::Scope;

/// A run's events may carry times before its first claim: clocks differ. µs.
const BEFORE_CLAIM: i64 = 5 * 60 * 1_000_000;

/// What the ledger and the question together say of who was to get the mail.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) expected: Expected,
    /// The run in the ledger.
    pub(super) record: Option<RunRecord>,
    /// When SendGrid first accepted mail of the run, µs since the epoch.
    pub(super) first_accepted: Option<i64>,
    /// From which time on events count, µs since the epoch.
    pub(super) since: Option<i64>,
}

impl Wanted {
    pub(super) fn read(ledger: Option<&dyn Ledger>, selector: &Selector) -> Result<Self, OutcomeError> {
        let mut wanted = Self { since: selector.since, ..Self::default() };
        let of_selector = || Expected::of_selector(selector).unwrap_or_default();
        match (&selector.scope, ledger) {
            (Scope::Run(run), Some(ledger)) => match ledger.run(run)? {
                Some(found) if !found.record.sandbox => {
                    let accepted = found.recipients.iter().filter(|one| one.sent == Sent::Accepted);
                    wanted.first_accepted = accepted.map(|one| one.at).min();
                    wanted.since = Some(found.record.begun_at - BEFORE_CLAIM);
                    wanted.expected = Expected::of_ledger(found.recipients, selector.list.as_deref());
                    wanted.record = Some(found.record);
                }
                found => {
                    wanted.expected = of_selector();
                    wanted.record = found.map(|found| found.record);
                }
            },
            (Scope::Category(category), Some(ledger)) => {
                wanted.expected = of_selector();
                let since = selector.since.unwrap_or(i64::MIN);
                wanted.expected.note(ledger.recipients_of_category(category, since)?);
            }
            (_, None) => wanted.expected = of_selector(),
        }
        Ok(wanted)
    }
}

/// Who was to get the mail, and what the ledger says of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// Each with what the ledger says; `None` of mail that was not sent from here.
    people: Vec<(EmailHash, Option<Entry>)>,
    /// Several hashes may be one person's.
    by_hash: HashMap<EmailHash, usize>,
    /// So many, of whom nobody knows who; `people` are those that the ledger knows.
    number: Option<u64>,
    /// Recipients of the list that were never asked for.
    not_asked: u64,
}

impl Expected {
    /// All that the ledger has of a run. With a list, a recipient that stands in the ledger under several hashes counts once.
    pub(super) fn of_ledger(asked: Vec<Asked>, list: Option<&[Vec<EmailHash>]>) -> Self {
        let list = list.unwrap_or_default();
        let mut same: HashMap<EmailHash, EmailHash> = HashMap::new();
        for hashes in list.iter().filter(|hashes| hashes.len() > 1) {
            same.extend(hashes.iter().map(|hash| (*hash, hashes[0])));
        }
        let mut expected = Self::default();
        for one in asked {
            expected.add(&same, one);
        }
        for hashes in list {
            match hashes.iter().find_map(|hash| expected.by_hash.get(hash)).copied() {
                // Events may carry another of the hashes than the ledger.
                Some(at) => expected.by_hash.extend(hashes.iter().map(|hash| (*hash, at))),
                None => expected.not_asked += 1,
            }
        }
        expected
    }

    fn add(&mut self, same: &HashMap<EmailHash, EmailHash>, asked: Asked) {
        let (hash, entry) = (asked.hash, Entry::of(asked));
        let person = same.get(&hash).copied().unwrap_or(hash);
        let at = match self.by_hash.entry(person) {
            Slot::Vacant(vacant) => {
                let at = *vacant.insert(self.people.len());
                self.people.push((hash, Some(entry)));
                at
            }
            Slot::Occupied(occupied) => {
                let at = *occupied.get();
                if let Some((held_hash, Some(held))) = self.people.get_mut(at)
                    && (held.attempt, held.at) < (entry.attempt, entry.at)
                {
                    (*held_hash, *held) = (hash, entry);
                }
                at
            }
        };
        self.by_hash.insert(hash, at);
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

    /// Adds what the ledger says of the mail of a category, which several runs may have sent: the latest that may have mailed counts,
    /// else the latest.
    pub(super) fn note(&mut self, asked: Vec<Asked>) {
        for one in asked {
            let (hash, entry) = (one.hash, Entry::of(one));
            let at = match (self.by_hash.get(&hash), self.number) {
                (Some(at), _) => *at,
                (None, Some(_)) => {
                    self.people.push((hash, None));
                    self.by_hash.insert(hash, self.people.len() - 1);
                    self.people.len() - 1
                }
                // Not on the list.
                (None, None) => continue,
            };
            if let Some((_, held)) = self.people.get_mut(at)
                && held.as_ref().is_none_or(|held| (held.sent.is_taken(), held.at) < (entry.sent.is_taken(), entry.at))
            {
                *held = Some(entry);
            }
        }
    }

    /// Whether there is anybody of whom it is not known whether SendGrid took the mail.
    pub(super) fn has_uncertain(&self) -> bool {
        let mut entries = self.people.iter().filter_map(|(_, entry)| entry.as_ref());
        entries.any(|entry| matches!(entry.sent, Sent::Uncertain | Sent::Sending))
    }

    /// How many of the list were never asked for in this run.
    pub(super) fn not_asked(&self) -> u64 {
        self.not_asked
    }

    /// When the ledger's last step was, µs since the epoch.
    pub(super) fn last_step(&self) -> Option<i64> {
        self.people.iter().filter_map(|(_, entry)| entry.as_ref()).map(|entry| entry.at).max()
    }

    /// Every hash that stands for a recipient of a place in the list or ledger.
    pub(super) fn hashes(&self) -> Vec<Vec<EmailHash>> {
        let mut hashes = vec![Vec::new(); self.people.len()];
        for (hash, at) in &self.by_hash {
            if let Some(its) = hashes.get_mut(*at) {
                its.push(*hash);
            }
        }
        hashes
    }

    /// Calls with each recipient, of whom there are events or not; says how many more there are to be.
    pub(super) fn each<'t>(&'t self, tracker: &'t Tracker, mut call: impl FnMut(Recipient<'t>)) -> u64 {
        let mut called = 0;
        self.visit(tracker, |place, recipient| {
            // Somebody that the list or the ledger does not name counts only where nobody knows who was to get it.
            let counts = match (place, self.number) {
                (Some(_), None) => true,
                (None, None) => false,
                (_, Some(_)) => recipient.known.is_some() || recipient.status() == Status::Refused,
            };
            if counts {
                call(recipient);
                called += 1;
            }
        });
        self.number.map_or(0, |number| number.saturating_sub(called))
    }

    /// Calls with everybody: those of the list or ledger by their place, and whoever else has events.
    pub(super) fn visit<'t>(&'t self, tracker: &'t Tracker, mut call: impl FnMut(Option<usize>, Recipient<'t>)) {
        let mut found: Vec<Option<&Known>> = vec![None; self.people.len()];
        for known in tracker.people() {
            match self.by_hash.get(&known.hash).and_then(|at| found.get_mut(*at)) {
                // Under two keys: the newer message counts.
                Some(slot)
                    if slot.is_none_or(|held| (held.first_seen, held.status) < (known.first_seen, known.status)) =>
                {
                    *slot = Some(known);
                }
                Some(_) => {}
                None => call(None, Recipient { hash: known.hash, entry: None, known: Some(known) }),
            }
        }
        for (place, ((hash, entry), known)) in self.people.iter().zip(found).enumerate() {
            call(Some(place), Recipient { hash: *hash, entry: entry.as_ref(), known });
        }
    }
}
