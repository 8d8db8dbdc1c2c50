//! Keys of events, page by page.

use super::*;

#[test]
fn keys_come_in_the_order_of_pages_each_once() {
    let fixture = Fixture::new();
    let (reader, until) = (&fixture.reader, START + 150 * 1_800 * SECOND);
    let mut expected: Vec<_> = fixture.all.iter().filter(|event| event.timestamp < until).collect();
    expected.sort_by(|a, b| (a.timestamp, &a.event_key).cmp(&(b.timestamp, &b.event_key)));
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = reader.keys(until, after.as_ref(), 7).expect("an answer");
        let Some(last) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().map(|key| key.id));
    }
    assert_eq!(found, expected.iter().map(|event| event.id).collect::<Vec<_>>());
    let first = expected.first().expect("some").timestamp;
    assert_eq!(reader.first_between(i64::MIN, until).expect("an answer"), Some(first));
    assert_eq!(reader.first_between(i64::MIN, first).expect("an answer"), None);
    assert_eq!(reader.pruned_until().expect("an answer"), None);
}
