//! Who may post: Basic credentials and webhook keys. What is configured must hold, both where both are set.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderMap};
use sendgrid_events::PublicKey;
use sendgrid_events::signature::{SIGNATURE_HEADER, Signature, SignatureError, TIMESTAMP_HEADER};

use super::answer::Refusal;
use super::authentic::VerifiedBy;
use crate::config::{Receive, SignatureMode};

/// The credentials and keys in force; replaced as a whole when the configuration is read again.
#[derive(Debug)]
pub struct Access {
    /// Digests, so that comparing tells neither lengths nor where a difference stands.
    basic: Vec<[u8; 32]>,
    keys: Vec<PublicKey>,
    test_keys: Vec<PublicKey>,
    signature: SignatureMode,
    max_age_s: i64,
    max_ahead_s: i64,
}

/// What the headers alone have shown.
#[derive(Debug)]
pub(super) struct Admitted {
    signature: Option<Signature>,
    /// Of the signature, by our clock, in seconds.
    age: i64,
    basic: bool,
}

impl Access {
    /// From `[receive]`.
    #[must_use]
    pub fn new(config: &Receive) -> Self {
        let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Self {
            basic: config.basic_auth.iter().map(|credential| sha256(credential.expose().as_bytes())).collect(),
            keys: config.public_keys.clone(),
            test_keys: config.test_public_keys.clone(),
            signature: config.signature,
            max_age_s: seconds(config.max_age),
            max_ahead_s: seconds(config.max_ahead),
        }
    }

    /// Whether anything at all is asked of a sender.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.basic.is_empty() && self.signature != SignatureMode::Enforce
    }

    /// Judges the headers, before the body is read. `now_s`: our clock, Unix seconds.
    pub(super) fn admit(&self, headers: &HeaderMap, now_s: i64) -> Result<Admitted, Refusal> {
        let basic = self.check_basic(headers)?;
        let signature = match (self.signature, self.check_signature_headers(headers, now_s)) {
            (SignatureMode::Off, _) => None,
            (SignatureMode::Observe, Err(refusal)) => {
                observed(refusal);
                None
            }
            (_, checked) => Some(checked?),
        };
        let age = signature.as_ref().map_or(0, |signature| now_s.saturating_sub(signature.signed_at()));
        Ok(Admitted { signature, age, basic })
    }

    fn check_basic(&self, headers: &HeaderMap) -> Result<bool, Refusal> {
        if self.basic.is_empty() {
            return Ok(false);
        }
        let value = headers.get(AUTHORIZATION).ok_or(Refusal::BasicMissing)?;
        let given = basic_credentials(value.as_bytes()).ok_or(Refusal::BasicWrong)?;
        let given = sha256(&given);
        // Every credential is compared, so that the time taken tells nothing.
        let matches = self.basic.iter().filter(|expected| verify_slices_are_equal(*expected, &given).is_ok()).count();
        if matches > 0 { Ok(true) } else { Err(Refusal::BasicWrong) }
    }

    fn check_signature_headers(&self, headers: &HeaderMap, now_s: i64) -> Result<Signature, Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(signature), Some(timestamp)) = (text(SIGNATURE_HEADER), text(TIMESTAMP_HEADER)) else {
            return Err(Refusal::SignatureMissing);
        };
        let signature = Signature::parse(signature, timestamp).map_err(|_| Refusal::SignatureMalformed)?;
        let age = now_s.saturating_sub(signature.signed_at());
        metrics::gauge!("mailtrail_signature_age_seconds").set(age as f64);
        if age > self.max_age_s {
            return Err(Refusal::SignatureStale);
        }
        if age < -self.max_ahead_s {
            return Err(Refusal::SignatureAhead);
        }
        Ok(signature)
    }

    /// Judges the body under the signature, where there is one.
    pub(super) fn verify(&self, admitted: &Admitted, body: &[u8]) -> Result<VerifiedBy, Refusal> {
        let without_signature = if admitted.basic { VerifiedBy::Basic } else { VerifiedBy::Nothing };
        let Some(signature) = &admitted.signature else {
            return Ok(without_signature);
        };
        let verified = match signature.verify(&self.keys, body) {
            Ok(key) => {
                super::skew::note(admitted.age);
                Ok(VerifiedBy::Key(key.clone()))
            }
            Err(error) => match signature.verify(&self.test_keys, body) {
                Ok(_) => Ok(VerifiedBy::Test),
                Err(_) => Err(match error {
                    SignatureError::BodyStart => Refusal::NotAWebhook,
                    _ => Refusal::SignatureWrong,
                }),
            },
        };
        match (verified, self.signature) {
            (Err(refusal), SignatureMode::Observe) => {
                observed(refusal);
                Ok(without_signature)
            }
            (verified, _) => verified,
        }
    }
}

/// Counts what `observe` would have refused.
fn observed(refusal: Refusal) {
    metrics::counter!("mailtrail_signature_observed_total", "reason" => refusal.as_str()).increment(1);
    crate::log::limited(refusal.as_str(), || {
        tracing::warn!(
            reason = refusal.as_str(),
            "a POST was accepted that `signature = \"enforce\"` would have refused"
        );
    });
}

/// `user:password` of an Authorization header of the Basic scheme.
fn basic_credentials(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, token) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    STANDARD.decode(token.trim_ascii()).ok()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};
    use sendgrid_simulator::Signer;

    use super::*;
    use crate::config::BasicCredential;

    const NOW: i64 = 1_764_000_000;
    const BODY: &[u8] = b"[{\"event\":\"open\"}]";

    fn access(basic: &[&str], keys: &[&Signer], test_keys: &[&Signer], signature: SignatureMode) -> Access {
        let parse = |signers: &[&Signer]| {
            signers.iter().map(|signer| PublicKey::parse(signer.public_key()).unwrap()).collect::<Vec<_>>()
        };
        Access {
            basic: basic.iter().map(|c| sha256(BasicCredential::parse(c).unwrap().expose().as_bytes())).collect(),
            keys: parse(keys),
            test_keys: parse(test_keys),
            signature,
            max_age_s: 25 * 3600,
            max_ahead_s: 300,
        }
    }

    fn headers(basic: Option<&str>, signed: Option<(&Signer, i64)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut insert = |name: &'static str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        };
        if let Some(credentials) = basic {
            insert("authorization", &format!("Basic {}", STANDARD.encode(credentials)));
        }
        if let Some((signer, at)) = signed {
            let signed = signer.sign(at, BODY).unwrap();
            insert(SIGNATURE_HEADER, &signed.signature);
            insert(TIMESTAMP_HEADER, &signed.timestamp);
        }
        headers
    }

    fn judge(access: &Access, headers: &HeaderMap) -> Result<VerifiedBy, Refusal> {
        let admitted = access.admit(headers, NOW)?;
        access.verify(&admitted, BODY)
    }

    #[test]
    fn what_is_configured_must_hold_both_where_both_are() {
        let (key, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let both = access(&["a:1", "b:2:3"], &[&other, &key], &[], SignatureMode::Enforce);
        let id = PublicKey::parse(key.public_key()).unwrap().id().clone();
        for credentials in ["a:1", "b:2:3"] {
            let verdict = judge(&both, &headers(Some(credentials), Some((&key, NOW))));
            assert_eq!(verdict, Ok(VerifiedBy::Key(id.clone())));
        }
        for (credentials, refusal) in [
            (None, Refusal::BasicMissing),
            (Some("a:2"), Refusal::BasicWrong),
            (Some("a"), Refusal::BasicWrong),
            (Some("b:2"), Refusal::BasicWrong),
            (Some(""), Refusal::BasicWrong),
        ] {
            assert_eq!(judge(&both, &headers(credentials, Some((&key, NOW)))), Err(refusal), "{credentials:?}");
        }
        let stranger = Signer::generate().unwrap();
        assert_eq!(judge(&both, &headers(Some("a:1"), None)), Err(Refusal::SignatureMissing));
        assert_eq!(judge(&both, &headers(Some("a:1"), Some((&stranger, NOW)))), Err(Refusal::SignatureWrong));
    }

    #[test]
    fn freshness_has_two_edges() {
        let key = Signer::generate().unwrap();
        let access = access(&[], &[&key], &[], SignatureMode::Enforce);
        for (at, expected) in [
            (NOW - 25 * 3600, None),
            (NOW - 25 * 3600 - 1, Some(Refusal::SignatureStale)),
            (NOW + 300, None),
            (NOW + 301, Some(Refusal::SignatureAhead)),
        ] {
            assert_eq!(judge(&access, &headers(None, Some((&key, at)))).err(), expected, "{at}");
        }
    }

    #[test]
    fn what_vouched_is_told_apart() {
        let (key, test) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let enforce = access(&[], &[&key], &[&test], SignatureMode::Enforce);
        assert_eq!(judge(&enforce, &headers(None, Some((&test, NOW)))), Ok(VerifiedBy::Test));
        let basic_only = access(&["a:1"], &[], &[], SignatureMode::Off);
        assert_eq!(judge(&basic_only, &headers(Some("a:1"), None)), Ok(VerifiedBy::Basic));
        let observe = access(&["a:1"], &[&key], &[], SignatureMode::Observe);
        assert_eq!(judge(&observe, &headers(Some("a:1"), Some((&test, NOW)))), Ok(VerifiedBy::Basic));
        assert_eq!(judge(&observe, &headers(Some("a:1"), Some((&key, NOW - 90_000 * 2)))), Ok(VerifiedBy::Basic));
        let open = access(&[], &[], &[], SignatureMode::Off);
        assert!(open.is_open() && !basic_only.is_open() && !enforce.is_open());
        assert_eq!(judge(&open, &headers(None, None)), Ok(VerifiedBy::Nothing));
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_nothing_but_basic_is() {
        assert_eq!(basic_credentials(b"basic YTpi").as_deref(), Some(&b"a:b"[..]));
        assert_eq!(basic_credentials(b"BASIC  YTpi ").as_deref(), Some(&b"a:b"[..]));
        for value in [&b"Bearer YTpi"[..], b"Basic", b"Basic !!", b"", b"BasicYTpi"] {
            assert_eq!(basic_credentials(value), None);
        }
    }
}
