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

/// What makes each rule fire after a fresh start: a series of `serve` and its new value. Silence needs no change.
const CAUSES: [(&str, Option<(&str, f64)>); 10] = [
    ("MailtrailDown", Some(("up{job=\"mailtrail\"}", 0.0))),
    ("MailtrailRefusesEverything", Some(("mailtrail_refusing_everything", 1.0))),
    ("MailtrailRefusesUnproven", Some(("mailtrail_refusing_unproven", 1.0))),
    ("MailtrailStoreNotWritable", Some(("mailtrail_store_writable", 0.0))),
    ("MailtrailConcern", Some(("mailtrail_concern{kind=\"certificate\"}", 1.0))),
    ("MailtrailBacklogFills", Some(("mailtrail_backlog_bytes", 1e15))),
    ("MailtrailDiskFills", Some(("mailtrail_disk_days_left", 3.0))),
    ("MailtrailDiskFull", Some(("mailtrail_disk_free_bytes", 1000.0))),
    ("MailtrailSilent", None),
    ("MailtrailUnreadable", Some(("mailtrail_items_quarantined_total", 1.0))),
];

/// client_js#63 and prometheus#2882: a counter that appears with its first increment has no increase, so that its alert never fires.
#[test]
fn every_rule_fires_on_the_series_of_a_fresh_serve() {
    let rules = std::fs::read_to_string(contrib("prometheus-alerts.yml")).unwrap();
    let expressions: String = rules.lines().filter(|line| line.trim_start().starts_with("expr:")).collect();
    let used = crate::contrib::named(&expressions);
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts, CAUSES.map(|(alert, _)| alert));

    let site = Site::new();
    let server = site.serve();
    let page = || request(server.metrics, "GET", "/metrics", &[], b"").unwrap().1;
    wait_for("the first look at the disk", || page().contains("\nmailtrail_disk_free_bytes "));
    let page = page();
    server.stop();
    let mut series = vec![("up{job=\"mailtrail\"}", 1.0)];
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        if used.contains(name.split('{').next().unwrap()) {
            series.push((name, value.parse::<f64>().unwrap()));
        }
    }
    let started = now() as f64;
    let mut tests = format!("rule_files: [{:?}]\nevaluation_interval: 1m\ntests:\n", contrib("prometheus-alerts.yml"));
    for (alert, cause) in CAUSES {
        assert!(
            cause.is_none_or(|(name, _)| series.iter().any(|(known, _)| *known == name)),
            "{alert}: {cause:?}\n{page}"
        );
        tests += &format!("  - name: {alert}\n    interval: 1m\n    input_series:\n");
        for (name, value) in &series {
            // promtool's clock begins with 0.
            let before =
                if *name == "mailtrail_last_event_timestamp_seconds" { (value - started).max(0.0) } else { *value };
            let after = cause.filter(|(changed, _)| changed == name).map_or(before, |(_, value)| value);
            tests += &format!("      - {{series: '{name}', values: '{before}x9 {after}x500'}}\n");
        }
        let at = if cause.is_some() { "45m" } else { "7h" };
        tests += &format!(
            "    promql_expr_test:\n      - expr: 'count(ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}})'\n        \
             eval_time: {at}\n        exp_samples: [{{labels: '{{}}', value: 1}}]\n"
        );
    }
    if !is_here("promtool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fresh.yml");
    std::fs::write(&file, &tests).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{tests}");
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
