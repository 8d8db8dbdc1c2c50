//! Asks a trail that `fill_trail` made, and says how long the answers take.
//!
//! `cargo run --release --features bench --example ask_trail -- FILE`
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::time::{Duration, Instant};

use anyhow::Context;
use mailtrail::protect::EmailHash;
use mailtrail::store::Paths;
use mailtrail::store::query::{Counted, Dimension, Filter, Scope, Subject};
use mailtrail::store::sqlite::Reader;

const HOUR: i64 = 3_600_000_000;
const TIMES: usize = 5;

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).context("usage: ask_trail FILE")?;
    let reader = Reader::open(&Paths::new(path))?;
    let newest = reader.newest(1)?.pop().context("the trail is empty")?;
    let day = newest.timestamp - newest.timestamp % (24 * HOUR);
    let hash = newest.email_hash.as_deref().and_then(EmailHash::parse).context("it has no address")?;
    let message = newest.message_id.clone().context("it has no message id")?;
    let (since, until) = (Some(newest.timestamp - HOUR), Some(newest.timestamp));
    let hour = Filter { since, until, ..Filter::default() };
    let week = Filter { since: Some(newest.timestamp - 7 * 24 * HOUR), ..Filter::default() };

    measure("timeline of a recipient", || Ok(reader.timeline(&Subject::Hashes(vec![hash]), 1_000)?.len()))?;
    measure("timeline of a message", || Ok(reader.timeline(&Subject::Message(message.clone()), 10_000)?.len()))?;
    for category in [newest.category.first().context("it has no category")?.clone(), "segment-3".into()] {
        measure(&format!("statuses of {category}, an hour"), || {
            Ok(reader.latest_status(&Scope::Category(category.clone()), since, until)?.len())
        })?;
        measure(&format!("statuses of {category}, a day"), || {
            let scope = Scope::Category(category.clone());
            Ok(reader.latest_status(&scope, Some(day), Some(day + 24 * HOUR))?.len())
        })?;
        let filter = Filter { categories: vec![category.clone()], ..week.clone() };
        measure(&format!("activity of {category}, a week"), || Ok(reader.activity(&filter, 50)?.value.len()))?;
        measure(&format!("events of {category}, a week"), || {
            Ok(reader.stats(&filter, &[Dimension::Event], Counted::Rows)?.value.len())
        })?;
        measure(&format!("recipients of {category}, a week"), || {
            Ok(reader.stats(&filter, &[Dimension::Event], Counted::Recipients)?.value.len())
        })?;
    }
    for (counted, name) in [(Counted::Rows, "events"), (Counted::Recipients, "recipients")] {
        measure(&format!("{name} by category, an hour"), || {
            Ok(reader.stats(&hour, &[Dimension::Category], counted)?.value.len())
        })?;
        measure(&format!("{name} by category, a week"), || {
            Ok(reader.stats(&week, &[Dimension::Category], counted)?.value.len())
        })?;
    }
    measure("activity of a domain, a week", || {
        let filter = Filter { domains: vec!["d7.example".into()], ..week.clone() };
        Ok(reader.activity(&filter, 50)?.value.len())
    })?;
    measure("activity with a reason nobody has, a week", || {
        let filter = Filter { reason: Some("nobody has it".into()), ..week.clone() };
        Ok(reader.activity(&filter, 50)?.value.len())
    })?;
    measure("a page of 10,000", || Ok(reader.page(&week, None, 10_000)?.value.len()))?;
    measure("repeats, an hour", || Ok(usize::try_from(reader.repeats(&hour)?)?))
}

fn measure(what: &str, ask: impl Fn() -> anyhow::Result<usize>) -> anyhow::Result<()> {
    let mut times: Vec<Duration> = Vec::new();
    let mut rows = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        rows = ask()?;
        times.push(began.elapsed());
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let median = times.get(TIMES / 2).copied().unwrap_or_default();
    println!("{what:<45} {rows:>8} rows  first {first:>10.1?}  median {median:>10.1?}");
    Ok(())
}
