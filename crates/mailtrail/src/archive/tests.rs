//! Every event stays in the trail or in a sound file, whatever happens in between.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::parquet::Records;
use super::*;
use crate::protect::{EmailHash, Wanted};
use crate::store::Paths;
use crate::store::keys::{Identity, Keys as _};
use crate::store::query::EventRecord;
use crate::store::sqlite::{Reader, Trail};
use crate::store::testing::{PlainKeys, batch, encode, plain_seal};

const DAY: i64 = 86_400 * 1_000_000;
/// 2026-03-01, 2026-04-01.
const MARCH: i64 = 1_772_323_200_000_000;
const APRIL: i64 = MARCH + 31 * DAY;

/// A trail and an archive in a folder of their own.
struct Place {
    folder: tempfile::TempDir,
    trail: Trail,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let trail = Trail::open(&folder.path().join("mail.db")).unwrap();
        Self { folder, trail }
    }

    fn paths(&self) -> Paths {
        Paths::new(self.folder.path().join("mail.db"))
    }

    fn archive_path(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    fn open(&self) -> Folder {
        Folder::open(&self.archive_path(), &PlainKeys.identity()).unwrap()
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.paths()).unwrap()
    }

    /// Stores the events of these numbers; number `n` happened `n` quarter days after the first of January.
    fn store(&mut self, events: impl IntoIterator<Item = u64>) {
        let mut rows = batch(events);
        for row in &mut rows.events {
            let n = i64::from_le_bytes(row.event_key[..8].try_into().unwrap());
            row.timestamp = MARCH - 59 * DAY + n * DAY / 4;
        }
        self.trail.append(&[encode(rows)], &plain_seal).unwrap();
    }

    /// All events of the trail, by key.
    fn in_trail(&self) -> BTreeMap<String, EventRecord> {
        let events = self.reader().after(0, 100_000).unwrap();
        events.into_iter().map(|event| (event.event_key.clone(), EventRecord { id: 0, ..event })).collect()
    }

    /// All events of the archive, by key; each once.
    fn in_archive(&self) -> BTreeMap<String, EventRecord> {
        let folder = self.open();
        let mut found = BTreeMap::new();
        for entry in &folder.manifest().files {
            let mut events = 0;
            for event in Records::open(folder.open_sound(entry).unwrap()).unwrap().flat_map(Result::unwrap) {
                events += 1;
                assert_eq!(Month::of(event.timestamp).to_string(), entry.month);
                assert_eq!(found.insert(event.event_key.clone(), event), None, "in two files");
            }
            assert_eq!(events, entry.events);
        }
        found
    }

    fn archive(&self, before: i64) -> u64 {
        archive(&self.reader(), &mut self.open(), Month::of(before), |_| {}).unwrap()
    }

    fn prune(&self, until: i64) -> Pruned {
        let folder = self.open();
        prune(&self.paths(), &self.reader(), until, Rules { archive: Some(&folder), forwarding: None }).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.archive_path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("parquet"))
            .collect();
        names.sort();
        names
    }
}

/// What a command does, and where it may be cut off.
#[derive(Debug, Clone)]
enum Step {
    Store(Vec<u64>),
    Archive(i64),
    Prune(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec(0_u64..480, 1..60).prop_map(Step::Store),
        (0_i64..120).prop_map(|days| Step::Archive(MARCH - 40 * DAY + days * DAY)),
        (0_i64..120).prop_map(|days| Step::Prune(MARCH - 40 * DAY + days * DAY)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_event_is_ever_in_neither_place(steps in prop::collection::vec(any_step(), 1..12)) {
        let mut place = Place::new();
        let mut all = BTreeMap::new();
        for step in steps {
            match step {
                Step::Store(events) => {
                    place.store(events);
                    all.extend(place.in_trail());
                }
                Step::Archive(before) => {
                    let (held, new) = (place.in_archive().len() as u64, place.archive(before));
                    prop_assert_eq!(place.in_archive().len() as u64, held + new);
                    let begin = Month::of(before).begin();
                    let archived = place.in_archive();
                    let mut old = place.in_trail().into_values().filter(|event| event.timestamp < begin);
                    prop_assert!(old.all(|event| archived.get(&event.event_key) == Some(&event)));
                    prop_assert_eq!(place.archive(before), 0, "again: there is nothing new");
                }
                Step::Prune(until) => {
                    let pruned = place.prune(until);
                    prop_assert!(pruned.deleted.events <= pruned.survey.proven);
                    // The newest one stays.
                    prop_assert!(pruned.survey.proven - pruned.deleted.events <= 1);
                    if pruned.deleted.events > 0 {
                        prop_assert!(place.reader().pruned_until().unwrap() >= Some(until));
                    }
                    let archived = place.in_archive();
                    let left = place.in_trail().into_values().filter(|event| event.timestamp < until);
                    prop_assert!(left.filter(|event| archived.contains_key(&event.event_key)).count() <= 1);
                }
            }
            let mut both = place.in_archive();
            both.extend(place.in_trail());
            prop_assert_eq!(&both, &all, "each event, in all its columns");
        }
    }
}

#[test]
fn a_month_is_a_file_and_what_comes_late_another_one() {
    let mut place = Place::new();
    place.store((0..400).filter(|n| n % 3 > 0));
    assert!(place.archive(MARCH + 5 * DAY) > 0);
    assert_eq!(place.files(), ["sendgrid_event-2026-01.parquet", "sendgrid_event-2026-02.parquet"]);
    place.prune(MARCH);
    // January's late ones, some of which were there before.
    place.store(0..40);
    place.archive(MARCH);
    assert_eq!(
        place.files(),
        ["sendgrid_event-2026-01.2.parquet", "sendgrid_event-2026-01.parquet", "sendgrid_event-2026-02.parquet"]
    );
    let manifest = place.open().manifest().clone();
    let entries: Vec<(&str, &str, u64)> =
        manifest.files.iter().map(|file| (file.name.as_str(), file.month.as_str(), file.events)).collect();
    assert_eq!(entries[1], ("sendgrid_event-2026-01.2.parquet", "2026-01", 14));
    assert_eq!(manifest.files[0].first, "2026-01-01T06:00:00Z");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(place.archive_path().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("sendgrid_event-2026-01.parquet"), mode("manifest.json")), (0o600, 0o600));
}

#[test]
fn what_a_kill_leaves_is_finished_or_removed() {
    let mut place = Place::new();
    place.store(0..200);
    place.archive(MARCH);
    let archived = place.in_archive();
    let at = |name: &str| place.archive_path().join(name);
    // Killed while a file was written, and between the manifest and the file's name.
    std::fs::write(at("sendgrid_event-2026-02.2.parquet.part"), "half").unwrap();
    std::fs::rename(at("sendgrid_event-2026-01.parquet"), at("sendgrid_event-2026-01.parquet.part")).unwrap();
    assert_eq!(place.in_archive(), archived);
    assert_eq!(place.files(), ["sendgrid_event-2026-01.parquet", "sendgrid_event-2026-02.parquet"]);
    // Killed before a file was deleted that another one stands for.
    let text = std::fs::read_to_string(at("manifest.json")).unwrap();
    let replaced = text.replacen("\"files\"", "\"replaced\": [\"sendgrid_event-2025-11.parquet\"],\n  \"files\"", 1);
    std::fs::write(at("manifest.json"), replaced).unwrap();
    std::fs::write(at("sendgrid_event-2025-11.parquet"), "old").unwrap();
    assert_eq!(place.in_archive(), archived);
    assert!(!at("sendgrid_event-2025-11.parquet").exists());
    assert_eq!(std::fs::read_to_string(at("manifest.json")).unwrap(), text);
}

#[test]
fn nothing_is_pruned_by_an_archive_that_is_not_sound() {
    let mut place = Place::new();
    place.store(0..200);
    place.archive(MARCH);
    let before = place.in_trail();
    let file = place.archive_path().join("sendgrid_event-2026-01.parquet");
    let whole = std::fs::read(&file).unwrap();
    let try_to_prune = || {
        let folder = place.open();
        let rules = Rules { archive: Some(&folder), forwarding: None };
        assert!(survey(&place.reader(), MARCH, rules).is_err());
        prune(&place.paths(), &place.reader(), MARCH, rules).unwrap_err().to_string()
    };
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    assert!(try_to_prune().contains("sendgrid_event-2026-01.parquet is not as it was written"));
    std::fs::remove_file(&file).unwrap();
    assert!(try_to_prune().contains("sendgrid_event-2026-01.parquet"));
    assert_eq!(place.in_trail(), before);
    std::fs::write(&file, whole).unwrap();
    assert!(place.prune(MARCH).deleted.events > 0);
}

#[test]
fn a_folder_is_refused_that_is_in_use_of_others_or_without_its_manifest() {
    let mut place = Place::new();
    place.store(0..200);
    let keys = PlainKeys.identity();
    let path = place.archive_path();
    let open = |keys: &Identity| Folder::open(&path, keys).map(drop);
    assert!(matches!(Folder::existing(&path, &keys), Err(ArchiveError::Unsound { .. })));
    place.archive(MARCH);
    let held = place.open();
    assert!(matches!(open(&keys), Err(ArchiveError::Busy { .. })));
    drop(held);
    let other = Identity { key_id: "key-9".into(), ..keys.clone() };
    assert!(matches!(open(&other), Err(ArchiveError::OtherKeys { .. })));
    let next = Identity { previous_key_ids: vec!["key-1".into()], ..other };
    open(&next).unwrap();
    for text in ["{", "{}", "null"] {
        let manifest = path.join("manifest.json");
        let kept = std::fs::read(&manifest).unwrap();
        std::fs::write(&manifest, text).unwrap();
        assert!(matches!(open(&keys), Err(ArchiveError::Unsound { .. })), "{text}");
        std::fs::write(&manifest, kept).unwrap();
    }
    // Its files may be the only copies: they are neither read without their checksums nor overwritten.
    std::fs::remove_file(path.join("manifest.json")).unwrap();
    let error = open(&keys).unwrap_err().to_string();
    assert!(error.contains("not named in manifest.json"), "{error}");
}

#[test]
fn without_an_archive_what_bigquery_took_may_go_and_what_it_refused_or_waits_may_not() {
    let mut place = Place::new();
    place.store(0..200);
    let reader = place.reader();
    let rules = |forwarding| Rules { archive: None, forwarding };
    let nothing = survey(&reader, MARCH, rules(None)).unwrap();
    assert_eq!((nothing.proven, nothing.is_clear()), (0, false));
    let total = nothing.not_archived;
    let forwarding = Forwarding { cursor: 150, refused: [3, 7].into(), ..Forwarding::default() };
    let half = survey(&reader, APRIL, rules(Some(&forwarding))).unwrap();
    assert_eq!(half, Survey { proven: 148, not_forwarded: 50, refused: 2, not_archived: 0 });
    let pruned = prune(&place.paths(), &reader, APRIL, rules(Some(&forwarding))).unwrap();
    assert_eq!((pruned.deleted.events, pruned.survey), (148, half));
    let left: Vec<i64> = reader.after(0, 1_000).unwrap().iter().map(|event| event.id).collect();
    assert_eq!(left, [3, 7].into_iter().chain(151..=200).collect::<Vec<_>>());
    // With an archive the refused ones may go as well; what waits to be copied may not.
    assert!(total > 0);
    place.archive(APRIL);
    let folder = place.open();
    let rules = Rules { archive: Some(&folder), forwarding: Some(&forwarding) };
    assert_eq!(
        survey(&reader, APRIL, rules).unwrap(),
        Survey { proven: 2, not_forwarded: 50, refused: 0, not_archived: 0 }
    );
}

#[test]
fn people_are_taken_out_of_an_archive_and_everybody_else_stays() {
    let mut place = Place::new();
    let hash = |n: u8| {
        let mut bytes = [9; 32];
        bytes[0] = n;
        EmailHash::from_bytes(bytes)
    };
    let (gone, kept) = (hash(0), hash(1));
    place.store(0..150);
    let mut mentioning = batch(150..151);
    mentioning.events[0].timestamp = MARCH - DAY;
    mentioning.events[0].address.as_mut().unwrap().email_hash = *kept.as_bytes();
    mentioning.events[0].custom_args = Some(format!("{{\"by\":\"[email:{gone}]\"}}"));
    place.trail.append(&[encode(mentioning)], &plain_seal).unwrap();
    place.archive(MARCH);
    let before = place.in_archive();
    let mut who = Wanted::default();
    who.add_hash(gone);
    let theirs = before.values().filter(|event| event.email_hash == Some(gone.to_string())).count() as u64;
    let expected = Forgotten { events: theirs, mentions: 1, files: 2 };
    assert_eq!(forget(&mut place.open(), &who, true).unwrap(), expected);
    assert_eq!(place.in_archive(), before, "a dry run changes nothing");
    assert_eq!(forget(&mut place.open(), &who, false).unwrap(), expected);
    let after = place.in_archive();
    for (key, event) in &before {
        if event.email_hash == Some(gone.to_string()) {
            assert!(!after.contains_key(key));
        } else {
            let custom_args = event.custom_args.as_ref().map(|_| "{\"by\":\"[address]\"}".to_owned());
            assert_eq!(after.get(key), Some(&EventRecord { custom_args, ..event.clone() }));
        }
    }
    assert_eq!(after.len() as u64, before.len() as u64 - theirs);
    assert_eq!(place.files(), ["sendgrid_event-2026-01.2.parquet", "sendgrid_event-2026-02.2.parquet"]);
    assert_eq!(forget(&mut place.open(), &who, false).unwrap(), Forgotten::default());
    // A file of which nothing is left goes.
    for n in 0..5 {
        who.add_hash(hash(n));
    }
    forget(&mut place.open(), &who, false).unwrap();
    assert!(place.in_archive().values().all(|event| event.email_hash.is_none()));
}
