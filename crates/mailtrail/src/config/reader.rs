//! Reads typed values out of the layers and collects what is wrong with them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::keys;
use super::layers::{Origin, Raw, Setting, Settings};
use super::secret_file::{self, Permissions};
use super::text::without_bom;
use super::units;

/// Whether only few may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    Secret,
    Public,
}

/// Where a value stands that may be given in place or as a file.
enum Given {
    Here,
    InFile(PathBuf, Zeroizing<String>),
    /// What is wrong with this key was noted.
    Unusable(&'static str),
}

/// Hands out values by key (`section.key`); a value that cannot be used is noted and counts as missing.
pub(super) struct Reader<'s> {
    settings: &'s Settings,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(settings: &'s Settings) -> Self {
        Self { settings, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Notes what is wrong with a key, with the place where it was written.
    pub(super) fn problem(&mut self, key: &str, what: impl AsRef<str>) {
        let place = self.settings.get(key).map(|setting| format!("{}: ", setting.origin)).unwrap_or_default();
        self.problems.push(format!("{place}{} {}", keys::shown(key), what.as_ref()));
    }

    pub(super) fn warn(&mut self, key: &str, what: impl AsRef<str>) {
        self.warnings.push(format!("{} {}", keys::shown(key), what.as_ref()));
    }

    /// A reader for each section of this name, with the place where it begins.
    pub(super) fn repeated(&self, section: &str) -> Vec<(&'s str, Reader<'s>)> {
        let sections = self.settings.repeated(section).iter();
        sections.map(|one| (one.place.as_str(), Reader::new(&one.settings))).collect()
    }

    /// Takes over what another reader noted.
    pub(super) fn absorb(&mut self, other: Reader<'_>) {
        self.problems.extend(other.problems);
        self.warnings.extend(other.warnings);
    }

    /// Whether anybody said anything about this key.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.settings.get(key).is_some()
    }

    pub(super) fn boolean(&mut self, key: &str, default: bool) -> bool {
        let value = match self.raw(key) {
            None => return default,
            Some(Raw::Boolean(boolean)) => Some(*boolean),
            Some(Raw::Word(word)) => word.parse().ok(),
            Some(_) => None,
        };
        value.unwrap_or_else(|| {
            self.problem(key, "is neither true nor false");
            default
        })
    }

    pub(super) fn number(&mut self, key: &str, default: usize) -> usize {
        let value = match self.raw(key) {
            None => return default,
            Some(Raw::Number(number)) => usize::try_from(*number).ok(),
            Some(Raw::Word(word)) => word.parse().ok(),
            Some(_) => None,
        };
        match value {
            Some(number) if number > 0 => number,
            _ => {
                self.problem(key, format!("is not a whole number above 0, such as {default}"));
                default
            }
        }
    }

    pub(super) fn duration(&mut self, key: &str, default: Duration, example: &str) -> Duration {
        let Some(raw) = self.raw(key) else { return default };
        match text(raw).and_then(units::duration) {
            Some(duration) if !duration.is_zero() => duration,
            _ => {
                self.problem(
                    key,
                    format!(
                        "is not a duration: write a whole number above 0 with ms, s, m, h or d, such as {example:?}"
                    ),
                );
                default
            }
        }
    }

    pub(super) fn size(&mut self, key: &str, default: u64, example: &str) -> u64 {
        let Some(raw) = self.raw(key) else { return default };
        match text(raw).and_then(units::size) {
            Some(size) if size > 0 => size,
            _ => {
                self.problem(
                    key,
                    format!("is not a size: write a whole number above 0 with its unit, such as {example:?}"),
                );
                default
            }
        }
    }

    /// One of a few words; `None` where the key is missing or wrong.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let raw = self.raw(key)?;
        let found = text(raw).and_then(|word| choices.iter().find(|(name, _)| *name == word));
        if found.is_none() {
            let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.problem(key, format!("must be one of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let raw = self.raw(key)?;
        let found = text(raw).map(str::to_owned);
        if found.is_none() {
            let why =
                if let Raw::Other(what) = raw { format!("is {what}; expected a text") } else { "is not a text".into() };
            self.problem(key, why);
        }
        found
    }

    pub(super) fn address(&mut self, key: &str) -> Option<SocketAddr> {
        let text = self.text(key)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.problem(
                    key,
                    format!("{text:?} is not an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\""),
                );
                None
            }
        }
    }

    /// A path; from the file it is relative to the file's folder, from elsewhere to the current one.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.problem(key, "is empty: name a file, or remove the key");
            return None;
        }
        Some(self.resolve(key, Path::new(&text)))
    }

    /// A path that has a default, which stands in the folder of the configuration file.
    pub(super) fn path_or(&mut self, key: &str, default: &str) -> PathBuf {
        self.path(key).unwrap_or_else(|| self.settings.folder().join(default))
    }

    pub(super) fn paths(&mut self, key: &str) -> Vec<PathBuf> {
        let texts = self.texts(key);
        texts.iter().map(|text| self.resolve(key, Path::new(text.as_str()))).collect()
    }

    /// A list of texts; in environment and flags a JSON array.
    pub(super) fn texts(&mut self, key: &str) -> Vec<Zeroizing<String>> {
        let Some(raw) = self.raw(key) else { return Vec::new() };
        let (found, how) = match raw {
            Raw::Texts(texts) => (Some(texts.clone()), ""),
            Raw::Word(word) => (
                serde_json::from_str::<Vec<String>>(word)
                    .ok()
                    .map(|texts| texts.into_iter().map(Zeroizing::new).collect()),
                "must be a JSON array of texts, such as [\"a\", \"b\"]",
            ),
            _ => (None, "must be a list of texts, such as [\"a\", \"b\"]"),
        };
        found.unwrap_or_else(|| {
            self.problem(key, how);
            Vec::new()
        })
    }

    /// A list of texts, given in place or as a file; `read` cuts the file's text into items. Says which key counted.
    pub(super) fn items(
        &mut self,
        key: &'static str,
        file_key: &'static str,
        secrecy: Secrecy,
        read: fn(&str) -> Vec<Zeroizing<String>>,
    ) -> (&'static str, Vec<Zeroizing<String>>) {
        match self.given(key, file_key, secrecy) {
            Given::Here => (key, self.texts(key)),
            Given::Unusable(key) => (key, Vec::new()),
            Given::InFile(path, text) => {
                let items = read(&text);
                if items.is_empty() {
                    self.problem(file_key, format!("{} is empty", path.display()));
                }
                (file_key, items)
            }
        }
    }

    /// One secret text, given in place or as a file, without blanks at its ends. Says which key counted.
    pub(super) fn secret(
        &mut self,
        key: &'static str,
        file_key: &'static str,
    ) -> Option<(&'static str, Zeroizing<String>)> {
        let (key, text) = match self.given(key, file_key, Secrecy::Secret) {
            Given::Here => (key, Zeroizing::new(self.text(key)?)),
            Given::Unusable(_) => return None,
            Given::InFile(_, text) => (file_key, text),
        };
        let trimmed = Zeroizing::new(text.trim().to_owned());
        if trimmed.is_empty() {
            self.problem(key, "is empty: write the secret there, or remove the key");
            return None;
        }
        Some((key, trimmed))
    }

    /// Of a value that may stand in place or in a file: which of the two counts.
    fn given(&mut self, key: &'static str, file_key: &'static str, secrecy: Secrecy) -> Given {
        let layer = |key| self.settings.get(key).map(|setting: &Setting| setting.origin.layer());
        match (layer(key), layer(file_key)) {
            (Some(own), Some(file)) if own == file => {
                self.problem(key, format!("and {} are both set: keep one", keys::shown(file_key)));
                Given::Unusable(key)
            }
            (own, Some(file)) if own.is_none_or(|own| own < file) => {
                let Some(path) = self.path(file_key) else { return Given::Unusable(file_key) };
                match self.file(file_key, &path, secrecy) {
                    Some(text) => Given::InFile(path, text),
                    None => Given::Unusable(file_key),
                }
            }
            _ => Given::Here,
        }
    }

    /// The text of a file; of one with secrets not where everybody may read it and we could have prevented that.
    fn file(&mut self, key: &str, path: &Path, secrecy: Secrecy) -> Option<Zeroizing<String>> {
        let shown = path.display();
        let read =
            secret_file::permissions(path).and_then(|permissions| Ok((permissions, std::fs::read_to_string(path)?)));
        let (permissions, text) = match read {
            Ok((permissions, text)) => {
                let text = Zeroizing::new(text);
                (permissions, Zeroizing::new(without_bom(&text).to_owned()))
            }
            Err(error) => {
                self.problem(key, format!("{shown} cannot be read: {error}"));
                return None;
            }
        };
        let is_usable = secrecy == Secrecy::Public || self.judge_permissions(key, path, permissions);
        is_usable.then_some(text)
    }

    /// Judges a file with a secret that something else reads; that it cannot be read is reported there.
    pub(super) fn judge_secret_file(&mut self, key: &str, path: &Path) {
        if let Ok(permissions) = secret_file::permissions(path) {
            self.judge_permissions(key, path, permissions);
        }
    }

    /// Whether a file with a secret may be used.
    fn judge_permissions(&mut self, key: &str, path: &Path, permissions: Permissions) -> bool {
        let shown = path.display();
        match permissions {
            Permissions::Narrow => true,
            Permissions::WideNotOurs(mode) => {
                self.warn(key, format!("{shown} may be read by everybody (mode {mode:04o})"));
                true
            }
            Permissions::Wide(mode) => {
                self.problem(key, format!("{shown} may be read by everybody (mode {mode:04o}): run chmod 600 {shown}"));
                false
            }
        }
    }

    fn raw(&self, key: &str) -> Option<&'s Raw> {
        self.settings.get(key).map(|setting| &setting.raw)
    }

    fn resolve(&self, key: &str, path: &Path) -> PathBuf {
        match self.settings.get(key).map(|setting| &setting.origin) {
            Some(Origin::File { .. }) => self.settings.folder().join(path),
            _ => path.to_owned(),
        }
    }
}

fn text(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::Text(text) | Raw::Word(text) => Some(text),
        _ => None,
    }
}
