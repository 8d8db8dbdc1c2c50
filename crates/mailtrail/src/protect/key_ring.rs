//! The keys in use, and all that is done with them: hashes, dedupe keys, fingerprints, sealing.
//!
//! | value | made of |
//! |---|---|
//! | `email_hash` | HMAC-SHA256(hash key, normalised address); in mode `sha256` SHA-256 of it |
//! | `event_key` with an id | SHA-256(len id ‖ id ‖ len event ‖ event ‖ timestamp), first 16 bytes; lengths as u32, µs as i64, big endian |
//! | `fingerprint`, `event_key` without an id | HMAC-SHA256(dedupe key, canonical raw event), first 16 bytes |
//! | the same of events that came without their raw form | HMAC-SHA256(dedupe key, `import` ‖ 0 ‖ what ‖ 0 ‖ bytes), first 16 bytes |
//! | quarantine `item_key` | HMAC-SHA256(dedupe key, `quarantine` ‖ 0 ‖ bytes), first 16 bytes |
//! | sealed bytes | nonce (12) ‖ AES-256-GCM-SIV(seal key, bytes; the seal key's id as associated data) |
//! | sealed posts, for passing on | nonce (12) ‖ AES-256-GCM-SIV(seal key, postcard of headers and body; seal key's id ‖ 0 ‖ `post 1` as associated data) |
//! | cookie of a known browser | HMAC-SHA256(HMAC-SHA256(dedupe key, `mailtrail known browsers`), id ‖ user name) |
//! | mark of a forgotten address | HMAC-SHA256(HMAC-SHA256(dedupe key, `mailtrail forgotten addresses`), email_hash), first 16 bytes |
//! | signature of a backup's manifest | HMAC-SHA256(HMAC-SHA256(dedupe key, `mailtrail backup manifest`), manifest without it), hex |
//! | key ids, check values | HMAC-SHA256(key, `mailtrail key id`), first 8 bytes, hex |

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, rand};
use sendgrid_events::Event;

use super::address::{EmailHash, lower, normalise, spellings};
use super::backup_key::BackupKey;
use super::forgotten::ForgottenKey;
use super::key_file::{KeyError, KeyFile};
use super::row::SealedRow;
use crate::config::{HashMode, Privacy};

/// The keys in use. Neither `Debug` nor `Display` shows any.
pub struct KeyRing {
    mode: HashMode,
    hash: hmac::Key,
    key_id: String,
    previous: Vec<(hmac::Key, String)>,
    dedupe: hmac::Key,
    dedupe_check: String,
    seal: LessSafeKey,
    seal_key_id: String,
}

/// Why sealed bytes cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed by another key.
    #[error("sealed under the key {0}, which is not in the key file")]
    UnknownKey(String),
    /// Changed since they were sealed.
    #[error("the sealed bytes are damaged")]
    Damaged,
}

impl KeyRing {
    /// Reads the key files that `[privacy]` names.
    ///
    /// # Errors
    /// When a file cannot be read, everybody may read it, or it holds no keys.
    pub fn load(privacy: &Privacy) -> Result<Self, KeyError> {
        let current = KeyFile::load(&privacy.key_file)?;
        let previous = privacy.previous_key_files.iter().map(|path| KeyFile::load_previous(path));
        let mut ring = Self::new(privacy.hash, &current);
        for key in previous {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key?);
            let id = key_id(&key);
            ring.previous.push((key, id));
        }
        Ok(ring)
    }

    /// Reads one key file, without a configuration.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_file(mode: HashMode, path: &Path) -> Result<Self, KeyError> {
        Ok(Self::new(mode, &KeyFile::load(path)?))
    }

    /// New random keys.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<KeyFile, KeyError> {
        KeyFile::generate()
    }

    /// The keys of one file.
    #[must_use]
    pub fn new(mode: HashMode, file: &KeyFile) -> Self {
        let hash = hmac::Key::new(hmac::HMAC_SHA256, &file.hash);
        let dedupe = hmac::Key::new(hmac::HMAC_SHA256, &file.dedupe);
        let seal_as_hmac = hmac::Key::new(hmac::HMAC_SHA256, &file.seal);
        // The AEAD takes exactly 32 bytes; a longer key is brought to that length by its digest.
        let seal_bytes = digest(&SHA256, &file.seal);
        let seal = UnboundKey::new(&AES_256_GCM_SIV, seal_bytes.as_ref()).expect("a SHA-256 digest has 32 bytes");
        Self {
            mode,
            key_id: key_id(&hash),
            hash,
            previous: Vec::new(),
            dedupe_check: key_id(&dedupe),
            dedupe,
            seal: LessSafeKey::new(seal),
            seal_key_id: key_id(&seal_as_hmac),
        }
    }

    /// The hash of an address under the current key.
    #[must_use]
    pub fn email_hash(&self, address: &str) -> EmailHash {
        self.hash_under(&self.hash, &normalise(address))
    }

    /// The hashes of an address under the current key and the earlier ones.
    #[must_use]
    pub fn hashes(&self, address: &str) -> Vec<EmailHash> {
        self.hashes_of(&normalise(address))
    }

    /// The hashes to look an address up by. The first is that of mail to it under the current key. Then come those under the earlier keys
    /// and those of the quoted spelling, under which earlier versions stored carrier addresses.
    #[must_use]
    pub fn lookup_hashes(&self, address: &str) -> Vec<EmailHash> {
        spellings(address).iter().flat_map(|spelling| self.hashes_of(&lower(spelling))).collect()
    }

    fn hashes_of(&self, normalised: &str) -> Vec<EmailHash> {
        let keys = std::iter::once(&self.hash).chain(self.previous.iter().map(|(key, _)| key));
        let mut hashes: Vec<EmailHash> = keys.map(|key| self.hash_under(key, normalised)).collect();
        hashes.dedup();
        hashes
    }

    fn hash_under(&self, key: &hmac::Key, normalised: &str) -> EmailHash {
        match self.mode {
            HashMode::HmacSha256 => {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(hmac::sign(key, normalised.as_bytes()).as_ref());
                EmailHash::from_bytes(bytes)
            }
            HashMode::Sha256 => EmailHash::unkeyed(normalised),
        }
    }

    /// The digest of the canonical raw event: the same for repeats under another id.
    pub(super) fn fingerprint(&self, event: &Event<'_>) -> [u8; 16] {
        first_16(hmac::sign(&self.dedupe, event.canonical().as_bytes()).as_ref())
    }

    /// A digest that stands for a key which cannot be known, of an event whose raw form is not at hand.
    pub(super) fn imported_digest(&self, what: &str, bytes: &[u8]) -> [u8; 16] {
        let mut keyed = hmac::Context::with_key(&self.dedupe);
        for part in [b"import\0".as_slice(), what.as_bytes(), b"\0", bytes] {
            keyed.update(part);
        }
        first_16(keyed.sign().as_ref())
    }

    /// Whether this is the id of a key in use, now or earlier.
    #[must_use]
    pub fn knows(&self, key_id: &str) -> bool {
        self.key_id == key_id || self.previous.iter().any(|(_, id)| id == key_id)
    }

    /// Seals bytes that could not be read.
    #[must_use]
    pub fn seal(&self, bytes: &[u8], why: &str) -> SealedRow<String> {
        let mut keyed = hmac::Context::with_key(&self.dedupe);
        keyed.update(b"quarantine\0");
        keyed.update(bytes);
        let item_key = first_16(keyed.sign().as_ref());
        let mut nonce = [0; NONCE_LEN];
        // Without randomness the nonce repeats for equal bytes alone; this mode stays safe then.
        if rand::fill(&mut nonce).is_err() {
            nonce.copy_from_slice(&item_key[..NONCE_LEN]);
        }
        let sealed = self.encrypt(nonce, self.seal_key_id.as_bytes(), |sealed| sealed.extend_from_slice(bytes));
        SealedRow { item_key, why: why.to_owned(), seal_key_id: self.seal_key_id.clone(), sealed }
    }

    /// Opens what [`seal`](Self::seal) sealed.
    ///
    /// # Errors
    /// When the key is another one or the bytes are damaged.
    pub fn open(&self, seal_key_id: &str, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        if seal_key_id != self.seal_key_id {
            return Err(OpenError::UnknownKey(seal_key_id.to_owned()));
        }
        self.decrypt(self.seal_key_id.as_bytes(), sealed)
    }

    /// Nonce, what `write` appends encrypted, tag. `about` is authenticated with it.
    pub(super) fn encrypt(&self, nonce: [u8; NONCE_LEN], about: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut sealed = nonce.to_vec();
        write(&mut sealed);
        let (_, plain) = sealed.split_at_mut(NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.seal.seal_in_place_separate_tag(nonce, Aad::from(about), plain);
        let tag = tag.expect("AES-GCM-SIV takes up to 64 GiB; a body is bounded far below");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// Undoes [`encrypt`](Self::encrypt).
    pub(super) fn decrypt(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Damaged)?;
        let mut bytes = sealed.to_vec();
        let opened = self.seal.open_in_place(nonce, Aad::from(about), &mut bytes).map_err(|_| OpenError::Damaged)?;
        let length = opened.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// `[privacy] hash`, as the configuration writes it.
    #[must_use]
    pub fn hash_mode(&self) -> &'static str {
        match self.mode {
            HashMode::HmacSha256 => "hmac-sha256",
            HashMode::Sha256 => "sha256",
        }
    }

    /// Id of the key that makes hashes.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Ids of the keys that made hashes earlier.
    #[must_use]
    pub fn previous_key_ids(&self) -> Vec<String> {
        self.previous.iter().map(|(_, id)| id.clone()).collect()
    }

    /// The key that signs backups.
    #[must_use]
    pub fn backup_key(&self) -> BackupKey {
        BackupKey::derive(&self.dedupe)
    }

    /// The key that marks forgotten addresses.
    #[must_use]
    pub fn forgotten_key(&self) -> ForgottenKey {
        ForgottenKey::derive(&self.dedupe)
    }

    /// Signs the page's cookies of known browsers.
    #[must_use]
    pub fn device_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.dedupe, b"mailtrail known browsers").as_ref())
    }

    /// Check value of the dedupe key.
    #[must_use]
    pub fn dedupe_check(&self) -> &str {
        &self.dedupe_check
    }

    /// Id of the key that seals.
    #[must_use]
    pub fn seal_key_id(&self) -> &str {
        &self.seal_key_id
    }
}

/// The dedupe key of an event with an id. Unkeyed: ids tell nothing of a person, and everybody can compute it.
pub(super) fn event_key_of_id(id: &str, event: &str, timestamp_micros: i64) -> [u8; 16] {
    let mut bytes = Vec::with_capacity(id.len() + event.len() + 16);
    for part in [id, event] {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(&timestamp_micros.to_be_bytes());
    first_16(digest(&SHA256, &bytes).as_ref())
}

fn key_id(key: &hmac::Key) -> String {
    hmac::sign(key, b"mailtrail key id").as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn first_16(digest: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}
