//! Where the store lies: space, kind of file system, modes.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::check::Check;
use crate::config::{Store, Watch};
use crate::database::Temporary;
use crate::serve::watch::rules;
use crate::store::Paths;
use crate::store::sqlite::health;

/// Below this, nothing can be stored for long.
const NOTHING: u64 = 64 << 20;

/// File systems of other machines, by the kernel's magic number (statfs(2)): SQLite's locks do not hold there.
const NETWORK: [(i64, &str); 7] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
];

pub(super) fn checks(store: &Store, watch: &Watch, now: i64) -> Vec<Check> {
    let paths = Paths::new(&store.path);
    let folder = paths.folder();
    if !folder.is_dir() {
        let what = format!("{} is no folder", folder.display());
        return vec![Check::fail("disk", what, "create it, or set [store] path")];
    }
    let growth = health::growth(paths.trail(), now).ok().flatten();
    let mut checks = match rules::free_space(folder) {
        Ok(free) => vec![space(watch, free, growth, folder)],
        Err(error) => vec![Check::warn("disk", format!("free space is unknown: {error}"), "look with df")],
    };
    checks.extend(network(folder));
    checks.push(writable(folder));
    checks.push(temporary(&paths));
    checks.extend(modes(&paths));
    checks
}

/// `growth`: bytes a day.
fn space(watch: &Watch, free: u64, growth: Option<f64>, folder: &Path) -> Check {
    let left = rules::days_left(free, growth).map(|days| format!(", enough for {days:.0} days at the present growth"));
    let what = format!("{} MiB free at {}{}", free >> 20, folder.display(), left.unwrap_or_default());
    if free < NOTHING {
        Check::fail(
            "disk",
            what,
            "free some now: without space posts are answered 503, and SendGrid gives up after 24 hours",
        )
    } else if rules::disk(watch, free, growth).is_some() {
        Check::warn(
            "disk",
            what,
            "make room soon, or archive old months with mailtrail export; an event takes about 500 bytes",
        )
    } else {
        Check::pass("disk", what)
    }
}

/// What questions sort and what is rewritten does not always fit into memory.
fn temporary(paths: &Paths) -> Check {
    match Temporary::of(paths.trail()) {
        Temporary::Beside => Check::pass("temporary data", "is kept beside the store, not in /tmp"),
        Temporary::InMemory => Check::warn(
            "temporary data",
            "is kept in memory, because this user cannot write to the store's folder",
            "run as the user of mailtrail serve, or ask about shorter times",
        ),
    }
}

#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<Check> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    let (_, name) = NETWORK.iter().find(|(magic, _)| *magic == kind & 0xffff_ffff)?;
    Some(Check::warn(
        "file system",
        format!("{} is on {name}, a network file system", folder.display()),
        "move the store to a disk of this machine: locks and fsync may not hold there, so that events could be lost",
    ))
}

#[cfg(not(target_os = "linux"))]
fn network(_folder: &Path) -> Option<Check> {
    None
}

fn writable(folder: &Path) -> Check {
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    match rustix::fs::access(folder, access) {
        Ok(()) => Check::pass("store folder", format!("{} can be written", folder.display())),
        Err(error) => Check::fail(
            "store folder",
            format!("{} cannot be written: {error}", folder.display()),
            "run as the user that the folder belongs to, or give it to this one",
        ),
    }
}

/// Files that others than their owner may read or write.
fn modes(paths: &Paths) -> Vec<Check> {
    let spools = paths.spools().unwrap_or_default().into_iter().map(|n| paths.spool(n));
    let databases: Vec<_> = [paths.trail().to_owned(), paths.relay()].into_iter().chain(spools).collect();
    let beside = databases.iter().flat_map(|path| {
        ["", "-wal", "-shm"].map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::path::PathBuf::from(name)
        })
    });
    beside
        .filter_map(|path| {
            let mode = std::fs::metadata(&path).ok()?.mode() & 0o777;
            let shown = path.display();
            (mode & 0o077 != 0).then(|| {
                Check::warn("file modes", format!("{shown} has mode {mode:04o}"), format!("run chmod 600 {shown}"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    #[test]
    fn space_is_judged_by_what_is_left_and_by_how_it_fills() {
        let gib = 1_u64 << 30;
        for (free, growth, expected) in [
            (100 * gib, None, Verdict::Pass),
            (100 * gib, Some(gib as f64), Verdict::Pass),
            (10 * gib, Some(gib as f64), Verdict::Warn),
            (gib - 1, None, Verdict::Warn),
            (NOTHING - 1, None, Verdict::Fail),
        ] {
            let check = space(&Watch::default(), free, growth, Path::new("x"));
            assert_eq!(check.verdict, expected, "{check:?}");
            assert_eq!(check.what.contains("days"), growth.is_some());
        }
    }
}
