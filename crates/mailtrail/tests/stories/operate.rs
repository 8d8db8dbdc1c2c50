//! What an operator does beside receiving: hashes to join with, and the quarantine read again.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::{Site, batch, event};

fn with_input(site: &Site, args: &[&str], input: &str) -> (bool, String, String) {
    let mut command = site.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn hashes_join_lists_with_the_trail() {
    let site = Site::new();
    let server = site.serve();
    assert_eq!(server.post(&site, &batch(&[event("h", "jane@example.com", "open", 1_700_000_000)])).0, 200);
    server.wait_drained();
    let stored: String = site.trail().query_row("SELECT email_hash FROM sendgrid_event", [], |row| row.get(0)).unwrap();

    let (_, lines, _) = with_input(&site, &["hash", "-"], " Jane@Example.COM\n\njane@example.com\n");
    assert_eq!(lines, format!("{stored}\n\n{stored}\n"));
    let list = "\u{feff}name,Email\nJane,'+jane@example.com\n\"Doe, Jane\",jane@example.com\nNobody,\n";
    let (ok, printed, said) = with_input(&site, &["hash", "--csv", "-"], list);
    assert!(!ok && printed.is_empty() && said.contains("row 4, column Email: no address"), "{said}");
    let (_, csv, _) = with_input(&site, &["hash", "--csv", "-", "--skip-invalid"], list);
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].ends_with("name,Email,email_hash"));
    assert!(rows[1].starts_with("Jane,'+jane@example.com,") && !rows[1].contains(&stored));
    assert_eq!(rows[2], format!("\"Doe, Jane\",jane@example.com,{stored}"));
    assert_eq!(rows[3], "Nobody,,");

    let (ok, _, said) = with_input(&site, &["hash", "--csv", "-", "--column", "mail"], list);
    assert!(!ok && said.contains("--email-column") && !said.contains("jane@"), "{said}");
}

#[test]
fn the_quarantine_is_listed_shown_with_a_record_and_discarded() {
    let site = Site::new();
    // Inbound Parse signs nothing.
    site.configure(&format!("basic_auth = [\"{}\"]", crate::support::CREDENTIALS));
    let server = site.serve();
    let parse =
        b"--xYzZY\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\njane@example.com\x1b[2J\r\n--xYzZY--\r\n";
    for body in [&parse[..], b"[{\"type\":\"other\"}]"] {
        let (status, text) = server.post(&site, body);
        assert_eq!(status, 200, "{text}\n{}", server.log());
    }
    server.wait_drained();
    let (ok, listed, advice) = with_input(&site, &["quarantine", "list", "--format", "csv"], "");
    assert!(ok, "{advice}");
    let rows: Vec<&str> = listed.lines().collect();
    assert_eq!(rows.len(), 3, "{listed}");
    assert!(rows[0].starts_with("id,received_at,reason") && rows[1].contains(",not_json,"), "{listed}");
    assert!(rows[1].ends_with(',') && !listed.contains("jane"), "{listed}");
    assert!(advice.contains("Inbound Parse") && advice.contains("no_event_name: "), "{advice}");

    let id = rows[1].split(',').next().unwrap();
    let (ok, shown, about) = with_input(&site, &["quarantine", "show", id], "");
    assert!(ok && shown.as_bytes() == parse, "{shown}");
    assert!(about.contains("multipart/form-data: this looks like Inbound Parse"), "{about}");
    let listed = site.ask(&["quarantine", "list", "--format", "csv"]);
    assert!(!listed.lines().nth(1).unwrap().ends_with(','), "who saw it is recorded: {listed}");

    assert!(!with_input(&site, &["quarantine", "discard", id, "99"], "").0, "one of them does not exist");
    assert_eq!(site.ask(&["quarantine", "discard", id]), "1 entries of the quarantine are deleted\n");
    assert_eq!(site.ask(&["quarantine", "list", "--format", "csv"]).lines().count(), 2);
    assert!(!with_input(&site, &["quarantine", "show", id], "").0);
    assert!(site.ask(&["quarantine", "replay"]).starts_with("1 entries in quarantine"));
    let log = server.stop();
    assert!(log.contains("kept in quarantine (not_json; multipart/form-data"), "{log}");
    assert!(!log.contains("jane"), "{log}");
}

#[test]
fn what_could_not_be_read_is_read_after_an_upgrade() {
    let site = Site::new();
    let server = site.serve();
    let (status, answer) = server.post(&site, b"[{\"event\":\"open\"},{bad}]");
    assert_eq!((status, answer.as_str()), (200, "{\"accepted\":0,\"quarantined\":2}"));
    server.wait_drained();
    let said = site.ask(&["replay"]);
    assert!(said.starts_with("2 entries in quarantine: 0 read (0 new events), 2 still unreadable, 0 that"), "{said}");

    // As an earlier version would have left it: sealed although this one can read it.
    let config = mailtrail::config::load_file_alone(&site.path().join("mailtrail.toml")).unwrap();
    let keys = mailtrail::protect::KeyRing::load(&config.privacy).unwrap();
    let body = batch(&[event("once", "jane@example.com", "open", 1_700_000_000)]);
    let sealed = keys.seal(&body, "not_json");
    let trail = rusqlite::Connection::open(site.path().join("mailtrail.db")).unwrap();
    trail
        .execute(
            "INSERT INTO quarantine (item_key, why, received_at, verified_by, seal_key_id, sealed) VALUES (?, ?, 5, 'basic', ?, ?)",
            rusqlite::params![sealed.item_key, sealed.why, sealed.seal_key_id, sealed.sealed],
        )
        .unwrap();
    trail
        .execute(
            "INSERT INTO quarantine (item_key, why, received_at, seal_key_id, sealed) VALUES (zeroblob(16), 'malformed', 5, ?, x'00')",
            [&sealed.seal_key_id],
        )
        .unwrap();
    let said = site.ask(&["replay"]);
    assert!(
        said.starts_with(
            "4 entries in quarantine: 1 read (1 new events), 2 still unreadable, 1 that the key file does not open"
        ),
        "{said}"
    );
    let row: (String, i64, String) = trail
        .query_row("SELECT sg_event_id, received_at, verified_by FROM sendgrid_event", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(row, ("once".to_owned(), 5, "basic".to_owned()), "as it came in, and by what vouched for it then");
    // The receiver goes on beside it, and finds the repetition.
    assert_eq!(server.post(&site, &body).0, 200);
    server.wait_drained();
    assert_eq!(trail.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    assert!(site.ask(&["replay"]).starts_with("3 entries"));
}

#[test]
fn secrets_that_everybody_may_read_and_keys_of_another_store_are_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new();
    site.serve().stop();
    let key = site.path().join("mailtrail.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = site.try_serve().err().expect("a key that everybody may read is refused");
    assert!(said.contains("chmod 600"), "{said}");
    // Another key would make hashes that join with nothing.
    std::fs::remove_file(&key).unwrap();
    site.write_secret("mailtrail.key", &mailtrail::protect::KeyRing::generate().unwrap().to_text());
    let said = site.try_serve().err().expect("another store's key is refused");
    assert!(said.contains("previous_key_files"), "{said}");
}

#[test]
fn memory_with_addresses_is_not_dumped() {
    let site = Site::new();
    let server = site.serve();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.process_id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}
