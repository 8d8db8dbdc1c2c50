//! A list that gives hashes their addresses back: the only place they come from.

use std::collections::HashMap;

use super::{List, Row};
use crate::protect::{EmailHash, KeyRing};

/// A list, with its rows by every hash they may have.
pub struct Listed {
    /// The list.
    pub list: List,
    /// Of each row, under all keys, the current one's first.
    pub hashes: Vec<Vec<EmailHash>>,
    by_hash: HashMap<EmailHash, usize>,
}

impl Listed {
    /// Hashes every address under all keys.
    #[must_use]
    pub fn new(list: List, keys: &KeyRing) -> Self {
        let hashes = list.hashes(keys).collect();
        Self::with(list, hashes)
    }

    /// With the hashes of every row, which somebody else made.
    #[must_use]
    pub fn with(list: List, hashes: Vec<Vec<EmailHash>>) -> Self {
        let rows = hashes.iter().enumerate();
        let by_hash = rows.flat_map(|(row, hashes)| hashes.iter().map(move |hash| (*hash, row))).collect();
        Self { list, hashes, by_hash }
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
