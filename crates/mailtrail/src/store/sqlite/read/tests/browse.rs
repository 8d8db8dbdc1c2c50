//! Pages from the newest event backwards, and the query that people copy.

use std::ops::ControlFlow;

use super::*;
use crate::store::sqlite::sql;

#[test]
fn pages_backwards_are_the_whole_answer_cut_into_pieces() {
    let fixture = Fixture::new();
    run(200, &(any_filter(), 1_usize..40), |(filter, size)| {
        let whole = ids(&fixture.reader.activity(&filter, 1_000).expect("an answer").value);
        let mut page = fixture.reader.activity(&filter, size).expect("an answer").value;
        let mut pieces = Vec::new();
        while let Some(last) = page.last() {
            let place = (last.timestamp, last.id);
            pieces.extend(ids(&page));
            page = fixture.reader.activity_before(&filter, place, size).expect("an answer").value;
        }
        assert_eq!(pieces, whole);
    });
}

#[test]
fn the_query_to_copy_finds_the_same_events() {
    let fixture = Fixture::new();
    run(150, &any_filter(), |filter| {
        let expected = ids(&fixture.reader.activity(&filter, 30).expect("an answer").value);
        let mut found = Vec::new();
        let query = filter.sql_text(30);
        sql::run(&fixture.paths, &query, sql::SqlLimits::default(), &mut |columns, cells| {
            let at = columns.iter().position(|column| column == "id").expect("a column");
            if let sql::Cell::Integer(id) = cells[at] {
                found.push(id);
            }
            ControlFlow::Continue(())
        })
        .unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(found, expected, "{query}");
    });
}

#[test]
fn single_events_and_openings_by_machines() {
    let fixture = Fixture::new();
    assert_eq!(fixture.reader.event(7).expect("an answer").map(|event| event.id), Some(7));
    assert_eq!(fixture.reader.event(100_000).expect("an answer"), None);
    run(100, &any_filter(), |filter| {
        let by_machine = |event: &&&EventRecord| event.event == "open" && event.sg_machine_open == Some(true);
        let matching = fixture.matching(&filter);
        let expected = matching.iter().filter(by_machine).count() as u64;
        assert_eq!(fixture.reader.machine_opens(&filter).expect("an answer"), expected);
    });
}
