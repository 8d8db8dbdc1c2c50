//! SendGrid's signing key: ECDSA over P-256 and SHA-256 of `timestamp ‖ body`.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A webhook's key pair.
pub struct Signer {
    pair: EcdsaKeyPair,
    public_key: String,
    random: SystemRandom,
}

/// The two headers of a signed POST, as `X-Twilio-Email-Event-Webhook-Signature` and `…-Timestamp` carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// Standard base64 of the ASN.1 DER signature.
    pub signature: String,
    /// Unix seconds.
    pub timestamp: String,
}

/// Why there is no usable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// SEC1 form, as `openssl ecparam -genkey` writes it.
    #[error(
        "the key is in the form EC PRIVATE KEY; PKCS#8 is needed (openssl pkcs8 -topk8 -nodes -in OLD -out NEW converts it)"
    )]
    Sec1,
    /// Neither PEM nor DER of PKCS#8 on the right curve.
    #[error(
        "the key is not a PKCS#8 private key on the curve P-256 (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one)"
    )]
    NotP256,
    /// The system gave no randomness, or the library refused.
    #[error("no key or signature could be made: the cryptographic library failed")]
    Failed,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer(public key {})", self.public_key)
    }
}

impl Signer {
    /// A new key pair.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, SignerError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| SignerError::Failed)?;
        Self::from_pair(pair)
    }

    /// Reads a private key in PKCS#8 form, PEM or DER.
    ///
    /// # Errors
    /// When it is in another form or on another curve.
    pub fn from_pkcs8(file: &[u8]) -> Result<Self, SignerError> {
        let text = std::str::from_utf8(file).unwrap_or_default();
        if text.contains("BEGIN EC PRIVATE KEY") {
            return Err(SignerError::Sec1);
        }
        let decoded;
        let der = match text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)) {
            Some((base64, _)) => {
                let base64: String = base64.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                decoded = STANDARD.decode(base64).map_err(|_| SignerError::NotP256)?;
                decoded.as_slice()
            }
            None => file,
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).map_err(|_| SignerError::NotP256)?;
        Self::from_pair(pair)
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self, SignerError> {
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| SignerError::Failed)?;
        let public_key = STANDARD.encode(spki.as_ref());
        Ok(Self { pair, public_key, random: SystemRandom::new() })
    }

    /// The private key as PEM (PKCS#8), for a file that only its owner can read.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn to_pem(&self) -> Result<String, SignerError> {
        let der = self.pair.to_pkcs8v1().map_err(|_| SignerError::Failed)?;
        let base64 = STANDARD.encode(der.as_ref());
        let mut pem = format!("{BEGIN}\n");
        for at in (0..base64.len()).step_by(64) {
            pem.push_str(&base64[at..base64.len().min(at + 64)]);
            pem.push('\n');
        }
        pem.push_str(END);
        pem.push('\n');
        Ok(pem)
    }

    /// The public key as SendGrid shows it: base64 of DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Signs a body at a time, Unix seconds.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn sign(&self, timestamp: i64, body: &[u8]) -> Result<SignedHeaders, SignerError> {
        let timestamp = timestamp.to_string();
        let message = [timestamp.as_bytes(), body].concat();
        let signature = self.pair.sign(&self.random, &message).map_err(|_| SignerError::Failed)?;
        Ok(SignedHeaders { signature: STANDARD.encode(signature.as_ref()), timestamp })
    }
}

#[cfg(test)]
mod tests {
    use sendgrid_events::PublicKey;
    use sendgrid_events::signature::{Signature, SignatureError};

    use super::*;

    const BODY: &[u8] = b"[{\"event\":\"open\"}]\r\n";

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        let signer = Signer::generate().expect("randomness");
        let keys = [PublicKey::parse(signer.public_key()).expect("the form SendGrid shows")];
        let headers = signer.sign(1_700_000_000, BODY).expect("randomness");
        let signature = Signature::parse(&headers.signature, &headers.timestamp).expect("well formed");
        assert_eq!(signature.verify(&keys, BODY), Ok(keys[0].id()));
        assert_eq!(signature.verify(&keys, b"[{\"event\":\"open\"}]\n"), Err(SignatureError::Mismatch));
        let later = Signature::parse(&headers.signature, "1700000001").expect("well formed");
        assert_eq!(later.verify(&keys, BODY), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_saved_key_is_the_same_key() {
        let signer = Signer::generate().expect("randomness");
        let pem = signer.to_pem().expect("exportable");
        let again = Signer::from_pkcs8(pem.as_bytes()).expect("PEM");
        assert_eq!(again.public_key(), signer.public_key());
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(base64).expect("base64");
        assert_eq!(Signer::from_pkcs8(&der).expect("DER").public_key(), signer.public_key());
        assert!(!format!("{signer:?}").contains(&STANDARD.encode(&der)[40..80]), "Debug shows the private key");
    }

    #[test]
    fn other_keys_are_refused_with_what_to_do() {
        let sec1 = b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(Signer::from_pkcs8(sec1).map(|_| ()), Err(SignerError::Sec1));
        for other in [&b""[..], b"nonsense", b"-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"] {
            assert_eq!(Signer::from_pkcs8(other).map(|_| ()), Err(SignerError::NotP256));
        }
    }
}
