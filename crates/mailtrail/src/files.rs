//! Files and folders for the owner alone, there for good once created.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

/// From here on the process creates files and folders for its owner alone.
pub(crate) fn owner_only() {
    let _previous = rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Creates the folder (0700) and those above it where they are missing; one that exists stays as it is.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_folder(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(above),
    }
}

/// Opens `path` for reading and writing, creating it empty (0600) and durably where it is missing.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_folder(folder_of(path))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().read(true).write(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Writes a file (0600) that takes the place of one that may be there: after a crash, either is whole. Durable when this returns,
/// together with folders that had to be created.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    create_folder(folder_of(path))?;
    let new = beside(path, &format!(".{}.new", std::process::id()));
    let written = || {
        // Left by a process that had the same id.
        remove_if_there(&new)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        write(&mut file)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(folder_of(path))
    };
    written().inspect_err(|_| {
        let _left = fs::remove_file(&new);
    })
}

/// Makes the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file that may be missing.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file whose name has something appended.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn new_files_and_folders_are_the_owner_s_alone_and_old_ones_stay() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = temp.path().join("a/b");
        create_folder(&folder).expect("created");
        assert_eq!((mode(&folder), mode(&temp.path().join("a"))), (0o700, 0o700));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).expect("changed");
        create_folder(&folder).expect("is there");
        assert_eq!(mode(&folder), 0o750);

        let file = folder.join("file");
        create_private(&file).expect("created");
        assert_eq!(mode(&file), 0o600);
        fs::write(&file, "kept").expect("written");
        create_private(&file).expect("opened");
        assert_eq!(fs::read_to_string(&file).expect("read"), "kept");
    }

    #[test]
    fn a_replaced_file_is_whole_or_as_it_was() {
        let temp = tempfile::tempdir().expect("a folder");
        let path = temp.path().join("new/folder/file");
        replace(&path, |file| file.write_all(b"first")).expect("written");
        assert_eq!(mode(&path), 0o600);
        let failed = replace(&path, |file| file.write_all(b"half").and(Err(io::Error::other("no room"))));
        assert_eq!(failed.expect_err("reported").to_string(), "no room");
        assert_eq!(fs::read_to_string(&path).expect("read"), "first");
        replace(&path, |file| file.write_all(b"second")).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "second");
        assert_eq!(fs::read_dir(folder_of(&path)).expect("listed").count(), 1, "nothing else is left");
    }
}
