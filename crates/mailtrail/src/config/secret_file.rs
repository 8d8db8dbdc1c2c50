//! Files with secrets: who else may read them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How a secret file's permissions are judged.
#[derive(Debug, PartialEq, Eq)]
pub enum Permissions {
    /// Nobody but owner and group may read it.
    Narrow,
    /// Everybody may read it, and it is not ours to change (a mounted secret of Cloud Run or Kubernetes): worth a warning.
    WideNotOurs(u32),
    /// Everybody may read it, and we could have prevented that.
    Wide(u32),
}

/// Whether a file belongs to neither this user nor root.
#[must_use]
pub fn is_of_another_user(path: &Path) -> bool {
    is_foreign(std::fs::metadata(path).map(|metadata| metadata.uid()).ok(), rustix::process::geteuid().as_raw())
}

fn is_foreign(owner: Option<u32>, user: u32) -> bool {
    owner.is_some_and(|owner| owner != user && owner != 0)
}

/// Judges the permissions of a file that holds a secret.
///
/// # Errors
/// When the file cannot be looked at.
pub fn permissions(path: &Path) -> std::io::Result<Permissions> {
    let metadata = std::fs::metadata(path)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o007 == 0 {
        return Ok(Permissions::Narrow);
    }
    let ours = metadata.uid() == rustix::process::geteuid().as_raw() && mode & 0o200 != 0;
    // Mounted secrets belong to root, as does a process in a container; the read-only mount tells them apart.
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    Ok(if ours && writable { Permissions::Wide(mode) } else { Permissions::WideNotOurs(mode) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_other_than_root_is_foreign() {
        for (owner, user, expected) in [
            (Some(1000), 1000, false),
            (Some(0), 1000, false),
            (Some(1001), 1000, true),
            (Some(1001), 0, true),
            (None, 1000, false),
        ] {
            assert_eq!(is_foreign(owner, user), expected, "{owner:?} {user}");
        }
    }
}
