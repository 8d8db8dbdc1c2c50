//! How fast bodies are proved and read on this machine: `cargo run --release -p sendgrid-events --example speed`.
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sendgrid_events::signature::Signature;
use sendgrid_events::{Batch, Item, PublicKey};

const EVENTS: usize = 1_000;
const SPAN: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let body = body()?;
    let parses = repeat(|| {
        let batch = Batch::parse(black_box(body.as_bytes()));
        let canonical: usize = batch
            .items
            .iter()
            .map(|item| if let Item::Event(event) = item { event.canonical().len() } else { 0 })
            .sum();
        black_box(canonical);
    });
    println!("parse with canonical form   {:8.1} MB/s", parses * body.len() as f64 / 1e6);
    println!(
        "                            {:8.0} events/s ({} bytes an event)",
        parses * EVENTS as f64,
        body.len() / EVENTS
    );

    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| "no randomness")?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| "no public key")?;
    let keys = [PublicKey::parse(&STANDARD.encode(spki.as_ref()))?];
    let small = &b"[{\"event\":\"open\",\"timestamp\":1700000000}]\r\n"[..];
    for (name, body) in [("small body", small), ("body of 1,000 events", body.as_bytes())] {
        let message = [b"1700000000", body].concat();
        let signature = STANDARD.encode(pair.sign(&random, &message).map_err(|_| "no signature")?.as_ref());
        let mut held = true;
        let checks = repeat(|| {
            held &= Signature::parse(black_box(&signature), "1700000000").is_ok_and(|s| s.verify(&keys, body).is_ok());
        });
        assert!(held, "an own signature does not hold");
        println!("verify, {name:<20}{checks:8.0} /s");
    }
    Ok(())
}

/// How often `work` ran in a second: the best of five spans, as others use the machine too.
fn repeat(mut work: impl FnMut()) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (start, mut runs) = (Instant::now(), 0_u32);
        while start.elapsed() < SPAN / 5 {
            work();
            runs += 1;
        }
        best = best.max(f64::from(runs) / start.elapsed().as_secs_f64());
    }
    best
}

/// A body as a bulk send brings it.
fn body() -> Result<String, std::fmt::Error> {
    let mut body = String::from("[");
    for n in 0..EVENTS {
        let separator = if n == 0 { "" } else { ",\r\n" };
        write!(
            body,
            "{separator}{{\"email\":\"person{n}@example.com\",\"event\":\"{}\",\"timestamp\":{},\"ip\":\"192.0.2.{}\",\
             \"category\":[\"newsletter\",\"week-{}\"],\"sg_event_id\":\"ZGVsaXZlcmVkLTAtMTIzNDU2Nzgt{n:08}\",\
             \"sg_message_id\":\"14c5d75ce93abcdef{n:05}.filterdrecv-5f6c-{n}.0\",\"smtp-id\":\"<14c5d75ce93.dfd.64b469@ismtpd-555>\",\
             \"response\":\"250 2.0.0 OK {n} \\\"queued\\\" as 7f1-si\",\"attempt\":\"1\",\"tls\":1,\"useragent\":\"Mozilla/5.0 (X11; Linux)\",\
             \"order_id\":\"{n}\",\"tenant\":\"acme\",\"campaign\":{{\"name\":\"spring\",\"variant\":{}}}}}",
            if n % 3 == 0 { "open" } else { "delivered" },
            1_700_000_000 + n,
            n % 250,
            n % 52,
            n % 4,
        )?;
    }
    body.push_str("]\r\n");
    Ok(body)
}
