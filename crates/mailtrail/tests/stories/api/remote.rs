//! Questions from another host: the same answers as where the store is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Api, token, with_page};
use crate::contract::{QUESTIONS, events};
use crate::support::{Site, batch, event, now};

/// A machine that has a token and nothing else.
struct Elsewhere {
    dir: tempfile::TempDir,
    server: String,
}

impl Elsewhere {
    fn new(server: &str, token: &str) -> Self {
        let elsewhere = Self { dir: tempfile::tempdir().unwrap(), server: server.to_owned() };
        elsewhere.write("token", &format!("{token}\n"), 0o600);
        elsewhere
    }

    fn of(api: &Api) -> Self {
        Self::new(&format!("http://{}", api.page), &api.operator)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrail"));
        command.args(args).args(["--server", &self.server]).current_dir(self.dir.path());
        command.env("MAILTRAIL_TOKEN_FILE", "token").env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        finished(&mut self.command(args))
    }
}

fn finished(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The same here and there, in all that scripts and people read but the time it took.
fn same(site: &Site, elsewhere: &Elsewhere, args: &[&str]) -> String {
    let (code, printed, told) = finished(&mut site.command(args));
    let (other_code, other_printed, other_told) = elsewhere.run(args);
    assert_eq!((code, &printed), (other_code, &other_printed), "{args:?}: {told}\n{other_told}");
    let talk = |told: &str| {
        let lines = told.lines().filter(|line| !line.starts_with("note: without --since only"));
        let lines: Vec<String> = lines.map(|line| without_time(line).to_owned()).collect();
        (lines, told.contains("note: without --since only the last 7 days"))
    };
    assert_eq!(talk(&told), talk(&other_told), "{args:?}");
    printed
}

/// `7 events in 3 ms; looked through …` without the milliseconds and the second from which on it looked.
fn without_time(line: &str) -> &str {
    line.split_once(" in ").map_or(line, |(before, _)| before)
}

#[test]
fn another_host_answers_like_the_store_itself() {
    let site = Site::new();
    let (operator, entry) = token(&site, &["ci", "--operator"]);
    with_page(&site, &format!("tokens = [\"{entry}\"]"));
    let server = site.serve();
    for part in events().chunks(16) {
        assert_eq!(server.post(&site, &batch(part)).0, 200);
    }
    server.wait_drained();
    let elsewhere = Elsewhere::new(&format!("http://{}/", server.page()), &operator);
    let mut shown = 0;
    for question in QUESTIONS {
        let args: Vec<&str> = question.split(' ').collect();
        let formats: &[&str] = if args[0] == "export" { &["ndjson", "csv"] } else { &["json", "csv", "table"] };
        for format in formats {
            let printed = same(&site, &elsewhere, &[&args[..], &["--format", format]].concat());
            shown += usize::from(printed.lines().count() > 1);
        }
    }
    assert!(shown > QUESTIONS.len(), "most questions have an answer");
    // The days of somebody else's clock are counted there, too.
    let output = "[output]\ntime_zone = \"Asia/Tokyo\"\nlanguage = \"ja\"\n";
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    site.write_secret("mailtrail.toml", &format!("{config}{output}"));
    elsewhere.write("mailtrail.toml", output, 0o600);
    let by_hour = same(&site, &elsewhere, &["stats", "--by", "hour", "--format", "csv"]);
    assert!(by_hour.contains("+09:00"), "{by_hour}");
    for format in ["csv", "table"] {
        same(&site, &elsewhere, &["activity", "--limit", "3", "--format", format]);
    }
    for path in [site.path(), elsewhere.dir.path()] {
        std::fs::write(path.join("list.csv"), "email,name\nuser5@example.org,五\nuser6@example.com,六\n").unwrap();
    }
    let unreached =
        same(&site, &elsewhere, &["unreached", "spring", "--list", "list.csv", "--format", "csv", "--include-pending"]);
    assert!(unreached.lines().count() > 1, "{unreached}");
}

#[test]
fn sends_are_asked_about_from_another_host() {
    let api = Api::start();
    let elsewhere = Elsewhere::of(&api);
    for path in [api.site.path(), elsewhere.dir.path()] {
        let list = "会社,E-Mail\nA社,Alice@example.com\nB社,bob@example.org\nC社,nobody@example.net\n";
        std::fs::write(path.join("list.csv"), list).unwrap();
    }
    let list = ["--list", "list.csv"];
    for args in [
        vec!["runs"],
        vec!["runs", "r1"],
        [&["unreached", "r1"][..], &list].concat(),
        [&["unreached", "r1", "--include-pending"][..], &list].concat(),
        [&["unreached", "--category", "news", "--since", "2h"][..], &list].concat(),
        [&["sent", "r1"][..], &list].concat(),
        [&["sent", "r1", "--not-sent"][..], &list].concat(),
        [&["sent", "--category", "news", "--ignore-unverified"][..], &list].concat(),
    ] {
        for format in ["json", "csv", "table"] {
            let printed = same(&api.site, &elsewhere, &[&args[..], &["--format", format]].concat());
            assert!(!printed.is_empty(), "{args:?} shows nothing");
        }
    }
    let (_, told, _) = elsewhere.run(&[&["unreached", "r1", "--format", "csv"][..], &list].concat());
    assert!(told.contains("bob@example.org") && !told.contains("Alice"), "addresses are those of the list: {told}");
    let log = api.server.stop().to_lowercase();
    assert!(!log.contains("alice") && !log.contains("nobody"), "{log}");
}

#[test]
fn exports_come_whole_or_not_at_all() {
    let api = Api::start();
    let elsewhere = Elsewhere::of(&api);
    let (code, _, err) = elsewhere.run(&["export", "--format", "parquet", "--out", "there.parquet"]);
    assert_eq!(code, 0, "{err}");
    api.site.ask(&["export", "--format", "parquet", "--out", "here.parquet"]);
    let read = |path: &Path| std::fs::read(path).unwrap();
    assert!(
        read(&elsewhere.dir.path().join("there.parquet")) == read(&api.site.path().join("here.parquet")),
        "byte for byte"
    );
    // A server that hangs up within a row.
    let half =
        answering("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{\"event\":");
    let (code, out, err) = Elsewhere::new(&half, "t").run(&["export", "--out", "half.ndjson"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("broke off"), "{err}");
    // And one that ends there as if all were well.
    let cut =
        answering("HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 9\r\n\r\n{\"event\":");
    let cut = Elsewhere::new(&cut, "t");
    let (code, _, err) = cut.run(&["export", "--out", "half.ndjson"]);
    assert!(code == 1 && err.contains("broke off"), "{err}");
    assert!(!cut.dir.path().join("half.ndjson").exists());
}

/// Answers one request like this, then hangs up; where it is.
fn answering(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        // Small enough to come at once.
        let _read = stream.read(&mut head).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    format!("http://{address}")
}

#[test]
fn what_goes_wrong_is_told_with_what_to_do() {
    let api = Api::start();
    let elsewhere = Elsewhere::of(&api);
    let viewer = Elsewhere::new(&elsewhere.server, &api.viewer);
    let wrong = Elsewhere::new(&elsewhere.server, "mailtrail_wrong");
    let redirect = answering("HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (machine, args, code, said) in [
        (&viewer, vec!["export", "--out", "-"], 1, "lists of people are for operators"),
        (&viewer, vec!["sent", "r1", "--list", "list.csv"], 1, "lists of people are for operators"),
        (&wrong, vec!["stats"], 1, "mailtrail web token"),
        (&elsewhere, vec!["runs", "nope"], 1, "There is no such run"),
        (&elsewhere, vec!["unreached", "r1"], 2, "not on record"),
        (&elsewhere, vec!["activity", "--limit", "10001"], 2, "limit is no number from 1 to 10000"),
        (&elsewhere, vec!["activity", "--event", "blocked"], 2, "Use --status blocked"),
        (&Elsewhere::new("http://mailtrail.example.com", "t"), vec!["stats"], 2, "travel in the open"),
        (&Elsewhere::new("https://mailtrail.example.com/x", "t"), vec!["stats"], 2, "without a path"),
        (&Elsewhere::new(&redirect, "t"), vec!["stats"], 1, "Redirects are not followed"),
        (&Elsewhere::new(&format!("http://{gone}"), "t"), vec!["stats"], 1, "gives no answer"),
    ] {
        machine.write("list.csv", "email\nalice@example.com\nbob@example.org\n", 0o600);
        let (ended, out, err) = machine.run(&args);
        assert_eq!((ended, out.as_str()), (code, ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
        assert!(!err.contains("mailtrail_wrong") && !err.contains("alice"), "{err}");
    }
    elsewhere.write("token", &api.operator, 0o644);
    let (code, _, err) = elsewhere.run(&["stats"]);
    assert!(code == 2 && err.contains("chmod 600"), "{err}");
    let (code, _, err) = finished(elsewhere.command(&["stats"]).env_remove("MAILTRAIL_TOKEN_FILE"));
    assert!(code == 2 && err.contains("--token-file"), "{err}");
}

#[test]
fn what_another_host_says_is_bounded_and_steers_no_terminal() {
    let text = format!("\u{1b}]0;owned\u{7}\r\n\u{202e}{}", "x".repeat(10_000));
    let problem = serde_json::json!({
        "type": "urn:x", "title": text, "status": 403, "detail": text, "advice": text,
    });
    let problem = problem.to_string();
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n";
    let (code, out, err) = Elsewhere::new(&answering(format!("{head}{problem}")), "t").run(&["stats"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("\\u{1b}]0;owned") && err.len() < 3_000, "{} bytes: {err}", err.len());
    assert!(!err.trim_end().contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{err:?}");
    // One that does not end is not read to its end.
    let endless = format!("{head}{}", " ".repeat(100 * 1024));
    let (code, _, err) = Elsewhere::new(&answering(endless), "t").run(&["stats"]);
    assert!(code == 1 && err.contains("not as mailtrail's API does"), "{err}");
}

#[test]
fn a_server_proves_who_it_is() {
    // The listener for events has a certificate, and is no page.
    let site = Site::with("tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    site.write_secret("cert.pem", &made.cert.pem());
    site.write_secret("key.pem", &made.signing_key.serialize_pem());
    let server = site.serve();
    let elsewhere = Elsewhere::new(&format!("https://localhost:{}", server.address.port()), "mailtrail_x");
    let (code, _, err) = elsewhere.run(&["stats"]);
    assert!(code == 1 && err.contains("gives no answer") && err.to_lowercase().contains("certificate"), "{err}");
    let known = site.path().join("cert.pem");
    let (code, _, err) = finished(elsewhere.command(&["stats"]).env("SSL_CERT_FILE", known));
    assert!(code == 1 && err.contains("not as mailtrail's API does"), "{err}");
}

#[test]
fn an_address_is_asked_for_from_standard_input() {
    let api = Api::start();
    let elsewhere = Elsewhere::of(&api);
    let mut child = elsewhere.command(&["timeline", "-", "--format", "json"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ALICE@example.com\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), 2, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!printed.to_lowercase().contains("alice"));
}

#[test]
fn tail_follows_another_host() {
    let api = Api::start();
    let elsewhere = Elsewhere::of(&api);
    let mut child = elsewhere.command(&["tail", "-f", "-n", "1", "--format", "json"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    assert_eq!(api.server.post(&api.site, &batch(&[event("late", "alice@example.com", "click", now())])).0, 200);
    let followed = lines.next().unwrap().unwrap();
    assert!(followed.contains("\"late\""), "{followed}");
    child.kill().unwrap();
    child.wait().unwrap();
}
