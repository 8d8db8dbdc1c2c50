//! What would stop the receiving if nobody acted is told in metrics, by `doctor` and in the log; a calm receiver is silent.

use crate::support::{Running, Site, batch, event, now, wait_for};

fn concern(server: &Running, kind: &str) -> Option<f64> {
    let (_, page) = crate::support::request(server.metrics, "GET", "/metrics", &[], b"").unwrap();
    let name = format!("mailtrail_concern{{kind=\"{kind}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
}

pub fn with_certificate(site: &Site, days: i64) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let end = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_second(now() + days * 86_400).unwrap());
    let (month, day) = (end.month().unsigned_abs(), end.day().unsigned_abs());
    params.not_after = rcgen::date_time_ymd(i32::from(end.year()), month, day);
    site.write_secret("cert.pem", &params.self_signed(&key).unwrap().pem());
    site.write_secret("key.pem", &key.serialize_pem());
}

/// A certificate far from its end and an event that came in just now, or a certificate near its end.
#[test]
fn a_certificate_near_its_end_is_a_concern_and_a_calm_receiver_has_none() {
    for (days, expected) in [(200, 0.0), (5, 1.0)] {
        let site = Site::with("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n");
        with_certificate(&site, days);
        let server = site.serve();
        wait_for("the first look", || concern(&server, "disk").is_some());
        assert_eq!(concern(&server, "certificate"), Some(expected), "{days} days");
        for calm in ["clock", "backlog"] {
            assert_eq!(concern(&server, calm), Some(0.0), "{calm}");
        }
        let expiry = server.metric("mailtrail_certificate_expiry_timestamp_seconds");
        assert!((expiry - (now() + days * 86_400) as f64).abs() <= 86_400.0);
        let log = server.stop();
        assert_eq!(log.contains("The certificate runs out in"), days < 14, "{log}");
    }
}

#[test]
fn doctor_counts_what_came_without_proof() {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, &batch(&[event("a", "jane@example.com", "open", now())])).0, 200);
    server.wait_drained();
    server.stop();
    let proof = |site: &Site| {
        let output = site.command(&["doctor", "--format", "json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let checks: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        checks.into_iter().find(|check| check["check"] == "proof").unwrap()
    };
    assert_eq!(proof(&site)["verdict"], "pass");

    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", &config.replace("[privacy]", "signature = \"observe\"\n[privacy]"));
    let server = site.serve();
    let body = batch(&[event("b", "jane@example.com", "click", now())]);
    let headers =
        [crate::support::basic(crate::support::CREDENTIALS), ("Content-Length".to_owned(), body.len().to_string())];
    assert_eq!(crate::support::request(server.address, "POST", "/event", &headers, &body).unwrap().0, 200);
    server.wait_drained();
    server.stop();
    let check = proof(&site);
    assert_eq!(check["verdict"], "warn");
    assert!(check["what"].as_str().unwrap().starts_with("1 of"), "{check}");
    site.ask(&["forget", "--unverified"]);
    assert_eq!(proof(&site)["verdict"], "pass");
    assert_eq!(site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
}
