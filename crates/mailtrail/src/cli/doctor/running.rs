//! Whether `serve` runs, and what it says of itself.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::certificate;
use super::check::Check;
use crate::cli::time;
use crate::config::Config;
use crate::notify::Channel;
use crate::receive::ConnectionFault;
use crate::store::Paths;

const PATIENCE: Duration = Duration::from_secs(2);
/// A metrics page is far smaller; whatever else answers there is not read to its end.
const PAGE: u64 = 1 << 20;
/// A signature this far from our clock, either way, means that one of the clocks is wrong.
const SKEW: f64 = 120.0;

pub(super) fn checks(config: &Config) -> Vec<Check> {
    match is_locked(&Paths::new(&config.store.path).lock()) {
        Ok(true) => {}
        Ok(false) => {
            return vec![Check::warn(
                "serve",
                "does not run on this store",
                "start mailtrail serve: nothing is received",
            )];
        }
        Err(error) => {
            return vec![Check::warn("serve", format!("the lock cannot be looked at: {error}"), "run as serve's user")];
        }
    }
    let mut checks = vec![Check::pass("serve", "runs")];
    let Some(listen) = config.metrics_listen else { return checks };
    match get(reachable(listen), "/metrics") {
        Ok(page) => {
            checks.push(Check::pass("metrics", format!("answer at {listen}")));
            checks.extend(from_metrics(&page));
            let detail = get(reachable(listen), "/readyz").ok().and_then(|body| serde_json::from_str(&body).ok());
            let detail = detail.unwrap_or_default();
            checks.extend(from_detail(&page, &detail, &config.receive.path));
            checks.extend(certificate::in_use(config.receive.tls.as_ref(), &detail));
        }
        Err(error) => checks.push(Check::warn(
            "metrics",
            format!("{listen} does not answer: {error}"),
            "start mailtrail serve again where [metrics] listen changed since its start",
        )),
    }
    checks
}

/// What a running receiver knows that no file tells.
fn from_metrics(page: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(age) = value(page, "mailtrail_signature_age_seconds") {
        let what = format!("the last signature was {age:.0} s old by this machine's clock");
        let concern = value(page, "mailtrail_concern{kind=\"clock\"}") == Some(1.0);
        checks.push(if age < -SKEW || concern {
            Check::warn("clock", what, "signatures come from another time than ours: set this machine's clock (NTP)")
        } else {
            Check::pass("clock", what)
        });
    }
    if value(page, "mailtrail_concern{kind=\"backlog\"}") == Some(1.0) {
        let filled = value(page, "mailtrail_backlog_bytes").zip(value(page, "mailtrail_backlog_max_bytes"));
        let percent = filled.map_or(0.0, |(bytes, most)| bytes * 100.0 / most.max(1.0));
        checks.push(Check::warn(
            "backlog",
            format!("events wait to be stored; the spool is {percent:.0}% full"),
            "the log of mailtrail serve says what keeps it from draining; when it is full, posts are refused",
        ));
    }
    if value(page, "mailtrail_store_writable") == Some(0.0) {
        checks.push(Check::fail("receiving", "the store takes no writes", "the log of mailtrail serve says why"));
    }
    let dropped = value(page, "mailtrail_log_lines_dropped_total").unwrap_or(0.0);
    if dropped > 0.0 {
        checks.push(Check::warn(
            "log",
            format!("{dropped:.0} log lines of mailtrail serve were dropped, because its stderr was not read"),
            "check the program that reads it (journald, the container's log driver, a pipe)",
        ));
    }
    if value(page, "mailtrail_refusing_unproven") == Some(1.0) {
        checks.push(Check::warn(
            "receiving",
            "posts are refused and none has been accepted for long; nothing proves who sent them, they may be a stranger's",
            "if SendGrid shows failed posts, compare [receive] public_keys and basic_auth with its settings",
        ));
    }
    for channel in Channel::ALL {
        if value(page, &format!("mailtrail_notices_refused{{channel=\"{}\"}}", channel.key())) == Some(1.0) {
            checks.push(Check::warn(
                "notices",
                format!("{channel} refuses notices, which are not sent to it again"),
                "correct its URL, restart mailtrail serve, and run mailtrail notify test; the log of mailtrail serve says what it answers",
            ));
        }
    }
    checks.extend(forwarding(page));
    if value(page, "mailtrail_refusing_everything") == Some(1.0) {
        checks.push(Check::fail(
            "receiving",
            "posts are refused and none has been accepted for long ([watch] refusals)",
            "the log of mailtrail serve says why; SendGrid gives up on each post after 24 hours",
        ));
    }
    checks
}

/// POSTs that came to another path, connections that never became a request, and the last reload. `detail`: of `/readyz`.
fn from_detail(page: &str, detail: &serde_json::Value, path: &str) -> Vec<Check> {
    let refused = |reason: &str| {
        value(page, &format!("mailtrail_refused_total{{reason=\"{reason}\"}}")).filter(|count| *count > 0.0)
    };
    let receives = value(page, "mailtrail_posts_total{status=\"200\"}").is_some_and(|count| count > 0.0);
    let mut checks = Vec::new();
    if let Some(count) = refused("wrong_path") {
        let other = detail["wrong_path"].as_str().unwrap_or("another path");
        checks.push(Check::warn(
            "path",
            format!("{count:.0} POSTs with valid credentials came to {other}, but events are received at {path}"),
            "correct the Post URL in SendGrid or the path that the proxy passes on, or set [receive] path",
        ));
    }
    let loops: f64 =
        page.lines().filter(|line| line.starts_with("mailtrail_relay_loops_total{")).filter_map(last_number).sum();
    if let Some(count) = refused("relay_loop").or((loops > 0.0).then_some(loops)) {
        checks.push(Check::warn(
            "relay",
            format!("{count:.0} POSTs were relayed in a loop: a url of [[relay]] leads back to a mailtrail that relayed them before"),
            "remove that [[relay]] here or there; the log of mailtrail serve names the consumer",
        ));
    }
    if let Some(count) = value(page, "mailtrail_relay_known_total").filter(|count| *count > 0.0) {
        checks.push(Check::pass(
            "relay",
            format!("{count:.0} POSTs were not relayed because all their events were known"),
        ));
    }
    // Anybody can cause what follows, so it is a warning only while nothing is received.
    let mut unproven = |what: String, todo: &str| {
        checks.push(if receives { Check::pass("refused", what) } else { Check::warn("refused", what, todo) });
    };
    if let Some(count) = refused("wrong_path_unproven") {
        unproven(
            format!(
                "{count:.0} POSTs with SendGrid's headers, which anybody can send, came to another path than {path}"
            ),
            "compare the Post URL in SendGrid, and the path that a proxy passes on, with [receive] path",
        );
    }
    for fault in ConnectionFault::ALL {
        if let Some(count) = refused(fault.as_str()) {
            unproven(
                format!("{count:.0} connections since the start: {}", fault.cause()),
                "find out what connects there",
            );
        }
    }
    let reload = &detail["reload"];
    let text = |key: &str| reload[key].as_str().unwrap_or_default().to_owned();
    match reload["outcome"].as_str() {
        None => {}
        Some("applied") if text("before") == text("now") => {
            checks.push(Check::pass("reload", format!("authentication is unchanged: {}", text("now"))));
        }
        Some("applied") => {
            checks.push(Check::pass("reload", format!("authentication was {}; it is {}", text("before"), text("now"))));
        }
        Some(_) => checks.push(Check::warn(
            "reload",
            format!("the last SIGHUP changed nothing: {}; in force: {}", text("why"), text("now")),
            "correct the configuration and send SIGHUP again",
        )),
    }
    checks
}

/// How far BigQuery is behind the trail, and what it will not take.
fn forwarding(page: &str) -> Vec<Check> {
    let Some(up) = value(page, "mailtrail_forward_up") else { return Vec::new() };
    let number = |name| value(page, name).unwrap_or(0.0);
    let waiting = number("mailtrail_forward_waiting_events");
    let lag = time::long((number("mailtrail_forward_lag_seconds") * 1e6) as i64);
    let failures = number("mailtrail_forward_failures_total");
    let mut checks = vec![if up == 0.0 {
        Check::warn(
            "forwarding",
            format!(
                "does not get through to BigQuery, {failures:.0} tries failed; {lag} behind, {waiting:.0} events wait in the trail and are \
                 not lost"
            ),
            "the log of mailtrail serve says why; mailtrail bigquery check tries it",
        )
    } else {
        Check::pass("forwarding", format!("goes to BigQuery, {lag} behind, {waiting:.0} events wait"))
    }];
    let refused = number("mailtrail_forward_refused_rows_total");
    if refused > 0.0 {
        checks.push(Check::warn(
            "forwarding",
            format!("BigQuery refused {refused:.0} events since the start; they are in the trail"),
            "the table forward_failed in mailtrail.forward.db has the reason of each",
        ));
    }
    checks
}

fn is_locked(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    // Shared, and let go of at once, so that a serve that starts right now is hardly ever in its way.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// An address that listens on all interfaces is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The body of what answers there.
fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(PAGE).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    // `/readyz` has its detail also if it is not ready.
    let is_ours = head.starts_with("HTTP/1.1 200") || (path == "/readyz" && head.starts_with("HTTP/1.1 503"));
    if is_ours { Ok(body.to_owned()) } else { Err(io::Error::other("something else answers there")) }
}

fn last_number(line: &str) -> Option<f64> {
    line.rsplit_once(' ')?.1.trim().parse().ok()
}

/// The value of a metric without labels.
fn value(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    #[test]
    fn a_held_lock_is_seen_and_a_free_one_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        assert!(!is_locked(&path).unwrap());
        let file = File::create(&path).unwrap();
        assert!(!is_locked(&path).unwrap());
        file.try_lock().unwrap();
        assert!(is_locked(&path).unwrap());
    }

    #[test]
    fn what_the_metrics_tell() {
        let verdicts = |page: &str| from_metrics(page).iter().map(|check| check.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts(""), []);
        assert_eq!(verdicts("mailtrail_signature_age_seconds 3\nmailtrail_store_writable 1\n"), [Verdict::Pass]);
        assert_eq!(verdicts("mailtrail_signature_age_seconds -300\n"), [Verdict::Warn]);
        let clock = "mailtrail_signature_age_seconds 400\nmailtrail_concern{kind=\"clock\"} 1\n";
        assert_eq!(verdicts(clock), [Verdict::Warn], "too old for too long");
        assert_eq!(verdicts(&clock.replace("} 1", "} 0")), [Verdict::Pass]);
        assert_eq!(verdicts("mailtrail_concern{kind=\"backlog\"} 1\n"), [Verdict::Warn]);
        assert_eq!(verdicts("mailtrail_concern{kind=\"backlog\"} 0\n"), []);
        assert_eq!(verdicts("mailtrail_store_writable 0\r\n"), [Verdict::Fail]);
        assert_eq!(verdicts("mailtrail_log_lines_dropped_total 0\n"), []);
        assert_eq!(verdicts("mailtrail_log_lines_dropped_total 3\n"), [Verdict::Warn]);
        assert_eq!(verdicts("mailtrail_forward_up 0\n"), [Verdict::Warn]);
        assert_eq!(verdicts("mailtrail_forward_up 1\n"), [Verdict::Pass]);
        let refused = "mailtrail_forward_up 1\nmailtrail_forward_refused_rows_total 2\n";
        assert_eq!(verdicts(refused), [Verdict::Pass, Verdict::Warn]);
        let behind = from_metrics(
            "mailtrail_forward_up 0\nmailtrail_forward_lag_seconds 7260.5\nmailtrail_forward_failures_total 9\n",
        );
        assert!(behind[0].what.contains("9 tries failed; 2h 1m behind"), "{}", behind[0].what);
        assert_eq!(verdicts("mailtrail_refusing_everything 1\n"), [Verdict::Fail]);
    }

    #[test]
    fn what_never_became_an_event_is_named() {
        let named = |page: &str, detail: serde_json::Value| {
            let checks = from_detail(page, &detail, "/event");
            checks.into_iter().map(|check| (check.verdict, check.what)).collect::<Vec<_>>()
        };
        let none = serde_json::Value::Null;
        assert_eq!(named("mailtrail_refused_total{reason=\"wrong_path\"} 0\n", none.clone()), []);
        let found =
            named("mailtrail_refused_total{reason=\"wrong_path\"} 2\n", serde_json::json!({"wrong_path": "//event"}));
        assert!(
            found[0].0 == Verdict::Warn && found[0].1.contains("came to //event, but") && found[0].1.contains("/event")
        );
        let strange = "mailtrail_refused_total{reason=\"proxy_protocol\"} 1\n";
        assert_eq!(named(strange, none.clone())[0].0, Verdict::Warn);
        let received = format!("{strange}mailtrail_posts_total{{status=\"200\"}} 1\n");
        let found = named(&received, none);
        assert!(found[0].0 == Verdict::Pass && found[0].1.contains("PROXY protocol"), "{found:?}");
        let reload =
            |outcome: &str| serde_json::json!({"reload": {"outcome": outcome, "before": "a", "now": "b", "why": "c"}});
        assert_eq!(named("", reload("applied")), [(Verdict::Pass, "authentication was a; it is b".to_owned())]);
        assert!(named("", reload("refused"))[0].1.contains("changed nothing: c; in force: b"));
        assert_eq!(from_metrics("mailtrail_refusing_unproven 1\n")[0].verdict, Verdict::Warn);
    }

    #[test]
    fn all_interfaces_are_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:9".parse().unwrap()), "127.0.0.1:9".parse().unwrap());
        assert_eq!(reachable("[::]:9".parse().unwrap()), "[::1]:9".parse().unwrap());
    }
}
