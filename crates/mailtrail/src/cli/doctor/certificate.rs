//! The certificate of the listener: whether `serve` can use the files, until when it holds, and whether `serve` uses it already.

use super::check::Check;
use crate::config::{TlsFiles, Watch};
use crate::receive::ServerCertificate;
use crate::serve::watch::rules;
use crate::show::time::age;

const NAME: &str = "certificate";

pub(super) fn checks(tls: Option<&TlsFiles>, watch: &Watch, now: i64) -> Vec<Check> {
    let Some(files) = tls else { return Vec::new() };
    let shown = files.cert.display();
    let certificate = match ServerCertificate::load(files) {
        Ok(certificate) => certificate,
        Err(error) => {
            let todo = "correct [receive] tls_cert and tls_key: mailtrail serve does not start with them";
            return vec![Check::fail(NAME, error.to_string(), todo)];
        }
    };
    let mut checks = vec![match certificate.end {
        None => Check::warn(NAME, format!("the end of {shown} cannot be read"), "check it with openssl x509"),
        Some(end) if end <= now => {
            Check::fail(NAME, format!("{shown} ran out {} ago", age(now - end)), "renew it; SendGrid refuses it")
        }
        Some(end) if rules::certificate(watch, end, false, now).is_some() => {
            Check::warn(NAME, format!("{shown} runs out in {}", age(end - now)), "renew it")
        }
        Some(end) => Check::pass(NAME, format!("{shown} holds for {}", age(end - now))),
    }];
    checks.extend(certificate.warnings.iter().map(|warning| Check::warn(NAME, warning.what(files), warning.todo())));
    checks
}

/// Compares the files with the certificate that a running `serve` uses. `detail`: of its `/readyz`.
pub(super) fn in_use(tls: Option<&TlsFiles>, detail: &serde_json::Value) -> Option<Check> {
    let files = tls?;
    let shown = files.cert.display();
    let served = detail["certificate"]["chain_sha256"].as_str()?;
    if let Some(why) = detail["certificate"]["refused"].as_str() {
        let todo = "correct the files; mailtrail serve reads them again within 10 s";
        return Some(Check::warn(NAME, format!("mailtrail serve goes on with an older certificate: {why}"), todo));
    }
    // If they cannot be used, that is reported already.
    let file = ServerCertificate::load(files).ok()?;
    Some(if file.chain_sha256 == served {
        Check::pass(NAME, format!("mailtrail serve uses the one in {shown}"))
    } else {
        let todo = "send SIGHUP to mailtrail serve, which reads changed files within 10 s, and restart it if it serves another configuration";
        Check::warn(NAME, format!("mailtrail serve uses another one than {shown}"), todo)
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;
    use crate::receive::certificate_testing::{at, chain, pem, write};

    #[test]
    fn an_end_far_near_and_past() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = pem(2040);
        let files = write(dir.path(), &cert, &key);
        for (now, expected) in [
            ("2039-01-01T00:00:00Z", Verdict::Pass),
            ("2039-12-25T00:00:00Z", Verdict::Warn),
            ("2040-01-02T00:00:00Z", Verdict::Fail),
        ] {
            let found = checks(Some(&files), &Watch::default(), at(now));
            assert_eq!(found.iter().map(|check| check.verdict).collect::<Vec<_>>(), [expected], "{now}");
        }
        assert!(checks(None, &Watch::default(), 0).is_empty());
    }

    #[test]
    fn a_missing_intermediate_is_a_warning_and_another_certificates_key_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let made = chain();
        let files = write(dir.path(), &made.leaf, &made.key);
        let found = checks(Some(&files), &Watch::default(), at("2030-01-01T00:00:00Z"));
        assert!(found[1].verdict == Verdict::Warn && found[1].what.contains("lacks the certificate of the issuer"));
        write(dir.path(), &made.leaf, &pem(2040).1);
        let found = checks(Some(&files), &Watch::default(), 0);
        assert!(found[0].verdict == Verdict::Fail && found[0].what.contains("belongs to another certificate"));
    }

    #[test]
    fn the_certificate_in_use_is_compared_with_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = pem(2040);
        let files = write(dir.path(), &cert, &key);
        let used = ServerCertificate::load(&files).unwrap().chain_sha256;
        let verdict = |sha256: &str, refused: Option<&str>| {
            let detail = serde_json::json!({ "certificate": { "chain_sha256": sha256, "refused": refused } });
            in_use(Some(&files), &detail).unwrap().verdict
        };
        assert_eq!(verdict(&used, None), Verdict::Pass);
        assert_eq!(verdict("00", None), Verdict::Warn);
        assert_eq!(verdict(&used, Some("cannot read it")), Verdict::Warn);
        assert!(in_use(Some(&files), &serde_json::json!({})).is_none(), "an older serve says nothing of it");
    }
}
