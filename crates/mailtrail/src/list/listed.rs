//! A list that gives hashes their addresses back: the only place they come from.

use std::collections::HashMap;

use super::{List, Row};
use crate::protect::{EmailHash, KeyRing};

/// A list, with its rows by every hash they may have.
pub struct Listed {
    /// The list.
    pub list: List,
    by_hash: HashMap<EmailHash, usize>,
}

impl Listed {
    /// Hashes every address under all keys.
    #[must_use]
    pub fn new(list: List, keys: &KeyRing) -> Self {
        let mut by_hash = HashMap::new();
        for (row, hashes) in list.hashes(keys).enumerate() {
            by_hash.extend(hashes.into_iter().map(|hash| (hash, row)));
        }
        Self { list, by_hash }
    }

    /// The domain of the address that a hash stands for.
    #[must_use]
    pub fn domain(&self, hash: &EmailHash) -> Option<String> {
        let address = self.row(hash)?.address();
        address.expose().rsplit_once('@').map(|(_, domain)| domain.to_lowercase())
    }

    /// The row that a hash stands for.
    #[must_use]
    pub fn row(&self, hash: &EmailHash) -> Option<Row<'_>> {
        self.by_hash.get(hash).and_then(|row| self.list.row(*row))
    }
}
