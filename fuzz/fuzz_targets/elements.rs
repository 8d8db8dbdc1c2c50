//! Any bytes as a file of objects, in chunks of any size: no panic, no piece beyond the limit, no piece that stood nowhere, the
//! same pieces however the bytes come; and a good line behind whatever came before is found.
#![no_main]

#[path = "../../crates/sendgrid-events/tests/support/pieces.rs"]
mod pieces;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, bool, &[u8])| {
    let (chunk, lines, bytes) = data;
    pieces::checked(bytes, usize::from(chunk), lines);
});
