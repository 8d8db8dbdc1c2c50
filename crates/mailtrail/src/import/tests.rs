use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::config::{HashMode, Privacy};
use crate::protect::KeyFile;
use crate::show::json;
use crate::show::record::{COLUMNS, cells};
use crate::store::Paths;
use crate::store::keys::Keys as _;
use crate::store::query::{EventRecord, Filter};

fn privacy() -> Privacy {
    Privacy::default()
}

/// A trail in a folder of its own.
struct Home {
    _folder: tempfile::TempDir,
    paths: Paths,
    keys: Arc<KeyRing>,
}

impl Home {
    fn new(keys: &Arc<KeyRing>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().join("m.db"));
        let home = Self { _folder: folder, paths, keys: Arc::clone(keys) };
        drop(home.importer(Vouching::Import));
        home
    }

    fn importer(&self, vouching: Vouching) -> Importer {
        let mut trail = Trail::open(self.paths.trail()).unwrap();
        trail.adopt(&self.keys.identity()).unwrap();
        let recipients = Recipients::new(Arc::clone(&self.keys), None, None);
        let manner = Manner { vouching, beside_serve: false };
        Importer::new(Arc::clone(&self.keys), &privacy(), recipients, Target::Trail(Box::new(trail)), &manner)
    }

    fn import(&self, text: &str, vouching: Vouching) -> Counts {
        let mut importer = self.importer(vouching);
        let mut opened = Opened::input(std::io::Cursor::new(text.as_bytes().to_vec()), None).unwrap();
        importer.run(&mut opened, |_, _| ()).unwrap();
        *importer.counts()
    }

    fn events(&self) -> Vec<EventRecord> {
        let filter = Filter { include_tests: true, ..Filter::default() };
        Reader::open(&self.paths).unwrap().page(&filter, None, 10_000).unwrap().value
    }

    fn stored(&self) -> BTreeSet<String> {
        self.events().into_iter().map(|event| line(EventRecord { id: 0, ..event })).collect()
    }
}

/// As `export` writes it.
fn line(event: EventRecord) -> String {
    let columns: Vec<String> = COLUMNS.iter().map(ToString::to_string).collect();
    let mut out = Vec::new();
    json::line(&mut out, &columns, &cells(event)).unwrap();
    String::from_utf8(out).unwrap()
}

fn posted() -> impl Strategy<Value = Vec<String>> {
    let text =
        prop_oneof![Just("jane@example.com".to_owned()), "[ -?A-~]{0,10}", Just("\u{202e}\u{1b}日本\n".to_owned())];
    let event = (
        prop::sample::select(vec!["open", "bounce", "delivered", "deferred", "account_status_change"]),
        prop::option::of(0_u8..6),
        prop::option::of(0_u8..4),
        0_i64..20,
        prop::collection::vec(text, 3),
    );
    let event = event.prop_map(|(name, id, person, at, texts)| {
        // An id is one recipient's.
        let person = person.map(|person| id.map_or(person, |id| id % 4));
        serde_json::json!({
            "event": name, "timestamp": 1_700_000_000 + at, "sg_event_id": id.map(|id| format!("id{id}")),
            "email": person.map(|person| format!("person{person}@example.com")), "reason": texts[0], "category": [texts[1]],
            "sg_message_id": id.map(|id| format!("m{id}.x")), "order": {texts[2].clone(): texts[0]},
        })
        .to_string()
    });
    prop::collection::vec(event, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Exported in parts, imported in any order and overlap, also beside what the trail has already: the same events.
    #[test]
    fn any_parts_in_any_order_come_to_the_same(
        posted in posted(),
        parts in prop::collection::vec((0.0_f64..1.0, 0.0_f64..1.0), 0..4),
        had in any::<bool>(),
        over_arrays in any::<bool>(),
    ) {
        let keys = Arc::new(KeyRing::new(HashMode::HmacSha256, &KeyFile::generate().unwrap()));
        let old = Home::new(&keys);
        let counts = old.import(&posted.join("\n"), Vouching::Import);
        prop_assert_eq!(counts.read, posted.len() as u64);
        prop_assert_eq!(counts.stored + counts.duplicate, counts.read);
        let lines: Vec<String> = old.events().into_iter().map(line).collect();
        let new = Home::new(&keys);
        if had {
            // Some of it came by another road before.
            let all = serde_json::to_string_pretty(
                &posted.iter().map(|text| serde_json::from_str(text).unwrap()).collect::<Vec<serde_json::Value>>(),
            ).unwrap();
            new.import(&all, Vouching::Import);
        }
        let whole = (0.0, 1.0);
        for (from, share) in parts.into_iter().chain([whole]) {
            let at = |share: f64| (lines.len() as f64 * share) as usize;
            let part = lines.iter().cycle().skip(at(from)).take(at(share)).map(|line| line.trim().to_owned());
            let part: Vec<String> = part.collect();
            if part.is_empty() {
                continue;
            }
            let text = if over_arrays { format!("[{}]", part.join(",\n")) } else { part.join("\n") };
            let counts = new.import(&text, Vouching::AsStored);
            prop_assert_eq!(counts.read, part.len() as u64);
            prop_assert_eq!(counts.stored + counts.duplicate, counts.read);
        }
        let received = |stored: BTreeSet<String>| -> BTreeSet<String> {
            stored.into_iter().map(|line| if had { line.split_once("\"received_at\"").unwrap().0.to_owned() } else { line }).collect()
        };
        prop_assert_eq!(received(new.stored()), received(old.stored()));
    }
}
