//! Any bytes as a body: no panic, the counts add up, no key is lost, the canonical form is stable.
#![no_main]

#[path = "../../crates/sendgrid-events/tests/support/invariants.rs"]
mod invariants;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    invariants::checked(body);
});
