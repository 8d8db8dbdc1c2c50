//! Who we are to Google, and what we may do.

use crate::fake::Fake;
use crate::support::Site;
use crate::trouble::{arrive, post, set_aside};
use crate::{run, wait_for};

/// TLS, Application Default Credentials, and tokens that expire while it runs.
#[test]
fn tokens_are_shown_over_tls_and_renewed() {
    let fake = Fake::start_guarded();
    let mut site = Site::new();
    crate::point(&mut site, fake.rest, fake.grpc);
    let local = |address: std::net::SocketAddr| format!("https://localhost:{}", address.port());
    site.environment("MAILTRAIL_BIGQUERY_ENDPOINT", &local(fake.rest));
    site.environment("MAILTRAIL_BIGQUERY_GRPC_ENDPOINT", &local(fake.grpc));
    let certificate = site.write_secret("ca.pem", fake.certificate.as_deref().unwrap());
    site.environment("SSL_CERT_FILE", certificate.to_str().unwrap());
    let credentials = format!(
        r#"{{"type":"authorized_user","client_id":"x","client_secret":"y","refresh_token":"z","token_uri":"http://{}/token"}}"#,
        fake.tokens
    );
    let (done, _, told) = {
        site.environment("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json");
        run(&site, &["bigquery", "init"])
    };
    assert!(!done && told.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{told}");
    let credentials = site.write_secret("adc.json", &credentials);
    site.environment("GOOGLE_APPLICATION_CREDENTIALS", credentials.to_str().unwrap());
    let (done, _, told) = run(&site, &["bigquery", "init"]);
    assert!(done, "{told}");

    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let server = site.serve();
    post(&site, &server, "a", 1, 10);
    arrive(&server, &fake, 10);
    fake.expire_tokens();
    post(&site, &server, "b", 1, 10);
    wait_for(&server, "the old token to be refused", || server.metric("mailtrail_forward_failures_total") >= 1.0);
    arrive(&server, &fake, 20);
    assert!(set_aside(&site).is_empty());
    let log = server.stop();
    assert!(log.contains("invalid authentication credentials") && !log.contains("token-"), "{log}");
}

#[test]
fn what_init_may_not_do_is_named() {
    let fake = Fake::start();
    let mut site = Site::new();
    crate::point(&mut site, fake.rest, fake.grpc);
    let denied =
        r#"{"error":{"code":403,"message":"Access Denied: Project demo","errors":[{"reason":"accessDenied"}]}}"#;
    for (method, path, permission) in [
        ("GET", "/datasets/mail", "bigquery.datasets.get"),
        ("POST", "/datasets", "bigquery.datasets.create"),
        ("POST", "/datasets/mail/tables", "bigquery.tables.create"),
        ("POST", "/queries", "bigquery.jobs.create"),
    ] {
        fake.allow_all();
        fake.refuse(method, path, 403, denied);
        let (done, _, told) = run(&site, &["bigquery", "init"]);
        assert!(!done && told.contains(permission) && told.contains("Access Denied"), "{permission}: {told}");
    }
    fake.allow_all();
    // What was made before a refusal stays, and another run goes on from there.
    let (done, made, told) = run(&site, &["bigquery", "init"]);
    assert!(done && !made.contains("create the dataset"), "{made}{told}");
}
