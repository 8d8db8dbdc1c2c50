//! The dashboard and the alert rules in a real Prometheus, which scrapes the real binary: every expression gives what its panel shows.
//! Where Prometheus is not installed, that is said and nothing is tried (Debian: `apt install prometheus`; `scripts/test` does).

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Running, Site, batch, event, now, request, wait_for};

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name).canonicalize().unwrap()
}

fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is not installed here");
    }
    found
}

#[test]
fn each_alert_fires_where_it_should_and_is_silent_in_the_calm_case() {
    if !is_here("promtool") {
        return;
    }
    for task in [["check", "rules", "prometheus-alerts.yml"], ["test", "rules", "prometheus-alerts-test.yml"]] {
        let output = Command::new("promtool").args(task).current_dir(contrib("")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {task:?}: {said}");
    }
    // A rule that nobody tests would be one more text.
    let rules = std::fs::read_to_string(contrib("prometheus-alerts.yml")).unwrap();
    let tests = std::fs::read_to_string(contrib("prometheus-alerts-test.yml")).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in alerts {
        let cases: Vec<bool> = tests
            .split(&format!("alertname: {alert}"))
            .skip(1)
            .map(|rest| rest.trim_start_matches([',', ' ', '\n']).starts_with("exp_alerts: []"))
            .collect();
        assert!(cases.contains(&true), "no test has {alert} silent");
        assert!(cases.contains(&false), "no test has {alert} fire");
    }
}

/// A Prometheus of this test alone.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start(scraped: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}\n\
             rule_files: [{:?}]\n\
             scrape_configs:\n  - job_name: mailtrail\n    static_configs: [{{targets: [\"{scraped}\"]}}]\n",
            contrib("prometheus-alerts.yml")
        );
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, config).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = String::new();
        let address = lines.find_map(|line| {
            log.push_str(&line);
            log.push('\n');
            let (_, rest) = line.split_once("msg=\"Listening on\" address=")?;
            rest.split_whitespace().next()?.parse().ok()
        });
        // It goes on to talk; nobody listening would end it.
        std::thread::spawn(move || lines.for_each(drop));
        let Some(address) = address else {
            let _gone = child.kill();
            panic!("prometheus did not start:\n{log}");
        };
        Self { child, address, _folder: folder }
    }

    /// What an endpoint answers; `None` while it is not ready.
    fn get(&self, path: &str) -> Option<serde_json::Value> {
        let (status, body) = request(self.address, "GET", path, &[], b"")?;
        assert!(status == 200 || status == 503, "{path}: {status} {body}");
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// The series that an expression gives now, each by its labels.
    fn query(&self, expression: &str) -> Vec<serde_json::Value> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("query", expression).finish();
        let Some(answer) = self.get(&format!("/api/v1/query?{query}")) else { return Vec::new() };
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().iter().map(|series| series["metric"].clone()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Every expression of the dashboard, under its panel's title.
fn panels() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(contrib("grafana-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            found.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    found
}

/// A little of everything that is counted.
fn traffic(site: &Site, server: &Running, round: u32) {
    let id = format!("round{round}");
    assert_eq!(server.post(site, &batch(&[event(&id, "jane@example.com", "delivered", now())])).0, 200);
    assert_eq!(server.post(site, b"[{\"event\":\"open\"}]").0, 200, "unreadable");
    assert_eq!(request(server.address, "POST", "/event", &[], b"").unwrap().0, 401);
}

#[test]
fn every_expression_of_dashboard_and_rules_gives_series_of_a_running_serve() {
    if !is_here("prometheus") {
        return;
    }
    let site = Site::new();
    let server = site.serve();
    traffic(&site, &server, 0);
    let prometheus = Prometheus::start(server.metrics);
    let panels = panels();
    assert!(panels.len() > 15, "{panels:?}");
    let mut round = 0;
    for (title, expression) in &panels {
        // Rates need two scrapes, and something that happened in between.
        wait_for(&format!("{title}: {expression}"), || {
            round += 1;
            traffic(&site, &server, round);
            !prometheus.query(expression).is_empty()
        });
    }
    let labels = |expression: &str, label: &str| -> Vec<String> {
        let series = prometheus.query(expression);
        series.iter().map(|series| series[label].as_str().unwrap_or_default().to_owned()).collect()
    };
    for (expression, label, expected) in [
        ("sum by (event) (rate(mailtrail_events_total[5m]))", "event", "delivered"),
        ("sum by (status) (rate(mailtrail_posts_total[5m]))", "status", "401"),
        ("mailtrail_concern", "kind", "disk"),
    ] {
        assert!(panels.iter().any(|(_, of_panel)| of_panel == expression), "{expression} is no panel's any more");
        let found = labels(expression, label);
        assert!(found.iter().any(|value| value == expected), "{expression}: {found:?}");
    }
    let reasons = labels("sum by (reason) (rate(mailtrail_refused_total[5m])) > 0", "reason");
    assert!(!reasons.is_empty() && reasons.iter().all(|reason| !reason.is_empty()), "{reasons:?}");

    // The rules, as Prometheus itself evaluated them.
    let rules = || -> Vec<serde_json::Value> {
        let answer = prometheus.get("/api/v1/rules").unwrap();
        answer["data"]["groups"][0]["rules"].as_array().unwrap().clone()
    };
    wait_for("every rule to be evaluated", || rules().iter().all(|rule| rule["health"] != "unknown"));
    let rules_now = rules();
    assert!(rules_now.len() >= 9);
    for rule in &rules_now {
        assert_eq!(rule["health"], "ok", "{rule}");
        // Whatever is wrong with this machine's disk is not asked here, nor the unreadable items that were just posted.
        let is_about_us =
            !["MailtrailConcern", "MailtrailDiskFull", "MailtrailUnreadable"].contains(&rule["name"].as_str().unwrap());
        assert!(rule["state"] != "firing" || !is_about_us, "{rule}");
    }
    let state = |name: &str| rules().into_iter().find(|rule| rule["name"] == name).unwrap()["state"].clone();
    wait_for("what cannot be read to be told", || state("MailtrailUnreadable") == "firing");
    assert_eq!(state("MailtrailDown"), "inactive");
    server.kill();
    wait_for("the end of serve to be noticed", || state("MailtrailDown") == "pending");
}

/// client_js#63 and prometheus#2882: a counter that appears with its first increment has no increase, so that its alert never fires.
#[test]
fn every_metric_of_the_alert_rules_exists_on_a_fresh_receiver() {
    let site = Site::new();
    let server = site.serve();
    wait_for("the first look", || server.metric("mailtrail_disk_free_bytes") > 0.0);
    let (_, page) = request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let rules = std::fs::read_to_string(contrib("prometheus-alerts.yml")).unwrap();
    let words = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).flat_map(|expression| {
        expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("mailtrail_"))
    });
    for name in words {
        let has = page.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        assert!(has, "{name} is missing before the first POST");
    }
    let last = server.metric("mailtrail_last_event_timestamp_seconds");
    assert!((last - now() as f64).abs() < 3_600.0, "silence is counted from the start: {last}");
    assert_eq!(server.metric("mailtrail_items_quarantined_total"), 0.0);
    if !is_here("promtool") {
        return;
    }
    // The rules over the series of this fresh start: one unreadable item, then silence.
    let series: Vec<String> = page
        .lines()
        .filter(|line| {
            line.starts_with("mailtrail_last_event_timestamp_seconds ")
                || line.starts_with("mailtrail_items_quarantined_total ")
        })
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            // Times of the test begin at 0, which stands for the start.
            let values = if name.contains("timestamp") { "0x600".to_owned() } else { format!("{value} 1x600") };
            format!("      - {{series: {name}, values: '{values}'}}\n")
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let test = format!(
        "rule_files: [{:?}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{}    promql_expr_test:\n      \
         - {{expr: 'count(ALERTS{{alertname=\"MailtrailUnreadable\"}})', eval_time: 10m, exp_samples: [{{labels: '{{}}', value: 1}}]}}\n      \
         - {{expr: 'count(ALERTS{{alertname=\"MailtrailSilent\"}})', eval_time: 7h, exp_samples: [{{labels: '{{}}', value: 1}}]}}\n",
        contrib("prometheus-alerts.yml"),
        series.concat()
    );
    let path = folder.path().join("test.yml");
    std::fs::write(&path, &test).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{test}");
}
