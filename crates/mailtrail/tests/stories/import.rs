//! Moving in: from exports, another trail, kept bodies and the tables of others, each event once.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Site, batch, event, now};

/// A site with the key file of another one.
fn beside(other: &Site) -> Site {
    let site = Site::new();
    let key = std::fs::read_to_string(other.path().join("mailtrail.key")).unwrap();
    site.write_secret("mailtrail.key", &key);
    site
}

/// Exit code, the counts of each source, what was said.
fn import(site: &Site, args: &[&str]) -> (i32, Vec<Value>, String) {
    let output = site.command(&[&["import", "--format-out", "json"], args].concat()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for counts in &counts {
        let of = |name: &str| counts[name].as_u64().unwrap();
        let parts = ["stored", "duplicate", "quarantined", "forgotten", "unmatched"].map(of);
        assert_eq!(of("read"), parts.iter().sum::<u64>(), "{counts}");
    }
    (output.status.code().unwrap(), counts, told)
}

/// `[read, stored, duplicate, quarantined, unmatched]` of the only source.
fn numbers(counts: &[Value]) -> [u64; 5] {
    let [counts] = counts else { panic!("one source: {counts:?}") };
    ["read", "stored", "duplicate", "quarantined", "unmatched"].map(|name| counts[name].as_u64().unwrap())
}

/// Exported rows without what belongs to one trail, in an order of their own.
fn rows(site: &Site, without: &[&str]) -> BTreeSet<String> {
    let exported = site.ask(&["export", "--out", "-"]);
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        for name in without {
            row.as_object_mut().unwrap().remove(*name);
        }
        row.to_string()
    };
    exported.lines().map(row).collect()
}

fn events() -> Vec<String> {
    let at = now() - 1000;
    let mut events: Vec<String> =
        (0..60).map(|n| event(&format!("e{n}"), &format!("person{n}@example.com"), "delivered", at + n)).collect();
    events.push(format!(
        r#"{{"event":"bounce","email":"Person.One@example.com","timestamp":{at},"reason":"=550 \"person.one@example.com\",\n\u202e unknown","status":"5.1.1",
            "type":"blocked","attempt":"x","ip":"192.0.2.1","mailtrail_run":"spring","mailtrail_recipient":"r1","order":{{"id":1.5,"to":["a@b.example"]}},"=x":"@y"}}"#
    ));
    events.push(format!(
        r#"{{"event":"click","email":"reader@example.com","timestamp":{at},"sg_event_id":"c1","url":"https://x.example/reset?t=secret","ip":"192.0.2.77","category":["a","日本"],"sg_machine_open":true}}"#
    ));
    events.push(format!(r#"{{"event":"account_status_change","timestamp":{at},"type":"suspend"}}"#));
    events.push(format!(
        r#"{{"event":"delivered","email":"sample@example.com","timestamp":{at},"sg_event_id":"s1","sg_message_id":"14c5d75ce93.dfd.64b469.x"}}"#
    ));
    events
}

/// A site that received these.
fn filled(events: &[String]) -> Site {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, &batch(events)).0, 200);
    server.wait_drained();
    server.stop();
    site
}

#[test]
fn an_export_comes_back_as_it_was_from_every_form_and_once() {
    let old = filled(&events());
    let count = events().len() as u64;
    for (format, name) in [("ndjson", "all.ndjson"), ("parquet", "all.parquet"), ("csv", "all.csv")] {
        old.ask(&["export", "--format", format, "--out", name]);
    }
    let new = beside(&old);
    let source = |name: &str| old.path().join(name).to_str().unwrap().to_owned();
    let dry = import(&new, &["--dry-run", &source("all.ndjson")]);
    assert_eq!((dry.0, numbers(&dry.1)), (0, [count, count, 0, 0, 0]), "{}", dry.2);
    assert!(!new.path().join("mailtrail.db").exists() && dry.2.contains("dry run"));

    let sources = ["all.ndjson", "all.parquet", "all.csv", "mailtrail.db"].map(source);
    for (at, first) in sources.iter().enumerate() {
        let new = beside(&old);
        let (code, counts, told) = import(&new, &[first]);
        assert_eq!((code, numbers(&counts)), (0, [count, count, 0, 0, 0]), "{first}: {told}");
        // No file proves that SendGrid said it; all else is as it was.
        let proofs: BTreeSet<String> = rows(&new, &[])
            .iter()
            .map(|row| serde_json::from_str::<Value>(row).unwrap()["verified_by"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(proofs, BTreeSet::from(["import".to_owned(), "test".to_owned()]));
        assert_eq!(rows(&new, &["id", "verified_by"]), rows(&old, &["id", "verified_by"]), "{first}");
        // Again, and from every other form, nothing is new.
        for other in sources.iter().cycle().skip(at).take(4) {
            let (code, counts, told) = import(&new, &["--from", other]);
            assert_eq!((code, numbers(&counts)), (0, [count, 0, count, 0, 0]), "{other}: {told}");
        }
        let dry = import(&new, &["--dry-run", first]);
        assert_eq!(numbers(&dry.1), [count, 0, count, 0, 0]);
    }
    // On the word of whoever imports, the proofs are kept, too.
    let new = beside(&old);
    assert_eq!(import(&new, &["--keep-verified-by", &sources[3]]).0, 0);
    assert_eq!(rows(&new, &["id"]), rows(&old, &["id"]));
    let (code, counts, _) = import(&old, &[&sources[0]]);
    assert_eq!((code, numbers(&counts)), (0, [count, 0, count, 0, 0]));
    let own = import(&old, &[&sources[3]]);
    assert_eq!(own.0, 2, "{}", own.2);
}

#[test]
fn kept_bodies_take_the_road_of_the_webhook_beside_a_running_serve() {
    let mut site = Site::new();
    site.environment("MAILTRAIL_LOG", "trace");
    let server = site.serve();
    let all = events();
    assert_eq!(server.post(&site, &batch(&all[..20])).0, 200);
    server.wait_drained();
    // A body a line, an event a line, and an array over many lines; broken ones between.
    let mut kept = batch(&all[..10]);
    kept.extend_from_slice(b"{\"email\":\"broken@example.com\"\n");
    for event in &all[10..40] {
        let event: Value = serde_json::from_str(event).unwrap();
        kept.extend_from_slice(format!("{event}\n").as_bytes());
    }
    kept.extend_from_slice(b"{\"email\":\"no.event@example.com\",\"timestamp\":1}\nnonsense broken@example.com\n");
    let outside = tempfile::tempdir().unwrap();
    let (lines, array) = (outside.path().join("kept.ndjson"), outside.path().join("kept.json"));
    std::fs::write(&lines, &kept).unwrap();
    let pretty: Vec<Value> = all[30..].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    std::fs::write(&array, serde_json::to_string_pretty(&pretty).unwrap()).unwrap();
    let (code, counts, told) = import(&site, &[lines.to_str().unwrap(), array.to_str().unwrap()]);
    assert_eq!((code, counts.len()), (1, 2), "{told}");
    assert_eq!(numbers(&counts[..1]), [43, 20, 20, 3, 0], "{told}");
    assert_eq!(numbers(&counts[1..]), [34, 24, 10, 0, 0], "{told}");
    assert!(told.contains("3 could not be read"), "{told}");
    // By standard input, and nothing is new.
    let mut child = site
        .command(&["import", "-", "--format-out", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&kept).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let counts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(numbers(&[counts]), [43, 0, 43, 0, 0]);
    // The webhook brings them, too: each is known.
    assert_eq!(server.post(&site, &batch(&all)).0, 200);
    server.wait_drained();
    assert_eq!(server.metric("mailtrail_trail_stored_total") as u64, 20, "{}", server.log());
    let log = server.stop();
    assert_eq!(rows(&site, &[]).len(), all.len());
    for address in
        ["example.com\",\"event", "person7@", "Person.One@", "broken@", "no.event@", "reader@", "a@b.example"]
    {
        for entry in std::fs::read_dir(site.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let found = bytes.windows(address.len()).any(|window| window.eq_ignore_ascii_case(address.as_bytes()));
            assert!(!found, "a file holds {address}");
        }
        assert!(!log.contains(address) && !told.contains(address));
    }
}

/// The article's table, with what a table of others may hold.
fn article(hash: impl Fn(&str) -> String, at: i64) -> Vec<Value> {
    (0..30)
        .map(|n| {
            json!({
                "sg_event_id": format!("a{n}"), "timestamp": at + n, "event": if n % 7 == 0 { "bounce" } else { "delivered" },
                "reason": (n % 7 == 0).then(|| format!("550 <person{n}@example.com> unknown, says \"mx\"")),
                "category": ["news"], "email_hash": hash(&format!("person{n}@example.com")),
            })
        })
        .collect()
}

fn csv_of(rows: &[Value]) -> String {
    let mut text = "sg_event_id,timestamp,event,reason,category,email_hash\n".to_owned();
    for row in rows {
        let cell = |name: &str| row[name].as_str().unwrap_or_default().replace('"', "\"\"");
        let line = format!(
            "{},{},{},\"{}\",\"[\"\"news\"\"]\",{}\n",
            cell("sg_event_id"),
            row["timestamp"],
            cell("event"),
            cell("reason"),
            cell("email_hash")
        );
        text.push_str(&line);
    }
    text
}

fn sha256(address: &str) -> String {
    mailtrail::protect::EmailHash::unkeyed(address).to_string()
}

#[test]
fn the_articles_table_moves_in_with_a_list_that_tells_whose_its_hashes_are() {
    let outside = tempfile::tempdir().unwrap();
    let at = now() - 1000;
    let rows_of_article = article(sha256, at);
    let (table, lines, list) =
        (outside.path().join("t.csv"), outside.path().join("t.ndjson"), outside.path().join("list.csv"));
    std::fs::write(&table, csv_of(&rows_of_article)).unwrap();
    let ndjson: Vec<String> = rows_of_article.iter().map(Value::to_string).collect();
    std::fs::write(&lines, ndjson.join("\n")).unwrap();
    let (table, lines) = (table.to_str().unwrap(), lines.to_str().unwrap());
    let addresses = |count: usize| (0..count).map(|n| format!("person{n}@example.com\n")).collect::<String>();
    std::fs::write(&list, format!("email\n{}", addresses(25))).unwrap();
    let list = list.to_str().unwrap();
    let ask = outside.path().join("ask.csv");
    std::fs::write(&ask, format!("email\n{}", addresses(30))).unwrap();
    let ask = ask.to_str().unwrap();

    let site = Site::new();
    // Nobody has said what the hashes are.
    let (code, counts, told) = import(&site, &[table]);
    assert_eq!((code, counts), (2, vec![]), "{told}");
    assert!(told.contains("--hash same") && told.contains("--rehash LIST"), "{told}");
    let (code, _, told) = import(&site, &["--hash", "sha256", table]);
    assert!(code == 2 && told.contains("--rehash LIST"), "{told}");

    let (code, counts, told) = import(&site, &["--hash", "sha256", "--rehash", list, table]);
    assert_eq!((code, numbers(&counts)), (1, [30, 25, 0, 0, 5]), "{told}");
    let sent = |site: &Site| {
        let output = site.command(&["sent", "--category", "news", "--list", ask, "--format", "json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap().lines().count(), String::from_utf8(output.stderr).unwrap())
    };
    let (found, told) = sent(&site);
    assert!(found == 25 && told.contains("imports left out 5 events"), "no silent no: {told}");

    // The same in another form, and a better list: what was left out comes in, and nobody is in doubt any more.
    let (code, counts, told) = import(&site, &["--rehash", list, lines]);
    assert_eq!((code, numbers(&counts)), (1, [30, 0, 25, 0, 5]), "{told}");
    for source in [table, lines] {
        assert_eq!(import(&site, &["--rehash", ask, source]).0, 0);
    }
    let (found, told) = sent(&site);
    assert!(found == 30 && !told.contains("left out"), "{told}");
    let exported = site.ask(&["export", "--out", "-"]);
    assert!(!exported.contains("person") && exported.contains("<[address]> unknown"), "{exported}");

    // The webhook's repetition of an imported event is known.
    let server = site.serve();
    let repeated: Vec<String> = rows_of_article
        .iter()
        .zip(0..)
        .map(|(row, n)| {
            event(
                row["sg_event_id"].as_str().unwrap(),
                &format!("person{n}@example.com"),
                row["event"].as_str().unwrap(),
                at + n,
            )
        })
        .collect();
    assert_eq!(server.post(&site, &batch(&repeated)).0, 200);
    server.wait_drained();
    server.stop();
    assert_eq!(rows(&site, &[]).len(), 30);

    // Without whom they are about: kept, and `sent` says what it cannot see.
    let site = Site::new();
    let (code, counts, told) = import(&site, &["--hash", "none", table]);
    assert_eq!((code, numbers(&counts)), (0, [30, 30, 0, 0, 0]), "{told}");
    let (found, told) = sent(&site);
    assert!(found == 0 && told.contains("30 imported events of this mail do not say whom they are about"), "{told}");

    // Where hashes are made the same way, nothing needs telling.
    let mut site = Site::new();
    site.environment("MAILTRAIL_PRIVACY_HASH", "sha256");
    let (code, counts, told) = import(&site, &["--hash", "sha256", lines]);
    assert_eq!((code, numbers(&counts)), (0, [30, 30, 0, 0, 0]), "{told}");
    assert_eq!(sent(&site).0, 30);
}

/// Killed in the middle, also beside a receiver that stores at the same time: begun again, everything is there once.
#[test]
fn an_import_that_was_killed_is_begun_again() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("kept.ndjson");
    let at = now() - 40_000;
    let line = |n: i64| event(&format!("e{n}"), &format!("person{n}@example.com"), "delivered", at + n);
    let count = 20_000;
    std::fs::write(&file, (0..count).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let site = Site::new();
    let server = site.serve();
    let mut received = 0;
    for _round in 0..3 {
        let before = stored(&site);
        let mut child = site.command(&["import", file]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Meanwhile the webhook brings some of them, too.
        while stored(&site) <= before + 1000 && child.try_wait().unwrap().is_none() {
            let part: Vec<String> = (received..received + 10).map(|n| line(count - 1 - n)).collect();
            received += 10;
            assert_eq!(server.post(&site, &batch(&part)).0, 200);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, counts, told) = import(&site, &[file]);
    assert_eq!(code, 0, "{told}");
    let [read, new, known, ..] = numbers(&counts);
    assert!(read == 20_000 && new > 0 && known > 1000, "{counts:?}");
    server.wait_drained();
    server.stop();
    assert_eq!(stored(&site), 20_000);
    let once = "SELECT count(DISTINCT sg_event_id) FROM event";
    assert_eq!(site.trail().query_row(once, (), |row| row.get::<_, i64>(0)).unwrap(), 20_000);
}

fn stored(site: &Site) -> i64 {
    site.trail().query_row("SELECT count(*) FROM event", (), |row| row.get(0)).unwrap()
}

/// `docs/migrate.md`, typed as it stands beside the files that it speaks of.
#[test]
fn the_guide_s_commands_do_what_it_says() {
    let guide = include_str!("../../../../docs/migrate.md");
    let all = events();
    let old = filled(&all);
    let site = beside(&old);
    let at = now() - 1000;
    let rows_of_article = article(sha256, at);
    let file = |name: &str| site.path().join(name);
    for folder in ["kept", "old"] {
        std::fs::create_dir(file(folder)).unwrap();
    }
    std::fs::write(file("kept/monday.ndjson"), batch(&all)).unwrap();
    std::fs::write(file("kept/tuesday.ndjson"), batch(&[event("k1", "kept@example.com", "open", at)])).unwrap();
    std::fs::copy(old.path().join("mailtrail.db"), file("old/mailtrail.db")).unwrap();
    old.ask(&["export", "--format", "parquet", "--out", file("events.parquet").to_str().unwrap()]);
    old.ask(&["export", "--out", file("events.ndjson").to_str().unwrap()]);
    std::fs::write(file("table.csv"), csv_of(&rows_of_article)).unwrap();
    let addresses: String = (0..30).map(|n| format!("person{n}@example.com\n")).collect();
    std::fs::write(file("customers.csv"), format!("email\n{addresses}")).unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_mailtrail")).parent().unwrap();
    let shell = |line: &str| {
        let output = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(site.path())
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", binary.display()))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    shell("gzip events.ndjson");
    let blocks = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(lines.len() >= 7, "the guide holds its commands: {lines:?}");
    let printed: Vec<String> = lines.iter().map(|line| shell(line)).collect();
    assert!(printed.last().unwrap().contains("import,delivered,"), "{printed:?}");
    // Everything is in, and going back as the guide has it brings it back.
    let moved = rows(&site, &["id"]);
    assert_eq!(moved.len(), all.len() + 1 + 30);
    shell(
        "mv mailtrail.db old/mailtrail.db && rm -f mailtrail.*db* && mailtrail import --from old/mailtrail.db --keep-verified-by",
    );
    assert_eq!(rows(&site, &["id"]), moved);
}

#[test]
fn a_hostile_line_costs_itself_alone() {
    let outside = tempfile::tempdir().unwrap();
    let good = |n: usize| {
        json!({"sg_event_id": format!("g{n}"), "timestamp": "2025-11-24 10:00:00 UTC", "event": "open", "email": "jane@example.com",
               "reason": "to jane@example.com and joe@example.org", "verified_by": "0123456789abcdef", "secret column": "x"})
        .to_string()
    };
    let deep =
        format!("{{\"event\":\"open\",\"timestamp\":1700000000,\"extra\":{}{}}}", "[".repeat(90), "]".repeat(90));
    let hostile = [
        "{\"event\":\"open\",\"timestamp\":\"2025-11-24T10:00:00Z\"",
        "{\"event\":\"open\",\"timestamp\":\"jane@example.com\"}",
        "{\"event\":\" \",\"timestamp\":1700000000}",
        "{\"event\":\"open\",\"timestamp\":1700000000,\"event_key\":\"zz\"}",
        "\"jane@example.com\"",
        "\u{0}\u{1b}[2Jjane@example.com",
        deep.as_str(),
    ];
    let mut text = good(0);
    for (n, line) in hostile.iter().enumerate() {
        text.push_str(&format!("\n{line}\n{}", good(n + 1)));
    }
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(b"\n{\"event\":\"open\",\"timestamp\":1700000000,\"reason\":\"\xff\"}\n");
    let file = outside.path().join("hostile.ndjson");
    std::fs::write(&file, &bytes).unwrap();
    let site = Site::new();
    let (code, counts, told) = import(&site, &[file.to_str().unwrap()]);
    let bad = hostile.len() as u64 + 1;
    assert_eq!((code, numbers(&counts)), (1, [8 + bad, 8, 0, bad, 0]), "{told}");
    assert!(told.contains("left out: secret column"), "{told}");
    assert!(!told.contains("jane@"), "{told}");
    let exported = site.ask(&["export", "--out", "-"]);
    assert!(exported.contains("to [address] and [address]") && !exported.contains("0123456789abcdef"), "{exported}");
    let hash = site.ask(&["hash", "jane@example.com"]);
    assert_eq!(exported.matches(hash.trim()).count(), 8, "the address is hashed and gone");
    // `replay` reads what SendGrid sent; rows wait for `import`.
    let replayed = site.ask(&["replay"]);
    assert!(replayed.contains("0 read"), "{replayed}");
    for entry in std::fs::read_dir(site.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"jane@exa"));
    }
    // A line without end costs itself alone, and no more memory than a long one.
    let mut endless = format!("{{\"event\":\"{}", "x".repeat(30 << 20)).into_bytes();
    endless.extend_from_slice(format!("\n{}\n", good(99)).as_bytes());
    std::fs::write(&file, &endless).unwrap();
    let (code, counts, told) = import(&site, &["--format", "ndjson", file.to_str().unwrap()]);
    assert_eq!((code, numbers(&counts)), (1, [2, 1, 0, 1, 0]), "{told}");
    for (name, content, says) in [
        ("a.gz", &b"\x1f\x8b\x08"[..], "gunzip"),
        ("b.txt", b"hello\n", "--format"),
        ("c.parquet", b"PAR1 jane@example.com", "no Parquet"),
        ("d.csv", b"event,reason\nopen,x\n", "--format"),
        ("e", b"", "empty"),
    ] {
        let path = outside.path().join(name);
        std::fs::write(&path, content).unwrap();
        let (code, _, told) = import(&site, &[path.to_str().unwrap()]);
        assert!(code == 1 && told.contains(says) && !told.contains("jane@"), "{name}: {told}");
    }
}
