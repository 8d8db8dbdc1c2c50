//! Fills a trail with synthetic events through the real way (record, append) and says how fast it went.
//!
//! `cargo run --release --features bench --example fill_trail -- FILE EVENTS [RECIPIENTS]`
//!
//! Shaped like bulk mail: every day a campaign to a changing part of the recipients, in the order of a list that differs
//! from day to day; about three events a message, of which openings and clicks come hours later; three categories a
//! mail; some hundred reasons; message ids one per mail in half of the campaigns and one per 1,000 mails in the others.
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use anyhow::Context;
use mailtrail::protect::{AddressRow, BatchRow, EventRow, ProtectedBatch, SealedRow};
use mailtrail::spool::Record;
use mailtrail::store::sqlite::Trail;

const EVENTS_A_BATCH: usize = 30;
const ROWS_A_COMMIT: usize = 20_000;
const START: i64 = 1_780_000_000_000_000;
const SECOND: i64 = 1_000_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("usage: fill_trail FILE EVENTS [RECIPIENTS]")?;
    let events: usize = arguments.next().context("how many events?")?.parse()?;
    let recipients: u64 = arguments.next().map_or(Ok(400_000), |n| n.parse())?;

    let mut trail = Trail::open(path.as_ref())?;
    let mut traffic = Traffic::new(recipients);
    let (mut done, mut step_rows, mut step_time) = (0, 0, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    let seal = |_: &[u8], _: &str| -> SealedRow<String> { unreachable!("nothing here is undrainable") };
    while done < events {
        let wanted = ROWS_A_COMMIT.min(events - done);
        let records: Vec<Record> = traffic.batches(wanted).into_iter().map(Record::of).collect();
        let began = Instant::now();
        let appended = trail.append(&records, &seal)?;
        trail.checkpoint_if_long()?;
        let took = began.elapsed();
        anyhow::ensure!(appended.stored == wanted as u64, "{appended:?}");
        slowest = slowest.max(took);
        (done, step_rows, step_time) = (done + wanted, step_rows + wanted, step_time + took);
        if step_rows >= events / 10 {
            println!("{done:>10} events  {:>8.0} a second", step_rows as f64 / step_time.as_secs_f64());
            (step_rows, step_time) = (0, Duration::ZERO);
        }
    }
    let began = Instant::now();
    trail.settle()?;
    let size = std::fs::metadata(&path)?.len();
    println!(
        "slowest commit {slowest:?}, last checkpoint {:?}, {} bytes an event",
        began.elapsed(),
        size / events as u64
    );
    Ok(())
}

/// Events in the order they would be posted.
struct Traffic {
    random: Random,
    recipients: u64,
    now: i64,
    sent_today: u64,
    day: u64,
    later: BinaryHeap<std::cmp::Reverse<(i64, Kind, Mail)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Processed,
    Delivered,
    Deferred,
    Bounce,
    Open,
    Click,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mail {
    recipient: u64,
    day: u64,
    number: u64,
}

impl Traffic {
    fn new(recipients: u64) -> Self {
        Self { random: Random(42), recipients, now: START, sent_today: 0, day: 0, later: BinaryHeap::new() }
    }

    fn batches(&mut self, events: usize) -> Vec<ProtectedBatch> {
        let mut batches = Vec::new();
        for begin in (0..events).step_by(EVENTS_A_BATCH) {
            let rows = (begin..events.min(begin + EVENTS_A_BATCH)).map(|_| self.event()).collect();
            batches.push(ProtectedBatch::vouched_for(BatchRow {
                received_at: self.now + SECOND,
                verified_by: Some("0123456789abcdef".into()),
                key_id: "key-1".into(),
                events: rows,
                sealed: Vec::new(),
            }));
        }
        batches
    }

    fn event(&mut self) -> EventRow<String> {
        // 300 mails a second while a campaign runs; then the day's late events, then the next day.
        loop {
            if let Some(std::cmp::Reverse((at, kind, mail))) = self.later.peek().copied()
                && at <= self.now
            {
                self.later.pop();
                return self.row(at, kind, mail);
            }
            if self.sent_today >= self.recipients / 2 {
                (self.sent_today, self.day) = (0, self.day + 1);
                self.now = START + i64::try_from(self.day).unwrap_or(i64::MAX) * 86_400 * SECOND;
            }
            self.send();
        }
    }

    fn send(&mut self) {
        let number = self.sent_today;
        self.sent_today += 1;
        if number.is_multiple_of(300) {
            self.now += SECOND;
        }
        // Another stride each day: a list in another order, half of the recipients. It ends in 9, so that it shares no
        // factor with a round number of recipients.
        let stride = 10 * self.day + 7_919;
        let recipient = (number * stride + self.day * 31) % self.recipients;
        let mail = Mail { recipient, day: self.day, number };
        let mut add = |after: u64, kind| {
            self.later.push(std::cmp::Reverse((self.now + i64::try_from(after).unwrap_or(0) * SECOND, kind, mail)));
        };
        add(0, Kind::Processed);
        match self.random.below(100) {
            0..3 => add(2, Kind::Bounce),
            3..6 => {
                add(3, Kind::Deferred);
                add(600, Kind::Delivered);
            }
            _ => add(1 + self.random.below(5), Kind::Delivered),
        }
        if self.random.below(100) < 70 {
            add(60 + self.random.below(40_000), Kind::Open);
        }
        if self.random.below(100) < 20 {
            add(90 + self.random.below(40_000), Kind::Click);
        }
    }

    fn row(&mut self, timestamp: i64, kind: Kind, mail: Mail) -> EventRow<String> {
        let mut email_hash = [0; 32];
        for (index, chunk) in email_hash.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&mix(mail.recipient * 4 + index as u64).to_le_bytes());
        }
        // Half of the campaigns by personalizations: 1,000 mails under one id.
        let request = if mail.day.is_multiple_of(2) { mail.number } else { mail.number / 1_000 };
        let id = mix(mail.day << 32 | request);
        let message_id = format!("{:.22}", format!("{:016x}{:016x}", id, mix(id)));
        let some = |text: &str| Some(text.to_owned());
        let reason = |random: &mut Random| {
            format!("550 5.1.1 mailbox unavailable, reason {} of the remote server, see its help", random.below(300))
        };
        let mut row = EventRow {
            event_key: self.random.bytes(),
            fingerprint: self.random.bytes(),
            timestamp,
            event: String::new(),
            address: Some(AddressRow {
                email_hash,
                email_domain: Some(format!("d{}.example", mail.recipient % 997)),
                email: None,
            }),
            sg_event_id: Some(format!("{:016x}{:016x}", self.random.next(), self.random.next())),
            sg_message_id: Some(format!(
                "{message_id}.filterdrecv-5645d9c87f-{:05}-1-5F5{:06X}-52.0",
                id % 99_999,
                id % 0xff_ffff
            )),
            message_id: Some(message_id.clone()),
            smtp_id: Some(format!("<{message_id}@geopod-ismtpd-4-{}>", id % 9)),
            category: vec![
                format!("campaign-{}", mail.day),
                "newsletter".into(),
                format!("segment-{}", mail.recipient % 10),
            ],
            reason: None,
            response: None,
            status: None,
            r#type: None,
            bounce_classification: None,
            attempt: None,
            asm_group_id: None,
            url: None,
            useragent: None,
            ip: None,
            sg_machine_open: None,
            tls: None,
            run: None,
            recipient: None,
            request: None,
            custom_args: Some(format!("{{\"user\":\"{}\",\"list\":\"weekly\"}}", mail.recipient)),
            extra: None,
            sample: false,
        };
        if mail.day.is_multiple_of(3) {
            row.run = Some(format!("run-{}", mail.day));
            row.recipient = Some(format!("{:016x}", mix(mail.day << 40 | mail.recipient)));
        }
        let agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15";
        let (event, ip) = match kind {
            Kind::Processed => ("processed", None),
            Kind::Delivered => {
                row.response = some("250 2.0.0 OK 1600112492 d4si4717218qka.213 - gsmtp");
                row.tls = Some(true);
                ("delivered", some("149.72.10.20"))
            }
            Kind::Deferred => {
                row.response = Some(reason(&mut self.random));
                row.attempt = Some(1);
                ("deferred", some("149.72.10.20"))
            }
            Kind::Bounce => {
                row.reason = Some(reason(&mut self.random));
                (row.status, row.r#type) = (some("5.1.1"), some("bounce"));
                row.bounce_classification = some("Invalid Address");
                ("bounce", some("149.72.10.20"))
            }
            Kind::Open => {
                row.smtp_id = None;
                row.useragent = some(agent);
                row.sg_machine_open = Some(mail.recipient.is_multiple_of(3));
                ("open", some("203.0.113.0"))
            }
            Kind::Click => {
                row.smtp_id = None;
                row.useragent = some(agent);
                row.url = some("https://shop.example/offers/november?utm_source=…&id=…");
                ("click", some("203.0.113.0"))
            }
        };
        (row.event, row.ip) = (event.to_owned(), ip);
        row
    }
}

/// SplitMix64: the same events at each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes());
        bytes
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
