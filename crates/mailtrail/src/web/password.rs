//! Passwords, made for the configuration and recognised; random texts and what is kept of them.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::config::{Role, TOKEN_PREFIX, Token};

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The system is out of order.
    #[error("the system gives no random numbers, without which nothing secret can be made")]
    Random,
    /// Argon2 refused.
    #[error("the password cannot be hashed: {0}")]
    Argon2(argon2::password_hash::Error),
}

/// The argon2id hash of a password, as `[web] users` takes it.
///
/// # Errors
/// When the system gives no randomness.
pub fn hash_password(password: &str) -> Result<String, HashError> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).map_err(|_| HashError::Random)?;
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(HashError::Argon2)?;
    Ok(hash.to_string())
}

/// A new token of the API: its text, which is kept nowhere, and its entry for `[web] tokens`.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_token(name: &str, role: Role) -> Result<(Zeroizing<String>, String), HashError> {
    let text = Zeroizing::new(format!("{TOKEN_PREFIX}{}", &*random_text()?));
    let entry = Token::of(&text, name, role).entry();
    Ok((text, entry))
}

/// Whether a password is that of a hash. Slow on purpose: not for the threads of the runtime.
pub(super) fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// 32 random bytes as text that a URL and a cookie take.
pub(super) fn random_text() -> Result<Zeroizing<String>, HashError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| HashError::Random)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// What is kept of a token. One that nobody knows is not found by trying digests, so a map may be asked by it.
pub(super) fn digest_of(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, token.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::User;

    #[test]
    fn what_is_made_is_what_the_configuration_takes() {
        let hash = hash_password("correct horse").expect("a hash");
        assert!(verify("correct horse", &hash) && !verify("correct horsE", &hash) && !verify("", &hash));
        assert_ne!(hash, hash_password("correct horse").expect("a hash"), "salted");
        User::parse(&format!("mia:operator:{hash}")).expect("an entry");
        assert!(!verify("x", "no hash"));
    }
}
