//! However a send went, every recipient is reached, unreached or pending, and all ways of asking say so alike.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Report, Run, Selector, Watched, already_sent, columns, soft, standings, unreached};
use crate::config::Language;
use crate::protect::{AddressRow, BatchRow, EmailHash};
use crate::run::{RecipientId, RequestId, RunName};
use crate::settle::Status;
use crate::show::Cell;
use crate::store::Paths;
use crate::store::keys::Keys as _;
use crate::store::ledger::{Ended, RunLedger};
use crate::store::query::Scope;
use crate::store::sqlite::Trail;
use crate::store::testing::{PlainKeys, batch, encode, event, plain_seal};

const NOW: i64 = 1_780_000_000_000_000;

/// How a request went.
#[derive(Debug, Clone, Copy)]
enum Went {
    Accepted,
    Uncertain,
    Refused,
    /// Only its first recipient; the others are not asked for again.
    FirstRefused,
    Abandoned,
    /// Its sender died before it made the request, or while it did.
    Claimed,
    Sending,
}

const WENT: [Went; 7] =
    [Went::Accepted, Went::Uncertain, Went::Refused, Went::FirstRefused, Went::Abandoned, Went::Claimed, Went::Sending];

fn hash(n: u8) -> EmailHash {
    EmailHash::from_bytes([n; 32])
}

struct Store {
    _folder: tempfile::TempDir,
    paths: Paths,
    /// What each recipient's request came to.
    went: HashMap<EmailHash, Went>,
}

/// A run of these requests, each of so many recipients; and events of recipients by number.
fn store(requests: &[(Went, u8)], events: &[(u8, &str)]) -> Store {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("m.db"));
    let run = RunName::new("november").expect("a name");
    let mut went = HashMap::new();
    let mut next = 0;
    {
        let mut ledger = RunLedger::open(&paths, &run, &PlainKeys.identity(), NOW).expect("opened");
        for (how, recipients) in requests {
            let request = RequestId::random().expect("random");
            let people: Vec<EmailHash> = (next..next + recipients).map(hash).collect();
            next += recipients;
            let claims = people.iter().map(|hash| (*hash, RecipientId::random().expect("random"), 1));
            ledger.claim(request, &["news".to_owned()], None, claims, NOW).expect("claimed");
            went.extend(people.iter().map(|hash| (*hash, *how)));
            if matches!(how, Went::Claimed) {
                continue;
            }
            ledger.sending(request, NOW).expect("noted");
            let first: Vec<(EmailHash, String)> =
                people.iter().take(1).map(|hash| (*hash, "Does not contain a valid address.".to_owned())).collect();
            let ended = match how {
                Went::Accepted => Ended::Accepted(Some("id")),
                Went::Uncertain => Ended::Uncertain("cut"),
                Went::Refused => Ended::Refused { status: 401, why: "Maximum credits exceeded" },
                Went::FirstRefused => Ended::RefusedFor { status: 400, recipients: &first },
                Went::Abandoned => Ended::Abandoned("429"),
                Went::Claimed | Went::Sending => continue,
            };
            ledger.ended(request, ended, NOW).expect("noted");
        }
    }
    let mut trail = Trail::open(paths.trail()).expect("opened");
    for (number, (who, name)) in (0_u64..).zip(events) {
        let mut row = event(number);
        (row.event, row.r#type, row.timestamp) = ((*name).into(), None, NOW + 1);
        (row.run, row.message_id) = (Some("november".into()), Some(format!("message-{who}")));
        row.category = vec!["news".into()];
        row.address = Some(AddressRow { email_hash: [*who; 32], email_domain: None, email: None });
        let rows = BatchRow { verified_by: Some("0123456789abcdef".into()), events: vec![row], ..batch(0..0) };
        trail.append(&[encode(rows)], &plain_seal).expect("appended");
    }
    Store { _folder: folder, paths, went }
}

impl Store {
    fn watch(&self) -> Watched {
        Watched::begin(&self.paths, Selector::of_run("november")).expect("known")
    }
}

fn adds_up(report: &Report, requested: u64) {
    let reached = report.count(Status::Delivered);
    assert_eq!(report.recipients, requested);
    assert_eq!(reached + report.unreached() + report.pending(), requested, "{report:?}");
    assert!(report.unsent <= report.pending() && report.accepted + report.uncertain <= requested);
    assert_eq!(report.completeness().is_none(), requested == 0);
}

fn figure(run: &Run, name: &str) -> u64 {
    let cell = columns::figures(run, false).into_iter().find(|(found, _)| *found == name).map(|(_, cell)| cell);
    let Some(Cell::Integer(count)) = cell else { panic!("{name} is no number: {cell:?}") };
    count.unsigned_abs()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(80) })]

    #[test]
    fn requested_is_reached_and_unreached_and_pending_wherever_it_is_asked(
        requests in prop::collection::vec((prop::sample::select(&WENT[..]), 1_u8..4), 0..6),
        events in prop::collection::vec(
            (0_u8..20, prop::sample::select(&["processed", "deferred", "delivered", "bounce", "dropped", "open"][..])),
            0..16,
        ),
    ) {
        let store = store(&requests, &events);
        let requested = store.went.len() as u64;
        let watched = store.watch();
        let report = watched.report();
        adds_up(report, requested);

        // The lists: everybody but those who were reached.
        let rows = unreached(&watched, true, NOW);
        let gone = unreached(&watched, false, NOW);
        prop_assert_eq!(gone.len() as u64, report.unreached());
        prop_assert_eq!(rows.len() as u64, report.unreached() + report.pending());
        let of = |status| rows.iter().filter(|row| row.status == status).count() as u64;
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Delivered) {
            prop_assert_eq!(of(status), report.count(status), "{:?}", status);
        }
        for row in &rows {
            prop_assert!(Language::ALL.iter().all(|language| !row.reason.text(*language).is_empty()));
        }
        let details = watched.details(&|_| None);
        prop_assert_eq!(details.reasons.values().sum::<u64>(), report.unreached());
        prop_assert_eq!(details.outstanding.values().sum::<u64>(), report.pending());

        // Runs.
        let run = Run::of(&watched);
        let reached = figure(&run, "delivered");
        prop_assert_eq!(figure(&run, "asked"), requested);
        prop_assert_eq!(reached + figure(&run, "unreached") + (requested - figure(&run, "settled")), requested);
        prop_assert_eq!(figure(&run, "refused"), report.count(Status::Refused));
        prop_assert_eq!(report.counts().map(|(_, count)| count).sum::<u64>(), requested);

        // Who was mailed: the same of everybody, by a list, too.
        let list = (0..20).map(|n| vec![hash(n)]).collect();
        let with_list = Selector { list: Some(list), ..Selector::of_run("november") };
        for selector in [Selector::of_run("november"), with_list] {
            let found = standings(&store.paths, &selector).expect("read");
            for (one, how) in &store.went {
                let row = rows.iter().find(|row| row.hash == *one);
                let expected = row.map_or(Status::Delivered, |row| row.status);
                prop_assert_eq!(found.get(one).map(|earlier| earlier.status), Some(expected), "{:?}", how);
                prop_assert_eq!(found[one].refusal.is_some(), expected == Status::Refused);
                prop_assert!(!(expected == Status::Refused && found[one].mailed));
            }
        }

        // Of the category, the refused are refused as well.
        let list: Vec<Vec<EmailHash>> = store.went.keys().map(|hash| vec![*hash]).collect();
        let category = Scope::Category("news".into());
        let of_category = Selector { scope: category, since: None, list: Some(list), expect: None };
        let watched = Watched::begin(&store.paths, of_category).expect("known");
        adds_up(watched.report(), requested);
        prop_assert_eq!(watched.report().count(Status::Refused), report.count(Status::Refused));
    }
}

#[test]
fn a_run_that_sendgrid_refused_is_settled_and_nobody_was_reached() {
    let store = store(&[(Went::Refused, 3)], &[]);
    let watched = store.watch();
    let report = watched.report();
    assert_eq!((report.recipients, report.unreached(), report.accepted, report.uncertain), (3, 3, 0, 0));
    assert!(report.is_settled() && report.is_seen());
    assert_eq!(report.completeness(), Some(0.0));
    let rows = unreached(&watched, false, NOW);
    assert_eq!(rows[0].classification.as_deref(), Some("HTTP 401"));
    assert_eq!(soft(&watched, NOW).len(), 3, "--only-unreached mails them again");
    let why = |language| rows[0].reason.text(language);
    assert_eq!(why(Language::English), "the SendGrid account's credits are used up: Maximum credits exceeded");
    assert_eq!(why(Language::Japanese), "SendGridアカウントのクレジットを使い切りました：Maximum credits exceeded");
}

/// Mailing twice is the worse error.
#[test]
fn a_later_refusal_in_another_run_does_not_hide_that_a_category_went_out() {
    let store = store(&[(Went::Accepted, 1)], &[]);
    let run = RunName::new("december").expect("a name");
    let mut ledger = RunLedger::open(&store.paths, &run, &PlainKeys.identity(), NOW).expect("opened");
    let request = RequestId::random().expect("random");
    let claim = std::iter::once((hash(0), RecipientId::random().expect("random"), 1));
    ledger.claim(request, &["news".to_owned()], None, claim, NOW + 5).expect("claimed");
    ledger.ended(request, Ended::Refused { status: 400, why: "no" }, NOW + 5).expect("noted");
    assert!(already_sent(&store.paths, "news", None, false).expect("read").contains(&hash(0)));
}

#[test]
fn nothing_requested_has_no_completeness() {
    let store = store(&[], &[]);
    assert_eq!(store.watch().report().completeness(), None);
}

#[test]
fn only_the_recipient_that_sendgrid_names_is_refused() {
    let store = store(&[(Went::FirstRefused, 3)], &[(2, "delivered")]);
    let watched = store.watch();
    let report = watched.report();
    assert_eq!((report.count(Status::Refused), report.unsent, report.count(Status::Delivered)), (1, 1, 1));
    let rows = unreached(&watched, true, NOW);
    let why: Vec<String> = rows.iter().map(|row| row.reason.text(Language::English)).collect();
    assert!(why[0].starts_with("not sent: SendGrid was not asked"), "{why:?}");
    assert_eq!(why[1], "SendGrid takes the address for invalid: Does not contain a valid address.");
}

#[test]
fn a_recipient_under_two_hashes_counts_once_where_a_list_says_that_it_is_one() {
    let store = store(&[(Went::Refused, 1), (Went::Accepted, 1)], &[]);
    let list = Some(vec![vec![hash(1), hash(0)], vec![hash(7)]]);
    let watched = Watched::begin(&store.paths, Selector { list, ..Selector::of_run("november") }).expect("known");
    assert_eq!(watched.report().recipients, 1);
    assert_eq!(watched.not_asked(), 1, "one of the list is not in the run");
}
