//! What is kept of an address that was forgotten: a keyed digest of its hash, so that late events of it are recognised, and
//! so that the store says neither the address nor the hash.

use std::fmt;

use aws_lc_rs::hmac;

/// Makes the marks of forgotten addresses. A key of its own, derived from the dedupe key, which never changes.
#[derive(Clone, PartialEq, Eq)]
pub struct ForgottenKey([u8; 32]);

impl ForgottenKey {
    /// Derived from the dedupe key.
    pub(super) fn derive(dedupe: &hmac::Key) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hmac::sign(dedupe, b"mailtrail forgotten addresses").as_ref());
        Self(bytes)
    }

    /// For tests of the store.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self([5; 32])
    }

    /// The mark of an address, by its hash.
    #[must_use]
    pub fn mark(&self, email_hash: &[u8; 32]) -> [u8; 16] {
        let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), email_hash);
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest.as_ref()[..16]);
        mark
    }
}

impl fmt::Debug for ForgottenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForgottenKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_same_each_time_and_says_nothing_of_the_hash() {
        let key = ForgottenKey::derive(&hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let other = ForgottenKey::derive(&hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]));
        let hash = [9; 32];
        assert_eq!(key.mark(&hash), key.clone().mark(&hash));
        assert_ne!(key.mark(&hash), other.mark(&hash), "without the key nobody finds out who it was");
        assert_ne!(key.mark(&hash), key.mark(&[8; 32]));
        assert_ne!(key.mark(&hash)[..], hash[..16]);
        assert_eq!(format!("{key:?}"), "ForgottenKey");
    }
}
