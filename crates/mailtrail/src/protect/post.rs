//! A POST as it came, sealed until it is passed on: it holds plain addresses, and its signature holds only as long as no byte of
//! it changes.

use std::fmt;

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::key_ring::{KeyRing, OpenError};
use crate::receive::Authentic;

/// What the sealed bytes are, beside the key: nothing sealed for another purpose is ever taken for a POST.
const PURPOSE: &[u8] = b"\0post 2";
/// Before there were hops.
const PURPOSE_1: &[u8] = b"\0post 1";

/// A POST: its body and the headers that prove who sent it. Holds plain addresses, and so has no `Debug`.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Post {
    /// `Content-Type`
    pub content_type: Option<Vec<u8>>,
    /// SendGrid's signature header.
    pub signature: Option<Vec<u8>>,
    /// Its timestamp header.
    pub timestamp: Option<Vec<u8>>,
    /// The bytes that were signed.
    pub body: Vec<u8>,
    /// Which mailtrails relayed it, if any did.
    pub hops: Option<Vec<u8>>,
}

/// As it was sealed before there were hops.
#[derive(Deserialize)]
struct Post1 {
    content_type: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    timestamp: Option<Vec<u8>>,
    body: Vec<u8>,
}

impl From<Post1> for Post {
    fn from(post: Post1) -> Self {
        let Post1 { content_type, signature, timestamp, body } = post;
        Self { content_type, signature, timestamp, body, hops: None }
    }
}

/// The same without copying, for sealing.
#[derive(Serialize)]
struct PostRef<'p> {
    content_type: Option<&'p [u8]>,
    signature: Option<&'p [u8]>,
    timestamp: Option<&'p [u8]>,
    body: &'p [u8],
    hops: Option<&'p [u8]>,
}

/// A POST that nobody reads without the key file.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPost {
    /// Id of the seal key.
    pub seal_key_id: String,
    /// Nonce, ciphertext, tag.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedPost({} bytes)", self.sealed.len())
    }
}

impl KeyRing {
    /// Seals a POST as it came. `None` where the system gives no randomness: what cannot be sealed is not kept.
    #[must_use]
    pub fn seal_post(&self, post: &Authentic) -> Option<SealedPost> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let headers = post.headers();
        let bytes = |value: &'_ Option<http::HeaderValue>| value.as_ref().map(|value| value.as_bytes().to_vec());
        let (content_type, signature, timestamp) =
            (bytes(&headers.content_type), bytes(&headers.signature), bytes(&headers.timestamp));
        let plain = PostRef {
            content_type: content_type.as_deref(),
            signature: signature.as_deref(),
            timestamp: timestamp.as_deref(),
            body: post.bytes(),
            hops: headers.hops.as_ref().map(http::HeaderValue::as_bytes),
        };
        let sealed = self.encrypt(nonce, &self.about_posts(PURPOSE), |sealed| {
            // postcard fails only where memory runs out or a sequence has no length.
            *sealed = postcard::to_extend(&plain, std::mem::take(sealed)).expect("a post always encodes");
        });
        Some(SealedPost { seal_key_id: self.seal_key_id().to_owned(), sealed })
    }

    /// Opens what [`seal_post`](Self::seal_post) sealed.
    ///
    /// # Errors
    /// When the key is another one or the bytes are damaged.
    pub fn open_post(&self, post: &SealedPost) -> Result<Post, OpenError> {
        if post.seal_key_id != self.seal_key_id() {
            return Err(OpenError::UnknownKey(post.seal_key_id.clone()));
        }
        match self.decrypt(&self.about_posts(PURPOSE), &post.sealed).map(Zeroizing::new) {
            Ok(plain) => postcard::from_bytes(&plain).map_err(|_| OpenError::Damaged),
            Err(_) => {
                let plain = Zeroizing::new(self.decrypt(&self.about_posts(PURPOSE_1), &post.sealed)?);
                postcard::from_bytes(&plain).map(Post1::into).map_err(|_| OpenError::Damaged)
            }
        }
    }

    fn about_posts(&self, purpose: &[u8]) -> Vec<u8> {
        [self.seal_key_id().as_bytes(), purpose].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HashMode;
    use crate::receive::{ProofHeaders, VerifiedBy};

    fn keys() -> KeyRing {
        KeyRing::new(HashMode::HmacSha256, &KeyRing::generate().expect("keys"))
    }

    #[test]
    fn a_post_comes_back_byte_for_byte_and_only_under_its_key() {
        let keys = keys();
        let body = b"[{\"email\":\"jane@example.com\"}]\r\n\xff";
        let headers = ProofHeaders {
            content_type: Some("application/json; charset=utf-8".parse().expect("a value")),
            signature: Some("MEUCIQ".parse().expect("a value")),
            timestamp: None,
            hops: Some("0123456789abcdef".parse().expect("a value")),
        };
        let post = Authentic::new(body.to_vec().into(), headers, VerifiedBy::Basic, 7);
        let sealed = keys.seal_post(&post).expect("sealed");
        let hidden = |text: &[u8]| !sealed.sealed.windows(text.len()).any(|window| window == text);
        assert!(hidden(b"jane@") && hidden(b"MEUCIQ") && hidden(b"application/json"));
        let opened = keys.open_post(&sealed).expect("opened");
        assert_eq!(opened.body, body);
        assert_eq!(opened.content_type.as_deref(), Some(&b"application/json; charset=utf-8"[..]));
        assert_eq!((opened.signature.as_deref(), opened.timestamp.as_deref()), (Some(&b"MEUCIQ"[..]), None));
        assert_eq!(opened.hops.as_deref(), Some(&b"0123456789abcdef"[..]));
        assert_ne!(keys.seal_post(&post).expect("sealed").sealed, sealed.sealed, "each has a nonce of its own");

        assert!(matches!(self::keys().open_post(&sealed), Err(OpenError::UnknownKey(_))));
        for at in [0, NONCE_LEN, sealed.sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed.sealed[at] ^= 1;
            assert!(matches!(keys.open_post(&changed), Err(OpenError::Damaged)));
        }
        assert!(keys.open(&sealed.seal_key_id, &sealed.sealed).is_err(), "it is no entry of the quarantine");
        let entry = keys.seal(body, "not_json");
        let entry = SealedPost { seal_key_id: entry.seal_key_id, sealed: entry.sealed };
        assert!(keys.open_post(&entry).is_err(), "nor the other way round");
    }

    #[test]
    fn a_post_that_an_earlier_version_sealed_is_opened() {
        let keys = keys();
        let plain = (None::<&[u8]>, Some(&b"MEUCIQ"[..]), None::<&[u8]>, &b"[]"[..]);
        let sealed = keys.encrypt([7; NONCE_LEN], &keys.about_posts(PURPOSE_1), |sealed| {
            *sealed = postcard::to_extend(&plain, std::mem::take(sealed)).expect("encoded");
        });
        let post = SealedPost { seal_key_id: keys.seal_key_id().to_owned(), sealed };
        let opened = keys.open_post(&post).expect("opened");
        assert_eq!(
            (&opened.body[..], opened.signature.as_deref(), &opened.hops),
            (&b"[]"[..], Some(&b"MEUCIQ"[..]), &None)
        );
    }
}
