//! Reading what is new gives what reading everything gives; and whatever the order, repetition and split of events, the same.

use proptest::prelude::*;

use super::*;
use crate::protect::{AddressRow, BatchRow, EventRow};
use crate::store::Paths;
use crate::store::query::Scope;
use crate::store::sqlite::{Reader, Trail};
use crate::store::testing::{batch, encode, event, plain_seal};

const START: i64 = 1_780_000_000_000_000;

/// An event, and what vouches for it.
#[derive(Debug, Clone)]
struct One {
    who: u8,
    /// `None`: the event names none of its ids, as asynchronous bounces do.
    message: Option<u8>,
    run: u8,
    name: &'static str,
    blocked: bool,
    hours: i64,
    proof: Option<&'static str>,
}

fn any_event() -> impl Strategy<Value = One> {
    const NAMES: [&str; 7] =
        ["processed", "deferred", "delivered", "bounce", "dropped", "open", "account_status_change"];
    const PROOFS: [Option<&str>; 5] =
        [Some("0123456789abcdef"), Some("0123456789abcdef"), Some("basic"), Some("test"), None];
    (
        0_u8..4,
        prop::option::weighted(0.8, 0_u8..5),
        0_u8..3,
        prop::sample::select(&NAMES[..]),
        any::<bool>(),
        0_i64..300,
        prop::sample::select(&PROOFS[..]),
    )
        .prop_map(|(who, message, run, name, blocked, hours, proof)| One {
            who,
            message,
            run,
            name: if message.is_none() { "bounce" } else { name },
            blocked,
            hours,
            proof,
        })
}

fn row(number: usize, one: &One) -> EventRow<String> {
    let mut row = event(u64::try_from(number).expect("small"));
    row.timestamp = START + one.hours * 3_600_000_000;
    row.event = one.name.into();
    row.r#type = one.blocked.then(|| "blocked".into());
    row.reason = Some(format!("reason {number}"));
    row.address = Some(AddressRow { email_hash: [one.who; 32], email_domain: Some("example.com".into()), email: None });
    row.message_id = one.message.map(|n| format!("message-{n}"));
    row.sg_message_id = row.message_id.clone();
    row.run = one.message.and((one.run > 0).then(|| format!("run-{}", one.run)));
    row.category = if one.message.is_some() && one.run == 1 { vec!["news".into()] } else { vec![] };
    row
}

fn records(events: &[(usize, &One)]) -> Vec<crate::spool::Record> {
    let one = |(number, one): &(usize, &One)| {
        let rows =
            BatchRow { verified_by: one.proof.map(str::to_owned), events: vec![row(*number, one)], ..batch(0..0) };
        encode(rows)
    };
    events.iter().map(one).collect()
}

fn scopes() -> [Mailed; 3] {
    let mailed = |scope, since| Mailed { scope, since, until: None, unproven: false };
    [
        mailed(Scope::Run("run-1".into()), None),
        mailed(Scope::Run("run-2".into()), Some(START + 100 * 3_600_000_000)),
        mailed(Scope::Category("news".into()), None),
    ]
}

fn sorted(tracker: &Tracker) -> Vec<Known> {
    let mut people: Vec<Known> = tracker.people().cloned().collect();
    people.sort_by_key(|known| known.hash);
    people
}

/// Appends in parts; trackers that read after each part end up with what is returned, and so does reading everything.
fn outcome_of(parts: &[Vec<(usize, &One)>], keyed: bool) -> Vec<Vec<Known>> {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let mut trail = Trail::open(paths.trail()).expect("opens");
    if keyed {
        trail.note_public_key(START).expect("noted");
    }
    let reader = Reader::open(&paths).expect("opens");
    let mut trackers = scopes().map(Tracker::new);
    for part in parts {
        trail.append(&records(part), &plain_seal).expect("appended");
        for tracker in &mut trackers {
            tracker.read(&reader).expect("read");
            assert!(!tracker.read(&reader).expect("read"), "nothing is new");
        }
    }
    for tracker in &trackers {
        let mut anew = Tracker::new(tracker.mailed().clone());
        assert!(anew.read(&reader).expect("read"));
        assert_eq!(sorted(tracker), sorted(&anew));
    }
    trackers.iter().map(sorted).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn order_repetition_split_and_lateness_change_nothing(
        events in prop::collection::vec(any_event(), 1..40),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        order in any::<u64>(),
        split in 1_usize..12,
        keyed in any::<bool>(),
    ) {
        let all: Vec<(usize, &One)> = events.iter().enumerate().collect();
        let expected = outcome_of(std::slice::from_ref(&all), keyed);
        let mut mixed = all.clone();
        mixed.extend(repeats.iter().map(|index| *index.get(&all)));
        mixed.sort_by_key(|(number, one)| {
            (u64::try_from(*number).unwrap_or(0) + u64::from(one.who)).wrapping_mul(order | 1).rotate_left(17)
        });
        let parts: Vec<_> = mixed.chunks(split).map(<[_]>::to_vec).collect();
        prop_assert_eq!(outcome_of(&parts, keyed), expected);
    }
}

#[test]
fn what_nothing_vouches_for_is_left_out_once_a_key_is_configured() {
    let one = One { who: 1, message: Some(1), run: 1, name: "delivered", blocked: false, hours: 1, proof: None };
    let found = |keyed| outcome_of(&[vec![(1, &one)]], keyed);
    assert_eq!(found(false)[0].len(), 1);
    assert_eq!(found(true)[0], []);
    assert_eq!(found(true)[2], [], "of a category, too");
    let proven = One { proof: Some("0123456789abcdef"), ..one.clone() };
    let of = |one: &One| outcome_of(&[vec![(1, one)]], true)[0].first().map(|known| (known.status, known.proven));
    assert_eq!(of(&proven), Some((Status::Delivered, true)));
    assert_eq!(of(&One { proof: Some("basic"), ..one.clone() }), Some((Status::Delivered, false)));
    assert_eq!(of(&One { proof: Some("test"), ..one }), None);
}

#[test]
fn an_event_without_a_run_belongs_where_its_message_does() {
    let delivered =
        One { who: 1, message: Some(1), run: 1, name: "delivered", blocked: false, hours: 1, proof: Some("basic") };
    let bounced = One { run: 0, name: "bounce", hours: 2, proof: Some("0123456789abcdef"), ..delivered.clone() };
    let found = |other: &One| {
        let known = outcome_of(&[vec![(1, other)], vec![(2, &delivered)]], false)[0].first().cloned();
        known.map(|known| (known.status, known.proven))
    };
    assert_eq!(found(&bounced), Some((Status::Bounce, true)));
    assert_eq!(
        found(&One { message: Some(2), ..bounced.clone() }),
        Some((Status::Delivered, false)),
        "another message"
    );
    assert_eq!(found(&One { who: 2, ..bounced }), Some((Status::Delivered, false)), "another recipient of it");
}
