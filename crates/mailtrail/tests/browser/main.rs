//! The page in a real browser: Debian's Chromium, driven by its own driver. Where there is none, each test says so.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

#[path = "../stories/support.rs"]
mod support;

mod browser;
mod traffic;

mod accessible;
mod clock;
mod keyboard;
mod looks;
mod mailing;
mod people;
mod runs;
mod search;
