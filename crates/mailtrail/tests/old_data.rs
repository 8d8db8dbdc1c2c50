//! Files of every released format open and drain, for ever. `tests/old_data/v1` was written by the first version: a trail
//! with one event, and a spool that still holds two batches, one of them with a sealed item.
//!
//! A new format gets a folder of its own, made once by `MAKE_OLD_DATA=v2 cargo test --test old_data`; the old ones are never
//! made again.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailtrail::config::{self, Config};
use mailtrail::protect::{KeyRing, Protector};
use mailtrail::receive::{Authentic, VerifiedBy};
use mailtrail::spool::Record;
use mailtrail::store::query::{Filter, Subject};
use mailtrail::store::sqlite::Reader;
use mailtrail::store::{Keeper, KeeperOptions, Paths};

const CONFIG: &str =
    "[receive]\nbasic_auth = [\"a:b\"]\n[privacy]\nkey_file = \"mailtrail.key\"\n[store]\npath = \"mailtrail.db\"\n";
/// For these files only.
const KEYS: &str = "hash = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n\
                    dedupe = \"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"\n\
                    seal = \"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\"\n";
const BODIES: [&str; 3] = [
    "[{\"email\":\"jane@example.com\",\"event\":\"processed\",\"sg_event_id\":\"old-1\",\"timestamp\":1700000000,\"category\":[\"news\"]}]",
    "[{\"email\":\"jane@example.com\",\"event\":\"delivered\",\"sg_event_id\":\"old-2\",\"sg_message_id\":\"m.recvd-1.0\",\
      \"timestamp\":1700000001,\"response\":\"250 ok\",\"tls\":1,\"attempt\":\"2\",\"order\":\"A-1\",\"cert_err\":{\"id\":\"7\"}}]",
    "[{\"event\":\"open\"},{\"email\":\"bob@example.org\",\"event\":\"click\",\"timestamp\":1700000002,\"url\":\"https://x.example/?a=1\"}]",
];

fn folders() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_data");
    let mut folders: Vec<PathBuf> = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

fn open(folder: &Path) -> (Config, Arc<KeyRing>, Paths) {
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["mailtrail.toml", "mailtrail.key"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = config::load_file_alone(&folder.join("mailtrail.toml")).unwrap();
    let keys = Arc::new(KeyRing::load(&config.privacy).unwrap());
    let paths = Paths::new(&config.store.path);
    (config, keys, paths)
}

#[test]
fn files_of_every_version_open_and_drain() {
    make_if_asked();
    let folders = folders();
    assert!(!folders.is_empty());
    for folder in folders {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let (_, keys, paths) = open(copy.path());
        let keeper = Keeper::start(&paths, KeeperOptions::default(), Arc::<KeyRing>::clone(&keys)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(keeper.drained());
        let state = keeper.state();
        assert_eq!((state.stored, state.quarantined, state.duplicate), (2, 1, 0), "{}", folder.display());
        keeper.stop();

        let reader = Reader::open(&paths).unwrap();
        let jane = reader.timeline(&Subject::Hashes(vec![keys.email_hash("jane@example.com")]), 10).unwrap();
        assert_eq!(jane.iter().map(|e| e.sg_event_id.as_deref().unwrap()).collect::<Vec<_>>(), ["old-1", "old-2"]);
        assert_eq!(jane[0].category, ["news"]);
        let delivered = &jane[1];
        assert_eq!(
            (delivered.message_id.as_deref(), delivered.attempt, delivered.tls),
            (Some("m"), Some(2), Some(true))
        );
        assert_eq!(delivered.custom_args.as_deref(), Some("{\"order\":\"A-1\"}"));
        assert_eq!(delivered.extra.as_deref(), Some("{\"cert_err\":{\"id\":\"7\"}}"));
        assert_eq!((delivered.received_at, delivered.verified_by.as_deref()), (1_700_000_100_000_000, Some("basic")));
        assert_eq!(reader.activity(&Filter::default(), 10).unwrap().value.len(), 3);
        assert_eq!(reader.quarantined().unwrap(), [("no_timestamp".to_owned(), 1)]);
    }
}

fn make_if_asked() {
    let Some(name) = std::env::var_os("MAKE_OLD_DATA") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_data").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mailtrail.toml"), CONFIG).unwrap();
    fs::write(folder.join("mailtrail.key"), KEYS).unwrap();
    let (config, keys, paths) = open(&folder);
    let protector = Protector::new(Arc::clone(&keys), &config.privacy);
    let record = |body: &str| {
        let post = Authentic::from_quarantine(body.as_bytes().to_vec(), VerifiedBy::Basic, 1_700_000_100_000_000);
        Record::encode(&protector.protect(mailtrail::decode::decode(&post), &post))
    };
    let keeper = Keeper::start(&paths, KeeperOptions::default(), Arc::<KeyRing>::clone(&keys)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _receipt = runtime.block_on(keeper.commit(record(BODIES[0]))).unwrap();
    runtime.block_on(keeper.drained());
    keeper.stop();
    // What a killed process leaves behind.
    let spool = rusqlite::Connection::open(paths.spool(1)).unwrap();
    for body in &BODIES[1..] {
        let record = record(body);
        spool
            .execute(
                "INSERT INTO batch (received_at, format, items, body) VALUES (1700000100000000, ?, ?, ?)",
                (record.format(), record.items(), record.bytes()),
            )
            .unwrap();
    }
    spool.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap_or_default();
    drop(spool);
    let _lock_is_not_data = fs::remove_file(paths.lock());
}
