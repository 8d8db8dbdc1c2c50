//! Fills a store with a run and its events, and says how long `wait` takes to read it first, and then to notice what is new.
//!
//! `cargo run --release --features bench --example wait_poll -- FOLDER [RECIPIENTS]`
//!
//! The run is of 100,000 recipients, mailed 1,000 a request; all are processed, then they are delivered (one in fifty bounces)
//! by 5,000 events between two polls.
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use mailtrail::config::HashMode;
use mailtrail::outcome::{Selector, Watched};
use mailtrail::protect::{AddressRow, BatchRow, EmailHash, EventRow, KeyRing, ProtectedBatch, SealedRow};
use mailtrail::run::{RecipientId, RequestId, RunName};
use mailtrail::spool::Record;
use mailtrail::store::Paths;
use mailtrail::store::keys::Keys as _;
use mailtrail::store::ledger::{Ended, RunLedger};
use mailtrail::store::sqlite::Trail;

const RUN: &str = "november";
const START: i64 = 1_780_000_000_000_000;
const A_REQUEST: u32 = 1_000;
const A_POLL: usize = 5_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("usage: wait_poll FOLDER [RECIPIENTS]")?;
    let recipients: u32 = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let paths = Paths::new(Path::new(&folder).join("wait-poll.db"));
    anyhow::ensure!(!paths.trail().exists(), "{} is there already", paths.trail().display());

    mail(&paths, recipients)?;
    let mut trail = Trail::open(paths.trail())?;
    let all: Vec<u32> = (0..recipients).collect();
    for part in all.chunks(20_000) {
        append(&mut trail, part, false)?;
    }

    let began = Instant::now();
    let mut watched = Watched::begin(&paths, Selector::of_run(RUN))?;
    println!("first read of {recipients} recipients   {:>10.1?}", began.elapsed());
    let mut idle: Vec<Duration> = Vec::new();
    let mut busy: Vec<Duration> = Vec::new();
    for part in all.chunks(A_POLL) {
        append(&mut trail, part, true)?;
        busy.push(poll(&mut watched, true)?);
        idle.push(poll(&mut watched, false)?);
    }
    show(&format!("poll with {A_POLL} new events"), &mut busy);
    show("poll with nothing new", &mut idle);
    let report = watched.report();
    anyhow::ensure!(report.is_settled() && report.recipients == u64::from(recipients), "{report:?}");
    println!("{} settled, {} of them not reached", report.settled(), report.unreached());
    Ok(())
}

fn poll(watched: &mut Watched, new: bool) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let changed = watched.poll()?;
    let took = began.elapsed();
    anyhow::ensure!(changed == new, "a poll noticed {changed}, not {new}");
    Ok(took)
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    println!("{what:<36} median {:>10.1?}  slowest {:>10.1?}", at(times.len() / 2), at(times.len().saturating_sub(1)));
}

/// The ledger of the run.
fn mail(paths: &Paths, recipients: u32) -> anyhow::Result<()> {
    let keys = KeyRing::new(HashMode::HmacSha256, &KeyRing::generate()?).identity();
    let mut ledger = RunLedger::open(paths, &RunName::new(RUN)?, &keys, START)?;
    let all: Vec<u32> = (0..recipients).collect();
    for part in all.chunks(A_REQUEST as usize) {
        let request = RequestId::random()?;
        let people = part.iter().map(|n| Ok((EmailHash::from_bytes(hash(*n)), RecipientId::random()?, 1)));
        let people = people.collect::<anyhow::Result<Vec<_>>>()?;
        ledger.claim(request, &["newsletter".to_owned()], None, people, START)?;
        ledger.sending(request, START)?;
        ledger.ended(request, Ended::Accepted(Some("abc")), START)?;
    }
    Ok(())
}

fn append(trail: &mut Trail, people: &[u32], settled: bool) -> anyhow::Result<()> {
    let seal = |_: &[u8], _: &str| -> SealedRow<String> { unreachable!("nothing here is undrainable") };
    let batches = people.chunks(30).map(|people| {
        Record::of(ProtectedBatch::vouched_for(BatchRow {
            received_at: START + 1_000_000,
            verified_by: Some("0123456789abcdef".into()),
            key_id: "key-1".into(),
            events: people.iter().map(|n| event(*n, settled)).collect(),
            sealed: Vec::new(),
        }))
    });
    let appended = trail.append(&batches.collect::<Vec<_>>(), &seal)?;
    trail.checkpoint_if_long()?;
    anyhow::ensure!(appended.stored == people.len() as u64, "{appended:?}");
    Ok(())
}

fn hash(n: u32) -> [u8; 32] {
    let mut bytes = [0; 32];
    // Hashes are in no order.
    bytes[..8].copy_from_slice(&(u64::from(n) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    bytes[8..12].copy_from_slice(&n.to_le_bytes());
    bytes
}

fn event(n: u32, settled: bool) -> EventRow<String> {
    let bounced = settled && n.is_multiple_of(50);
    let name = match (settled, bounced) {
        (false, _) => "processed",
        (true, false) => "delivered",
        (true, true) => "bounce",
    };
    let mut event_key = [u8::from(settled); 16];
    event_key[..4].copy_from_slice(&n.to_le_bytes());
    let message = format!("message-of-request-{}", n / A_REQUEST);
    EventRow {
        event_key,
        fingerprint: event_key,
        timestamp: START + i64::from(n / 1_000) * 1_000_000,
        event: name.to_owned(),
        address: Some(AddressRow {
            email_hash: hash(n),
            email_domain: Some(format!("d{}.example", n % 997)),
            email: None,
        }),
        sg_event_id: Some(format!("{name}-{n}")),
        sg_message_id: Some(format!("{message}.recvd-1-2-3.{}", n % A_REQUEST)),
        message_id: Some(message),
        smtp_id: None,
        category: vec!["newsletter".into()],
        reason: bounced.then(|| "550 5.1.1 no such user".into()),
        response: None,
        status: bounced.then(|| "5.1.1".into()),
        r#type: bounced.then(|| "bounce".into()),
        bounce_classification: bounced.then(|| "Invalid Address".into()),
        attempt: None,
        asm_group_id: None,
        url: None,
        useragent: None,
        ip: None,
        sg_machine_open: None,
        tls: None,
        run: Some(RUN.to_owned()),
        recipient: Some(format!("{n:032x}")),
        request: Some(format!("{:032x}", n / A_REQUEST)),
        custom_args: None,
        extra: None,
        sample: false,
    }
}
