use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::store::testing::{batch, connect, encode, ids, plain_seal, record, stored, texts};

fn open(folder: &Path) -> (Trail, PathBuf) {
    let path = folder.join("t.db");
    (Trail::open(&path).expect("opened"), path)
}

fn append(trail: &mut Trail, records: &[Record]) -> Appended {
    trail.append(records, &plain_seal).expect("appended")
}

const EVERYTHING: &str =
    "SELECT json_array(sg_event_id, event, timestamp, email_hash, email_domain, email, sg_message_id,
    message_id, smtp_id, category, reason, response, status, type, bounce_classification, attempt, asm_group_id, url,
    useragent, ip, sg_machine_open, tls, run, recipient, request, custom_args, extra, received_at, verified_by, key_id,
    hex(event_key), hex(fingerprint)) FROM sendgrid_event ORDER BY timestamp, event_key";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Any way of cutting events into batches and transactions, with any repetitions, in any order, interrupted by
    /// openings anew, stores the same set.
    #[test]
    fn any_split_order_and_repetition_store_the_same_set(
        transactions in prop::collection::vec(prop::collection::vec(prop::collection::vec(0_u64..60, 0..12), 0..4), 0..8),
        reopen in prop::collection::vec(any::<bool>(), 8),
    ) {
        let temp = tempfile::tempdir().expect("a folder");
        let (mut trail, path) = open(temp.path());
        let (mut total, mut items) = (Appended::default(), 0);
        for (transaction, reopen) in transactions.iter().zip(&reopen) {
            let records: Vec<Record> = transaction.iter().map(|events| record(events.iter().copied())).collect();
            total += append(&mut trail, &records);
            items += transaction.iter().map(Vec::len).sum::<usize>();
            if *reopen {
                drop(trail);
                trail = open(temp.path()).0;
            }
        }
        let mut expected: Vec<u64> = transactions.into_iter().flatten().flatten().collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(total.stored, expected.len() as u64);
        prop_assert_eq!(total.stored + total.duplicate, items as u64);
        prop_assert_eq!(stored(&path), ids(expected.iter().copied()));
        prop_assert_eq!(texts(&path, "SELECT \"table\" FROM pragma_foreign_key_check"), Vec::<String>::new());

        let once = tempfile::tempdir().expect("a folder");
        let (mut other, other_path) = open(once.path());
        append(&mut other, &[record(expected)]);
        prop_assert_eq!(texts(&path, EVERYTHING), texts(&other_path, EVERYTHING));
    }
}

#[test]
fn every_column_comes_back_as_it_was_handed_in() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    let nasty = "\u{0}a\u{0} '); DROP TABLE event; -- \" \u{1b}[2J \u{202e} ✓";
    let text = |name: &str| Some(format!("{name} {nasty}"));
    let mut rows = batch([1]);
    rows.verified_by = None;
    let event = &mut rows.events[0];
    event.event = format!("event {nasty}");
    event.category = vec![nasty.to_owned(), String::new(), "b".into(), "b".into()];
    event.sg_event_id = text("sg_event_id");
    event.sg_message_id = text("sg_message_id");
    event.message_id = text("message_id");
    event.smtp_id = text("smtp_id");
    event.reason = Some("x".repeat(3_000_000));
    event.response = Some(String::new());
    event.status = text("status");
    event.r#type = text("type");
    event.bounce_classification = text("bounce_classification");
    (event.attempt, event.asm_group_id) = (Some(i64::MIN), Some(i64::MAX));
    event.url = text("url");
    event.useragent = text("useragent");
    event.ip = text("ip");
    (event.sg_machine_open, event.tls) = (Some(false), Some(true));
    event.run = text("run");
    event.recipient = text("recipient");
    event.request = text("request");
    event.custom_args = text("custom_args");
    event.extra = text("extra");
    if let Some(address) = &mut event.address {
        address.email_domain = text("domain");
        address.email = text("email");
    }
    let expected = event.clone();
    assert_eq!(append(&mut trail, &[encode(rows)]).stored, 1);

    let connection = connect(&path);
    let found = connection.query_row(
        "SELECT event, sg_event_id, sg_message_id, message_id, smtp_id, reason, response, status, type,
                 bounce_classification, url, useragent, ip, run, recipient, request, custom_args, extra, email_domain,
                 email, category, attempt, asm_group_id, sg_machine_open, tls, verified_by, email_hash, event_key
             FROM sendgrid_event",
        (),
        |row| {
            let texts: Vec<Option<String>> = (0..20).map(|index| row.get(index)).collect::<Result<_, _>>()?;
            let address = expected.address.clone().expect("has one");
            assert_eq!(
                texts,
                [
                    Some(expected.event.clone()),
                    expected.sg_event_id.clone(),
                    expected.sg_message_id.clone(),
                    expected.message_id.clone(),
                    expected.smtp_id.clone(),
                    expected.reason.clone(),
                    expected.response.clone(),
                    expected.status.clone(),
                    expected.r#type.clone(),
                    expected.bounce_classification.clone(),
                    expected.url.clone(),
                    expected.useragent.clone(),
                    expected.ip.clone(),
                    expected.run.clone(),
                    expected.recipient.clone(),
                    expected.request.clone(),
                    expected.custom_args.clone(),
                    expected.extra.clone(),
                    address.email_domain,
                    address.email,
                ]
            );
            let categories: Vec<String> = serde_json::from_str(&row.get::<_, String>(20)?).expect("a JSON list");
            assert_eq!(categories, expected.category);
            assert_eq!((row.get(21)?, row.get(22)?), (expected.attempt, expected.asm_group_id));
            assert_eq!((row.get(23)?, row.get(24)?), (expected.sg_machine_open, expected.tls));
            assert_eq!(row.get::<_, Option<String>>(25)?, None);
            assert_eq!(row.get::<_, String>(26)?, hex(&address.email_hash));
            assert_eq!(row.get::<_, [u8; 16]>(27)?, expected.event_key);
            Ok(())
        },
    );
    found.expect("one row");
    let members = "SELECT c.name FROM event_category AS e JOIN category AS c ON c.id = e.category_id ORDER BY c.name";
    assert_eq!(texts(&path, members), [String::new(), nasty.to_owned(), "b".into()].as_slice());
}

#[test]
fn absent_and_empty_are_different_messages() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    let mut rows = batch([1, 2, 3]);
    for (event, custom_args) in rows.events.iter_mut().zip([None, Some(String::new()), Some("{}".to_owned())]) {
        (event.run, event.address, event.message_id, event.sg_message_id) = (None, None, None, None);
        event.category = vec![];
        event.custom_args = custom_args;
    }
    append(&mut trail, &[encode(rows)]);
    let found = texts(&path, "SELECT sg_event_id || ifnull(quote(custom_args), 'null') FROM sendgrid_event ORDER BY 1");
    assert_eq!(found, ["event-1NULL", "event-2''", "event-3'{}'"]);
}

#[test]
fn samples_are_told_apart_whatever_vouches_for_the_post() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    let mut rows = batch([1, 2]);
    rows.events[0].sample = true;
    append(&mut trail, &[encode(rows)]);
    let found = texts(&path, "SELECT verified_by FROM sendgrid_event ORDER BY sg_event_id");
    assert_eq!(found, ["test", "0123456789abcdef"]);
}

#[test]
fn sealed_items_are_kept_once() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    let mut rows = batch([1]);
    rows.sealed = vec![plain_seal(b"x", "malformed"), plain_seal(b"y", "not_json"), plain_seal(b"x", "malformed")];
    let once = append(&mut trail, &[encode(rows.clone())]);
    assert_eq!(once, Appended { stored: 1, duplicate: 1, quarantined: 2, forgotten: 0 });
    let again = append(&mut trail, &[encode(rows)]);
    assert_eq!(again, Appended { stored: 0, duplicate: 4, quarantined: 0, forgotten: 0 });
    assert_eq!(texts(&path, "SELECT why FROM quarantine ORDER BY id"), ["malformed", "not_json"]);
}

#[test]
fn cached_numbers_are_forgotten_when_another_writer_deleted_rows() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    append(&mut trail, &[record(0..8)]);
    let other = connect(&path);
    other
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DELETE FROM event; DELETE FROM event_category_list; DELETE FROM message;
             DELETE FROM address; DELETE FROM category_member; DELETE FROM category_list; DELETE FROM category;
             DELETE FROM proof",
        )
        .expect("deleted");
    meta::bump_generation(&other).expect("bumped");
    assert_eq!(append(&mut trail, &[record(0..8)]).stored, 8);
    assert_eq!(stored(&path), ids(0..8));
    let dangling = texts(&path, "SELECT \"table\" FROM pragma_foreign_key_check");
    assert_eq!(dangling, Vec::<String>::new());
}

#[test]
fn a_failed_transaction_leaves_nothing_and_can_be_repeated() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    append(&mut trail, &[record(0..2)]);
    let pages: i64 = trail.connection.pragma_query_value(None, "page_count", |row| row.get(0)).expect("a count");
    let limit = |trail: &Trail, pages: i64| {
        trail
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
            .expect("limited");
    };
    limit(&trail, pages);
    let records: Vec<Record> = (0..100).map(|n| record(n * 20..n * 20 + 20)).collect();
    let error = trail.append(&records, &plain_seal).expect_err("full");
    assert!(!error.is_content(), "a full disk is no fault of the content: {error}");
    assert_eq!(stored(&path), ids(0..2));
    limit(&trail, 1_000_000);
    assert_eq!(append(&mut trail, &records), Appended { stored: 1_998, duplicate: 2, quarantined: 0, forgotten: 0 });
    assert_eq!(texts(&path, "SELECT \"table\" FROM pragma_foreign_key_check"), Vec::<String>::new());
}

#[test]
fn what_comes_in_pieces_is_one_transaction_and_comes_again_where_an_element_fails() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    connect(&path)
        .execute_batch("CREATE TRIGGER no BEFORE INSERT ON event WHEN new.sg_event_id = 'event-7' BEGIN SELECT raise(ABORT, 'no'); END")
        .expect("made");
    let mut calls = 0;
    let mut hand = |add: &mut Add<'_>| {
        calls += 1;
        [record(0..5), record(5..10)].iter().try_for_each(|record| add(record).map(drop))
    };
    let appended = trail.append_each(&mut hand, &plain_seal).expect("appended");
    assert_eq!((calls, appended), (2, Appended { stored: 9, duplicate: 0, quarantined: 1, forgotten: 0 }));

    let mut hand = |add: &mut Add<'_>| {
        add(&record(20..25))?;
        Err(TrailError::KeysUnknown)
    };
    assert!(matches!(trail.append_each(&mut hand, &plain_seal), Err(TrailError::KeysUnknown)));
    assert_eq!(stored(&path).len(), 9, "what fails half way leaves nothing");
    assert_eq!(append(&mut trail, &[record(20..25)]).stored, 5, "no number given in it is used");
    assert_eq!(texts(&path, "SELECT \"table\" FROM pragma_foreign_key_check"), Vec::<String>::new());
}

#[test]
fn an_undrainable_element_can_be_read_again_from_its_sealed_form() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    let other = connect(&path);
    other
        .execute_batch("CREATE TRIGGER no BEFORE INSERT ON event WHEN new.sg_event_id = 'event-2' BEGIN SELECT raise(ABORT, 'no'); END")
        .expect("made");
    assert_eq!(append(&mut trail, &[record(0..5)]), Appended { stored: 4, duplicate: 0, quarantined: 1, forgotten: 0 });
    let sealed: Vec<u8> = other.query_row("SELECT sealed FROM quarantine", (), |row| row.get(0)).expect("one entry");
    let again = Record::from_sealable(&sealed).expect("a record");
    assert_eq!(again.decode().expect("readable"), record([2]).decode().expect("readable"));
}

#[test]
fn an_event_with_the_key_of_another_recipients_event_is_kept_in_the_quarantine() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    append(&mut trail, &[record([1])]);
    let of = |change: &dyn Fn(&mut BatchRow<String>)| {
        let mut rows = batch([1]);
        rows.events[0].fingerprint = [4; 16];
        rows.received_at += 1;
        change(&mut rows);
        encode(rows)
    };
    let other = |rows: &mut BatchRow<String>| {
        rows.events[0].address.as_mut().expect("has one").email_hash = [5; 32];
    };
    let duplicate = Appended { duplicate: 1, ..Appended::default() };
    assert_eq!(append(&mut trail, &[of(&|_| {})]), duplicate, "the same recipient");
    let without_address = of(&|rows| rows.events[0].address = None);
    assert_eq!(append(&mut trail, &[without_address]), duplicate, "nobody else is named");
    let other_key = of(&|rows| {
        other(rows);
        rows.key_id = "key-2".into();
    });
    assert_eq!(append(&mut trail, &[other_key]), duplicate, "under another key a hash may be the same recipient's");
    let same_bytes = of(&|rows| {
        other(rows);
        rows.events[0].fingerprint = [3; 16];
    });
    assert_eq!(append(&mut trail, &[same_bytes]), duplicate, "the same raw event names the same recipient");

    let collision = of(&other);
    let quarantined = Appended { quarantined: 1, ..Appended::default() };
    assert_eq!(append(&mut trail, std::slice::from_ref(&collision)), quarantined);
    assert_eq!(texts(&path, "SELECT why FROM quarantine"), ["id-collision"]);
    let posted_again = of(&|rows| {
        other(rows);
        rows.received_at += 7;
    });
    assert_eq!(append(&mut trail, &[posted_again]), duplicate, "one entry however often it comes");
    let sealed: Vec<u8> = connect(&path).query_row("SELECT sealed FROM quarantine", (), |row| row.get(0)).expect("one");
    let kept = Record::from_sealable(&sealed).expect("a record");
    assert!(kept.decode().expect("readable") == collision.decode().expect("readable"));
    assert_eq!(stored(&path), ["event-1"]);
}

#[test]
fn a_long_reader_neither_stops_the_writer_nor_is_disturbed() {
    let temp = tempfile::tempdir().expect("a folder");
    let (mut trail, path) = open(temp.path());
    append(&mut trail, &[record(0..10)]);
    let reader = connect(&path);
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").expect("begun");
    let count = || -> i64 { reader.query_row("SELECT count(*) FROM event", (), |row| row.get(0)).expect("counted") };
    assert_eq!(count(), 10);
    for n in 1..20 {
        append(&mut trail, &[record(n * 10..n * 10 + 10)]);
        trail.settle().expect("as far as the reader allows");
    }
    assert_eq!(count(), 10, "the reader sees what was there when it began");
    reader.execute_batch("COMMIT").expect("ended");
    assert_eq!(count(), 200);
    trail.settle().expect("settled");
    assert_eq!(std::fs::metadata(temp.path().join("t.db-wal")).expect("there").len(), 0, "the log is empty again");
}
