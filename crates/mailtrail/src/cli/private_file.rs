//! Files with secrets.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::files;

/// Writes a file for its owner alone, whole or not at all, durable when this returns.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = files::replace(path, |file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("writing {}", path.display()))
}
