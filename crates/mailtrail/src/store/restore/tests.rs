use super::*;
use crate::database::OpenError;
use crate::store::backup::backup;
use crate::store::keys::Identity;
use crate::store::sqlite::TrailError;
use crate::store::testing::{PlainKeys, ids, plain_seal, record, stored};

struct OtherKeys;

impl Keys for OtherKeys {
    fn identity(&self) -> Identity {
        Identity { dedupe_check: "other".into(), ..PlainKeys.identity() }
    }

    fn seal(&self, bytes: &[u8], why: &str) -> crate::protect::SealedRow<String> {
        plain_seal(bytes, why)
    }

    fn open(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn made(folder: &Path) -> (Paths, PathBuf) {
    let paths = Paths::new(folder.join("store/mail.db"));
    std::fs::create_dir(paths.folder()).unwrap();
    let mut trail = Trail::open(paths.trail()).unwrap();
    trail.adopt(&PlainKeys.identity()).unwrap();
    trail.append(&[record(0..20)], &plain_seal).unwrap();
    // A database of ours beside it, as the ledger is.
    crate::store::ledger::note_sandbox(&paths, &"r".parse().unwrap(), 1).unwrap();
    let key = folder.join("the.key");
    std::fs::write(&key, "key").unwrap();
    (paths, key)
}

#[test]
fn what_was_backed_up_comes_back_once_and_is_marked() {
    let temp = tempfile::tempdir().unwrap();
    let (paths, key) = made(temp.path());
    let (plain, with_key) = (temp.path().join("one"), temp.path().join("two"));
    let manifest = backup(&paths, &PlainKeys.identity(), &plain, None).unwrap();
    backup(&paths, &PlainKeys.identity(), &with_key, Some(&key)).unwrap();
    let names: Vec<_> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["trail.db", "ledger.db"]);
    assert_eq!(manifest.files[0].rows["event"], 20);
    assert!(!plain.join(KEY).exists() && with_key.join(KEY).exists());
    assert!(matches!(backup(&paths, &PlainKeys.identity(), &plain, None), Err(BackupError::Exists { .. })));

    let sound = Sound::check(&plain).unwrap();
    assert!(
        matches!(sound.restore(&paths, &PlainKeys, false), Err(BackupError::Exists { .. })),
        "nothing is overwritten"
    );
    let new = Paths::new(temp.path().join("new/other.db"));
    assert!(matches!(sound.restore(&new, &OtherKeys, false), Err(BackupError::OtherKeys)));
    assert!(!new.trail().exists());
    assert_eq!(restored::look(&new).unwrap(), None, "there is no store");
    assert_eq!(sound.restore(&new, &PlainKeys, false).unwrap(), Origin::Proven);
    assert_eq!(stored(new.trail()), ids(0..20));
    assert!(new.trail().with_extension("ledger.db").exists());
    let marked = restored::look(&new).unwrap().expect("marked");
    assert_eq!(marked.since, manifest.created_at);
    assert!(marked.to_string().contains("reconcile"));
    assert_eq!(restored::look(&paths).unwrap(), None, "the other one is no copy");
    restored::clear(&new).unwrap();
    assert_eq!(restored::look(&new).unwrap(), None);

    let key = temp.path().join("keys/back.key");
    assert!(sound.restore_key(&key).is_err(), "it has none");
    Sound::check(&with_key).unwrap().restore_key(&key).unwrap();
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "key");
    Sound::check(&with_key).unwrap().restore_key(&key).expect("it is there already, as after an interrupted restore");
    std::fs::write(&key, "another").unwrap();
    assert!(Sound::check(&with_key).unwrap().restore_key(&key).is_err(), "a key is never overwritten");
}

#[test]
fn a_changed_or_unfinished_backup_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let (paths, _) = made(temp.path());
    let folder = temp.path().join("backup");
    backup(&paths, &PlainKeys.identity(), &folder, None).unwrap();
    let trail = folder.join("trail.db");
    let good = std::fs::read(&trail).unwrap();
    let mut bad = good.clone();
    bad[5000] ^= 1;
    std::fs::write(&trail, bad).unwrap();
    assert!(matches!(Sound::check(&folder), Err(BackupError::Unsound { .. })));
    std::fs::write(&trail, good).unwrap();
    let manifest = folder.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    for bad in [
        text.replace("ledger.db", "../ledger.db"),
        text.replace("\"format\": 1,\n  \"mail", "\"format\": 2,\n  \"mail"),
        "{".into(),
    ] {
        assert_ne!(bad, text);
        std::fs::write(&manifest, bad).unwrap();
        assert!(matches!(Sound::check(&folder), Err(BackupError::Unsound { .. })));
    }
    std::fs::remove_file(&manifest).unwrap();
    assert!(matches!(Sound::check(&folder), Err(BackupError::Unsound { .. })));
}

/// The state that a power cut left after any step of a restore.
#[test]
fn an_interrupted_restore_can_be_repeated_and_nothing_makes_a_store_meanwhile() {
    let temp = tempfile::tempdir().unwrap();
    let (paths, _) = made(temp.path());
    let folder = temp.path().join("backup");
    backup(&paths, &PlainKeys.identity(), &folder, None).unwrap();
    let sound = Sound::check(&folder).unwrap();
    let digest = sound.manifest().digest();
    for (number, left) in [
        vec![],
        vec!["mail.db.restoring", "mail.db.restoring-journal"],
        vec!["mail.db.restoring", "mail.ledger.db.restoring", "mail.db.restoring-wal"],
        vec!["mail.db.restoring", "mail.ledger.db"],
    ]
    .into_iter()
    .enumerate()
    {
        let new = Paths::new(temp.path().join(format!("{number}/mail.db")));
        std::fs::create_dir(new.folder()).unwrap();
        for name in left {
            std::fs::write(new.folder().join(name), "half").unwrap();
        }
        std::fs::write(new.restoring(), &digest).unwrap();
        assert!(matches!(Trail::open(new.trail()), Err(TrailError::Restoring { .. })));
        sound.restore(&new, &PlainKeys, false).unwrap();
        assert_eq!(stored(new.trail()), ids(0..20));
        assert!(restored::look(&new).unwrap().is_some());
        let names: Vec<_> = std::fs::read_dir(new.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("restoring")), "{names:?}");

        // All is in place but the marker is not gone.
        std::fs::write(new.restoring(), &digest).unwrap();
        sound.restore(&new, &PlainKeys, false).expect("it has only to say so");
        assert!(!new.restoring().exists());
        std::fs::write(new.restoring(), "of another backup").unwrap();
        assert!(matches!(sound.restore(&new, &PlainKeys, false), Err(BackupError::Exists { .. })));
    }
}

#[test]
fn a_backup_that_was_changed_is_refused_and_an_unsigned_one_wants_a_word() {
    let temp = tempfile::tempdir().unwrap();
    let (paths, _) = made(temp.path());
    let folder = temp.path().join("backup");
    let manifest = backup(&paths, &PlainKeys.identity(), &folder, None).unwrap();
    let new = Paths::new(temp.path().join("new/mail.db"));
    let restore = |allowed| Sound::check(&folder).unwrap().restore(&new, &PlainKeys, allowed);

    // A trigger that swallows events, with a checksum that fits.
    let trail = folder.join("trail.db");
    let good = std::fs::read(&trail).unwrap();
    let sql = rusqlite::Connection::open(&trail).unwrap();
    sql.execute_batch("CREATE TRIGGER t BEFORE INSERT ON event BEGIN SELECT raise(IGNORE); END").unwrap();
    drop(sql);
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let (bytes, sha256) = checksum(&trail).unwrap();
    let forged = text.replace(&manifest.files[0].sha256, &sha256);
    let forged = forged.replace(&format!("\"bytes\": {}", manifest.files[0].bytes), &format!("\"bytes\": {bytes}"));
    std::fs::write(folder.join("manifest.json"), &forged).unwrap();
    assert!(matches!(restore(true), Err(BackupError::Unsound { .. })), "the signature is another one");
    let unsigned = |text: &str| {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        value.as_object_mut().unwrap().remove("authentication").unwrap();
        std::fs::write(folder.join("manifest.json"), value.to_string()).unwrap();
    };
    unsigned(&forged);
    assert!(matches!(restore(false), Err(BackupError::Unsigned { .. })));
    assert!(matches!(restore(true), Err(BackupError::Open(OpenError::Schema { .. }))), "the trigger is found");
    assert!(!new.trail().exists());

    std::fs::write(&trail, good).unwrap();
    unsigned(&text);
    assert!(matches!(restore(false), Err(BackupError::Unsigned { .. })));
    assert_eq!(restore(true).unwrap(), Origin::Unsigned);
    assert_eq!(stored(new.trail()), ids(0..20));
}
