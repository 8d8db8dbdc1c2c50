//! The real binary on loopback, by user story.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

mod support;

mod alert;
mod api;
mod archive;
mod ask;
mod attack;
mod concern;
mod contract;
mod contrib;
mod disk;
mod forget;
mod kill;
mod operate;
mod outcome;
mod payloads;
mod privacy;
mod prometheus;
mod receive;
mod reconcile;
mod restore;
mod send;
mod tls;
mod webhook;
