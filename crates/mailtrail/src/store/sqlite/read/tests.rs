//! Answers are those that a plain walk over all events gives, and no statement walks over all events to give them.

use crate::store::sqlite::append::message_digest;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::protect::{AddressRow, BatchRow, EmailHash};
use crate::settle::{Fold, Seen};
use crate::store::query::{Counted, Dimension, EventRecord, Filter, Group, Mailed, Scope, Subject};
use crate::store::sqlite::Trail;
use crate::store::testing::{batch, connect, encode, plain_seal};

mod browse;
mod keys;
mod plans;

const EVENTS: u64 = 400;
const START: i64 = 1_780_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// A trail with some of everything, and all of its events read the plainest way.
struct Fixture {
    _folder: tempfile::TempDir,
    reader: Reader,
    paths: Paths,
    all: Vec<EventRecord>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(folder.path().join("mail.db"));
        assert!(matches!(Reader::open(&paths), Err(ReadError::Missing { .. })), "there is none yet");
        let mut trail = Trail::open(paths.trail()).expect("opens");
        let appended = trail.append(&[encode(real()), encode(tests())], &plain_seal).expect("appended");
        assert_eq!(appended.stored, EVENTS + 20);
        let reader = Reader::open(&paths).expect("opens");
        let all = reader.after(0, 10_000).expect("readable");
        assert_eq!(all.len(), 420);
        Self { _folder: folder, reader, paths, all }
    }

    /// What a filter means, said once more.
    fn matching(&self, filter: &Filter) -> Vec<&EventRecord> {
        let one_of = |values: &[String], value: &Option<String>| values.iter().any(|one| Some(one) == value.as_ref());
        self.all
            .iter()
            .filter(|event| {
                let text = event.reason.as_ref().or(event.response.as_ref()).map(|text| text.to_ascii_lowercase());
                let hashes: Vec<String> = filter.hashes.iter().map(ToString::to_string).collect();
                let asked: Vec<bool> = [
                    (!hashes.is_empty()).then(|| one_of(&hashes, &event.email_hash)),
                    (!filter.events.is_empty()).then(|| filter.events.contains(&event.event)),
                    (!filter.statuses.is_empty()).then(|| filter.statuses.contains(&event.mail_status())),
                    (!filter.categories.is_empty())
                        .then(|| event.category.iter().any(|name| filter.categories.contains(name))),
                    (!filter.runs.is_empty()).then(|| one_of(&filter.runs, &event.run)),
                    (!filter.messages.is_empty()).then(|| one_of(&filter.messages, &event.message_id)),
                    (!filter.domains.is_empty()).then(|| one_of(&filter.domains, &event.email_domain)),
                    filter
                        .reason
                        .as_ref()
                        .map(|part| text.is_some_and(|text| text.contains(&part.to_ascii_lowercase()))),
                ]
                .into_iter()
                .flatten()
                .collect();
                let asked_for =
                    if filter.any && !asked.is_empty() { asked.contains(&true) } else { !asked.contains(&false) };
                asked_for
                    && filter.since.is_none_or(|since| event.timestamp >= since)
                    && filter.until.is_none_or(|until| event.timestamp < until)
                    && (filter.include_tests || event.verified_by.as_deref() != Some("test"))
            })
            .collect()
    }

    /// The statements issued since the last call.
    fn issued(&self) -> Vec<String> {
        self.reader.issued.take()
    }
}

/// Events as they come: messages with several events, several recipients, repeats under a new id.
fn real() -> BatchRow<String> {
    let mut batch = batch(0..EVENTS);
    for (n, event) in (0_u64..).zip(&mut batch.events) {
        let kinds = ["processed", "deferred", "delivered", "bounce", "open", "dropped", "group_unsubscribe"];
        event.event = kinds[usize::try_from(n * 7 % 11 % 7).expect("small")].into();
        event.r#type = (event.event == "bounce" && n % 2 == 0).then(|| "blocked".into());
        event.timestamp = START + i64::try_from(n * 37 % 200).expect("small") * 1_800 * SECOND;
        event.fingerprint[0] = u8::try_from(n % 200 % 3).expect("small");
        event.message_id = (n % 5 > 0).then(|| format!("message-{}", n % 60));
        event.run = (n % 4 == 0).then(|| format!("run-{}", n % 3));
        event.response = (event.event == "delivered").then(|| "250 OK".into());
        event.bounce_classification = (event.event == "bounce").then(|| "Invalid Address".into());
        event.status = Some("5.1.1".into());
        event.address = (n % 9 > 0).then(|| AddressRow {
            email_hash: [u8::try_from(n * n % 13).expect("small"); 32],
            email_domain: (n * n % 13 > 2).then(|| format!("d{}.example", n * n % 13 % 4)),
            email: None,
        });
    }
    batch
}

fn tests() -> BatchRow<String> {
    let mut batch = batch(EVENTS..EVENTS + 20);
    batch.verified_by = Some("test".into());
    batch
}

fn hash(byte: u8) -> EmailHash {
    EmailHash::parse(&format!("{byte:02x}").repeat(32)).expect("hex")
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let some = |list: &'static [&'static str]| {
        prop_oneof![
            2 => Just(Vec::new()),
            1 => prop::sample::subsequence(list, 1..=2).prop_map(|list| texts(&list)),
        ]
    };
    let time = || prop_oneof![1 => Just(None), 2 => (0_i64..200).prop_map(|n| Some(START + n * 1_800 * SECOND))];
    (
        (
            prop_oneof![
                2 => Just(Vec::new()),
                1 => prop::collection::vec((0_u8..14).prop_map(hash), 1..4),
            ],
            some(&["processed", "delivered", "bounce", "click"]),
            prop_oneof![
                2 => Just(Vec::new()),
                1 => prop::sample::subsequence(&Status::ALL[..], 1..=3),
            ],
            some(&["news", "c1", "c2", "none"]),
            some(&["run-0", "run-1", "run-9"]),
            some(&["message-1", "message-2", "message-7", "message-99"]),
            some(&["d1.example", "d2.example", "other.example"]),
        ),
        prop_oneof![3 => Just(None), 1 => Just(Some("550 No".to_owned())), 1 => Just(Some("ok".to_owned()))],
        time(),
        time(),
        any::<bool>(),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec!["Asia/Tokyo", "Asia/Kathmandu", "America/St_Johns"]))
            .prop_map(|name| name.map(|name| jiff::tz::TimeZone::get(name).expect("a zone"))),
    )
        .prop_map(
            |(
                (hashes, events, statuses, categories, runs, messages, domains),
                reason,
                since,
                until,
                any,
                include_tests,
                zone,
            )| Filter {
                hashes,
                events,
                statuses,
                categories,
                runs,
                messages,
                domains,
                reason,
                since,
                until,
                any,
                include_tests,
                zone,
            },
        )
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value)) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    });
    runner
        .run(strategy, |value| {
            test(value);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

fn ids<'a>(events: impl IntoIterator<Item = &'a EventRecord>) -> Vec<i64> {
    events.into_iter().map(|event| event.id).collect()
}

#[test]
fn followers_read_what_others_read_but_tests() {
    let fixture = Fixture::new();
    let reader = &fixture.reader;
    assert_eq!(reader.last_id().expect("an answer"), 420);
    assert_eq!(reader.last_received(0).expect("an answer"), Some(fixture.all[399].received_at));
    assert_eq!(reader.last_received(400).expect("an answer"), None, "only tests follow");
    let names = texts(&["bounce"]);
    for names in [None, Some(&names[..])] {
        let briefs = reader.briefs(100, 410, names).expect("an answer");
        let expected: Vec<&EventRecord> = fixture.all[100..400]
            .iter()
            .filter(|event| names.is_none_or(|names| names.contains(&event.event)))
            .collect();
        assert_eq!(briefs.len(), expected.len());
        for (brief, event) in briefs.iter().zip(expected) {
            assert_eq!((brief.id, &brief.event, &brief.domain), (event.id, &event.event, &event.email_domain));
            assert_eq!((brief.timestamp, brief.received_at), (event.timestamp, event.received_at));
            assert_eq!((&brief.classification, &brief.status_code), (&event.bounce_classification, &event.status));
            assert_eq!(brief.recipient.is_some(), event.email_hash.is_some());
            let astray = event.event == "bounce" && event.message_id.is_none() && event.run.is_none();
            if !astray {
                assert_eq!((&brief.run, &brief.categories), (&event.run, &event.category));
            }
        }
    }
}

#[test]
fn a_bounce_without_ids_counts_where_its_mail_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let mut trail = Trail::open(paths.trail()).expect("opens");
    const DAY: i64 = 24 * 3600 * SECOND;
    let mut rows = batch(0..5);
    let mail = |run: &str, at| (Some(run.to_owned()), vec![format!("category of {run}")], at);
    let of = [mail("long ago", 0), mail("older", 10 * DAY), mail("newer", 11 * DAY), mail("after it", 13 * DAY)];
    for (event, (run, category, at)) in rows.events.iter_mut().zip(of.into_iter().chain([(None, vec![], 12 * DAY)])) {
        event.message_id = run.clone();
        event.sg_message_id = run.clone();
        event.event = if run.is_some() { "delivered".into() } else { "bounce".into() };
        (event.run, event.category, event.timestamp) = (run, category, START + at);
        event.address = Some(AddressRow { email_hash: [1; 32], email_domain: None, email: None });
    }
    trail.append(&[encode(rows)], &plain_seal).expect("appended");
    let briefs = Reader::open(&paths).and_then(|reader| reader.briefs(0, 5, Some(&texts(&["bounce"])))).expect("read");
    assert_eq!(briefs.len(), 1);
    assert_eq!((briefs[0].run.as_deref(), &briefs[0].categories), (Some("newer"), &texts(&["category of newer"])));
}

#[test]
fn records_are_the_view_s_rows() {
    let fixture = Fixture::new();
    let sql = connect(fixture.paths.trail());
    let view = "SELECT event, timestamp, email_hash, message_id, category, reason, run, received_at, verified_by,
                       lower(hex(event_key)), sg_machine_open, attempt, key_id, email_domain, sg_event_id
                FROM sendgrid_event ORDER BY id";
    let mut statement = sql.prepare(view).expect("prepared");
    let mut rows = statement.query(()).expect("runs");
    for event in &fixture.all {
        let row = rows.next().expect("readable").expect("as many");
        let text = |at| row.get::<_, Option<String>>(at).expect("a text");
        assert_eq!(text(0).as_deref(), Some(&*event.event));
        assert_eq!(row.get(1), Ok(event.timestamp));
        assert_eq!(text(2), event.email_hash);
        assert_eq!(text(3), event.message_id);
        assert_eq!(text(4), Some(serde_json::Value::from(event.category.clone()).to_string()));
        assert_eq!((text(5), text(6)), (event.reason.clone(), event.run.clone()));
        assert_eq!(row.get(7), Ok(event.received_at));
        assert_eq!((text(8), text(9)), (event.verified_by.clone(), Some(event.event_key.clone())));
        assert_eq!((row.get(10), row.get(11)), (Ok(event.sg_machine_open), Ok(event.attempt)));
        let address = (event.key_id.clone(), event.email_domain.clone());
        assert_eq!((text(12), text(13), text(14)), (address.0, address.1, event.sg_event_id.clone()));
    }
    assert!(rows.next().expect("readable").is_none());
}

#[test]
fn activity_is_the_newest_of_what_fulfils_the_filter() {
    let fixture = Fixture::new();
    run(400, &(any_filter(), 1_usize..60), |(filter, limit)| {
        let mut expected = fixture.matching(&filter);
        expected.sort_by_key(|event| std::cmp::Reverse((event.timestamp, event.id)));
        expected.truncate(limit);
        let answer = fixture.reader.activity(&filter, limit).expect("an answer");
        assert_eq!(ids(&answer.value), ids(expected));
    });
}

#[test]
fn pages_are_everything_once_and_in_order() {
    let fixture = Fixture::new();
    run(100, &(any_filter(), 1_usize..90), |(filter, limit)| {
        let mut expected = fixture.matching(&filter);
        expected.sort_by_key(|event| (event.timestamp, event.event_key.clone()));
        let (mut found, mut place) = (Vec::new(), None);
        loop {
            let page = fixture.reader.page(&filter, place.as_ref(), limit).expect("a page").value;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            place = Some(last.place());
            found.extend(ids(&page));
        }
        assert_eq!(found, ids(expected));
    });
}

#[test]
fn a_timeline_tells_all_in_order_and_of_too_much_the_newest() {
    let fixture = Fixture::new();
    let told = |subject: &Subject, limit| ids(&fixture.reader.timeline(subject, limit).expect("an answer"));
    let expected = |filter: Filter| {
        let mut events = fixture.matching(&Filter { include_tests: true, ..filter });
        events.sort_by_key(|event| (event.timestamp, event.id));
        ids(events)
    };
    let hashes = expected(Filter { hashes: vec![hash(1), hash(4)], ..Filter::default() });
    assert!(hashes.len() > 40);
    assert_eq!(told(&Subject::Hashes(vec![hash(1), hash(4)]), 1_000), hashes);
    assert_eq!(told(&Subject::Hashes(vec![hash(1), hash(4)]), 7), hashes[hashes.len() - 7..]);
    assert_eq!(told(&Subject::Hashes(vec![]), 1_000), [0; 0], "nobody's events, not everybody's");
    let message = expected(Filter { messages: texts(&["message-7"]), ..Filter::default() });
    assert!(!message.is_empty());
    assert_eq!(told(&Subject::Message("message-7".into()), 1_000), message);
}

#[test]
fn followers_read_on_where_they_were() {
    let fixture = Fixture::new();
    assert_eq!(ids(&fixture.reader.newest(3).expect("readable")), [418, 419, 420]);
    assert_eq!(ids(&fixture.reader.after(417, 2).expect("readable")), [418, 419]);
    assert_eq!(ids(&fixture.reader.after(420, 2).expect("readable")), [0; 0]);
}

/// What an event counts under.
fn values(event: &EventRecord, dimension: Dimension, zone: Option<&jiff::tz::TimeZone>) -> Vec<Option<String>> {
    let time = |format: &str| {
        let time = jiff::Timestamp::from_microsecond(event.timestamp).expect("a time");
        let zoned = time.to_zoned_datetime(zone.cloned().unwrap_or(jiff::tz::TimeZone::UTC));
        Some(zoned.strftime(format).to_string())
    };
    vec![match dimension {
        Dimension::Event => Some(event.event.clone()),
        Dimension::Status => Some(event.mail_status().as_str().to_owned()),
        Dimension::Category if event.category.is_empty() => None,
        Dimension::Category => {
            return event.category.iter().collect::<BTreeSet<_>>().into_iter().cloned().map(Some).collect();
        }
        Dimension::Domain => event.email_domain.clone(),
        Dimension::Run => event.run.clone(),
        Dimension::Day => time("%Y-%m-%d"),
        Dimension::Hour if zone.is_some() => time("%Y-%m-%dT%H:00%:z"),
        Dimension::Hour => time("%Y-%m-%dT%H:00Z"),
        Dimension::Classification => event.bounce_classification.clone(),
        Dimension::Reason => event.reason.clone().or(event.response.clone()),
        Dimension::VerifiedBy => event.verified_by.clone(),
        Dimension::Message => event.message_id.clone(),
    }]
}

#[test]
fn counts_are_of_events_or_of_different_recipients() {
    let fixture = Fixture::new();
    let by = prop::sample::subsequence(&Dimension::ALL[..], 0..=3).prop_shuffle();
    run(500, &(any_filter(), by, any::<bool>()), |(filter, by, recipients)| {
        let mut expected: BTreeMap<Vec<Option<String>>, (u64, BTreeSet<&str>)> = BTreeMap::new();
        if by.is_empty() {
            expected.insert(vec![], (0, BTreeSet::new()));
        }
        for event in fixture.matching(&filter) {
            let mut keys = vec![vec![]];
            for dimension in &by {
                let values = values(event, *dimension, filter.zone.as_ref());
                keys = keys
                    .iter()
                    .flat_map(|key: &Vec<_>| {
                        values.iter().map(move |value| key.iter().chain([value]).cloned().collect())
                    })
                    .collect();
            }
            for key in keys {
                let (rows, who) = expected.entry(key).or_default();
                *rows += 1;
                who.extend(event.email_hash.as_deref());
            }
        }
        let counted = if recipients { Counted::Recipients } else { Counted::Rows };
        let found = fixture.reader.stats(&filter, &by, counted).expect("an answer").value;
        assert!(found.is_sorted_by_key(|group| std::cmp::Reverse(group.count)));
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|(keys, (rows, who))| (keys, if recipients { who.len() as u64 } else { rows }))
            .collect();
        assert_eq!(found.len(), expected.len());
        assert_eq!(found.into_iter().map(|Group { keys, count }| (keys, count)).collect::<BTreeMap<_, _>>(), expected);
    });
}

#[test]
fn repeats_are_counted() {
    let fixture = Fixture::new();
    run(100, &any_filter(), |filter| {
        let events = fixture.matching(&filter);
        let different: BTreeSet<_> = events.iter().map(|event| (event.timestamp, &event.fingerprint)).collect();
        let expected = (events.len() - different.len()) as u64;
        assert_eq!(fixture.reader.repeats(&filter).expect("an answer"), expected);
    });
    assert!(fixture.reader.repeats(&Filter::default()).expect("an answer") > 0);
}

#[test]
fn statuses_are_those_that_settle_says() {
    let fixture = Fixture::new();
    for (scope, filter) in [
        (Scope::Category("news".into()), Filter { categories: texts(&["news"]), ..Filter::default() }),
        (Scope::Category("c1".into()), Filter { categories: texts(&["c1"]), ..Filter::default() }),
        (Scope::Category("none".into()), Filter { categories: texts(&["none"]), ..Filter::default() }),
        (Scope::Run("run-1".into()), Filter { runs: texts(&["run-1"]), ..Filter::default() }),
    ] {
        for (since, until) in [(None, None), (Some(START + 40_000 * SECOND), Some(START + 200_000 * SECOND))] {
            let filter = Filter { since, until, ..filter.clone() };
            let mut folds: BTreeMap<&str, Fold> = BTreeMap::new();
            for event in fixture.matching(&filter) {
                let Some(hash) = &event.email_hash else { continue };
                folds.entry(hash).or_default().add(&Seen {
                    message: event.message_id.as_deref().map(message_digest),
                    event: &event.event,
                    r#type: event.r#type.as_deref(),
                    timestamp: event.timestamp,
                    reason: event.reason.as_deref().or(event.response.as_deref()),
                    classification: event.bounce_classification.as_deref(),
                    status_code: event.status.as_deref(),
                });
            }
            let found = fixture.reader.latest_status(&scope, since, until).expect("an answer");
            assert_eq!(found.len(), folds.len());
            for (recipient, (hash, fold)) in found.iter().zip(folds) {
                let settled = fold.settled().expect("an event");
                assert_eq!((recipient.email_hash.as_str(), recipient.status), (hash, settled.status));
                assert_eq!((&recipient.reason, recipient.first_seen), (&settled.reason, settled.first_seen));
                assert_eq!((&recipient.status_code, recipient.last_seen), (&settled.status_code, settled.last_seen));
                assert_eq!(recipient.classification, settled.classification);
            }
        }
    }
}

#[test]
fn the_quarantine_is_counted_by_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let mut trail = Trail::open(paths.trail()).expect("opens");
    let mut batch = batch(0..1);
    batch.sealed = vec![plain_seal(b"1", "not_json"), plain_seal(b"2", "not_json"), plain_seal(b"3", "no_event")];
    trail.append(&[encode(batch)], &plain_seal).expect("appended");
    let found = Reader::open(&paths).expect("opens").quarantined().expect("an answer");
    assert_eq!(found, [("not_json".to_owned(), 2), ("no_event".to_owned(), 1)]);
}

#[test]
fn it_says_what_was_scanned_and_why() {
    let fixture = Fixture::new();
    let scanned = |filter: Filter| fixture.reader.activity(&filter, 10).expect("an answer").scanned;
    let since = Some(START);
    assert_eq!(scanned(Filter { categories: texts(&["news"]), since, ..Filter::default() }), None);
    assert_eq!(scanned(Filter { hashes: vec![hash(1)], events: texts(&["open"]), ..Filter::default() }), None);
    assert_eq!(scanned(Filter { since, ..Filter::default() }), None, "the newest ones, wherever");
    let domain = scanned(Filter { domains: texts(&["d1.example"]), since, ..Filter::default() }).expect("scanned");
    assert_eq!(domain.since, since);
    let any = Filter { any: true, runs: texts(&["x"]), categories: texts(&["news"]), ..Filter::default() };
    let any = scanned(any).expect("scanned");
    assert_eq!((any.since, any.why), (None, "one of several conditions is enough"));
}
