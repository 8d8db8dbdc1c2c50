//! Who may post: Basic credentials and webhook keys. What is configured must hold, both where both are set.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

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
    /// The second of the last check of a POST that is too old or too new.
    untimely_checked_s: AtomicI64,
}

/// What is in force, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSummary {
    /// How many Basic credentials.
    pub basic: usize,
    /// Ids of the webhook's public keys.
    pub public_keys: Vec<String>,
    /// How many public keys of own test senders.
    pub test_keys: usize,
    /// What a missing or wrong signature means.
    pub signature: SignatureMode,
}

impl AccessSummary {
    /// Whether unsigned posts are refused.
    #[must_use]
    pub fn is_enforced(&self) -> bool {
        self.signature == SignatureMode::Enforce
    }

    /// The kinds of proof that are in force here and not in `new`. Fewer of one kind is no loss: a rotation ends so.
    #[must_use]
    pub fn lost_in(&self, new: &Self) -> Vec<&'static str> {
        let lost = [
            (self.basic > 0 && new.basic == 0, "no Basic credential is left"),
            (!self.public_keys.is_empty() && new.public_keys.is_empty(), "no public key is left"),
            (self.is_enforced() && !new.is_enforced(), "the signature is not enforced any more"),
        ];
        lost.into_iter().filter_map(|(is_lost, what)| is_lost.then_some(what)).collect()
    }
}

impl fmt::Display for AccessSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.signature {
            SignatureMode::Enforce => "enforce",
            SignatureMode::Observe => "observe",
            SignatureMode::Off => "off",
        };
        write!(f, "signature {mode:?}, {} public keys", self.public_keys.len())?;
        if !self.public_keys.is_empty() {
            write!(f, " ({})", self.public_keys.join(", "))?;
        }
        write!(f, ", {} test keys, {} Basic credentials", self.test_keys, self.basic)
    }
}

/// What the headers alone have shown.
#[derive(Debug)]
pub(super) struct Admitted {
    signature: Option<Signature>,
    /// Of the signature, by our clock, in seconds.
    age: i64,
    /// It is refused for its age, and is verified only to know whether our clock may be wrong.
    untimely: Option<Refusal>,
    /// Valid Basic credentials came with it.
    pub(super) basic: bool,
}

/// A refusal, and whether anything proves that a configured sender was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declined {
    pub(super) refusal: Refusal,
    pub(super) proven: bool,
}

impl Refusal {
    pub(super) fn of(self, proven: bool) -> Declined {
        Declined { refusal: self, proven }
    }
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
            untimely_checked_s: AtomicI64::new(0),
        }
    }

    /// Whether anything at all is asked of a sender.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.basic.is_empty() && self.signature != SignatureMode::Enforce
    }

    /// What is in force.
    #[must_use]
    pub fn summary(&self) -> AccessSummary {
        AccessSummary {
            basic: self.basic.len(),
            public_keys: self.keys.iter().map(|key| key.id().to_string()).collect(),
            test_keys: self.test_keys.len(),
            signature: self.signature,
        }
    }

    /// Judges the headers, before the body is read. `now_s`: our clock, Unix seconds.
    pub(super) fn admit(&self, headers: &HeaderMap, now_s: i64) -> Result<Admitted, Declined> {
        let basic = self.check_basic(headers).map_err(|refusal| refusal.of(false))?;
        let mut admitted = Admitted { signature: None, age: 0, untimely: None, basic };
        if self.signature == SignatureMode::Off {
            return Ok(admitted);
        }
        let is_enforced = self.signature == SignatureMode::Enforce;
        match check_signature_headers(headers) {
            Err(refusal) if is_enforced => return Err(refusal.of(basic)),
            Err(refusal) => observed(refusal),
            Ok(signature) => {
                admitted.age = now_s.saturating_sub(signature.signed_at());
                admitted.untimely = self.untimely(admitted.age);
                match admitted.untimely {
                    Some(refusal) if is_enforced && !self.may_check_untimely(now_s) => return Err(refusal.of(basic)),
                    _ => admitted.signature = Some(signature),
                }
            }
        }
        Ok(admitted)
    }

    fn untimely(&self, age: i64) -> Option<Refusal> {
        if age > self.max_age_s {
            Some(Refusal::SignatureStale)
        } else if age < -self.max_ahead_s {
            Some(Refusal::SignatureAhead)
        } else {
            None
        }
    }

    /// Once a second, since such a POST is refused anyway and its body may be large.
    fn may_check_untimely(&self, now_s: i64) -> bool {
        self.untimely_checked_s.swap(now_s, Ordering::Relaxed) != now_s
    }

    /// Whether a request has Basic credentials that are configured.
    pub(super) fn has_credentials(&self, headers: &HeaderMap) -> bool {
        self.check_basic(headers) == Ok(true)
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

    /// Judges the body under the signature, where there is one.
    pub(super) fn verify(&self, admitted: &Admitted, body: &[u8]) -> Result<VerifiedBy, Declined> {
        let without_signature = if admitted.basic { VerifiedBy::Basic } else { VerifiedBy::Nothing };
        let Some(signature) = &admitted.signature else {
            return Ok(without_signature);
        };
        let verified = match (self.verify_signature(signature, admitted.age, body), admitted.untimely) {
            // The sender is proven, and still refused.
            (Ok(_), Some(untimely)) => Err(untimely.of(true)),
            (Err(_), Some(untimely)) => Err(untimely.of(admitted.basic)),
            (Err(refusal), None) => Err(refusal.of(admitted.basic)),
            (Ok(verified_by), None) => Ok(verified_by),
        };
        match verified {
            Err(declined) if self.signature == SignatureMode::Observe => {
                observed(declined.refusal);
                Ok(without_signature)
            }
            verified => verified,
        }
    }

    fn verify_signature(&self, signature: &Signature, age: i64, body: &[u8]) -> Result<VerifiedBy, Refusal> {
        match signature.verify(&self.keys, body) {
            Ok(key) => {
                // Anybody can send a header: only what was signed says something about clocks.
                metrics::gauge!("mailtrail_signature_age_seconds").set(age as f64);
                super::skew::note(age);
                Ok(VerifiedBy::Key(key.clone()))
            }
            Err(error) => match signature.verify(&self.test_keys, body) {
                Ok(_) => Ok(VerifiedBy::Test),
                Err(_) if error == SignatureError::BodyStart => Err(Refusal::NotAWebhook),
                Err(_) => Err(Refusal::SignatureWrong),
            },
        }
    }
}

fn check_signature_headers(headers: &HeaderMap) -> Result<Signature, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(timestamp)) = (text(SIGNATURE_HEADER), text(TIMESTAMP_HEADER)) else {
        return Err(Refusal::SignatureMissing);
    };
    Signature::parse(signature, timestamp).map_err(|_| Refusal::SignatureMalformed)
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
            untimely_checked_s: AtomicI64::new(0),
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
        judge_body(access, headers, BODY).map_err(|declined| declined.refusal)
    }

    fn judge_body(access: &Access, headers: &HeaderMap, body: &[u8]) -> Result<VerifiedBy, Declined> {
        access.verify(&access.admit(headers, NOW)?, body)
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
    fn a_stale_post_is_proven_by_its_signature_once_a_second() {
        let (key, stranger) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let stale = |signer: &Signer| headers(None, Some((signer, NOW - 26 * 3600)));
        let fresh = || access(&[], &[&key], &[], SignatureMode::Enforce);
        let access = fresh();
        assert_eq!(judge_body(&access, &stale(&key), BODY), Err(Refusal::SignatureStale.of(true)));
        assert_eq!(access.admit(&stale(&key), NOW).unwrap_err(), Refusal::SignatureStale.of(false), "the same second");
        assert!(access.admit(&stale(&key), NOW + 1).is_ok(), "its body is read");
        assert_eq!(judge_body(&fresh(), &stale(&stranger), BODY), Err(Refusal::SignatureStale.of(false)));
        let ahead = headers(None, Some((&key, NOW + 3600)));
        assert_eq!(judge_body(&fresh(), &ahead, BODY), Err(Refusal::SignatureAhead.of(true)));
    }

    #[test]
    fn a_refusal_behind_right_credentials_is_proven() {
        let (key, stranger) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let both = access(&["a:1"], &[&key], &[], SignatureMode::Enforce);
        let judged =
            |basic, signer: &Signer| judge_body(&both, &headers(basic, Some((signer, NOW))), BODY).unwrap_err();
        assert_eq!(judged(Some("a:1"), &stranger), Refusal::SignatureWrong.of(true));
        assert_eq!(judged(Some("a:2"), &key), Refusal::BasicWrong.of(false));
        let signature_only = access(&[], &[&key], &[], SignatureMode::Enforce);
        let forged = judge_body(&signature_only, &headers(None, Some((&stranger, NOW))), BODY);
        assert_eq!(forged, Err(Refusal::SignatureWrong.of(false)));
        assert!(both.has_credentials(&headers(Some("a:1"), None)) && !both.has_credentials(&headers(None, None)));
        assert!(!signature_only.has_credentials(&headers(Some("a:1"), None)));
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
    fn weaker_is_a_lost_kind_of_proof_and_not_one_key_or_credential_less() {
        let (one, two) = (Signer::generate().unwrap(), Signer::generate().unwrap());
        let summary = |basic: &[&str], keys: &[&Signer], mode| access(basic, keys, &[&two], mode).summary();
        let full = summary(&["a:1", "b:2"], &[&one, &two], SignatureMode::Enforce);
        let lost = |new: &AccessSummary| full.lost_in(new).len();
        for rotated in [
            summary(&["b:2"], &[&two], SignatureMode::Enforce),
            summary(&["a:1", "b:2", "c:3"], &[&one], SignatureMode::Enforce),
            summary(&["c:3"], &[&one], SignatureMode::Enforce),
        ] {
            assert_eq!(lost(&rotated), 0, "{rotated}");
        }
        assert_eq!(lost(&summary(&[], &[&one], SignatureMode::Enforce)), 1);
        assert_eq!(lost(&summary(&["a:1"], &[], SignatureMode::Enforce)), 1, "test keys prove nothing of SendGrid");
        assert_eq!(lost(&summary(&["a:1"], &[], SignatureMode::Observe)), 2);
        for mode in [SignatureMode::Observe, SignatureMode::Off] {
            assert_eq!(lost(&summary(&["a:1"], &[&one], mode)), 1);
        }
        let weak = summary(&["a:1"], &[], SignatureMode::Off);
        assert!(weak.lost_in(&full).is_empty() && weak.lost_in(&weak).is_empty());
        let shown = full.to_string();
        assert!(
            shown.starts_with("signature \"enforce\", 2 public keys (") && shown.ends_with("2 Basic credentials"),
            "{shown}"
        );
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
