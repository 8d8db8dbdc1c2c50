//! No statement reads the whole trail: SQLite is asked for the plan of each one.

use super::*;
use crate::store::query::EventKey;

/// Plans of all statements issued so far.
fn plans(fixture: &Fixture) -> Vec<(String, Vec<String>)> {
    let statements: BTreeSet<String> = fixture.issued().into_iter().collect();
    statements
        .into_iter()
        .map(|statement| {
            let mut explained =
                fixture.reader.sql.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).expect("prepared");
            let lines = explained.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().expect("a plan");
            (statement, lines)
        })
        .collect()
}

/// Steps that read a table from end to end and may grow with the trail.
fn walks(plan: &[String]) -> Vec<&String> {
    // Of proofs and lists of categories there are few; what json_each and subqueries give is small by itself.
    let small = ["proof", "json_each", "c", "g", "quarantine", "(subquery-", "CONSTANT"];
    plan.iter()
        .filter(|line| {
            line.strip_prefix("SCAN ").is_some_and(|rest| {
                let table = rest.split(' ').next().unwrap_or_default();
                !small.iter().any(|name| table == *name || (name.starts_with('(') && table.starts_with(name)))
            })
        })
        .collect()
}

#[test]
fn no_statement_walks_over_the_trail() {
    let fixture = Fixture::new();
    let by = prop::sample::subsequence(&Dimension::ALL[..], 0..=3);
    run(300, &(any_filter(), by, any::<bool>()), |(filter, by, recipients)| {
        let reader = &fixture.reader;
        let place = fixture.all[7].place();
        let counted = if recipients { Counted::Recipients } else { Counted::Rows };
        reader.activity(&filter, 10).expect("an answer");
        reader.page(&filter, None, 10).expect("an answer");
        reader.page(&filter, Some(&place), 10).expect("an answer");
        reader.stats(&filter, &by, counted).expect("an answer");
        reader.repeats(&filter).expect("an answer");
    });
    let reader = &fixture.reader;
    reader.timeline(&Subject::Hashes(vec![hash(1)]), 10).expect("an answer");
    reader.timeline(&Subject::Message("message-1".into()), 10).expect("an answer");
    reader.newest(10).expect("an answer");
    reader.after(10, 10).expect("an answer");
    reader.last_id().expect("an answer");
    reader.last_received(10).expect("an answer");
    let key = EventKey { id: 1, timestamp: START, event_key: [0; 16] };
    reader.keys(START + 1_000 * SECOND, None, 10).expect("an answer");
    reader.keys(START + 1_000 * SECOND, Some(&key), 10).expect("an answer");
    reader.first_between(START, START + SECOND).expect("an answer");
    reader.seen_of_messages(&texts(&["message-1"]), &texts(&["message-1.x"])).expect("an answer");
    reader.has_event(START, &[0; 16]).expect("an answer");
    reader.briefs(10, 400, None).expect("an answer");
    reader.briefs(10, 400, Some(&texts(&["bounce"]))).expect("an answer");
    for scope in [Scope::Category("news".into()), Scope::Run("run-1".into())] {
        reader.latest_status(&scope, None, None).expect("an answer");
        reader.latest_status(&scope, Some(START), None).expect("an answer");
        reader.touched(&scope, 10, 400).expect("an answer");
        let mailed = Mailed { scope, since: Some(START), until: None, unproven: false };
        reader.outcomes(&mailed, Some(&[1, 2, 3])).expect("an answer");
        reader.unproven(&mailed).expect("an answer");
    }
    reader.knows_run("run-1").expect("an answer");
    reader.proven_requests("run-1", None).expect("an answer");
    reader.proven_requests("run-1", Some((10, 400))).expect("an answer");
    assert_eq!(reader.run_names().expect("an answer"), ["run", "run-0", "run-1", "run-2"]);
    let plans = plans(&fixture);
    assert!(plans.len() > 200, "{}", plans.len());
    for (statement, plan) in plans {
        assert_eq!(walks(&plan), [""; 0], "{statement}\n{}", plan.join("\n"));
    }
}

#[test]
fn each_question_goes_by_its_index() {
    let fixture = Fixture::new();
    fixture.issued();
    for (filter, index) in [
        (Filter { hashes: vec![hash(1)], ..Filter::default() }, "SEARCH m USING INDEX message_address (address_id=?)"),
        (
            Filter { messages: texts(&["message-1"]), ..Filter::default() },
            "SEARCH m USING INDEX message_message_id (message_id=?)",
        ),
        (Filter { runs: texts(&["run-1"]), ..Filter::default() }, "SEARCH m USING INDEX message_run (run=?)"),
        (
            Filter { categories: texts(&["news"]), since: Some(START), ..Filter::default() },
            "SEARCH l USING PRIMARY KEY (category_list_id=? AND timestamp>? AND timestamp<?)",
        ),
        (
            Filter { domains: texts(&["d1.example"]), since: Some(START), ..Filter::default() },
            "SEARCH e USING INDEX sqlite_autoindex_event_1 (timestamp>? AND timestamp<?)",
        ),
        (Filter::default(), "SEARCH e USING INDEX sqlite_autoindex_event_1 (timestamp>? AND timestamp<?)"),
    ] {
        fixture.reader.activity(&Filter { include_tests: true, ..filter.clone() }, 10).expect("an answer");
        let plan = plans(&fixture).into_iter().flat_map(|(_, plan)| plan).collect::<Vec<_>>();
        assert!(plan.iter().any(|line| line.replace("COVERING ", "") == index), "{index}\n{}", plan.join("\n"));
    }
}

#[test]
fn a_walk_would_be_found() {
    let fixture = Fixture::new();
    let mut explained = fixture
        .reader
        .sql
        .prepare("EXPLAIN QUERY PLAN SELECT count(*) FROM event WHERE reason = 'x'")
        .expect("prepared");
    let plan: Vec<String> = explained.query_map((), |row| row.get(3)).and_then(Iterator::collect).expect("a plan");
    assert_eq!(walks(&plan).len(), 1, "{plan:?}");
}
