use super::*;
use crate::config::HashMode;
use crate::protect::{ForgottenKey, KeyFile, KeyRing};
use crate::store::keys::Keys as _;
use crate::store::testing::{PlainKeys, batch, encode, plain_seal, record, stored, texts};

fn opened(folder: &std::path::Path) -> Trail {
    let mut trail = Trail::open(&folder.join("t.db")).unwrap();
    trail.adopt(&PlainKeys.identity()).unwrap();
    trail.overwrite_deleted().unwrap();
    trail
}

/// Whom `testing::event` gives the events with n % 256 % 5 == 0.
fn first_person() -> (Wanted, EmailHash) {
    let mut bytes = [9; 32];
    bytes[0] = 0;
    let hash = EmailHash::from_bytes(bytes);
    let mut who = Wanted::default();
    who.add_hash(hash);
    (who, hash)
}

fn is_theirs(n: &u64) -> bool {
    n.is_multiple_of(5) && !n.is_multiple_of(7)
}

#[test]
fn a_person_goes_with_every_row_and_the_others_stay() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut trail = opened(temp.path());
    let mut mentioning = batch(200..201);
    let (who, hash) = first_person();
    mentioning.events[0].custom_args = Some(format!("{{\"by\":\"[email:{hash}]\"}}"));
    mentioning.events[0].address.as_mut().unwrap().email_hash = [1; 32];
    trail.append(&[record(0..100), encode(mentioning.clone())], &plain_seal).unwrap();
    let expected = (0..100).filter(is_theirs).count() as u64;

    let counted = trail.count_people(&who).unwrap();
    let deleted = trail.delete_people(&who).unwrap();
    assert_eq!(counted, deleted);
    assert_eq!((deleted.events, deleted.addresses, deleted.mentions), (expected, 1, 1));
    assert_eq!(stored(&path).len() as u64, 101 - expected);
    for orphans in [
        "SELECT CAST(count(*) AS TEXT) FROM event_category_list WHERE event_id NOT IN (SELECT id FROM event)",
        "SELECT CAST(count(*) AS TEXT) FROM event WHERE message NOT IN (SELECT id FROM message)",
        "SELECT CAST(count(*) AS TEXT) FROM message WHERE id NOT IN (SELECT message FROM event)",
        "SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check",
    ] {
        assert_eq!(texts(&path, orphans), ["0"], "{orphans}");
    }
    assert_eq!(
        texts(&path, "SELECT custom_args FROM message WHERE custom_args IS NOT NULL"),
        ["{\"by\":\"[address]\"}"]
    );
    assert_eq!(trail.delete_people(&who).unwrap(), Deleted::default(), "there is nobody left");
}

#[test]
fn somebody_is_found_by_digest_in_custom_args_of_others() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut trail = opened(temp.path());
    let keys = KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap());
    let mut who = Wanted::default();
    who.add_address("jane@example.com", &keys);
    // MD5 of jane@example.com, as avatar services use it.
    let mut mentioning = batch(200..202);
    mentioning.events[0].custom_args = Some("{\"by\":\"9E26471D35A78862C17E467D87CDDEDF\"}".to_owned());
    mentioning.events[1].custom_args = Some("{\"by\":\"9e26471d35a78862c17e467d87cddede0\"}".to_owned());
    trail.append(&[encode(mentioning)], &plain_seal).unwrap();
    assert_eq!(trail.count_people(&who).unwrap().mentions, 1);
    assert_eq!(trail.delete_people(&who).unwrap().mentions, 1);
    let kept = texts(&path, "SELECT custom_args FROM message WHERE custom_args LIKE '{\"by\"%' ORDER BY 1");
    assert_eq!(kept, ["{\"by\":\"9e26471d35a78862c17e467d87cddede0\"}", "{\"by\":\"[address]\"}"]);
    assert_eq!(trail.count_people(&who).unwrap(), Deleted::default());
}

#[test]
fn late_events_are_not_stored_and_ask_for_the_spool_to_be_cleaned_until_it_is_lifted() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let (who, hash) = first_person();
    let key = ForgottenKey::for_tests();
    // Another process's connection, which has them in its caches.
    let mut drain = opened(temp.path());
    drain.append(&[record(0..50)], &plain_seal).unwrap();
    let mut trail = opened(temp.path());
    let wish = trail.mark_forgotten(who.hashes(), &key).unwrap();
    assert_eq!(trail.scrub_wanted().unwrap(), Some(wish));
    trail.note_scrubbed(wish).unwrap();
    assert!(trail.is_scrubbed(wish).unwrap() && trail.scrub_wanted().unwrap().is_none());
    trail.delete_people(&who).unwrap();

    let late = drain.append(&[record(0..100)], &plain_seal).unwrap();
    let theirs = (0..100).filter(is_theirs).count() as u64;
    assert_eq!(late.forgotten, theirs);
    assert_eq!(late.stored + late.duplicate + late.forgotten, 100);
    assert!(trail.scrub_wanted().unwrap().is_some());
    assert_eq!(stored(&path).len() as u64, 100 - theirs);
    let (text, mark) = (hash.to_string(), key.mark(hash.as_bytes()));
    let mut with_mention = batch(1..2);
    with_mention.events[0].event_key = [1; 16];
    with_mention.events[0].message_id = Some("another".into());
    with_mention.events[0].custom_args = Some(format!("{{\"by\":\"[email:{text}]\"}}"));
    drain.append(&[encode(with_mention)], &plain_seal).unwrap();
    let kept = texts(&path, "SELECT custom_args FROM message WHERE message_id = 'another'");
    assert_eq!(kept, ["{\"by\":\"[address]\"}"]);
    assert!(texts(&path, "SELECT lower(hex(mark)) FROM forgotten").iter().all(|mark| !text.contains(mark.as_str())));
    assert!(forgotten::is_marked(&drain.connection, &mark).unwrap());

    assert_eq!(trail.lift_forgotten(who.hashes(), &key).unwrap(), 1);
    assert_eq!(drain.append(&[record(0..100)], &plain_seal).unwrap().stored, theirs);
}

#[test]
fn without_its_keys_a_trail_that_forgot_somebody_is_not_written() {
    let temp = tempfile::tempdir().unwrap();
    let (who, _) = first_person();
    opened(temp.path()).mark_forgotten(who.hashes(), &ForgottenKey::for_tests()).unwrap();
    let mut trail = Trail::open(&temp.path().join("t.db")).unwrap();
    assert!(matches!(trail.append(&[record(0..1)], &plain_seal), Err(TrailError::KeysUnknown)));
}
