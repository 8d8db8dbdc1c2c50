//! Browsers in which somebody logged in before. Their cookie gives them a budget of wrong attempts of their own, so that an attacker
//! behind the same proxy cannot keep them out.

use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

const ID: usize = 16;

/// A browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Device([u8; ID]);

impl Device {
    /// `None` if the system gives no randomness.
    pub(super) fn new() -> Option<Self> {
        let mut id = [0; ID];
        rand::fill(&mut id).ok()?;
        Some(Self(id))
    }

    /// What the cookie holds. It counts for this user name alone, so that it gives no attempts at another one.
    pub(super) fn cookie(self, key: &hmac::Key, name: &str) -> Zeroizing<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Zeroizing::new(format!("{}{}", hex(&self.0), hex(self.tag(key, name).as_ref())))
    }

    /// The browser with this cookie, if it was made for this user name.
    pub(super) fn of_cookie(cookie: &str, key: &hmac::Key, name: &str) -> Option<Self> {
        if !cookie.is_ascii() || !cookie.len().is_multiple_of(2) || cookie.len() > 128 {
            return None;
        }
        let bytes: Option<Vec<u8>> =
            (0..cookie.len()).step_by(2).map(|at| u8::from_str_radix(cookie.get(at..at + 2)?, 16).ok()).collect();
        let bytes = bytes?;
        let (id, tag) = bytes.split_first_chunk::<ID>()?;
        hmac::verify(key, &Self::signed(id, name), tag).ok()?;
        Some(Self(*id))
    }

    fn tag(self, key: &hmac::Key, name: &str) -> hmac::Tag {
        hmac::sign(key, &Self::signed(&self.0, name))
    }

    fn signed(id: &[u8; ID], name: &str) -> Vec<u8> {
        [id, name.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_counts_for_its_user_and_key_alone() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"one");
        let device = Device::new().expect("randomness");
        let cookie = device.cookie(&key, "mia");
        assert_eq!(Device::of_cookie(&cookie, &key, "mia"), Some(device));
        assert_eq!(Device::of_cookie(&cookie, &key, "ken"), None);
        assert_eq!(Device::of_cookie(&cookie, &hmac::Key::new(hmac::HMAC_SHA256, b"two"), "mia"), None);
        for wrong in ["", "00", "é", &cookie[2..], &cookie.replace(&cookie[..2], "zz")] {
            assert_eq!(Device::of_cookie(wrong, &key, "mia"), None, "{wrong}");
        }
    }
}
