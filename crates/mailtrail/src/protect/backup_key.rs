//! Proves that a backup was made by who has the key file.

use std::fmt;

use aws_lc_rs::hmac;

/// Signs the manifests of backups. A key of its own, derived from the dedupe key, which never changes.
#[derive(Clone)]
pub struct BackupKey(hmac::Key);

impl BackupKey {
    /// Derived from the dedupe key.
    pub(super) fn derive(dedupe: &hmac::Key) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(dedupe, b"mailtrail backup manifest").as_ref()))
    }

    /// For tests of the store.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::derive(&hmac::Key::new(hmac::HMAC_SHA256, &[6; 32]))
    }

    /// The signature in hex.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        hmac::sign(&self.0, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether [`sign`](Self::sign) with this key gave that signature, compared in constant time.
    #[must_use]
    pub fn verify(&self, bytes: &[u8], signature: &str) -> bool {
        let digits =
            signature.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("?"), 16));
        digits.collect::<Result<Vec<u8>, _>>().is_ok_and(|tag| hmac::verify(&self.0, bytes, &tag).is_ok())
    }
}

impl PartialEq for BackupKey {
    fn eq(&self, other: &Self) -> bool {
        other.verify(b"", &self.sign(b""))
    }
}

impl Eq for BackupKey {}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_bytes_and_key_alone() {
        let key = BackupKey::for_tests();
        let other = BackupKey::derive(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]));
        let signature = key.sign(b"manifest");
        assert!(key.verify(b"manifest", &signature));
        assert!(!key.verify(b"manifesT", &signature) && !other.verify(b"manifest", &signature));
        for bad in ["", "00", "zz", &signature[2..], "é"] {
            assert!(!key.verify(b"manifest", bad), "{bad}");
        }
        assert!(key == BackupKey::for_tests() && key != other);
        assert_eq!(format!("{key:?}"), "BackupKey");
    }
}
