//! What is handed to operators fits the binary: every metric that dashboard and alert rules name is one that `serve` shows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{Site, batch, event, now, request, wait_for};

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name)
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mailtrail_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_dashboard_and_alert_rules_is_shown_by_a_running_serve() {
    let dashboard = std::fs::read_to_string(contrib("grafana-dashboard.json")).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 10);
    let rules = std::fs::read_to_string(contrib("prometheus-alerts.yml")).unwrap();
    // Without comments and what is said to people.
    let expressions: String = rules.lines().filter(|line| line.trim_start().starts_with("expr:")).collect();
    let wanted: BTreeSet<String> = named(&dashboard).into_iter().chain(named(&expressions)).collect();
    assert!(wanted.len() > 20, "{wanted:?}");

    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, &batch(&[event("m", "jane@example.com", "open", now())])).0, 200);
    assert_eq!(request(server.address, "POST", "/event", &[], b"").unwrap().0, 401);
    server.wait_drained();
    let shown = || {
        let (status, page) = request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
        assert_eq!(status, 200);
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let missing = || wanted.difference(&shown()).cloned().collect::<Vec<_>>();
    wait_for("every metric to be shown", || missing().is_empty() || shown().contains("mailtrail_disk_free_bytes"));
    assert_eq!(missing(), Vec::<String>::new(), "named in contrib, and not shown by serve");
    server.stop();
}

/// systemd's own judgement, where it is installed.
#[test]
fn the_unit_is_one_that_systemd_takes() {
    let text = std::fs::read_to_string(contrib("mailtrail.service")).unwrap();
    // The binary does not stand there yet; any program does.
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("mailtrail.service");
    std::fs::write(&unit, text.replace("ExecStart=mailtrail serve", "ExecStart=/bin/true serve")).unwrap();
    let Ok(output) = std::process::Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        eprintln!("skipped: systemd-analyze is not here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let ours = said.lines().filter(|line| line.contains("mailtrail.service")).collect::<Vec<_>>();
    assert!(ours.is_empty(), "{said}");
}
