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
    site.configure_store("small/mailtrail.db");
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

/// Keeps for each database and log what is surely on the disk, in a file with `.disk` behind its name: what was written since the
/// last sync is not, and after a failed sync not even a later one writes it, as Linux counts the pages as clean. While a file exists, a
/// sync of the trail's log fails and the process is killed at once.
const DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define PAGES 65536
#define FILES 16
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ino_t inodes[FILES];
static unsigned char dirty[FILES][PAGES];

static int ends(const char *path, const char *end) {
  size_t a = strlen(path), b = strlen(end); return a >= b && strcmp(path + a - b, end) == 0; }
static int ours(int fd, char *path) {
  char link[64]; struct stat status; int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, 4000); int found = -1;
  if (length > 0) {
    path[length] = 0;
    if ((ends(path, ".db") || ends(path, ".db-wal")) && fstat(fd, &status) == 0)
      for (int i = 0; i < FILES && found < 0; i++) {
        if (!inodes[i]) inodes[i] = status.st_ino;
        if (inodes[i] == status.st_ino) found = i;
      }
  }
  errno = before; return found; }
static ssize_t wrote(int fd, ssize_t done, off_t at) {
  char path[4096]; pthread_mutex_lock(&lock);
  int file = done > 0 ? ours(fd, path) : -1;
  if (file >= 0) for (off_t page = at / 4096; page <= (at + done - 1) / 4096; page++) if (page < PAGES) dirty[file][page] = 1;
  pthread_mutex_unlock(&lock); return done; }
static ssize_t pwrite_real(int fd, const void *bytes, size_t size, off_t at) {
  return ((ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) { return wrote(fd, pwrite_real(fd, bytes, size, at), at); }
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) { return pwrite64(fd, bytes, size, at); }
ssize_t write(int fd, const void *bytes, size_t size) {
  ssize_t done = ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, bytes, size);
  int before = errno; off_t end = done > 0 ? lseek(fd, 0, SEEK_CUR) : -1; errno = before;
  return end >= done && end > 0 ? wrote(fd, done, end - done) : done; }
static int sync_of(int fd, const char *name) {
  char path[4096], disk[4200]; static char page[4096];
  pthread_mutex_lock(&lock);
  int file = ours(fd, path); const char *flag = getenv("FAIL_SYNC_WHILE");
  if (file >= 0 && flag && access(flag, F_OK) == 0 && ends(path, "mailtrail.db-wal")) kill(getpid(), SIGKILL);
  if (file >= 0) {
    struct stat status; fstat(fd, &status);
    snprintf(disk, sizeof disk, "%s.disk", path);
    int to = open(disk, O_RDWR | O_CREAT, 0600);
    for (off_t at = 0; at < status.st_size; at += 4096) if (dirty[file][at / 4096]) {
      ssize_t size = pread(fd, page, 4096, at);
      if (size > 0) pwrite_real(to, page, size, at);
    }
    memset(dirty[file], 0, PAGES);
    if (ftruncate(to, status.st_size)) abort();
    close(to);
  }
  pthread_mutex_unlock(&lock);
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd); }
int fsync(int fd) { return sync_of(fd, "fsync"); }
int fdatasync(int fd) { return sync_of(fd, "fdatasync"); }
"#;

fn disk_model(site: &Site) -> Option<PathBuf> {
    let (source, library) = (site.path().join("disk.c"), site.path().join("disk.so"));
    std::fs::write(&source, DISK).unwrap();
    let mut compiler = Command::new("cc");
    let compiled =
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).args(["-ldl", "-pthread"]).output();
    match compiled {
        Ok(output) if output.status.success() => Some(library),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => {
            eprintln!("skipped: no C compiler here to model a disk with");
            None
        }
    }
}

#[test]
fn a_failed_sync_of_the_trail_while_a_reader_holds_it_open_loses_nothing_in_a_power_cut() {
    let mut site = Site::new();
    let Some(library) = disk_model(&site) else { return };
    let flag = site.path().join("fail-sync");
    site.environment("LD_PRELOAD", library.to_str().unwrap());
    site.environment("FAIL_SYNC_WHILE", flag.to_str().unwrap());
    let server = site.serve();
    let mut acknowledged = 0;
    for n in 0..5 {
        assert_eq!(server.post(&site, &body(n)).0, 200);
        acknowledged += 1;
    }
    server.wait_drained();
    std::fs::write(&flag, "").unwrap();
    // It dies with the trail's commit in the page cache alone, perhaps before it answers.
    let headers = site.honest_headers(&body(5));
    let answer = crate::support::request(server.address, "POST", "/event", &headers, &body(5));
    acknowledged += usize::from(answer.is_some_and(|answer| answer.0 == 200));
    server.wait_ended();
    std::fs::remove_file(&flag).unwrap();

    let reader = site.trail();
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
    let server = site.serve();
    for n in 6..12 {
        assert_eq!(server.post(&site, &body(n)).0, 200);
        acknowledged += 1;
    }
    server.wait_drained();
    server.kill();
    drop(reader);

    // The power is cut: of each file there is what was synced.
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "db-shm") {
            std::fs::remove_file(&path).unwrap();
        }
    }
    for name in ["mailtrail.db", "mailtrail.db-wal", "mailtrail.spool-1.db", "mailtrail.spool-1.db-wal"] {
        let (disk, file) = (site.path().join(format!("{name}.disk")), site.path().join(name));
        let _left = std::fs::remove_file(&file);
        std::fs::rename(disk, file).unwrap();
    }
    let server = site.serve();
    server.wait_drained();
    all_stored(&site, acknowledged);
    server.stop();
}

fn status(site: &Site, server: &crate::support::Running) -> (u16, u16) {
    let ready = crate::support::request(server.metrics, "GET", "/readyz", &[], b"").unwrap().0;
    (server.post(site, &body(1)).0, ready)
}

#[test]
fn posts_are_refused_while_a_file_of_the_store_is_not_the_one_that_is_open() {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(status(&site, &server), (200, 200));
    server.wait_drained();
    for name in ["mailtrail.spool-1.db", "mailtrail.db-wal", "mailtrail.lock"] {
        let (path, away) = (site.path().join(name), site.path().join("away"));
        std::fs::rename(&path, &away).unwrap();
        wait_for("503", || status(&site, &server) == (503, 503));
        // Another file in its place is not the one.
        std::fs::copy(&away, &path).unwrap();
        assert_eq!(status(&site, &server), (503, 503), "{name}");
        assert!(server.log().contains(&format!("{name} was replaced or removed")), "{}", server.log());
        std::fs::rename(&away, &path).unwrap();
        wait_for("200 again", || status(&site, &server) == (200, 200));
    }
    server.wait_drained();
    all_stored(&site, 1);
    // A removed trail is never replaced by an empty one.
    std::fs::remove_file(site.path().join("mailtrail.db")).unwrap();
    wait_for("503", || status(&site, &server) == (503, 503));
    server.stop();
    assert!(!site.path().join("mailtrail.db").exists());
}

#[test]
fn a_store_that_is_mounted_read_only_answers_questions() {
    let site = Site::new();
    let folder = site.path().join("small");
    let Some(_mounted) = Tmpfs::mount(&folder, "64m") else { return };
    site.configure_store("small/mailtrail.db");
    let server = site.serve();
    assert_eq!(server.post(&site, &body(1)).0, 200);
    server.wait_drained();
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&folder).status().unwrap().success());
    };
    let questions: [&[&str]; 4] = [
        &["activity"],
        &["runs"],
        &["stats", "--since", "9999d"],
        &["sql", "SELECT sg_event_id FROM event ORDER BY sg_event_id"],
    ];
    server.stop();
    remount("ro");
    for question in questions {
        site.ask(question);
    }
    assert!(site.ask(questions[3]).contains("d1-19"));
    remount("rw");

    // A log without its index, as a copy after a power cut has it.
    let server = site.serve();
    assert_eq!(server.post(&site, &body(2)).0, 200);
    server.wait_drained();
    server.kill();
    for name in ["mailtrail.db-shm", "mailtrail.spool-1.db-shm"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    remount("ro");
    let output = site.command(questions[0]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("mounted read-only"), "{said}");
}

#[test]
fn questions_need_no_folder_for_temporary_files() {
    let site = Site::new();
    site.serve().stop();
    let binary = env!("CARGO_BIN_EXE_mailtrail");
    // More than the cache of a reader.
    let sort = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000) \
                SELECT count(*), min(h) FROM (SELECT printf('%0200d', 400000 - x) AS h FROM c ORDER BY h LIMIT 1000000)";
    let script = "mount --bind \"$0\" /mnt && cp \"$1\" /dev/shm/mailtrail-$$ && \
                  for folder in /tmp /var/tmp; do mount -t tmpfs -o ro none $folder || exit 77; done && cd /proc && \
                  /dev/shm/mailtrail-$$ sql \"$2\" --config /mnt/mailtrail.toml; code=$?; rm -f /dev/shm/mailtrail-$$; exit $code";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]).arg(site.path()).arg(binary).arg(sort).env("NO_COLOR", "1");
    let Ok(output) = command.output() else { return };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("unshare") || output.status.code() == Some(77) || said.contains("mount:") {
        eprintln!("skipped: no file systems can be mounted here");
        return;
    }
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("400000"), "{said}");
}
