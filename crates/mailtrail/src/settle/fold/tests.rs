//! The rules of settling, case by case and as laws.

use proptest::prelude::*;

use super::*;

/// An event in short: `message event[/type]@time[ reason]`, the message `-` for none.
fn seen(text: &'static str) -> Seen<'static> {
    let mut words = text.splitn(3, ' ');
    let message = words.next().filter(|id| *id != "-").map(|id| i64::from(id.as_bytes()[0]));
    let (what, at) = words.next().and_then(|word| word.split_once('@')).expect("event@time");
    let (event, r#type) = what.split_once('/').map_or((what, None), |(event, r#type)| (event, Some(r#type)));
    let timestamp = at.parse().expect("a time");
    let reason = words.next();
    Seen { message, event, r#type, timestamp, reason, classification: reason, status_code: reason }
}

fn fold<'a>(events: impl IntoIterator<Item = Seen<'a>>) -> Option<Settled> {
    let mut fold = Fold::default();
    events.into_iter().for_each(|event| fold.add(&event));
    fold.settled()
}

#[test]
fn the_newest_message_s_worst_news_count() {
    for (events, status, reason, first_seen, last_seen) in [
        (&["a processed@1"][..], Status::Processed, None, 1, 1),
        (&["a processed@1", "a deferred@2 later"], Status::Deferred, Some("later"), 1, 2),
        (&["a processed@1", "a deferred@2 later", "a delivered@3 250 ok"], Status::Delivered, None, 1, 3),
        // A late bounce outweighs the delivery.
        (&["a delivered@1", "a bounce@9 full"], Status::Bounce, Some("full"), 1, 9),
        // Whoever opens has it, though the delivery was never told; a late deferral changes nothing.
        (&["a processed@1", "a open@3", "a deferred@4 x"], Status::Delivered, None, 1, 4),
        (&["a click@1"], Status::Delivered, None, 1, 1),
        (&["a spamreport@1"], Status::Delivered, None, 1, 1),
        (&["a unsubscribe@1"], Status::Delivered, None, 1, 1),
        (&["a group_unsubscribe@1"], Status::Delivered, None, 1, 1),
        (&["a group_resubscribe@1"], Status::Delivered, None, 1, 1),
        (&["a bounce/bounce@1 x"], Status::Bounce, Some("x"), 1, 1),
        (&["a bounce/blocked@1 x"], Status::Blocked, Some("x"), 1, 1),
        (&["a bounce/Blocked@1 x"], Status::Blocked, Some("x"), 1, 1),
        (&["a bounce/expired@1 x"], Status::Bounce, Some("x"), 1, 1),
        (&["a dropped@1 suppressed"], Status::Dropped, Some("suppressed"), 1, 1),
        (&["a dropped@9 c", "a bounce/blocked@8 b", "a bounce@1 a"], Status::Bounce, Some("a"), 1, 9),
        (&["a dropped@9 c", "a bounce/blocked@8 b"], Status::Blocked, Some("b"), 8, 9),
        // The reason is that of the latest event with this news.
        (&["a bounce@5 new", "a bounce@2 old"], Status::Bounce, Some("new"), 2, 5),
        // A later mail arrived: the earlier one's bounce, told late, is old news.
        (&["a processed@1", "b processed@5", "b delivered@6", "a bounce@9 x"], Status::Delivered, None, 5, 6),
        (&["a delivered@1", "b dropped@5 x"], Status::Dropped, Some("x"), 5, 5),
        // Two that began at once: the worse news.
        (&["a delivered@5", "b bounce@5 x"], Status::Bounce, Some("x"), 5, 5),
        (&["b delivered@5", "a bounce/blocked@5 x", "c dropped@5 y"], Status::Blocked, Some("x"), 5, 5),
        // Events without a message id belong to the message that began before them.
        (&["a processed@1", "- bounce@2 x"], Status::Bounce, Some("x"), 1, 2),
        (&["a bounce@1 x", "- unsubscribe@2"], Status::Bounce, Some("x"), 1, 2),
        (&["- bounce@1 x", "a delivered@2"], Status::Delivered, None, 2, 2),
        (&["- delivered@1", "- bounce@2 x", "- processed@0"], Status::Bounce, Some("x"), 0, 2),
        // What says nothing of the mail.
        (&["a something_new@1"], Status::Unknown, None, 1, 1),
        (&["a something_new@1", "a processed@2"], Status::Processed, None, 1, 2),
    ] {
        let settled = fold(events.iter().map(|text| seen(text))).expect("there are events");
        let reason = reason.map(str::to_owned);
        let (classification, status_code) = (reason.clone(), reason.clone());
        assert_eq!(
            settled,
            Settled { status, reason, classification, status_code, first_seen, last_seen },
            "{events:?}"
        );
    }
    assert_eq!(fold([]), None);
}

#[test]
fn names_read_back_and_only_the_right_ones_are_settled() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    assert_eq!(Status::parse("sent"), None);
    let settled: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_settled()).collect();
    assert_eq!(settled, [Status::Delivered, Status::Refused, Status::Dropped, Status::Blocked, Status::Bounce]);
    let unreached: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_unreached()).collect();
    assert_eq!(unreached, [Status::Refused, Status::Dropped, Status::Blocked, Status::Bounce]);
}

/// Few values, so that ties are common.
fn any_event() -> impl Strategy<Value = Seen<'static>> {
    let text = prop::sample::select(vec![None, Some("x"), Some("y")]);
    (
        prop::sample::select(vec![None, Some(97), Some(98), Some(99)]),
        prop::sample::select(vec!["processed", "deferred", "delivered", "open", "dropped", "bounce", "new"]),
        prop::sample::select(vec![None, Some("blocked"), Some("bounce")]),
        0_i64..4,
        (text.clone(), text.clone(), text),
    )
        .prop_map(|(message, event, r#type, timestamp, (reason, classification, status_code))| Seen {
            message,
            event,
            r#type,
            timestamp,
            reason,
            classification,
            status_code,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn order_and_repeats_never_matter(
        (events, shuffled) in prop::collection::vec(any_event(), 1..9).prop_flat_map(|events| {
            let repeated: Vec<_> = events.iter().chain(&events).copied().collect();
            (Just(events), Just(repeated).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(fold(events), fold(shuffled));
    }

    #[test]
    fn bad_news_of_the_only_message_stays(events in prop::collection::vec(any_event(), 0..9), at in 0_i64..9) {
        let only = events.into_iter().map(|event| Seen { message: Some(97), ..event });
        let settled = fold(only.chain([Seen { timestamp: at, ..seen("a bounce@0 x") }])).expect("events");
        prop_assert_eq!(settled.status, Status::Bounce);
    }
}
