//! A file that has its name only when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::exit::UsageError;
use crate::files;

/// A file being written, for its owner alone, beside the place where it will stand.
pub(super) struct Unfinished {
    file: Option<BufWriter<File>>,
    path: PathBuf,
    beside: PathBuf,
}

impl Unfinished {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        // A link keeps pointing where it does, and what is no file (a device, a pipe) is never replaced by one.
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let shown = path.display();
            return Err(UsageError(format!("{shown} is no file: name one, or use --out - for standard output")).into());
        }
        let mut name = path.file_name().context("--out names no file")?.to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let beside = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = file.with_context(|| format!("creating {}", beside.display()))?;
        Ok(Self { file: Some(BufWriter::new(file)), path: path.to_owned(), beside })
    }

    /// The file is whole: it gets its name.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let shown = self.path.display().to_string();
        let Some(file) = self.file.take() else { return Ok(()) };
        let done = || -> io::Result<()> {
            let file = file.into_inner()?;
            file.sync_all()?;
            std::fs::rename(&self.beside, &self.path)?;
            files::sync_folder(files::folder_of(&self.path))
        };
        done().with_context(|| format!("finishing {shown}"))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Renamed when finished; otherwise what is there is half an export.
        let _gone = std::fs::remove_file(&self.beside);
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}
