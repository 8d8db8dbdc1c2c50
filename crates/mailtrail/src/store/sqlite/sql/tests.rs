//! Queries that read, and everything that attackers and mistaken people try.

use std::time::Instant;

use super::*;
use crate::store::sqlite::Trail;
use crate::store::testing::{plain_seal, record};

struct Fixture {
    folder: tempfile::TempDir,
    paths: Paths,
    writer: Trail,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let mut writer = Trail::open(paths.trail()).expect("opens");
    writer.append(&[record(0..100)], &plain_seal).expect("appended");
    Fixture { folder, paths, writer }
}

impl Fixture {
    fn run(&self, query: &str) -> Result<Vec<Vec<Cell>>, SqlError> {
        self.run_within(query, SqlLimits { cell: 4 << 20, ..SqlLimits::default() })
    }

    fn run_within(&self, query: &str, limits: SqlLimits) -> Result<Vec<Vec<Cell>>, SqlError> {
        let mut rows = Vec::new();
        let outcome = run(&self.paths, query, limits, &mut |columns, cells| {
            assert_eq!(columns.len(), cells.len());
            rows.push(cells.to_vec());
            ControlFlow::Continue(())
        })?;
        assert_eq!(outcome.rows, rows.len() as u64);
        Ok(rows)
    }

    /// Names and contents of all files.
    fn files(&self) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| !entry.file_name().as_encoded_bytes().ends_with(b"-shm"))
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).expect("readable")))
            .collect();
        files.sort();
        files
    }
}

#[test]
fn rows_come_out_typed_with_their_names() {
    let fixture = fixture();
    let query = "SELECT NULL AS a, 1 AS b, 1.5 AS c, 'x' AS d, x'00ff' AS e";
    let expected =
        vec![Cell::Null, Cell::Integer(1), Cell::Real(1.5), Cell::Text("x".into()), Cell::Blob(vec![0, 255])];
    assert_eq!(fixture.run(query).expect("runs"), [expected]);
    let outcome = run(&fixture.paths, query, SqlLimits::default(), &mut |columns, _| {
        assert_eq!(columns, ["a", "b", "c", "d", "e"]);
        ControlFlow::Continue(())
    });
    assert_eq!(outcome.expect("runs").rows, 1);
    let nothing =
        run(&fixture.paths, "SELECT id, event FROM sendgrid_event WHERE 0", SqlLimits::default(), &mut |_, _| {
            panic!("no rows")
        });
    assert_eq!(nothing.expect("runs"), SqlOutcome { columns: vec!["id".into(), "event".into()], rows: 0 });
    // Whoever reads may have enough.
    let mut seen = 0;
    let some = run(&fixture.paths, "SELECT id FROM sendgrid_event", SqlLimits::default(), &mut |_, _| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(some.expect("runs").rows, 3);
}

#[test]
fn what_people_ask_runs() {
    let fixture = fixture();
    for query in [
        "SELECT event, count(*) FROM sendgrid_event GROUP BY event ORDER BY 2 DESC;",
        "SELECT * FROM sendgrid_event_text WHERE reason LIKE '%no%' ORDER BY timestamp LIMIT 5 -- the last ones",
        "SELECT c.value, count(*) FROM sendgrid_event, json_each(category) AS c GROUP BY 1",
        "WITH last AS (SELECT *, row_number() OVER (PARTITION BY email_hash ORDER BY timestamp DESC) AS n FROM sendgrid_event)
         SELECT event, count(*) FROM last WHERE n = 1 GROUP BY event",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10) SELECT sum(x) FROM n",
        "SELECT date(timestamp / 1000000, 'unixepoch'), mail_status(event, type) FROM sendgrid_event",
        "SELECT json_extract(custom_args, '$.a'), extra ->> 'b', printf('%5.1f', 1) FROM sendgrid_event",
        "SELECT name FROM sqlite_schema",
        "EXPLAIN QUERY PLAN SELECT * FROM sendgrid_event WHERE email_hash = 'x'",
        "SELECT median FROM (SELECT avg(id) AS median FROM event_category JOIN event ON event.id = event_id)",
        "VALUES (1), (2)",
    ] {
        let rows = fixture.run(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(!rows.is_empty(), "{query}");
    }
}

#[test]
fn ts_makes_the_integers_that_times_are() {
    let fixture = fixture();
    for (text, expected) in [
        ("'2026-11-24'", Cell::Integer(1_795_478_400_000_000)),
        ("'2026-11-24T01:00:00+01:00'", Cell::Integer(1_795_478_400_000_000)),
        ("'2026-11-24T00:00:00.000001Z'", Cell::Integer(1_795_478_400_000_001)),
        ("NULL", Cell::Null),
    ] {
        assert_eq!(fixture.run(&format!("SELECT ts({text})")).expect("runs"), [[expected]], "{text}");
    }
    for wrong in ["'yesterday'", "'2026-13-01'", "1", "'2026-11-24 10:00'"] {
        let error = fixture.run(&format!("SELECT ts({wrong})")).expect_err(wrong);
        assert!(error.to_string().contains("ts('2026-11-24')"), "{error}");
    }
    let by_index = "EXPLAIN QUERY PLAN SELECT count(*) FROM sendgrid_event WHERE timestamp >= ts('2026-11-24')";
    let plan = format!("{:?}", fixture.run(by_index).expect("runs"));
    assert!(plan.contains("SEARCH e USING INDEX sqlite_autoindex_event_1 (timestamp>?)"), "{plan}");
}

#[test]
fn nothing_but_reading_is_allowed() {
    let fixture = fixture();
    let before = fixture.files();
    let elsewhere = fixture.folder.path().join("stolen.db");
    let elsewhere = elsewhere.to_str().expect("text");
    for (query, what) in [
        (format!("ATTACH '{elsewhere}' AS other"), "ATTACH"),
        (format!("VACUUM INTO '{elsewhere}'"), "VACUUM"),
        ("VACUUM".to_owned(), "VACUUM"),
        ("DETACH main".to_owned(), "DETACH"),
        ("PRAGMA query_only = 0".to_owned(), "PRAGMA"),
        ("PRAGMA journal_mode = DELETE".to_owned(), "PRAGMA"),
        ("PRAGMA wal_checkpoint(TRUNCATE)".to_owned(), "PRAGMA"),
        ("PRAGMA hard_heap_limit = 1".to_owned(), "PRAGMA"),
        ("PRAGMA table_info(event)".to_owned(), "PRAGMA"),
        ("SELECT * FROM pragma_table_info('event')".to_owned(), "pragma_table_info"),
        ("SELECT * FROM pragma_database_list".to_owned(), "pragma_database_list"),
        ("SELECT count(*) FROM pragma_database_list".to_owned(), "PRAGMA"),
        ("SELECT * FROM dbstat".to_owned(), "dbstat"),
        ("CREATE TABLE t (x)".to_owned(), "INSERT"),
        ("CREATE TEMP TABLE t (x)".to_owned(), "INSERT"),
        ("CREATE TEMP TABLE t AS SELECT * FROM event".to_owned(), "INSERT"),
        ("CREATE TEMP VIEW v AS SELECT 1".to_owned(), "INSERT"),
        ("CREATE TEMP TRIGGER t AFTER DELETE ON event BEGIN SELECT 1; END".to_owned(), "change"),
        ("CREATE VIRTUAL TABLE t USING fts5(x)".to_owned(), "INSERT"),
        ("CREATE INDEX i ON event (reason)".to_owned(), "INSERT"),
        ("DROP TABLE event".to_owned(), "DELETE"),
        ("ALTER TABLE event RENAME TO x".to_owned(), "change"),
        ("REINDEX".to_owned(), "change"),
        ("ANALYZE".to_owned(), "INSERT"),
        ("INSERT INTO meta VALUES ('a', 'b') RETURNING name".to_owned(), "INSERT"),
        ("REPLACE INTO meta VALUES ('a', 'b')".to_owned(), "INSERT"),
        ("UPDATE event SET event = 'x' RETURNING id".to_owned(), "UPDATE"),
        ("DELETE FROM event RETURNING id".to_owned(), "DELETE"),
        ("WITH x AS (SELECT 1) DELETE FROM event WHERE id IN x".to_owned(), "DELETE"),
        ("EXPLAIN DELETE FROM event".to_owned(), "DELETE"),
        ("BEGIN IMMEDIATE".to_owned(), "transaction"),
        ("COMMIT".to_owned(), "transaction"),
        ("SAVEPOINT s".to_owned(), "transaction"),
        ("SELECT load_extension('x.so')".to_owned(), "load_extension"),
        ("SELECT fts3_tokenizer('simple')".to_owned(), "fts3_tokenizer"),
        ("SELECT sqlite_compileoption_get(1)".to_owned(), "sqlite_compileoption_get"),
        ("SELECT zeroblob(1000000000)".to_owned(), "zeroblob"),
        ("SELECT randomblob(1000000000)".to_owned(), "randomblob"),
        ("SELECT 1; SELECT 2".to_owned(), "more than one"),
        ("SELECT 1; DELETE FROM event".to_owned(), "DELETE"),
        ("SELECT ?1".to_owned(), "parameter"),
    ] {
        let error = match fixture.run(&query) {
            Ok(rows) => panic!("{query} gave {rows:?}"),
            Err(error) => error,
        };
        let SqlError::Refused { what: found } = &error else { panic!("{query}: {error:?}") };
        assert!(found.contains(what), "{query}: {error}");
    }
    for query in ["SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')", "SELECT edit('x')"] {
        let error = fixture.run(query).expect_err(query);
        assert!(error.to_string().contains("no such function"), "{query}: {error}");
    }
    for query in ["", "  -- nothing", ";", "SELEC 1", "SELECT \"no such column\" FROM event"] {
        fixture.run(query).expect_err(query);
    }
    assert!(before == fixture.files(), "a file was written or changed");
}

#[test]
fn an_endless_query_ends() {
    let fixture = fixture();
    let limits = SqlLimits { time: Duration::from_millis(200), ..SqlLimits::default() };
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)";
    for query in [
        format!("{endless} SELECT count(*) FROM n"),
        format!("{endless} SELECT x FROM n WHERE x < 0"),
        "SELECT count(*) FROM event a, event b, event c, event d, event e, event f".to_owned(),
    ] {
        let began = Instant::now();
        let error = fixture.run_within(&query, limits).expect_err(&query);
        assert!(matches!(error, SqlError::TooLong { .. }), "{query}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
    // Rows that came before are handed out; whoever takes them slowly does not hold the trail for longer.
    let mut rows = 0_u64;
    let result = run(&fixture.paths, &format!("{endless} SELECT x FROM n"), limits, &mut |_, _| {
        rows += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(SqlError::TooLong { .. })));
    assert!(rows > 0);
}

/// One opcode that SQLite's interrupt does not reach: the needle is compared at each of 500,000 places.
#[test]
fn a_single_long_opcode_is_given_up() {
    let fixture = fixture();
    let limits = SqlLimits { time: Duration::from_millis(200), ..SqlLimits::default() };
    let query = "SELECT instr(printf('%.*c', 2000000, 'a'), printf('%.*c', 1000000, 'a') || 'b')";
    let began = Instant::now();
    let error = fixture.run_within(query, limits).expect_err("too long");
    assert!(matches!(error, SqlError::TooLong { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn memory_and_temporary_data_are_bounded() {
    let fixture = fixture();
    let limits = SqlLimits { memory: 64 << 20, ..SqlLimits::default() };
    let many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000)";
    for query in [
        format!("{many} SELECT count(*) FROM (SELECT x, printf('%.*c', 10000, 'x') || x AS y FROM n ORDER BY y)"),
        format!("{many} SELECT count(DISTINCT printf('%.*c', 10000, 'x') || x) FROM n"),
    ] {
        let error = fixture.run_within(&query, limits).expect_err(&query);
        assert!(matches!(error, SqlError::TooMuchMemory { .. }), "{query}: {error:?}");
    }
    let wide = format!("SELECT {}1", "printf('%.*c', 3000000, 'x'), ".repeat(10));
    assert!(matches!(fixture.run(&wide), Err(SqlError::TooWide { .. })));
}

#[test]
fn a_reader_that_stops_reading_holds_no_transaction_open() {
    let mut fixture = fixture();
    let limits = SqlLimits { time: Duration::from_millis(300), ..SqlLimits::default() };
    let paths = fixture.paths.clone();
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
                   SELECT x, (SELECT count(*) FROM event) FROM n";
    let mut rows = 0_u64;
    let result = run(&paths, endless, limits, &mut |_, _| {
        rows += 1;
        if rows == 1 {
            // Nobody reads on. The log can be emptied all the same once the time is over.
            fixture.writer.append(&[record(200..210)], &plain_seal).expect("appended");
            let until = Instant::now() + Duration::from_secs(60);
            while !fixture.writer.empty_log().expect("tried") {
                assert!(Instant::now() < until, "a transaction is open");
                thread::sleep(Duration::from_millis(10));
            }
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(SqlError::TooLong { .. })));
    assert!(rows > 1, "what was read before is handed out");
}

#[test]
fn values_and_rows_stay_small() {
    let fixture = fixture();
    let long = "printf('%.*c', 3000000, 'x')";
    assert_eq!(fixture.run(&format!("SELECT length({long})")).expect("allowed"), [[Cell::Integer(3_000_000)]]);
    for query in [
        "SELECT printf('%.*c', 1000000000, 'x')".to_owned(),
        "SELECT printf('%1000000000d', 1)".to_owned(),
        "SELECT format('%.1000000000f', 1.0)".to_owned(),
        format!("SELECT replace({long}, 'x', 'xxxxxxxxxx')"),
        format!("SELECT {long} || {long}"),
        format!("SELECT hex({long})"),
        format!("SELECT quote(CAST({long} AS BLOB))"),
        format!("SELECT concat({long}, {long})"),
        format!("SELECT json_array({long}, {long})"),
        format!("SELECT group_concat({long}) FROM event"),
        format!("SELECT json_group_array({long}) FROM event"),
    ] {
        let error = fixture.run(&query).expect_err(&query);
        let told = matches!(error, SqlError::TooBig { .. }) || error.to_string().contains("too big");
        assert!(told, "{query}: {error:?}");
    }
    for query in [
        format!("SELECT {}1", "1,".repeat(100)),
        format!("SELECT max({}1)", "1,".repeat(32)),
        format!("SELECT {}1{}", "(1+".repeat(300), ")".repeat(300)),
        format!("SELECT '{}'", "x".repeat(100_000)),
        format!("SELECT 1 FROM event WHERE 'x' LIKE '{}'", "%x".repeat(1_000)),
    ] {
        let error = fixture.run(&query).expect_err(&query[..40]);
        assert!(!matches!(error, SqlError::TooLong { .. }), "{error:?}");
    }
}

#[test]
fn a_trail_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Paths::new(folder.path().join("mail.db"));
    let result = run(&paths, "SELECT 1", SqlLimits::default(), &mut |_, _| ControlFlow::Continue(()));
    let error = result.expect_err("there is none");
    assert!(error.to_string().contains("start `mailtrail serve`"), "{error}");
}
