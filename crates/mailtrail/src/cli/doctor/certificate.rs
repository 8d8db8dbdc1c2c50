//! Until when the certificate of the listener holds.

use super::check::Check;
use crate::config::{TlsFiles, Watch};
use crate::receive::certificate_end;
use crate::serve::watch::rules;
use crate::show::time::age;

pub(super) fn check(tls: Option<&TlsFiles>, watch: &Watch, now: i64) -> Option<Check> {
    let tls = tls?;
    let shown = tls.cert.display();
    let text = match std::fs::read_to_string(&tls.cert) {
        Ok(text) => text,
        Err(error) => {
            return Some(Check::fail(
                "certificate",
                format!("{shown} cannot be read: {error}"),
                "set [receive] tls_cert",
            ));
        }
    };
    let Some(end) = certificate_end(&text) else {
        return Some(Check::fail(
            "certificate",
            format!("{shown} holds no certificate in PEM form"),
            "set [receive] tls_cert",
        ));
    };
    Some(if end <= now {
        Check::fail("certificate", format!("{shown} ran out {} ago", age(now - end)), "renew it; SendGrid refuses it")
    } else if rules::certificate(watch, end, now).is_some() {
        Check::warn("certificate", format!("{shown} runs out in {}", age(end - now)), "renew it")
    } else {
        Check::pass("certificate", format!("{shown} holds for {}", age(end - now)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;
    use crate::receive::certificate_testing::{at, pem};

    #[test]
    fn an_end_far_near_and_past() {
        let dir = tempfile::tempdir().unwrap();
        let cert = dir.path().join("c.pem");
        std::fs::write(&cert, pem(2040)).unwrap();
        let files = TlsFiles { cert: cert.clone(), key: cert };
        for (now, expected) in [
            ("2039-01-01T00:00:00Z", Verdict::Pass),
            ("2039-12-25T00:00:00Z", Verdict::Warn),
            ("2040-01-02T00:00:00Z", Verdict::Fail),
        ] {
            assert_eq!(check(Some(&files), &Watch::default(), at(now)).unwrap().verdict, expected, "{now}");
        }
        assert!(check(None, &Watch::default(), 0).is_none());
    }
}
