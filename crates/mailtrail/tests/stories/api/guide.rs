//! The commands of docs/api.md, run as they stand there.

use std::path::Path;
use std::process::{Command, Stdio};

use super::with_page;
use crate::support::{Site, batch, event, now};

const GUIDE: &str = include_str!("../../../../../docs/api.md");

/// The guide's commands, block by block.
fn blocks() -> Vec<&'static str> {
    GUIDE.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// What they print; with the binary of this build.
fn run(site: &Site, commands: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_mailtrail")).parent().unwrap();
    let commands = format!("PATH=\"$BINARY:$PATH\"\n{commands}");
    let mut shell = Command::new("sh");
    shell.args(["-euc", &commands]).current_dir(site.path()).env("BINARY", binary).stdin(Stdio::null());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_guides_commands_do_what_it_says() {
    let [token, by_mailtrail, by_others] = blocks().try_into().expect("three blocks");
    let site = Site::new();
    run(&site, token);
    assert!(GUIDE.contains("tokens_file = \"web_tokens.txt\""));
    with_page(&site, "tokens_file = \"web_tokens.txt\"");
    let server = site.serve();
    let bounce = event("e2", "bob@example.org", "bounce", now() - 60);
    let events = [event("e1", "alice@example.com", "bounce", now() - 60), bounce];
    assert_eq!(server.post(&site, &batch(&events)).0, 200);
    server.wait_drained();
    std::fs::write(site.path().join("list.csv"), "email\nalice@example.com\n").unwrap();
    let here = |commands: &str| commands.replace("https://mailtrail.example.com", &format!("http://{}", server.page()));

    let printed = run(&site, &here(by_mailtrail));
    assert!(printed.contains("example.org") && printed.contains("alice@example.com"), "{printed}");
    assert!(site.path().join("events.parquet").exists());

    // --json came with curl 7.82.
    if !run(&site, "curl --help all 2>/dev/null || true").contains("--json") {
        eprintln!("SKIPPED: there is no curl with --json here, so the guide's calls of it were not tried");
        return;
    }
    let printed = run(&site, &here(by_others));
    assert_eq!(printed.lines().filter(|line| line.contains("\"e1\"")).count(), 2, "searched, and newest: {printed}");
    assert!(printed.contains("alice@example.com"), "of the list that was given: {printed}");
    let document = std::fs::read_to_string(site.path().join("openapi.yaml")).unwrap();
    assert!(document.starts_with("openapi: 3.1"));
    assert!(!server.stop().contains("alice"));
}
