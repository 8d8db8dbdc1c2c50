//! Files that version 0.1.0 wrote pass through what changed after it. `tests/upgrade/store` is a store with a ledger: run *october* mailed
//! two of three (one of them a carrier address, whose quoted spelling had a hash of its own then; SendGrid refused the third), run
//! *refusal* was refused as a whole, and four items are in the quarantine. `tests/upgrade/backup` is a backup of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::support::Site;

const LIST: &str = "email,name\nplain@example.com,P\naaa..bbbb@docomo.example.jp,Q\nrefused@example.com,R\n";

fn fixture(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(folder)
}

/// A site on a copy of the store.
fn upgraded() -> Site {
    let mut site = Site::new();
    for entry in fs::read_dir(fixture("store")).unwrap().map(Result::unwrap) {
        let to = site.path().join(entry.file_name());
        fs::write(&to, fs::read(entry.path()).unwrap()).unwrap();
        set_owner_only(&to);
    }
    fs::write(site.path().join("list.csv"), LIST).unwrap();
    fs::write(site.path().join("text.txt"), "Hello").unwrap();
    // Nothing listens there: whoever is still to be mailed cannot be.
    site.environment("MAILTRAIL_SENDGRID_API_KEY", "SG.simulated.key");
    site.environment("MAILTRAIL_SENDGRID_HOST", "http://127.0.0.1:9");
    site
}

fn set_owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn rows(site: &Site, args: &[&str]) -> Vec<Value> {
    let text = site.ask(&[args, &["--format", "json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn either_spelling_of_a_carrier_address_finds_what_an_earlier_version_stored() {
    let site = upgraded();
    for spelling in ["aaa..bbbb@docomo.example.jp", "\"aaa..bbbb\"@docomo.example.jp"] {
        let events = rows(&site, &["timeline", spelling]);
        let ids: Vec<&str> = events.iter().map(|event| event["sg_event_id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["up-3", "up-4"], "{spelling}");
    }
    // The ledger has it under the hash of the quoted spelling: neither spelling is mailed again.
    let report = site
        .command(&[
            "send",
            "list.csv",
            "--run",
            "october",
            "--subject",
            "Hello",
            "--text",
            "text.txt",
            "--limit",
            "0",
            "--dry-run",
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_else(|_| panic!("{}", stderr(&report)));
    assert_eq!(report["skipped"]["accepted"], 2, "{report}");
}

#[test]
fn a_recipient_that_an_earlier_version_saw_refused_is_unreached() {
    let site = upgraded();
    let unreached = rows(&site, &["unreached", "october", "--list", "list.csv"]);
    let mut found: Vec<(&str, &str)> =
        unreached.iter().map(|row| (row["email"].as_str().unwrap(), row["status"].as_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found, [("aaa..bbbb@docomo.example.jp", "bounce"), ("refused@example.com", "refused")]);
    let output = site.command(&["wait", "october", "--exit-status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    // The whole run was refused: no event came of the one recipient that was requested.
    let whole = rows(&site, &["unreached", "refusal"]);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0]["status"], "refused");
    let runs = rows(&site, &["runs"]);
    let refusal = runs.iter().find(|run| run["run"] == "refusal").unwrap();
    assert_eq!(refusal["completeness"], "0.0 %", "{refusal}");
}

#[test]
fn quarantined_items_of_an_earlier_version_are_listed_shown_and_replayed() {
    let site = upgraded();
    let listed = rows(&site, &["quarantine", "list"]);
    assert_eq!(listed.len(), 4, "{listed:?}");
    for item in &listed {
        let id = item["id"].to_string();
        let shown = site.ask(&["quarantine", "show", id.trim_matches('"')]);
        assert!(!shown.is_empty());
    }
}

#[test]
fn a_backup_without_authentication_is_restored_only_on_demand() {
    let site = upgraded();
    let backup = site.path().join("backup");
    fs::create_dir(&backup).unwrap();
    for entry in fs::read_dir(fixture("backup")).unwrap().map(Result::unwrap) {
        fs::write(backup.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    for entry in fs::read_dir(site.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().contains(".db") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let backup = backup.to_str().unwrap();
    let refused = site.command(&["restore", backup]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--allow-unauthenticated"), "{}", stderr(&refused));
    let restored = site.command(&["restore", backup, "--allow-unauthenticated"]).output().unwrap();
    assert!(restored.status.success(), "{}", stderr(&restored));
    assert_eq!(rows(&site, &["activity", "--since", "2026-11-01"]).len(), 4);
}
