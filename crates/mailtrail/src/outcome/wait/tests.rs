use super::*;
use std::collections::HashSet;

use crate::outcome::{Selector, proven};
use crate::protect::{AddressRow, BatchRow, EmailHash};
use crate::run::{RecipientId, RequestId, RunName};
use crate::store::Paths;
use crate::store::keys::Keys as _;
use crate::store::ledger::{Ended, RunLedger};
use crate::store::query::Scope;
use crate::store::sqlite::Trail;
use crate::store::testing::{PlainKeys, batch, encode, event, plain_seal};

const NOW: i64 = 1_780_000_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// A store, a clock that goes when somebody sleeps, and what happens at which time.
struct Stage {
    _folder: tempfile::TempDir,
    paths: Paths,
    trail: Trail,
    number: u64,
    /// What events carry.
    request: Option<String>,
}

impl Stage {
    /// A run of so many recipients, accepted at [`NOW`].
    fn new(recipients: u8) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::new(folder.path().join("m.db"));
        let trail = Trail::open(paths.trail()).expect("opened");
        let stage = Self { _folder: folder, paths, trail, number: 0, request: None };
        stage.ask(0..recipients, Ended::Accepted(Some("abc")));
        stage
    }

    fn ask(&self, recipients: std::ops::Range<u8>, ended: Ended<'_>) -> RequestId {
        let run = RunName::new("november").expect("a name");
        let mut ledger = RunLedger::open(&self.paths, &run, &PlainKeys.identity(), NOW).expect("opened");
        let request = RequestId::random().expect("random");
        let people = recipients.map(|n| (EmailHash::from_bytes([n; 32]), RecipientId::random().expect("random"), 1));
        ledger.claim(request, &[], None, people, NOW).expect("claimed");
        ledger.sending(request, NOW).expect("noted");
        ledger.ended(request, ended, NOW).expect("noted");
        request
    }

    fn event(&mut self, who: u8, name: &str, proof: &str) {
        self.number += 1;
        let mut row = event(self.number);
        row.event = name.into();
        row.r#type = None;
        row.timestamp = NOW;
        row.run = Some("november".into());
        row.message_id = Some(format!("message-{who}"));
        row.request.clone_from(&self.request);
        row.address = Some(AddressRow { email_hash: [who; 32], email_domain: None, email: None });
        let rows = BatchRow { verified_by: Some(proof.into()), events: vec![row], ..batch(0..0) };
        self.trail.append(&[encode(rows)], &plain_seal).expect("appended");
    }

    fn watch(&self) -> Watched {
        Watched::begin(&self.paths, Selector::of_run("november")).expect("known")
    }
}

const KEY: &str = "0123456789abcdef";

struct Clock<'s, F> {
    now: i64,
    stage: &'s mut Stage,
    happens: F,
    news: Vec<(i64, News)>,
}

impl<F: FnMut(&mut Stage, i64)> Waiter for Clock<'_, F> {
    fn now(&mut self) -> i64 {
        self.now
    }

    fn pause(&mut self, time: Duration) {
        let before = self.now;
        // A look a second is enough here.
        self.now += micros(time.max(Duration::from_secs(1)));
        if before / SECOND != self.now / SECOND {
            (self.happens)(self.stage, (self.now - NOW) / SECOND);
        }
    }

    fn progress(&mut self, _: &Report, _: i64) {}

    fn tell(&mut self, news: News, _: &Watched, now: i64) {
        self.news.push(((now - NOW) / SECOND, news));
    }
}

const LIMITS: Limits = Limits { until: Until::Settled, timeout: None, quiet: None, report_after: None };

/// How it ended, after how many seconds, and what was told.
fn play(
    stage: &mut Stage,
    limits: Limits,
    happens: impl FnMut(&mut Stage, i64),
) -> (End, i64, Vec<(i64, News)>, Report) {
    let mut watched = stage.watch();
    let mut clock = Clock { now: NOW, stage, happens, news: Vec::new() };
    let end = wait(&mut watched, &limits, &mut clock).expect("a verdict");
    (end, (clock.now - NOW) / SECOND, clock.news, watched.report().clone())
}

#[test]
fn it_ends_when_everybody_is_settled() {
    let mut stage = Stage::new(2);
    stage.event(0, "processed", KEY);
    let (end, after, news, report) = play(&mut stage, LIMITS, |stage, second| match second {
        3 => stage.event(0, "delivered", KEY),
        7 => stage.event(1, "bounce", KEY),
        _ => {}
    });
    assert_eq!((end, after, news.len()), (End::Reached(Until::Settled), 7, 0));
    assert_eq!((report.recipients, report.settled(), report.unreached()), (2, 2, 1));
    assert_eq!(report.completeness(), Some(1.0));
}

#[test]
fn seen_is_enough_where_that_is_asked_for() {
    let mut stage = Stage::new(2);
    let limits = Limits { until: Until::Seen, ..LIMITS };
    let (end, after, _, _) = play(&mut stage, limits, |stage, second| match second {
        3 => stage.event(0, "processed", KEY),
        5 => stage.event(1, "deferred", KEY),
        _ => {}
    });
    assert_eq!((end, after), (End::Reached(Until::Seen), 5));
}

#[test]
fn silence_is_told_after_five_minutes_and_the_time_is_up_by_the_number_of_recipients() {
    let mut stage = Stage::new(40);
    let (end, after, news, report) = play(&mut stage, LIMITS, |_, _| {});
    assert_eq!((end, after), (End::TimedOut, 360));
    assert_eq!(news, [(300, News::NoEvents(300 * SECOND))]);
    assert_eq!((report.count(Status::Unknown), report.settled(), report.completeness()), (40, 0, Some(0.0)));
    assert_eq!(default_timeout(3), 5 * MINUTE);
    assert_eq!(default_timeout(1_000_000), Duration::from_secs(73 * 3600));
}

#[test]
fn deferred_mail_alone_is_not_waited_for_for_ever() {
    let mut stage = Stage::new(2);
    let limits = Limits { quiet: Some(15 * MINUTE), timeout: Some(600 * MINUTE), ..LIMITS };
    let (end, after, _, report) = play(&mut stage, limits, |stage, second| match second {
        60 => stage.event(0, "delivered", KEY),
        1_200 => stage.event(1, "deferred", KEY),
        1_500 => stage.event(1, "deferred", KEY),
        _ => {}
    });
    assert_eq!((end, after), (End::Quiet, 1_500 + 900));
    assert_eq!((report.is_only_deferred(), report.oldest_deferral), (true, Some(NOW)));
    let mut late = Stage::new(1);
    late.event(0, "deferred", KEY);
    let (end, after, _, _) = play(&mut late, LIMITS, |_, _| {});
    assert_eq!((end, after), (End::Quiet, 300), "the time is up, and everybody was seen");
}

#[test]
fn interim_reports_come_on_time_and_then_on_change() {
    let mut stage = Stage::new(3);
    let limits = Limits { report_after: Some(MINUTE), timeout: Some(6 * MINUTE), ..LIMITS };
    let (_, _, news, _) = play(&mut stage, limits, |stage, second| match second {
        50 => stage.event(0, "delivered", KEY),
        100 => stage.event(1, "processed", KEY),
        200 => stage.event(1, "delivered", KEY),
        _ => {}
    });
    let interim = |at| (at, News::Interim);
    assert_eq!(news, [interim(60), interim(120), interim(200)]);
}

#[test]
fn only_sendgrid_s_own_word_confirms_what_is_uncertain() {
    let mut stage = Stage::new(1);
    stage.ask(1..4, Ended::Uncertain("cut"));
    stage.ask(4..5, Ended::Refused { status: 400, why: "Bad Request" });
    stage.event(0, "delivered", KEY);
    stage.event(1, "delivered", KEY);
    stage.event(2, "delivered", "basic");
    let watched = stage.watch();
    let report = watched.report();
    assert_eq!((report.recipients, report.accepted, report.confirmed, report.uncertain), (5, 2, 1, 2));
    assert_eq!((report.settled(), report.unreached(), report.count(Status::Unknown)), (4, 1, 1));
    assert_eq!(proven(&stage.paths, "november").expect("read").len(), 2, "0, and 1");
}

#[test]
fn one_recipient_s_event_speaks_for_the_whole_request() {
    let mut stage = Stage::new(1);
    let request = stage.ask(1..4, Ended::Uncertain("cut"));
    stage.ask(4..6, Ended::Uncertain("cut"));
    let mut watched = stage.watch();
    assert_eq!((watched.report().accepted, watched.report().uncertain), (1, 5));
    stage.request = Some(request.to_string());
    stage.event(2, "processed", "basic");
    watched.poll().expect("read");
    assert_eq!(watched.report().uncertain, 5, "anybody with the credentials can say so");
    stage.event(1, "processed", KEY);
    watched.poll().expect("read");
    assert_eq!((watched.report().accepted, watched.report().confirmed, watched.report().uncertain), (4, 3, 2));
    let anew = stage.watch();
    assert_eq!(anew.report(), watched.report());
    let hashes: HashSet<EmailHash> = (1..4).map(|n| EmailHash::from_bytes([n; 32])).collect();
    assert_eq!(proven(&stage.paths, "november").expect("read"), hashes);
}

#[test]
fn a_store_that_is_away_for_a_while_is_waited_for() {
    let mut stage = Stage::new(1);
    let trail = stage.paths.trail().to_owned();
    std::fs::remove_file(&trail).expect("removed");
    let (end, after, news, _) = play(&mut stage, LIMITS, |stage, second| match second {
        5 => std::fs::write(stage.paths.trail(), "this is no trail at all").expect("written"),
        8 => std::fs::remove_file(stage.paths.trail()).expect("removed"),
        10 => {
            stage.trail = Trail::open(stage.paths.trail()).expect("opened");
            stage.event(0, "delivered", KEY);
        }
        _ => {}
    });
    assert_eq!((end, after), (End::Reached(Until::Settled), 10));
    assert!(matches!(&news[..], [(5, News::Trouble(_)), (8, News::Recovered)]), "{news:?}");
}

#[test]
fn nobody_is_waited_for_whom_nobody_mailed() {
    let stage = Stage::new(1);
    let begin = |selector| Watched::begin(&stage.paths, selector).err().map(|error| error.to_string());
    let unknown = begin(Selector::of_run("december")).expect("unknown");
    assert!(unknown.contains("there is no run \"december\""), "{unknown}");
    let sandbox = RunName::new("tried").expect("a name");
    crate::store::ledger::note_sandbox(&stage.paths, &sandbox, NOW).expect("noted");
    assert!(begin(Selector::of_run("tried")).expect("refused").contains("sandbox"));
    let nobody = Selector { scope: Scope::Category("news".into()), since: None, list: None, expect: None };
    assert!(begin(nobody.clone()).expect("refused").contains("--list"));
    assert_eq!(begin(Selector { expect: Some(3), ..nobody }), None);
}

#[test]
fn a_list_finds_its_people_under_every_key() {
    let mut stage = Stage::new(0);
    stage.event(7, "delivered", KEY);
    stage.event(9, "bounce", KEY);
    let hash = |n| EmailHash::from_bytes([n; 32]);
    let list = Some(vec![vec![hash(1), hash(7)], vec![hash(2)]]);
    let selector = Selector { list, scope: Scope::Category("news".into()), since: None, expect: None };
    let watched = Watched::begin(&stage.paths, selector).expect("known");
    assert_eq!((watched.report().recipients, watched.report().settled()), (2, 1), "and nobody else");
    assert_eq!(watched.report().count(Status::Delivered), 1);
}

#[test]
fn who_has_not_let_go_of_the_run_is_named_once() {
    let mut stage = Stage::new(1);
    stage.event(0, "delivered", KEY);
    let run = RunName::new("november").expect("a name");
    let mut sender = Some(RunLedger::open(&stage.paths, &run, &PlainKeys.identity(), NOW).expect("taken"));
    let (end, after, news, _) = play(&mut stage, LIMITS, |_, second| {
        if second == 9 {
            sender = None;
        }
    });
    assert_eq!((end, after), (End::Reached(Until::Settled), 9));
    assert_eq!(news, [(0, News::StillSent(format!("process {}", std::process::id())))]);
}

/// What was never sent is not waited for, and is no success either.
#[test]
fn waiting_ends_where_all_who_are_left_were_never_sent() {
    let mut stage = Stage::new(1);
    stage.ask(1..3, Ended::Abandoned("429"));
    stage.ask(3..4, Ended::Refused { status: 400, why: "no" });
    let (end, after, _, report) = play(&mut stage, LIMITS, |stage, second| {
        if second == 4 {
            stage.event(0, "delivered", KEY);
        }
    });
    assert_eq!((end, after), (End::Unsent, 4));
    assert_eq!((report.recipients, report.settled(), report.unreached(), report.unsent), (4, 2, 1, 2));
}

#[test]
fn a_refused_recipient_does_not_hide_that_no_event_comes() {
    let mut stage = Stage::new(40);
    stage.ask(40..41, Ended::Refused { status: 400, why: "no" });
    let (_, _, news, _) = play(&mut stage, LIMITS, |_, _| {});
    assert_eq!(news, [(300, News::NoEvents(300 * SECOND))]);
}

#[test]
fn a_run_that_was_refused_as_a_whole_has_its_verdict_at_once() {
    let mut stage = Stage::new(0);
    stage.ask(0..3, Ended::Refused { status: 401, why: "Maximum credits exceeded" });
    let (end, after, _, report) = play(&mut stage, LIMITS, |_, _| {});
    assert_eq!((end, after), (End::Reached(Until::Settled), 0));
    assert_eq!((report.unreached(), report.completeness()), (3, Some(0.0)));
}
