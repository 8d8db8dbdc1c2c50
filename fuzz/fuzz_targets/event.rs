//! Any bytes as further members of an event of any type: as `batch`, but every input starts as a usable event.
#![no_main]

#[path = "../../crates/sendgrid-events/tests/support/invariants.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

const TYPES: &[&str] = &["processed", "deferred", "bounce", "click", "unsubscribe", "account_status_change", "new_one"];

fuzz_target!(|data: (u8, &[u8])| {
    let (kind, members) = data;
    let kind = TYPES[usize::from(kind) % TYPES.len()];
    let mut body = format!("{{\"event\":\"{kind}\",\"timestamp\":1600112492,").into_bytes();
    body.extend_from_slice(members);
    body.push(b'}');
    invariants::checked(&body);
});
