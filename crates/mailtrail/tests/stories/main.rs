//! The real binary on loopback, by user story.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

mod support;

mod alarm;
mod alert;
mod api;
mod archive;
mod ask;
mod attack;
mod cases;
mod concern;
mod contract;
mod contrib;
mod disk;
mod erase;
mod forget;
mod import;
mod kill;
mod log;
mod log_in;
mod memory;
mod operate;
mod outcome;
mod payloads;
mod privacy;
mod prometheus;
mod receive;
mod reconcile;
mod relay;
mod restore;
mod scripts;
mod send;
mod tls;
mod upgrade;
mod webhook;
