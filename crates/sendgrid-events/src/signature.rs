//! The Signed Event Webhook: ECDSA over P-256 and SHA-256 of `timestamp ‖ raw body`, the signature standard base64 of
//! ASN.1 DER, the public key base64 of DER SubjectPublicKeyInfo (SendGrid, "Event Webhook security features").

pub mod explain;

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Twilio-Email-Event-Webhook-Signature";
/// Header that carries the time of signing, Unix seconds; signed together with the body.
pub const TIMESTAMP_HEADER: &str = "X-Twilio-Email-Event-Webhook-Timestamp";

/// First 16 hex digits of the SHA-256 of a public key's DER SubjectPublicKeyInfo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Reads 16 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 16 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The id as text, 16 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A webhook's public key.
#[derive(Clone)]
pub struct PublicKey {
    key: ParsedPublicKey,
    id: KeyId,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

/// Why a text is no usable public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Nothing there.
    #[error("the public key is empty")]
    Empty,
    /// Neither base64 nor PEM.
    #[error("the public key is not base64 (expected the text that SendGrid shows, starting MFkw)")]
    NotBase64,
    /// Base64 of something else.
    #[error(
        "the public key is not an ECDSA P-256 key in SubjectPublicKeyInfo form (expected the text that SendGrid shows, starting MFkw)"
    )]
    NotP256,
}

/// DER up to the point: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (RFC 5480).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl PublicKey {
    /// Reads a key as SendGrid shows it (base64 of DER), with or without PEM armour; white space is ignored.
    ///
    /// # Errors
    /// When the text is empty, no base64, or no P-256 SubjectPublicKeyInfo.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let bare = text.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "");
        let compact: String = bare.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if compact.is_empty() {
            return Err(PublicKeyError::Empty);
        }
        let spki = STANDARD.decode(compact).map_err(|_| PublicKeyError::NotBase64)?;
        let point = spki.strip_prefix(&SPKI_PREFIX).filter(|point| point.len() == 65).ok_or(PublicKeyError::NotP256)?;
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| PublicKeyError::NotP256)?;
        let id = digest::digest(&SHA256, &spki).as_ref()[..8].iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { key, id: KeyId(id) })
    }

    /// This key's id.
    #[must_use]
    pub fn id(&self) -> &KeyId {
        &self.id
    }
}

/// The two headers of a signed POST, their form checked but not yet proven.
#[derive(Debug, Clone)]
pub struct Signature {
    timestamp: String,
    der: Vec<u8>,
}

/// Why the headers cannot be those of a signed POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFormError {
    /// Not 9 to 11 digits. Without that rule digits could move between timestamp and body, since nothing separates them.
    #[error("the timestamp header is not 9 to 11 digits")]
    Timestamp,
    /// Not padded standard base64.
    #[error("the signature header is not base64")]
    NotBase64,
    /// Base64, but not of an ASN.1 SEQUENCE.
    #[error("the signature header is not an ASN.1 (DER) signature")]
    NotDer,
}

/// Why a body was not signed by any of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No key verifies timestamp and body. Whose fault it is cannot be told from this alone.
    #[error("the signature does not fit the body under any configured public key")]
    Mismatch,
    /// The signature may hold, but the body does not start like JSON of a webhook, so the boundary between timestamp
    /// and body cannot be trusted.
    #[error("the body does not start with [ or {{")]
    BodyStart,
}

impl Signature {
    /// Checks the form of the two headers.
    ///
    /// # Errors
    /// When either cannot come from SendGrid.
    pub fn parse(signature: &str, timestamp: &str) -> Result<Self, SignatureFormError> {
        if !(9..=11).contains(&timestamp.len()) || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SignatureFormError::Timestamp);
        }
        let der = STANDARD.decode(signature).map_err(|_| SignatureFormError::NotBase64)?;
        if der.first() != Some(&0x30) || !(8..=72).contains(&der.len()) {
            return Err(SignatureFormError::NotDer);
        }
        Ok(Self { timestamp: timestamp.to_owned(), der })
    }

    /// When the POST was signed, Unix seconds. Not proven before [`verify`](Self::verify).
    #[must_use]
    pub fn signed_at(&self) -> i64 {
        self.timestamp.parse().unwrap_or(0)
    }

    /// Which of `keys` signed `body`. High-s signatures are accepted: SendGrid makes them.
    ///
    /// # Errors
    /// When none did, or when `body` does not start with `[` or `{` after an optional byte order mark and white space.
    pub fn verify<'k>(&self, keys: &'k [PublicKey], body: &[u8]) -> Result<&'k KeyId, SignatureError> {
        if !starts_like_a_webhook(body) {
            return Err(SignatureError::BodyStart);
        }
        let mut hash = digest::Context::new(&SHA256);
        hash.update(self.timestamp.as_bytes());
        hash.update(body);
        let hash = hash.finish();
        keys.iter()
            .find(|key| key.key.verify_digest_sig(&hash, &self.der).is_ok())
            .map(PublicKey::id)
            .ok_or(SignatureError::Mismatch)
    }
}

/// Whether a body starts with `[` or `{` after an optional byte order mark and white space.
#[must_use]
pub fn starts_like_a_webhook(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    matches!(body.iter().find(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')), Some(b'[' | b'{'))
}
