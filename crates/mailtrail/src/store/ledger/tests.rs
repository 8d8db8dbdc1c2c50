use super::*;
use crate::run::RunName;
use crate::store::Paths;
use crate::store::keys::Identity;
use crate::store::keys::Keys as _;
use crate::store::testing::PlainKeys;

fn hash(n: u8) -> EmailHash {
    EmailHash::from_bytes([n; 32])
}

fn run() -> RunName {
    RunName::new("november").expect("a name")
}

fn keys(current: &str, previous: &[&str]) -> Identity {
    let previous_key_ids = previous.iter().map(|id| (*id).to_owned()).collect();
    Identity { key_id: current.to_owned(), previous_key_ids, ..PlainKeys.identity() }
}

fn open(paths: &Paths) -> RunLedger {
    RunLedger::open(paths, &run(), &keys("key", &[]), 1).expect("opened")
}

#[test]
fn without_an_earlier_key_nothing_is_sent() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    drop(open(&paths));
    let error = RunLedger::open(&paths, &run(), &keys("new", &[]), 1).err().expect("refused").to_string();
    assert!(error.contains("previous_key_files"), "{error}");
    drop(RunLedger::open(&paths, &run(), &keys("new", &["key"]), 1).expect("both keys are there"));
}

fn claim(ledger: &mut RunLedger, hashes: &[u8], attempt: u32) -> RequestId {
    let request = RequestId::random().expect("random");
    let recipients = hashes.iter().map(|n| (hash(*n), RecipientId::random().expect("random"), attempt));
    ledger.claim(request, &["news".to_owned()], None, recipients, 10).expect("claimed");
    request
}

fn state(ledger: &RunLedger, n: u8) -> Option<(Sent, u32)> {
    ledger.known().expect("read").get(&hash(n)).map(|known| (known.sent, known.attempt))
}

#[test]
fn what_a_dead_sender_left_is_abandoned_or_uncertain() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    let mut ledger = open(&paths);
    claim(&mut ledger, &[1], 1);
    let begun = claim(&mut ledger, &[2], 1);
    ledger.sending(begun, 11).expect("written");
    let done = claim(&mut ledger, &[3], 1);
    ledger.sending(done, 12).expect("written");
    ledger.ended(done, Ended::Accepted(Some("abc")), 13).expect("written");
    let refused = claim(&mut ledger, &[4], 1);
    ledger.sending(refused, 14).expect("written");
    ledger.ended(refused, Ended::Refused { status: 400, why: "no" }, 15).expect("written");
    drop(ledger);

    let mut ledger = open(&paths);
    assert_eq!(state(&ledger, 1), Some((Sent::Abandoned, 1)));
    assert_eq!(state(&ledger, 2), Some((Sent::Uncertain, 1)));
    assert_eq!(state(&ledger, 3), Some((Sent::Accepted, 1)));
    assert_eq!(state(&ledger, 4), Some((Sent::Refused, 1)));
    assert_eq!(state(&ledger, 5), None);
    claim(&mut ledger, &[1, 4], 2);
    assert_eq!(state(&ledger, 1), Some((Sent::Claimed, 2)));

    let reader = LedgerReader::open(&paths).expect("opened").expect("there");
    let record = reader.run("november").expect("read").expect("known");
    assert_eq!((record.asked(), record.count(Sent::Claimed), record.count(Sent::Accepted)), (4, 2, 1));
    assert_eq!(record.accepted_at, Some(13));
    let mut asked = reader.recipients("november").expect("read");
    asked.sort_by_key(|one| one.hash);
    assert_eq!(
        asked.iter().map(|one| one.sent).collect::<Vec<_>>(),
        [Sent::Claimed, Sent::Uncertain, Sent::Accepted, Sent::Claimed]
    );
    assert_eq!(asked[2].message_id.as_deref(), Some("abc"));
    assert_eq!(reader.recipients_of_category("news", 12).expect("read").len(), 1, "the other steps are older");
    assert_eq!(reader.recipients_of_category("news", 0).expect("read").len(), 4);
    assert_eq!(reader.recipients_of_category("other", 0).expect("read"), []);
    assert_eq!(reader.run("december").expect("read"), None);
    let place = reader.place().expect("read");
    claim(&mut ledger, &[9], 1);
    assert_eq!(reader.place().expect("read"), place + 1);
}

#[test]
fn a_refusal_keeps_its_reason_and_names_only_those_to_blame() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    let mut ledger = open(&paths);
    let some = claim(&mut ledger, &[1, 2], 1);
    ledger.sending(some, 11).expect("written");
    let blamed = [(hash(2), "Does not contain a valid address.".to_owned())];
    ledger.ended(some, Ended::RefusedFor { status: 400, recipients: &blamed }, 12).expect("written");
    let whole = claim(&mut ledger, &[3], 1);
    ledger.ended(whole, Ended::Refused { status: 401, why: "Maximum credits exceeded" }, 13).expect("written");
    assert_eq!(state(&ledger, 1), Some((Sent::Abandoned, 1)), "it may be asked for again");
    assert_eq!(state(&ledger, 2), Some((Sent::Refused, 1)));

    let reader = LedgerReader::open(&paths).expect("opened").expect("there");
    let mut asked = reader.recipients("november").expect("read");
    asked.sort_by_key(|one| one.hash);
    let refusals: Vec<_> = asked.into_iter().map(|one| one.refusal.map(|refusal| *refusal)).collect();
    let of = |status, why: &str| Some(Refusal { status: Some(status), why: Some(why.to_owned()) });
    assert_eq!(refusals, [None, of(400, "Does not contain a valid address."), of(401, "Maximum credits exceeded")]);
    let sql = rusqlite::Connection::open(paths.ledger()).expect("opened");
    let shown: String = sql
        .query_row(
            "SELECT group_concat(state || ' ' || ifnull(why, ''), ', ') FROM sendgrid_send WHERE code = '400'",
            (),
            |row| row.get(0),
        )
        .expect("read");
    assert_eq!(
        shown,
        "abandoned another recipient of the request was refused, refused Does not contain a valid address."
    );
}

/// As the version before wrote it.
#[test]
fn a_ledger_of_the_first_format_is_read_and_its_refusals_have_no_reason() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    let first = crate::database::Format {
        name: "ledger",
        application_id: 0x4d54_4c47,
        migrations: &[include_str!("0001_ledger.sql")],
    };
    let sql = crate::database::open(&paths.ledger(), &first).expect("made");
    sql.execute_batch(&format!(
        "INSERT INTO run (name, begun_at) VALUES ('november', 1);
         INSERT INTO request (request, run_id, categories) VALUES ('{}', 1, '[]');
         INSERT INTO claim (run_id, email_hash, attempt, key_id, recipient, request_id)
             VALUES (1, x'{}', 1, 'key', '{}', 1);
         INSERT INTO step (request_id, state, code, at) VALUES (1, 'refused', '400', 2);",
        RequestId::random().expect("random"),
        "07".repeat(32),
        RecipientId::random().expect("random"),
    ))
    .expect("filled");
    drop(sql);
    let reader = LedgerReader::open(&paths).expect("opened").expect("there");
    let asked = reader.recipients("november").expect("read");
    assert_eq!(asked[0].refusal.as_deref(), Some(&Refusal { status: Some(400), why: None }));
    assert_eq!(state(&open(&paths), 7), Some((Sent::Refused, 1)));
}

#[test]
fn nobody_is_claimed_twice_in_one_attempt() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    let mut ledger = open(&paths);
    claim(&mut ledger, &[1], 1);
    let id = || RecipientId::random().expect("random");
    let request = RequestId::random().expect("random");
    let error =
        ledger.claim(request, &[], None, [(hash(2), id(), 1), (hash(1), id(), 1)], 20).expect_err("claimed before");
    assert!(matches!(error, LedgerError::Claimed(_)), "{error}");
    assert_eq!(state(&ledger, 2), None, "all or nobody");
}

#[test]
fn a_run_has_one_sender_at_a_time() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    let ledger = open(&paths);
    let error = RunLedger::open(&paths, &run(), &keys("key", &[]), 1).err().expect("busy").to_string();
    assert!(error.contains("is being sent by process"), "{error}");
    let other = RunName::new("december").expect("a name");
    drop(RunLedger::open(&paths, &other, &keys("key", &[]), 1).expect("another run is free"));
    drop(ledger);
    drop(open(&paths));
}

#[test]
fn the_sandbox_is_remembered_until_somebody_is_mailed() {
    let temp = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(temp.path().join("m.db"));
    assert!(LedgerReader::open(&paths).expect("fine").is_none());
    note_sandbox(&paths, &run(), 5).expect("noted");
    let reader = LedgerReader::open(&paths).expect("opened").expect("there");
    assert!(reader.run("november").expect("read").expect("known").sandbox);
    assert_eq!(reader.run_names().expect("read").len(), 1);
    claim(&mut open(&paths), &[1], 1);
    assert!(!reader.run("november").expect("read").expect("known").sandbox);
    assert_eq!(reader.run_names().expect("read").len(), 1);
}
