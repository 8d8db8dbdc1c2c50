//! Every published sample of SendGrid's decodes, and loses nothing.

use std::path::Path;

use sendgrid_events::{Item, Reject};

#[path = "support/invariants.rs"]
mod invariants;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn every_sample_decodes_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/payloads");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: the shared samples are not here");
        return;
    };
    let mut read = 0;
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // The one file of headers is no body.
        if !name.ends_with(".json") || name.ends_with("_headers.json") {
            continue;
        }
        let body = std::fs::read(&path).expect("a readable file");
        let batch = invariants::checked(&body);
        let rejected: Vec<Reject> = batch
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Rejected(part) => Some(part.why),
                Item::Event(_) => None,
            })
            .collect();
        // That sample's timestamp is 123456789, the year 1973.
        let expected: &[Reject] = if name == "docs_reserved_keys.json" { &[Reject::NoTimestamp] } else { &[] };
        assert_eq!(rejected, expected, "{name}");
        assert!(!batch.items.is_empty(), "{name} holds nothing");
        read += 1;
    }
    assert!(read >= 40, "only {read} samples");
}
