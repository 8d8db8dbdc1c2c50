//! What a process of ours writes on stderr, seen from outside: each case runs in a child process, since logging and the
//! panic hook are set once a process.

use std::process::Command;

use mailtrail::config::{Log, LogFormat, LogLevel};

const CASE: &str = "LOGGING_TEST_CASE";

/// Runs this very test binary with one case and returns its stderr.
fn stderr_of(case: &str) -> String {
    let output = Command::new(std::env::current_exe().expect("the path of this test"))
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("a child process");
    String::from_utf8(output.stderr).expect("text")
}

/// Does nothing unless a test of this file started it.
#[test]
fn child() {
    let Some(case) = std::env::var_os(CASE) else { return };
    let format = if case == "json" { LogFormat::Json } else { LogFormat::Text };
    if case != "panic before" {
        mailtrail::log::start(&Log { level: LogLevel::Debug, format }).unwrap();
    } else {
        mailtrail::log::quiet_panics();
    }
    match case.to_str().unwrap() {
        "panic" | "panic before" => {
            let text = "jané@example.com".to_owned();
            let handle = std::thread::Builder::new().name("worker".into()).spawn(move || text[..4].len()).unwrap();
            assert!(handle.join().is_err(), "slicing inside a character panics");
        }
        _ => {
            tracing::debug!(target: "hyper::proto", "a library's secret");
            tracing::warn!(target: "hyper::proto", "a library's warning");
            tracing::warn!(target: "mailtrail::x", { batch.items = 3, error = %"broken\nline" }, "own \u{1b}[31mwarning");
            for _ in 0..5 {
                mailtrail::log::limited("nonsense", || tracing::warn!(target: "mailtrail::x", "refused"));
            }
        }
    }
    mailtrail::log::flush();
}

#[test]
fn a_panic_says_where_but_never_what() {
    for case in ["panic", "panic before"] {
        let stderr = stderr_of(case);
        assert!(stderr.contains("thread worker panicked at ") && stderr.contains("logging.rs:"), "{stderr}");
        assert!(!stderr.contains("example.com"), "{stderr}");
    }
}

#[test]
fn text_is_without_colour_where_nobody_looks_and_libraries_are_quiet() {
    let stderr = stderr_of("text");
    assert!(stderr.contains("own") && stderr.contains("a library's warning"), "{stderr}");
    assert!(!stderr.contains("a library's secret"), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
    assert_eq!(stderr.matches("refused").count(), 1, "{stderr}");
}

#[test]
fn json_is_an_object_a_line_with_severity() {
    let stderr = stderr_of("json");
    let lines: Vec<serde_json::Value> =
        stderr.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect();
    let own = lines.iter().find(|line| line["target"] == "mailtrail::x").unwrap_or_else(|| panic!("{stderr}"));
    assert_eq!(own["severity"], "WARNING");
    assert_eq!(own["message"], "own \u{1b}[31mwarning");
    assert_eq!(own["batch.items"], 3);
    assert_eq!(own["error"], "broken\nline");
    assert!(own["time"].as_str().unwrap().ends_with('Z'));
    assert!(!stderr.contains('\u{1b}'), "escapes are escaped: {stderr:?}");
}
