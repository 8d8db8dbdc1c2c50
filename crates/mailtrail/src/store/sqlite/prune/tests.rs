use super::*;
use crate::store::testing::{batch, encode, ids, plain_seal, record, stored, texts};

#[test]
fn events_go_with_what_only_they_held_and_a_running_drain_notices() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut drain = Trail::open(&path).unwrap();
    drain.append(&[record(0..100)], &plain_seal).unwrap();
    let mut trail = Trail::open(&path).unwrap();
    // Ids are given in order, from 1: these are the events 0 to 59.
    let first: Vec<i64> = (1..=60).collect();
    let deleted = trail.remove_events(&first).unwrap();
    assert_eq!(deleted.events, 60);
    assert!(deleted.messages > 10, "{deleted:?}");
    assert_eq!(stored(&path), ids(60..100));
    let none = |query: &str| assert_eq!(texts(&path, query), ["0"], "{query}");
    none("SELECT CAST(count(*) AS TEXT) FROM event_category_list WHERE event_id NOT IN (SELECT id FROM event)");
    none("SELECT CAST(count(*) AS TEXT) FROM message WHERE id NOT IN (SELECT message FROM event)");
    none(
        "SELECT CAST(count(*) AS TEXT) FROM address WHERE id NOT IN (SELECT address_id FROM message WHERE address_id > 0)",
    );
    none("SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check");
    assert_eq!(trail.remove_events(&first).unwrap(), Deleted::default(), "again: nothing is left of them");

    // Its caches name messages and addresses that are gone.
    drain.append(&[record(100..160)], &plain_seal).unwrap();
    none("SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check");
    assert_eq!(stored(&path), ids(60..160));
}

#[test]
fn the_newest_event_stays_and_ids_go_on_behind_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut trail = Trail::open(&path).unwrap();
    trail.append(&[record(0..10)], &plain_seal).unwrap();
    let all: Vec<i64> = (1..=10).collect();
    assert_eq!(trail.remove_events(&all).unwrap().events, 9);
    assert_eq!(texts(&path, "SELECT CAST(id AS TEXT) FROM event"), ["10"]);
    let mut another = batch(10..11);
    another.events[0].address.as_mut().unwrap().email_hash = [1; 32];
    trail.append(&[encode(another)], &plain_seal).unwrap();
    assert_eq!(texts(&path, "SELECT CAST(max(id) AS TEXT) FROM event"), ["11"]);
}

#[test]
fn the_mark_only_moves_on_and_room_is_counted() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut trail = Trail::open(&path).unwrap();
    assert_eq!(pruned_until(&trail.connection).unwrap(), None);
    for (to, expected) in [(20, 20), (10, 20), (30, 30)] {
        trail.note_pruned_until(to).unwrap();
        assert_eq!(pruned_until(&trail.connection).unwrap(), Some(expected));
    }
    trail.append(&[record(0..3_000)], &plain_seal).unwrap();
    assert_eq!(trail.free_bytes().unwrap(), 0);
    trail.remove_events(&(1..=2_900).collect::<Vec<_>>()).unwrap();
    assert!(trail.free_bytes().unwrap() > 100_000);
    trail.rebuild(true).unwrap();
    assert_eq!(trail.free_bytes().unwrap(), 0);
}
