//! Changes a configuration file in place, for commands that set something up: comments and order stay as they were.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use crate::files;

/// A list under `[receive]` that may grow and shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `basic_auth`
    BasicAuth,
    /// `public_keys`
    PublicKeys,
}

impl List {
    fn key(self) -> &'static str {
        match self {
            Self::BasicAuth => "basic_auth",
            Self::PublicKeys => "public_keys",
        }
    }
}

/// Why a file was not changed. Shows no value of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Not to be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No TOML.
    #[error("{0} is not valid TOML")]
    NotToml(PathBuf),
    /// The list is kept elsewhere.
    #[error("[receive] {key}_file in {path} keeps the list in a file of its own: move its lines to [receive] {key}")]
    Elsewhere {
        /// Which file.
        path: PathBuf,
        /// Key of the list.
        key: &'static str,
    },
    /// Something else stands where the list should.
    #[error("[receive] {key} in {path} is no list of texts")]
    NoList {
        /// Which file.
        path: PathBuf,
        /// Key of the list.
        key: &'static str,
    },
}

/// A configuration file, read for a change.
pub struct Edit {
    path: PathBuf,
    document: DocumentMut,
}

impl Edit {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read or is no TOML.
    pub fn open(path: &Path) -> Result<Self, EditError> {
        let text = fs::read_to_string(path).map_err(|source| EditError::Io { path: path.to_owned(), source })?;
        let document = text.parse().map_err(|_| EditError::NotToml(path.to_owned()))?;
        Ok(Self { path: path.to_owned(), document })
    }

    /// Adds a value at the end of a list; nothing changes where it is there.
    ///
    /// # Errors
    /// When the list does not stand in this file.
    pub fn add(&mut self, list: List, value: &str) -> Result<(), EditError> {
        let array = self.array(list)?;
        if !array.iter().any(|known| known.as_str() == Some(value)) {
            array.push(value);
        }
        Ok(())
    }

    /// Takes a value out of a list, where it is there.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&mut self, list: List, value: &str) -> Result<(), EditError> {
        self.array(list)?.retain(|known| known.as_str() != Some(value));
        Ok(())
    }

    fn array(&mut self, list: List) -> Result<&mut Array, EditError> {
        let (path, key) = (self.path.clone(), list.key());
        let receive = self.document.entry("receive").or_insert_with(|| Item::Table(Table::new()));
        let no_list = || EditError::NoList { path: path.clone(), key };
        let table = receive.as_table_like_mut().ok_or_else(no_list)?;
        if table.contains_key(&format!("{key}_file")) {
            return Err(EditError::Elsewhere { path, key });
        }
        let item = table.entry(key).or_insert_with(|| Item::Value(Value::Array(Array::new())));
        item.as_array_mut().ok_or_else(no_list)
    }

    /// Writes the file, whole or not at all, with the permissions it had.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), EditError> {
        // Where the file is a link, what it leads to is replaced, not the link.
        let write = || {
            let path = fs::canonicalize(&self.path)?;
            files::replace(&path, |file| {
                file.write_all(self.document.to_string().as_bytes())?;
                file.set_permissions(fs::metadata(&path)?.permissions())
            })
        };
        write().map_err(|source| EditError::Io { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "# Ours.\n[receive] # the door\n# Who posts.\nbasic_auth = [\"a:b\"] # first\n\n[store]\npath = \"x\"\n";

    fn edited(text: &str, change: impl FnOnce(&mut Edit) -> Result<(), EditError>) -> Result<String, EditError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mailtrail.toml");
        fs::write(&path, text).expect("written");
        let mut edit = Edit::open(&path)?;
        change(&mut edit)?;
        edit.save()?;
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1, "something was left behind");
        Ok(fs::read_to_string(&path).expect("read"))
    }

    #[test]
    fn lists_change_and_comments_stay() {
        let twice = |edit: &mut Edit| {
            edit.add(List::BasicAuth, "c:d")?;
            edit.add(List::BasicAuth, "c:d")?;
            edit.add(List::PublicKeys, "MFkw")
        };
        let text = edited(FILE, twice).expect("changed");
        assert_eq!(text, FILE.replace("[\"a:b\"] # first\n", "[\"a:b\", \"c:d\"] # first\npublic_keys = [\"MFkw\"]\n"));
        let back = |edit: &mut Edit| edit.remove(List::BasicAuth, "a:b");
        let left = edited(&text, back).expect("changed");
        assert!(left.contains("c:d") && !left.contains("a:b") && left.contains("# first"), "{left}");
        assert!(edited("", |edit| edit.add(List::PublicKeys, "k")).expect("made").contains("[receive]\npublic_keys"));
    }

    #[test]
    fn what_stands_elsewhere_is_left_alone() {
        let add = |edit: &mut Edit| edit.add(List::BasicAuth, "s3cret:s3cret");
        for text in ["[receive]\nbasic_auth_file = \"f\"\n", "[receive]\nbasic_auth = 1\n", "receive = 1\n", "[x"] {
            let error = edited(text, add).expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
