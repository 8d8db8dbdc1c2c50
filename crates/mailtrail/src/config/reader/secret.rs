//! One secret, in place or in a file.

use zeroize::Zeroizing;

use super::{Reader, Secrecy};
use crate::config::keys;

impl Reader<'_> {
    /// A secret text, given in place or as a file of one line; of two layers the higher one counts.
    pub(in crate::config) fn secret(&mut self, key: &str, file_key: &str) -> Option<Zeroizing<String>> {
        let layer = |key| self.settings.get(key).map(|setting| setting.origin.layer());
        match (layer(key), layer(file_key)) {
            (Some(own), Some(file)) if own == file => {
                self.problem(key, format!("and {} are both set: keep one", keys::shown(file_key)));
                None
            }
            (own, Some(file)) if own.is_none_or(|own| own < file) => {
                let path = self.path(file_key)?;
                let text = self.file(file_key, &path, Secrecy::Secret)?;
                Some(Zeroizing::new(text.trim().to_owned()))
            }
            _ => self.text(key).map(Zeroizing::new),
        }
    }
}
