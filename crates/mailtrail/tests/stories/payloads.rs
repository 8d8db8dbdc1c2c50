//! Every published body decodes and is stored; every key of it is found again.

use crate::support::{Site, shared_data};

#[test]
fn every_published_body_is_kept_whole() {
    let Some(data) = shared_data() else { return };
    let site = Site::new();
    let server = site.serve();
    let mut bodies = 0;
    for entry in std::fs::read_dir(data.join("payloads")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".json") || name.ends_with("_headers.json") {
            continue;
        }
        let body = std::fs::read(&path).unwrap();
        let text = std::str::from_utf8(&body).unwrap().trim_start_matches('\u{feff}');
        let elements = match serde_json::from_str(text).unwrap() {
            serde_json::Value::Array(items) => items.len(),
            _ => 1,
        };
        let (status, answer) = server.post(&site, &body);
        assert_eq!(status, 200, "{name}");
        // The one element without a usable time: its `timestamp` is an artefact of the documentation, in 1973.
        let unusable = if name == "docs_reserved_keys.json" { 1 } else { 0 };
        let expected = format!("{{\"accepted\":{},\"quarantined\":{unusable}}}", elements - unusable);
        assert_eq!(answer, expected, "{name}");
        bodies += 1;
    }
    assert!(bodies > 40, "{bodies} bodies were found");
    server.wait_drained();
    let lost = "SELECT count(*) FROM sendgrid_event WHERE event IS NULL OR timestamp IS NULL OR category IS NULL";
    assert_eq!(site.trail().query_row(lost, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(
        server.metric("mailtrail_trail_stored_total") + server.metric("mailtrail_trail_duplicates_total"),
        server.metric("mailtrail_items_accepted_total")
    );
}
