//! A full disk and a sync that fails: 503, nothing acknowledged is lost, and it goes on by itself when it can.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Site, batch, event, wait_for};

fn body(n: usize) -> Vec<u8> {
    let filler = "x".repeat(2000);
    let events: Vec<String> = (0..20)
        .map(|i| {
            let event = event(&format!("d{n}-{i}"), &format!("d{n}x{i}@example.com"), "delivered", 1_700_000_000);
            event.replace("\"event\"", &format!("\"note\":\"{filler}\",\"event\""))
        })
        .collect();
    batch(&events)
}

fn all_stored(site: &Site, acknowledged: usize) {
    let stored: i64 =
        site.trail().query_row("SELECT count(DISTINCT sg_event_id) FROM event", [], |row| row.get(0)).unwrap();
    assert!(stored >= i64::try_from(acknowledged * 20).unwrap(), "{stored} stored, {acknowledged} POSTs acknowledged");
    let doubled = "SELECT count(*) FROM (SELECT 1 FROM event GROUP BY sg_event_id HAVING count(*) > 1)";
    assert_eq!(site.trail().query_row(doubled, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

/// A small file system; gone when dropped.
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    pub fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        eprintln!("skipped: a file system cannot be mounted here");
        None
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, so that a server that is still being reaped does not keep it.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_answered_503_and_loses_nothing() {
    let site = Site::new();
    let folder = site.path().join("small");
    let Some(_mounted) = Tmpfs::mount(&folder, "64m") else { return };
    let key = site.signer.public_key();
    let config = format!(
        "[receive]\nlisten = \"127.0.0.1:0\"\nbasic_auth = [\"{}\"]\npublic_keys = [\"{key}\"]\n\
         [privacy]\nkey_file = \"mailtrail.key\"\n[store]\npath = \"small/mailtrail.db\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n[web]\nlisten = \"off\"\n",
        crate::support::CREDENTIALS
    );
    site.write_secret("mailtrail.toml", &config);
    let filler = folder.join("filler");
    std::fs::write(&filler, vec![0; 50 * 1024 * 1024]).unwrap();
    let server = site.serve();
    let mut acknowledged = 0;
    let mut refused = 0;
    for n in 0.. {
        match server.post(&site, &body(n)).0 {
            200 => acknowledged += 1,
            503 => refused += 1,
            other => panic!("answered {other}"),
        }
        if refused == 5 {
            break;
        }
        assert!(n < 5000, "the disk never filled");
    }
    assert!(acknowledged > 0);
    assert_eq!(crate::support::request(server.address, "GET", "/healthz", &[], b"").unwrap().0, 200);

    // Space again, enough for what is in the spool to be in the trail and its log as well: the same process takes events again, without a restart.
    std::fs::remove_file(&filler).unwrap();
    wait_for("the service to resume", || server.post(&site, &body(100_000)).0 == 200);
    acknowledged += 1;
    server.wait_drained();
    let trail = rusqlite::Connection::open(folder.join("mailtrail.db")).unwrap();
    let stored: i64 = trail.query_row("SELECT count(DISTINCT sg_event_id) FROM event", [], |row| row.get(0)).unwrap();
    assert!(stored >= i64::from(acknowledged) * 20, "{stored} stored, {acknowledged} POSTs acknowledged");
    drop(trail);
    server.stop();
}

/// Makes `fsync` and `fdatasync` fail while a file exists.
fn failing_sync(site: &Site) -> Option<PathBuf> {
    let source = site.path().join("failing_sync.c");
    let library = site.path().join("failing_sync.so");
    let code = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int failing(void) { const char *flag = getenv("FAIL_SYNC_WHILE"); return flag && access(flag, F_OK) == 0; }
int fsync(int fd) { if (failing()) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { if (failing()) { errno = EIO; return -1; }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"#;
    std::fs::write(&source, code).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    if compiled.is_ok_and(|output| output.status.success()) {
        return Some(library);
    }
    eprintln!("skipped: no C compiler here to make a sync fail with");
    None
}

#[test]
fn a_failed_sync_is_never_acknowledged_and_the_service_recovers() {
    let mut site = Site::new();
    let Some(library) = failing_sync(&site) else { return };
    let flag = site.path().join("fail-sync");
    site.environment("LD_PRELOAD", library.to_str().unwrap());
    site.environment("FAIL_SYNC_WHILE", flag.to_str().unwrap());
    let server = site.serve();
    let mut acknowledged = 0;
    for n in 0..20 {
        assert_eq!(server.post(&site, &body(n)).0, 200);
        acknowledged += 1;
    }
    std::fs::write(&flag, "").unwrap();
    for n in 20..25 {
        assert_eq!(server.post(&site, &body(n)).0, 503, "acknowledged although the sync failed");
    }
    std::fs::remove_file(&flag).unwrap();
    wait_for("the service to resume", || server.post(&site, &body(1000)).0 == 200);
    acknowledged += 1;
    server.wait_drained();
    all_stored(&site, acknowledged);
    server.stop();
}
