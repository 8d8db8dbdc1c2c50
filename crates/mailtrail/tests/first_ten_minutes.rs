//! `docs/first-ten-minutes.md`, typed as it stands. What differs from run to run (numbers, hashes, widths of columns) is
//! left out of the comparison. With `UPDATE_DOCS=1` the page's output is written anew.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PAGE: &str = "../../docs/first-ten-minutes.md";

/// The receiver; killed when the test ends, however it does.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// One line that is typed, and what the page says comes of it.
struct Step {
    typed: String,
    told: String,
}

#[test]
fn the_page_tells_what_happens() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The page's ports may be taken here.
    let [receive, metrics] = [free_port(), free_port()];
    let mut serve = None;
    let mut rewritten = String::new();
    let mut rest = page.as_str();
    let mut steps = 0;
    while let Some((before, block)) = rest.split_once("```console\n") {
        let (block, after) = block.split_once("```").unwrap();
        writeln!(rewritten, "{before}```console").unwrap();
        for step in parse(block) {
            steps += 1;
            let output = if let Some(command) = step.typed.strip_suffix(" &") {
                // In place of the shell, so that the child that is killed is the server.
                let child = shell(&format!("exec {command}"), folder.path(), receive, metrics)
                    .stdout(Stdio::null())
                    .stderr(fs::File::create(folder.path().join("serve.log")).unwrap())
                    .spawn();
                serve = Some(Serve(child.unwrap()));
                wait_for_lines(&folder.path().join("serve.log"), 2)
            } else {
                // Posts are answered before they are indexed; a question comes after.
                wait_until_indexed(folder.path(), receive, metrics);
                let both = format!("{{ {} ; }} 2>&1", step.typed);
                let output = shell(&both, folder.path(), receive, metrics).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            };
            let output = output.replace(&receive.to_string(), "8080").replace(&metrics.to_string(), "9090");
            if std::env::var_os("UPDATE_DOCS").is_none() {
                assert_eq!(plain(&step.told), plain(&output), "\n$ {}\nnow prints:\n{output}", step.typed);
            }
            writeln!(rewritten, "$ {}\n{}", step.typed, output.trim_end()).unwrap();
        }
        rewritten = rewritten.replace("\n\n```", "\n```");
        rewritten.push_str("```");
        rest = after;
    }
    rewritten.push_str(rest);
    assert!(steps >= 10 && serve.is_some(), "the page holds its commands: {steps}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, rewritten).unwrap();
    }
}

fn parse(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(typed), _) => steps.push(Step { typed: typed.to_owned(), told: String::new() }),
            (None, Some(step)) => writeln!(step.told, "{line}").unwrap(),
            (None, None) => panic!("output before a command: {line}"),
        }
    }
    steps
}

fn shell(command: &str, folder: &Path, receive: u16, metrics: u16) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_mailtrail")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var_os("PATH").unwrap().to_string_lossy());
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(command.replace("127.0.0.1:8080", &format!("127.0.0.1:{receive}")))
        .current_dir(folder)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .env("NO_COLOR", "1")
        .env("MAILTRAIL_RECEIVE_LISTEN", format!("127.0.0.1:{receive}"))
        .env("MAILTRAIL_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
        .env("MAILTRAIL_WEB_LISTEN", "off")
        .stdin(Stdio::null());
    shell
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for_lines(path: &Path, count: usize) -> String {
    wait_for(|| {
        let text = fs::read_to_string(path).unwrap();
        (text.lines().count() >= count).then_some(text)
    })
}

fn wait_until_indexed(folder: &Path, receive: u16, metrics: u16) {
    if !folder.join("mailtrail.db").exists() {
        return;
    }
    wait_for(|| {
        let output = shell("mailtrail tail -n 1", folder, receive, metrics).output().unwrap();
        (!String::from_utf8_lossy(&output.stderr).contains("not yet in the trail")).then_some(())
    });
}

fn wait_for<T>(mut done: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < until, "waited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lines without blanks, each run of letters and digits that holds a digit as `#`.
fn plain(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| {
            // A public key, another one each time.
            if word.starts_with("MFkw") {
                return "#".to_owned();
            }
            let parts = word.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).map(|part| {
                let (core, end) = match part.char_indices().next_back() {
                    Some((at, c)) if !c.is_ascii_alphanumeric() => part.split_at(at),
                    _ => (part, ""),
                };
                let core = if core.bytes().any(|b| b.is_ascii_digit()) { "#" } else { core };
                format!("{core}{end}")
            });
            parts.collect::<String>()
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}
