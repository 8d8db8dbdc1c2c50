//! What decoding, redaction and encoding cost an event, on one core and without any network or disk.
//!
//!     cargo run --release --example protect_speed

#![allow(clippy::print_stdout, reason = "its purpose")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mailtrail::config::{HashMode, Privacy};
use mailtrail::decode::decode;
use mailtrail::protect::{KeyRing, Protector};
use mailtrail::receive::{Authentic, VerifiedBy};
use sendgrid_simulator::{Message, Random, bulk, event};

/// The binary's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bodies of each size, so that none is warm when it comes again.
const BYTES: usize = 32 * 1024 * 1024;

fn main() -> anyhow::Result<()> {
    let keys = KeyRing::new(HashMode::HmacSha256, &KeyRing::generate()?);
    let protector = Protector::new(Arc::new(keys), &Privacy::default());
    for events in [1, 30, 1_000] {
        let bodies = bodies(events);
        let all = (bodies.len() * events) as f64;
        let decoded = best(&bodies, |body| {
            decode(body).for_each(|item| drop(black_box(item)));
        });
        let protected = best(&bodies, |body| {
            black_box(protector.protect(decode(body), body));
        });
        let each = |time: Duration| time.as_secs_f64() * 1e6 / all;
        println!(
            "{events:>5} events a POST: decoded in {:.2} µs an event, and protected and encoded in {:.2}",
            each(decoded),
            each(protected)
        );
    }
    Ok(())
}

fn best(bodies: &[Authentic], mut work: impl FnMut(&Authentic)) -> Duration {
    let mut round = || {
        let start = Instant::now();
        bodies.iter().for_each(&mut work);
        start.elapsed()
    };
    (0..7).map(|_| round()).min().unwrap_or_default()
}

/// A campaign's events: most mail is delivered, some of it read, little refused.
fn bodies(events: usize) -> Vec<Authentic> {
    const NAMES: [&str; 10] = [
        "processed",
        "delivered",
        "processed",
        "delivered",
        "processed",
        "delivered",
        "open",
        "click",
        "open",
        "bounce",
    ];
    let mut random = Random::new(7);
    let (mut bodies, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES {
        let told: Vec<_> = (0..events)
            .map(|_| {
                let at = 1_764_000_000 + random.seconds(0, 86_400);
                let address = bulk::address(random.below(100_000), 1);
                let mut message = Message::new(&mut random, &address, at);
                message.categories.push("campaign-7".to_owned());
                message.custom_args.push(("mailtrail_run".to_owned(), "campaign-7".to_owned()));
                message.custom_args.push(("order_id".to_owned(), random.below(1_000_000_000).to_string()));
                message.event(NAMES[random.below(10) as usize], at, &mut random)
            })
            .collect();
        let body = event::body(&told);
        bytes += body.len();
        bodies.push(Authentic::from_quarantine(body, VerifiedBy::Basic, 7));
    }
    bodies
}
