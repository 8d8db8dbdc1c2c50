//! What is handed to operators fits the binary: every metric that dashboard and alert rules name is one that `serve` shows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{Site, batch, event, now, request, wait_for};

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name)
}

/// Names of metrics in a text.
pub fn named(text: &str) -> BTreeSet<String> {
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

#[test]
fn counters_of_a_fresh_serve_begin_with_zero() {
    let site = Site::new();
    let mut config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    config.push_str("[[relay]]\nname = \"one\"\nurl = \"http://127.0.0.1:9/event\"\n");
    site.write_secret("mailtrail.toml", &config);
    let started = now();
    let server = site.serve();
    let (_, page) = request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let value = |series: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is missing:\n{page}")).parse::<f64>().unwrap()
    };
    for series in [
        "mailtrail_items_quarantined_total",
        "mailtrail_items_accepted_total",
        "mailtrail_events_total{event=\"bounce\"}",
        "mailtrail_events_total{event=\"other\"}",
        "mailtrail_posts_total{status=\"200\"}",
        "mailtrail_posts_total{status=\"503\"}",
        "mailtrail_refused_total{reason=\"body_evicted\"}",
        "mailtrail_relay_delivered_total{consumer=\"one\"}",
        "mailtrail_relay_failures_total{consumer=\"one\"}",
        "mailtrail_relay_set_aside_total{consumer=\"one\"}",
        "mailtrail_relay_dropped_total{consumer=\"one\"}",
    ] {
        assert_eq!(value(series), 0.0, "{series}");
    }
    assert!(value("mailtrail_last_event_timestamp_seconds") >= started as f64);
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
