//! What the store asks of the key file: who the keys are, sealing, and opening.

use crate::protect::{BackupKey, ForgottenKey, KeyRing, SealedRow};

/// Tells keys apart without giving them away. What a store was begun with must stay the same, or be replaced openly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `[privacy] hash`, as in the configuration.
    pub hash_mode: String,
    /// The key that makes hashes now.
    pub key_id: String,
    /// Keys that made hashes earlier (`previous_key_files`).
    pub previous_key_ids: Vec<String>,
    /// Check value of the dedupe key, which never changes.
    pub dedupe_check: String,
    /// The key that seals now.
    pub seal_key_id: String,
    /// Keys that sealed earlier.
    pub previous_seal_key_ids: Vec<String>,
    /// Recognises addresses that were forgotten.
    pub forgotten_key: ForgottenKey,
    /// Signs backups.
    pub backup_key: BackupKey,
}

/// The keys as the store uses them.
pub trait Keys: Send + Sync {
    /// Who they are.
    fn identity(&self) -> Identity;

    /// Encrypts bytes that could not be read or stored.
    fn seal(&self, bytes: &[u8], why: &str) -> SealedRow<String>;

    /// Decrypts; `None` where the key is unknown or the bytes were changed.
    fn open(&self, seal_key_id: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

impl Keys for KeyRing {
    fn identity(&self) -> Identity {
        Identity {
            hash_mode: self.hash_mode().to_owned(),
            key_id: self.key_id().to_owned(),
            previous_key_ids: self.previous_key_ids(),
            dedupe_check: self.dedupe_check().to_owned(),
            seal_key_id: self.seal_key_id().to_owned(),
            previous_seal_key_ids: Vec::new(),
            forgotten_key: self.forgotten_key(),
            backup_key: self.backup_key(),
        }
    }

    fn seal(&self, bytes: &[u8], why: &str) -> SealedRow<String> {
        KeyRing::seal(self, bytes, why)
    }

    fn open(&self, seal_key_id: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        KeyRing::open(self, seal_key_id, sealed).ok()
    }
}
