//! One list of questions, asked of both stores about the same events: the answers are the same.

use mailtrail::config;
use mailtrail::store::Paths;
use mailtrail::store::bigquery::Asker;
use mailtrail::store::query::Scope;
use mailtrail::store::questions::Questions;
use mailtrail::store::sqlite::Reader;
use serde_json::Value;

use crate::contract::{QUESTIONS, events};
use crate::emulator::Emulator;
use crate::fake::Fake;
use crate::support::{Site, batch, now};
use crate::{point, run, wait_for};

/// Lines of an answer: objects without what only one store has.
fn answer(site: &Site, question: &str) -> Vec<Value> {
    let args: Vec<&str> = question.split(' ').collect();
    let format: &[&str] = if args[0] == "export" { &[] } else { &["--format", "json"] };
    let (done, printed, told) = run(site, &[&args, format].concat());
    assert!(done, "{question}: {told}");
    let mut lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(Value::as_object_mut) {
        line.remove("id");
    }
    // Received in one breath: their order is not told apart there.
    if args[0] == "tail" {
        lines.sort_by_key(|line| line["event_key"].to_string());
    }
    // Of one moment, the trail tells first what came in first; BigQuery knows no such order.
    for moment in
        lines.chunk_by_mut(|one, other| one.get("timestamp").is_some() && one["timestamp"] == other["timestamp"])
    {
        moment.sort_by_key(|line| line["event_key"].to_string());
    }
    lines
}

#[test]
fn both_stores_give_the_same_answers() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "true");
    let all = events();
    let wanted = all.len() as u64;
    let server = site.serve();
    for part in all.chunks(16) {
        assert_eq!(server.post(&site, &batch(part)).0, 200);
    }
    let rows = || emulator.count("SELECT COUNT(*) FROM `demo.mail.sendgrid_event`");
    wait_for(&server, "all events", || rows() == wanted);
    server.stop();
    // Forwarded once more, so that each event is there twice.
    std::fs::remove_file(site.path().join("mailtrail.forward.db")).unwrap();
    let server = site.serve();
    wait_for(&server, "all events again", || rows() == 2 * wanted);
    server.stop();

    // Days and hours are counted by this clock on both.
    site.environment("MAILTRAIL_OUTPUT_TIME_ZONE", "Asia/Tokyo");
    let here: Vec<Vec<Value>> = QUESTIONS.iter().map(|question| answer(&site, question)).collect();
    site.environment("MAILTRAIL_BIGQUERY_FORWARD", "false");
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    let mut asked_for_something = 0;
    for (question, here) in QUESTIONS.iter().zip(here) {
        let there = answer(&site, question);
        assert_eq!(there.len(), here.len(), "{question}");
        for (there, here) in there.iter().zip(&here) {
            assert_eq!(there, here, "{question}");
        }
        asked_for_something += usize::from(!here.is_empty());
    }
    assert!(asked_for_something >= QUESTIONS.len() - 2, "questions that find nothing show nothing");
    let (_, _, told) = run(&site, &["stats"]);
    assert!(told.contains("bytes)") && told.contains("1 of the events repeat"), "{told}");

    // Statuses have no command of their own yet.
    let path = site.path().join("mailtrail.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let with_bigquery = format!(
        "{config}[bigquery]\nproject = \"demo\"\ndataset = \"mail\"\nendpoint = \"http://{}\"\ngrpc_endpoint = \"http://{}\"\n",
        emulator.rest, emulator.grpc
    );
    site.write_secret("mailtrail.toml", &with_bigquery);
    let config = config::load_for_questions(Some(&path)).unwrap();
    let reader = Reader::open(&Paths::new(site.path().join("mailtrail.db"))).unwrap();
    let asker = Asker::open(config.bigquery.as_ref().unwrap()).unwrap();
    let stores: [&dyn Questions; 2] = [&reader, &asker];
    for scope in
        [Scope::Category("news".to_owned()), Scope::Category("日本".to_owned()), Scope::Run("spring".to_owned())]
    {
        for since in [None, Some((now() - 5000) * 1_000_000)] {
            let [here, there] = stores.map(|store| store.latest_status(&scope, since, None).unwrap());
            assert!(here.len() > 1, "{scope:?}");
            assert_eq!(here, there, "{scope:?} {since:?}");
        }
    }
}

/// BigQuery's own SQL, its types, and nothing but SELECT.
#[test]
fn a_query_of_one_s_own_is_one_select_and_has_its_types() {
    let Some(emulator) = Emulator::start() else { return };
    let mut site = Site::new();
    point(&mut site, emulator.rest, emulator.grpc);
    assert!(run(&site, &["bigquery", "init"]).0);
    site.environment("MAILTRAIL_STORE_KIND", "bigquery");
    let query = "SELECT TIMESTAMP_MICROS(1790000000000000) AS t, [1, 2] AS l, 1.5 AS f, 'x' AS s, TRUE AS b, \
                 STRUCT(1 AS a) AS r, CAST(NULL AS STRING) AS n";
    let (done, printed, told) = run(&site, &["sql", query, "--format", "json"]);
    assert!(done && told.contains("this reads 0 bytes"), "{told}");
    let expected = r#"{"t":"2026-09-21T14:13:20Z","l":[1,2],"f":1.5,"s":"x","b":true,"r":{"a":1},"n":null}"#;
    assert_eq!(printed.trim(), expected);
    for wrong in ["DELETE FROM `demo.mail.sendgrid_event` WHERE TRUE", "SELECT 1; SELECT 2"] {
        let (done, printed, told) = run(&site, &["sql", wrong]);
        assert!(!done && printed.is_empty() && told.contains("one SELECT is taken here"), "{told}");
    }
    let (done, _, told) = run(&site, &["sql", "SELECT nothing FROM nowhere"]);
    assert!(!done, "{told}");
}

#[test]
fn what_would_cost_too_much_is_not_asked() {
    let fake = Fake::start();
    let site = fake.stateless_site();
    let before = fake.queries().len();
    fake.price(20 << 30);
    for question in ["activity", "stats", "timeline a@b.example", "tail", "export --out -"] {
        let (done, _, told) = run(&site, &question.split(' ').collect::<Vec<_>>());
        assert!(!done && told.contains("max_bytes_billed") && told.contains("21474836480"), "{question}: {told}");
    }
    let select = "SELECT event FROM sendgrid_event";
    let (done, _, told) = run(&site, &["sql", select]);
    assert!(!done && told.contains("max_bytes_billed"), "{told}");
    fake.price(2 << 30);
    let (done, _, told) = run(&site, &["sql", select]);
    assert!(!done && told.contains("--yes"), "{told}");
    assert_eq!(fake.queries().len(), before, "nothing was asked in earnest");
    assert!(run(&site, &["sql", select, "--yes"]).0);

    // What is asked names its days, is limited, and holds what people typed as parameters alone.
    let (done, _, told) = run(&site, &["activity", "--category", "x') OR TRUE --"]);
    assert!(done && told.contains("2147483648 bytes"), "{told}");
    for asked in &fake.queries()[before + 1..] {
        let sql = asked["query"].as_str().unwrap();
        assert!(sql.contains("timestamp >= @since AND timestamp < @until") && !sql.contains("OR TRUE"), "{sql}");
        assert_eq!(asked["maximumBytesBilled"], "10737418240");
        assert!(asked["queryParameters"].to_string().contains("OR TRUE"));
    }
    let (done, _, told) = run(&site, &["replay"]);
    assert!(!done && told.contains("needs the trail on this machine"), "{told}");
}
