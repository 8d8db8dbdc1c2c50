//! The real binary with BigQuery: a protocol server that keeps what it is told ([`emulator`]), and one of our own that shows what
//! that one cannot ([`fake`]).

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr, reason = "test code")]

#[path = "../../src/store/bigquery/testing/decode.rs"]
mod decode;
mod emulator;
mod fake;
mod hook;
#[allow(dead_code, reason = "shared with the stories, which use more of it")]
#[path = "../stories/support.rs"]
mod support;

#[path = "../stories/contract.rs"]
mod contract;
mod credentials;
mod follow;
mod forget;
mod forward;
mod guide;
mod import;
mod init;
mod lock;
mod outage;
mod page;
mod questions;
mod sends;
mod stateless;
mod tail;
mod trouble;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use support::{PATIENCE, Running, Site};

/// Points a site at BigQuery on this machine.
fn point(site: &mut Site, rest: SocketAddr, grpc: SocketAddr) {
    for (key, value) in [
        ("PROJECT", "demo".to_owned()),
        ("DATASET", "mail".to_owned()),
        ("ENDPOINT", format!("http://{rest}")),
        ("GRPC_ENDPOINT", format!("http://{grpc}")),
    ] {
        site.environment(&format!("MAILTRAIL_BIGQUERY_{key}"), &value);
    }
}

/// Runs a command; whether it succeeded, what it printed, what it said.
fn run(site: &Site, args: &[&str]) -> (bool, String, String) {
    let output = site.command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Polls until `done`, gently: the protocol server answers one thing after the other. On failure says what `serve` said.
fn wait_for(server: &Running, what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + 2 * PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "waited in vain for {what}; serve said:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}
