//! HTTPS in the process, and a certificate that is replaced while it runs.

use std::sync::Arc;

use crate::support::{Running, Site, batch, event, wait_for};

fn certificate(site: &Site, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    site.write_secret("cert.pem", &made.cert.pem());
    site.write_secret("key.pem", &made.signing_key.serialize_pem());
    made.cert.pem()
}

/// An HTTPS POST by a client that trusts only `pem`, asking for `name`.
fn post(server: &Running, site: &Site, pem: &str, name: &str) -> Result<u16, reqwest::Error> {
    let body = batch(&[event("t", "t@example.com", "open", 1_700_000_000)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()])
            .resolve(name, server.address)
            .build()?;
        let mut request = client.post(format!("https://{name}:{}/event", server.address.port()));
        for (header, value) in site.honest_headers(&body) {
            request = request.header(header, value);
        }
        Ok(request.body(body).send().await?.status().as_u16())
    })
}

#[test]
fn https_with_a_certificate_that_changes() {
    let site = Arc::new(Site::with("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n"));
    let first = certificate(&site, "first.example");
    let server = site.serve();
    assert_eq!(post(&server, &site, &first, "first.example").unwrap(), 200);

    let second = certificate(&site, "second.example");
    server.signal(rustix::process::Signal::HUP);
    wait_for("the new certificate", || post(&server, &site, &second, "second.example").is_ok_and(|s| s == 200));
    assert!(post(&server, &site, &first, "first.example").is_err(), "the old certificate is gone");

    // Plain HTTP on the same port gets nothing.
    let body = b"[]";
    let plain = crate::support::request(server.address, "POST", "/event", &site.honest_headers(body), body);
    assert!(plain.is_none());

    // A certificate that cannot be used changes nothing.
    site.write_secret("cert.pem", "nonsense");
    server.signal(rustix::process::Signal::HUP);
    wait_for("the mistake to be told", || server.log().contains("reload failed"));
    assert_eq!(post(&server, &site, &second, "second.example").unwrap(), 200);
}

#[test]
fn a_renewal_with_an_unchanged_modification_time_is_used_after_sighup_and_doctor_compares_it() {
    let site = Arc::new(Site::with("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n"));
    let first = certificate(&site, "first.example");
    let paths = ["cert.pem", "key.pem"].map(|name| site.path().join(name));
    let modified = paths.clone().map(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    let server = site.serve();
    assert_eq!(post(&server, &site, &first, "first.example").unwrap(), 200);
    let doctor = || {
        let mut command = site.command(&["doctor"]);
        command.env("MAILTRAIL_METRICS_LISTEN", server.metrics.to_string());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(doctor().contains("mailtrail serve uses the one in"), "{}", doctor());

    let second = certificate(&site, "second.example");
    for (path, modified) in paths.iter().zip(modified) {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    }
    server.signal(rustix::process::Signal::HUP);
    wait_for("the new certificate", || post(&server, &site, &second, "second.example").is_ok_and(|s| s == 200));
    assert!(doctor().contains("mailtrail serve uses the one in"), "{}", doctor());

    // The key of another certificate.
    site.write_secret("key.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    server.signal(rustix::process::Signal::HUP);
    wait_for("the refusal", || server.log().contains("belongs to another certificate"));
    assert_eq!(post(&server, &site, &second, "second.example").unwrap(), 200);
    let said = doctor();
    assert!(said.contains("fail  certificate") && said.contains("goes on with an older certificate"), "{said}");
}
