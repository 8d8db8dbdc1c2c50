//! Files of every released format open and drain, for ever. `tests/old_data/v1` was written by the first version: a trail
//! with one event, and a spool that still holds two batches, one of them with a sealed item. `v2` was written when the trail had its
//! second format (people who were forgotten), and has a ledger, followers' places, the place of forwarding and an archive beside it.
//!
//! A new format gets a folder of its own, made once by `MAKE_OLD_DATA=v3 cargo test --test old_data files_of`; the old ones are never
//! made again.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailtrail::archive;
use mailtrail::config::{self, Config};
use mailtrail::protect::{KeyRing, Protector, Wanted};
use mailtrail::receive::{Authentic, VerifiedBy};
use mailtrail::run::{RecipientId, RequestId, RunName};
use mailtrail::spool::Record;
use mailtrail::store::forget::forget;
use mailtrail::store::keys::Keys as _;
use mailtrail::store::ledger::{Ended, Ledger as _, LedgerReader, RunLedger, Sent};
use mailtrail::store::query::{Filter, Subject};
use mailtrail::store::sqlite::{Forwarded, Reader, RefusedEvent, Trail};
use mailtrail::store::{Keeper, KeeperOptions, Paths, Places};

const CONFIG: &str =
    "[receive]\nbasic_auth = [\"a:b\"]\n[privacy]\nkey_file = \"mailtrail.key\"\n[store]\npath = \"mailtrail.db\"\n";
/// For these files only.
const KEYS: &str = "hash = \"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"\n\
                    dedupe = \"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"\n\
                    seal = \"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\"\n";
const BODIES: [&str; 4] = [
    "[{\"email\":\"jane@example.com\",\"event\":\"processed\",\"sg_event_id\":\"old-1\",\"timestamp\":1700000000,\"category\":[\"news\"]}]",
    "[{\"email\":\"jane@example.com\",\"event\":\"delivered\",\"sg_event_id\":\"old-2\",\"sg_message_id\":\"m.recvd-1.0\",\
      \"timestamp\":1700000001,\"response\":\"250 ok\",\"tls\":1,\"attempt\":\"2\",\"order\":\"A-1\",\"cert_err\":{\"id\":\"7\"}}]",
    "[{\"event\":\"open\"},{\"email\":\"bob@example.org\",\"event\":\"click\",\"timestamp\":1700000002,\"url\":\"https://x.example/?a=1\"}]",
    // Of somebody who was forgotten before; since the second format.
    "[{\"email\":\"gone@example.com\",\"event\":\"open\",\"sg_event_id\":\"old-4\",\"timestamp\":1700000003}]",
];
const RUN: &str = "november";
/// The second body's, as the ledger has it.
const REQUEST: &str = "0123456789abcdef0123456789abcdef";

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
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        let (_, keys, paths) = open(copy.path());
        let keeper = Keeper::start(&paths, KeeperOptions::default(), Arc::<KeyRing>::clone(&keys)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(keeper.drained());
        let state = keeper.state();
        assert_eq!((state.stored, state.quarantined, state.duplicate), (2, 1, 0), "{}", folder.display());
        let is_first = folder.ends_with("v1");
        assert_eq!(state.forgotten, u64::from(!is_first), "{}", folder.display());
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

/// What stands beside a trail, in every folder but the first.
#[test]
fn ledgers_places_and_archives_of_every_version_are_read() {
    let folders = folders().into_iter().filter(|folder| !folder.ends_with("v1")).collect::<Vec<_>>();
    assert!(!folders.is_empty());
    for folder in folders {
        let temp = tempfile::tempdir().unwrap();
        for from in [folder.clone(), folder.join("archive")] {
            let to = temp.path().join(from.strip_prefix(&folder).unwrap());
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(&from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        let (_, keys, paths) = open(temp.path());
        let (jane, bob) = (keys.email_hash("jane@example.com"), keys.email_hash("bob@example.com"));
        let ledger = LedgerReader::open(&paths).unwrap().expect("a ledger");
        let record = ledger.run(RUN).unwrap().expect("the run");
        assert_eq!((record.begun_at, record.asked()), (1_700_000_000_000_000, 2));
        let known = ledger.known(RUN).unwrap();
        assert_eq!((known[&jane].sent, known[&bob].sent), (Sent::Accepted, Sent::Refused));
        let asked = ledger.recipients_of_category("news", i64::MIN).unwrap();
        assert!(asked.iter().any(|one| one.hash == jane && one.request == RequestId::parse(REQUEST).unwrap()));
        // It is written, too: whoever was mailed is known to the next sender.
        let again =
            RunLedger::open(&paths, &RunName::new(RUN).unwrap(), &keys.identity(), 1_800_000_000_000_000).unwrap();
        assert!(again.known().unwrap()[&jane].sent.is_taken());

        let places = Places::open(&paths).unwrap();
        assert_eq!(places.get("bounces").unwrap(), Some(1));
        assert!(places.was_told(RUN, "settled", 7).unwrap() && !places.was_told(RUN, "settled", 8).unwrap());
        let forwarded = Forwarded::open(&paths.forwarded(), "p.d.sendgrid_event").unwrap();
        assert_eq!(forwarded.cursor().unwrap(), 1);
        assert_eq!(forwarded.refused(9).unwrap(), [RefusedEvent { id: 1, why: "too old".to_owned() }]);

        let archive = archive::Folder::existing(&temp.path().join("archive"), &keys.identity()).unwrap();
        let names: Vec<&str> = archive.manifest().files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["sendgrid_event-2023-11.parquet"]);
        let file = fs::File::open(temp.path().join("archive").join(names[0])).unwrap();
        let events: Vec<_> = archive::parquet::Records::open(file).unwrap().flat_map(Result::unwrap).collect();
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].sg_event_id.as_deref(), events[0].email_hash.clone()),
            (Some("old-1"), Some(jane.to_string()))
        );
        // A trail of an older format is brought up to date by whoever writes it.
        drop(Trail::open(paths.trail()).unwrap());
        let reader = Reader::open(&paths).unwrap();
        let rules = archive::Rules { archive: Some(&archive), forwarding: None };
        assert_eq!(
            archive::survey(&reader, i64::MAX, rules).unwrap().proven,
            1,
            "told by the keys it was written with"
        );
    }
}

/// What stands beside the trail.
fn make_neighbours(folder: &Path, keys: &Arc<KeyRing>, paths: &Paths) {
    let mut gone = Wanted::default();
    gone.add_address("gone@example.com", keys);
    forget(paths, keys, &gone).unwrap();
    let at = 1_700_000_000_000_000;
    let mut ledger = RunLedger::open(paths, &RunName::new(RUN).unwrap(), &keys.identity(), at).unwrap();
    for (request, address, ended) in [
        (RequestId::parse(REQUEST).unwrap(), "jane@example.com", Ended::Accepted(Some("m"))),
        (RequestId::random().unwrap(), "bob@example.com", Ended::Refused { status: 400, why: "Bad Request" }),
    ] {
        let recipient = (keys.email_hash(address), RecipientId::random().unwrap(), 1);
        ledger.claim(request, &["news".to_owned()], None, std::iter::once(recipient), at + 1).unwrap();
        ledger.sending(request, at + 2).unwrap();
        ledger.ended(request, ended, at + 3).unwrap();
    }
    drop(ledger);
    let mut places = Places::open(paths).unwrap();
    places.save([("bounces", Some(1))]).unwrap();
    places.told(RUN, "settled", 7).unwrap();
    drop(places);
    let mut forwarded = Forwarded::open(&paths.forwarded(), "p.d.sendgrid_event").unwrap();
    forwarded.advance(1, &[RefusedEvent { id: 1, why: "too old".to_owned() }], at).unwrap();
    drop(forwarded);
    let mut archive = archive::Folder::open(&folder.join("archive"), &keys.identity()).unwrap();
    let before = archive::Month::parse("2024-01").unwrap();
    archive::archive(&Reader::open(paths).unwrap(), &mut archive, before, |_| {}).unwrap();
    drop(archive);
    // Who only read left the log; who writes takes it away.
    drop(Trail::open(paths.trail()).unwrap());
    // Locks are no data.
    let _gone = fs::remove_file(folder.join("archive/archive.lock"));
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(entry).unwrap();
        }
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
        Record::of(protector.protect(mailtrail::decode::decode(&post), &post))
    };
    let keeper = Keeper::start(&paths, KeeperOptions::default(), Arc::<KeyRing>::clone(&keys)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _receipt = runtime.block_on(keeper.commit(record(BODIES[0]))).unwrap();
    runtime.block_on(keeper.drained());
    keeper.stop();
    make_neighbours(&folder, &keys, &paths);
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
