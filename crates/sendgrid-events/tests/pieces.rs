//! Files of objects are cut into what was put into them, whatever stands between.

use proptest::collection::vec;
use proptest::prelude::*;

#[path = "support/pieces.rs"]
mod pieces;

/// Bytes that mean something to JSON, mostly.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = prop::sample::select(b"{}[]\",:\\\n \t0a\xEF\xBB\xBF".to_vec());
    vec(prop_oneof![4 => telling, 1 => any::<u8>()], 0..200)
}

fn objects() -> impl Strategy<Value = Vec<String>> {
    let member = (
        any::<String>(),
        prop_oneof![any::<String>().prop_map(serde_json::Value::from), any::<f64>().prop_map(Into::into)],
    );
    let object = vec(member, 0..4).prop_map(|members| {
        serde_json::Value::Object(
            members.into_iter().map(|(key, value)| (key, serde_json::json!([value, {"in": []}]))).collect(),
        )
    });
    vec(object.prop_map(|object| object.to_string()), 0..8)
        .prop_filter("within the limit", |all| all.iter().all(|text| text.len() < 512))
}

proptest! {
    #[test]
    fn laws_hold_for_any_bytes(bytes in any_bytes(), chunk in 1_usize..40, lines in any::<bool>()) {
        pieces::checked(&bytes, chunk, lines);
    }

    #[test]
    fn objects_come_out_as_they_went_in(objects in objects(), layout in 0_usize..4, chunk in 1_usize..40) {
        let (begin, between, end, lines) = [
            ("", "\n", "\n", true),
            ("[", ",\r\n", "]\r\n", true),
            ("[\n  ", ",\n  ", "\n]\n", false),
            ("[", "]\n[", "]", true),
        ][layout];
        let text = format!("{begin}{}{end}", objects.join(between));
        let found = pieces::checked(text.as_bytes(), chunk, lines);
        let whole: Vec<String> = found.into_iter().map(|(piece, _, whole)| {
            assert!(whole, "{text}");
            String::from_utf8(piece).unwrap()
        }).collect();
        prop_assert_eq!(whole, objects);
    }
}
