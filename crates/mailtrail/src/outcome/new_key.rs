//! A new hash key while runs are not settled: their recipients stand in the ledger under the old key, and events that come in from
//! now on would carry hashes under the new one.

use super::runs::{run_names, watch};
use super::selector::OutcomeError;
use crate::store::keys::Identity;
use crate::store::sends::Sends;

/// SendGrid tries for 72 hours and repeats a POST for 24; nothing is awaited of a run that has been still for longer. µs.
pub const AWAITED: i64 = 4 * 86_400 * 1_000_000;

/// So many runs are named.
const NAMED: usize = 3;

/// Why a new hash key is not used.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyError {
    /// Runs are not settled.
    #[error(
        "the hash key {key_id} is new to this store, and {runs} not settled. Events that come in under the new key would not be \
         counted for their recipients. Set [privacy] key_file back until `mailtrail wait` says that they are settled, or start \
         `mailtrail serve --force` once, which accepts that they may never be"
    )]
    Unsettled {
        /// The new key.
        key_id: String,
        /// `the runs "a" and 2 others are`
        runs: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
}

/// Refuses a hash key that this store's ledger does not know while a run under another key awaits events, unless `force`. A key
/// that was accepted once is known from then on.
///
/// # Errors
/// When the key is refused, or the store cannot be read or written.
pub fn refuse_new_key(sends: &dyn Sends, keys: &Identity, force: bool, now: i64) -> Result<(), NewKeyError> {
    // Without an earlier key there is none that was replaced; a key that is missing is refused elsewhere.
    if keys.previous_key_ids.is_empty() {
        return Ok(());
    }
    let Some(ledger) = sends.ledger().map_err(OutcomeError::from)? else { return Ok(()) };
    let known = ledger.hash_keys().map_err(OutcomeError::from)?;
    if known.is_empty() || known.contains(&keys.key_id) {
        return Ok(());
    }
    let unsettled = if force { Vec::new() } else { unsettled(sends, now)? };
    if let Some(first) = unsettled.first() {
        let others = unsettled.len() - 1;
        let runs = match others {
            0 => format!("the run {first:?} is"),
            _ if others < NAMED => {
                let named: Vec<String> = unsettled.iter().map(|name| format!("{name:?}")).collect();
                format!("the runs {} are", named.join(", "))
            }
            _ => format!("the run {first:?} and {others} others are"),
        };
        return Err(NewKeyError::Unsettled { key_id: keys.key_id.clone(), runs });
    }
    sends.note_hash_key(&keys.key_id).map_err(|error| NewKeyError::Outcome(error.into()))
}

/// The runs whose mail SendGrid has or may have, and of which events are still to come.
fn unsettled(sends: &dyn Sends, now: i64) -> Result<Vec<String>, OutcomeError> {
    let mut unsettled = Vec::new();
    for name in run_names(sends)? {
        let watched = match watch(sends, &name) {
            Ok(watched) => watched,
            // It went to the sandbox alone.
            Err(OutcomeError::Usage(_)) => continue,
            Err(error) => return Err(error),
        };
        let Some(record) = watched.record().filter(|record| !record.sandbox) else { continue };
        let report = watched.report();
        let since = watched.reached().max(record.send_at).unwrap_or(record.begun_at);
        if report.pending() > report.unsent && now.saturating_sub(since) < AWAITED {
            unsettled.push(name);
        }
    }
    Ok(unsettled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protect::EmailHash;
    use crate::run::{RecipientId, RequestId, RunName};
    use crate::store::Paths;
    use crate::store::keys::Keys as _;
    use crate::store::ledger::{Ended, RunLedger};
    use crate::store::testing::PlainKeys;

    const NOW: i64 = 1_780_000_000_000_000;

    fn send(paths: &Paths, run: &str, ended: Ended<'_>) {
        let run = RunName::new(run).expect("a name");
        let mut ledger = RunLedger::open(paths, &run, &PlainKeys.identity(), NOW).expect("opened");
        let request = RequestId::random().expect("random");
        let who = (EmailHash::from_bytes([1; 32]), RecipientId::random().expect("random"), 1);
        ledger.claim(request, &[], None, std::iter::once(who), NOW).expect("claimed");
        ledger.sending(request, NOW).expect("noted");
        ledger.ended(request, ended, NOW).expect("noted");
    }

    fn replaced() -> Identity {
        let old = PlainKeys.identity();
        Identity { key_id: "key-2".into(), previous_key_ids: vec![old.key_id.clone()], ..old }
    }

    #[test]
    fn a_new_key_waits_until_every_run_is_settled() {
        let temp = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(temp.path().join("m.db"));
        let refused = |now| refuse_new_key(&paths, &replaced(), false, now).err().map(|error| error.to_string());
        assert_eq!(refused(NOW), None, "nothing was ever sent");
        send(&paths, "refused", Ended::Refused { status: 400, why: "no" });
        send(&paths, "november", Ended::Accepted(Some("id")));
        refuse_new_key(&paths, &PlainKeys.identity(), false, NOW).expect("the key of the ledger");
        let error = refused(NOW).expect("refused");
        assert!(error.contains("the run \"november\" is not settled") && error.contains("--force"), "{error}");
        assert!(refused(NOW + 1).is_some(), "a refused key stays unknown");
        assert_eq!(refused(NOW + AWAITED), None, "no event is awaited any more");
        assert_eq!(refused(NOW), None, "it was accepted");
    }

    #[test]
    fn a_new_key_is_taken_by_force_once() {
        let temp = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(temp.path().join("m.db"));
        send(&paths, "november", Ended::Uncertain("cut"));
        refuse_new_key(&paths, &replaced(), false, NOW).expect_err("not settled");
        refuse_new_key(&paths, &replaced(), true, NOW).expect("forced");
        refuse_new_key(&paths, &replaced(), false, NOW).expect("known from then on");
    }
}
