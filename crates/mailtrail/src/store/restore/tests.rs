use super::*;
use crate::store::backup::backup;
use crate::store::keys::Identity;
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
    std::fs::copy(paths.trail(), paths.trail().with_extension("ledger.db")).unwrap();
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
    assert!(matches!(sound.restore(&paths, &PlainKeys), Err(BackupError::Exists { .. })), "nothing is overwritten");
    let new = Paths::new(temp.path().join("new/other.db"));
    assert!(matches!(sound.restore(&new, &OtherKeys), Err(BackupError::OtherKeys)));
    assert!(!new.trail().exists());
    assert_eq!(restored::look(&new).unwrap(), None, "there is no store");
    sound.restore(&new, &PlainKeys).unwrap();
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
