//! The key file: three random keys, each for one thing, as TOML.

use std::path::Path;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::config::secret_file::{self, Permissions};
use crate::config::without_bom;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read.
    #[error(
        "cannot read the key file {path}: {source}; `mailtrail init` writes one, and a lost one has to come from a backup"
    )]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Everybody may read the file, and that is ours to mend.
    #[error("everybody may read the key file {path} (mode {mode:04o}): run chmod 600 {path}")]
    Wide {
        /// Which.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// The file is not of the form that `init` writes. Says nothing of its content.
    #[error("the key file {path} is not as `mailtrail init` writes it: {why}")]
    Form {
        /// Which.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// No new key could be made.
    #[error("the system gave no randomness")]
    Random,
}

/// The keys of one file, 32 bytes or more each.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyFile {
    pub(super) hash: Vec<u8>,
    pub(super) dedupe: Vec<u8>,
    pub(super) seal: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    hash: String,
    dedupe: String,
    seal: String,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.hash.zeroize();
        self.dedupe.zeroize();
        self.seal.zeroize();
    }
}

impl KeyFile {
    /// New random keys.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let key = || -> Result<Vec<u8>, KeyError> {
            let mut bytes = vec![0; 32];
            rand::fill(&mut bytes).map_err(|_| KeyError::Random)?;
            Ok(bytes)
        };
        Ok(Self { hash: key()?, dedupe: key()?, seal: key()? })
    }

    /// The file's text, for a file that only its owner can read.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!(
            "# The keys of one mailtrail store. Back this file up, apart from the database: whoever has both can find out\n\
             # whose events these are, and without it history cannot be joined with addresses. One file an environment.\n\
             # hash: makes email_hash (HMAC-SHA256). To change it, copy this file, replace `hash` alone, and name the old\n\
             # file in [privacy] previous_key_files. dedupe and seal never change.\n\
             hash = \"{}\"\n\
             dedupe = \"{}\"\n\
             seal = \"{}\"\n",
            STANDARD.encode(&self.hash),
            STANDARD.encode(&self.dedupe),
            STANDARD.encode(&self.seal),
        ))
    }

    /// Reads the current key file.
    pub(super) fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        if bare_key(&text).is_some() {
            return Err(form(
                path,
                "it holds one key where hash, dedupe and seal are needed (a bare key may be named in previous_key_files)",
            ));
        }
        Self::parse(path, &text)
    }

    /// Reads an earlier key file: in full form, or one bare base64 key of an older system. Only the hash key counts.
    pub(super) fn load_previous(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let text = read(path)?;
        match bare_key(&text) {
            Some(key) => Ok(key),
            None => Ok(Zeroizing::new(Self::parse(path, &text)?.hash.clone())),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, KeyError> {
        // The parser's own message would quote the line, and the key with it.
        let wire: Wire = toml::from_str(text)
            .map_err(|_| form(path, "hash, dedupe and seal are needed, each in quotes, and nothing else"))?;
        let key = |base64: &str| -> Result<Vec<u8>, KeyError> {
            let bytes = STANDARD.decode(base64.trim()).map_err(|_| form(path, "a key is not base64"))?;
            if bytes.len() < 32 { Err(form(path, "a key is shorter than 32 bytes")) } else { Ok(bytes) }
        };
        Ok(Self { hash: key(&wire.hash)?, dedupe: key(&wire.dedupe)?, seal: key(&wire.seal)? })
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let shown = || path.display().to_string();
    let unreadable = |source| KeyError::Read { path: shown(), source };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    let text = Zeroizing::new(without_bom(&text).to_owned());
    match secret_file::permissions(path).map_err(unreadable)? {
        Permissions::Narrow => {}
        Permissions::WideNotOurs(mode) => {
            tracing::warn!("everybody may read the key file {} (mode {mode:04o})", shown());
        }
        Permissions::Wide(mode) => return Err(KeyError::Wide { path: shown(), mode }),
    }
    Ok(text)
}

/// A file that is one base64 key and nothing else.
fn bare_key(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(text.trim()).ok().map(Zeroizing::new)?;
    (bytes.len() >= 32).then_some(bytes)
}

fn form(path: &Path, why: &'static str) -> KeyError {
    KeyError::Form { path: path.display().to_string(), why }
}
