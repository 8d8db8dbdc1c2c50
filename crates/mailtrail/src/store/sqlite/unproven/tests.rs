use super::*;
use crate::store::keys::Keys as _;
use crate::store::testing::{PlainKeys, batch, encode, plain_seal, stored, texts};

#[test]
fn what_nothing_vouches_for_goes_since_the_first_public_key() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("t.db");
    let mut trail = Trail::open(&path).unwrap();
    trail.adopt(&PlainKeys.identity()).unwrap();
    let by = |verified_by: Option<&str>, received_at: i64, events: std::ops::Range<u64>| {
        let mut rows = batch(events);
        (rows.verified_by, rows.received_at) = (verified_by.map(str::to_owned), received_at);
        encode(rows)
    };
    let rows = [
        by(None, 10, 0..10),
        by(Some("basic"), 10, 10..20),
        by(None, 100, 20..30),
        by(Some("basic"), 100, 30..40),
        by(Some("0123456789abcdef"), 100, 40..50),
        by(Some("test"), 100, 50..60),
    ];
    trail.append(&rows, &plain_seal).unwrap();
    assert_eq!(trail.count_unproven(Unproven::Unverified, None).unwrap(), 20, "no key ever: what has no proof at all");
    trail.note_public_key(50).unwrap();
    assert_eq!(trail.count_unproven(Unproven::Unverified, None).unwrap(), 20);
    assert_eq!(trail.count_unproven(Unproven::Unverified, Some(35)).unwrap(), 15, "of the newest alone");
    let deleted = trail.delete_unproven(Unproven::Unverified).unwrap();
    assert_eq!(deleted.events, 20);
    assert_eq!(
        texts(&path, "SELECT DISTINCT received_at || ifnull(verified_by, '') FROM sendgrid_event ORDER BY 1"),
        ["10", "1000123456789abcdef", "100test", "10basic"]
    );
    assert_eq!(trail.delete_unproven(Unproven::Test).unwrap().events, 10);
    assert_eq!(stored(&path).len(), 30);
    let orphans = "SELECT CAST(count(*) AS TEXT) FROM message WHERE id NOT IN (SELECT message FROM event)";
    assert_eq!(texts(&path, orphans), ["0"]);
    let fk = "SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check";
    assert_eq!(texts(&path, fk), ["0"]);
}
