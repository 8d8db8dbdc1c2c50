//! bqemulator in an environment of its own, installed once by `scripts/bigquery-emulator`.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::request;

pub struct Emulator {
    python: PathBuf,
    data: tempfile::TempDir,
    child: Child,
    pub rest: SocketAddr,
    pub grpc: SocketAddr,
}

impl Emulator {
    /// `None`, said aloud, where it cannot be installed here.
    pub fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/bigquery-emulator");
        let output = Command::new(script).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            eprintln!("SKIPPED: bqemulator cannot be installed here, so this was not tried:\n{why}");
            return None;
        }
        let python = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        let data = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let (child, rest, grpc) = spawn(&python, data.path(), any, any);
        Some(Self { python, data, child, rest, grpc })
    }

    /// The python that has it, and Google's own client.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Again, where it was, with what it had.
    pub fn restart(&mut self) {
        let (child, rest, grpc) = spawn(&self.python, self.data.path(), self.rest, self.grpc);
        (self.child, self.rest, self.grpc) = (child, rest, grpc);
    }

    /// Rows of a query's answer, as text; null is `NULL`.
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.call("POST", "queries", &json!({ "query": sql, "useLegacySql": false }));
        assert!(
            answer.get("errors").is_none_or(|errors| errors.as_array().is_some_and(Vec::is_empty)),
            "{sql}: {answer}"
        );
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        let text = |cell: &Value| match &cell["v"] {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        rows.iter().map(|row| row["f"].as_array().unwrap().iter().map(text).collect()).collect()
    }

    /// A number.
    pub fn count(&self, sql: &str) -> u64 {
        self.query(sql)[0][0].parse().unwrap()
    }

    /// A call of the REST API below the project.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let headers = [
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Content-Length".to_owned(), body.len().to_string()),
        ];
        let path = format!("/bigquery/v2/projects/demo/{path}");
        let (status, answer) = request(self.rest, method, &path, &headers, body.as_bytes()).unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or(Value::Null)
    }
}

fn spawn(python: &Path, data: &Path, rest: SocketAddr, grpc: SocketAddr) -> (Child, SocketAddr, SocketAddr) {
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bigquery/emulator.py");
    let log = std::fs::OpenOptions::new().create(true).append(true).open(data.join("log")).unwrap();
    let mut child = Command::new(python)
        .arg(launcher)
        .arg(data.join("data"))
        .args([rest.port().to_string(), grpc.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    // It logs a line or two before it is ready. What hangs is ended by the test runner.
    // Where it does not become ready it has ended, or ends with this process, whose end of its standard input it listens to.
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok) {
        if let Some(ports) = line.strip_prefix("ready ") {
            let mut ports = ports.split(' ').map(|port| SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())));
            let (rest, grpc) = (ports.next().unwrap(), ports.next().unwrap());
            return (child, rest, grpc);
        }
    }
    child.wait().unwrap();
    let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
    panic!("bqemulator did not start: {}", log.lines().rev().take(20).collect::<Vec<_>>().join("\n"));
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
