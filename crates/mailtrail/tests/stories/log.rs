//! What becomes of a receiver whose log nobody reads.

use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Instant;

use serde_json::json;

use crate::api::{token, with_page};
use crate::support::{Client, PATIENCE, Process, Site, address_in, batch, event, now, request};

struct Blocked {
    child: Process,
    public: SocketAddr,
    metrics: SocketAddr,
    page: SocketAddr,
    /// Nobody reads it.
    stderr: BufReader<PipeReader>,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Starts `serve`, reads its first lines, then fills the pipe and reads no more.
fn serve_with_full_pipe(site: &Site) -> Blocked {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let stderr = Stdio::from(writer.try_clone().unwrap());
    let mut child = site.command(&["serve"]).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    let (sender, found) = channel();
    std::thread::spawn(move || {
        let mut stderr = BufReader::new(reader);
        let addresses = ["receiving on ", "metrics on ", "page on "].map(|before| {
            let mut line = String::new();
            while address_in(&line, before).is_none() {
                line.clear();
                assert!(stderr.read_line(&mut line).unwrap() > 0, "serve ended");
            }
            address_in(&line, before).unwrap()
        });
        sender.send((addresses, stderr)).unwrap();
    });
    let Ok(([public, metrics, page], stderr)) = found.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("serve did not start");
    };
    // Without blocking until it is full; the child shares this flag, and blocks again afterwards.
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    while writer.write(b".").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    Blocked { child, public, metrics, page, stderr }
}

#[test]
fn a_stderr_that_nobody_reads_stops_neither_posts_nor_the_shutdown() {
    let site = Site::new();
    let (token, entry) = token(&site, &["ci", "--operator"]);
    site.write_secret("tokens", &entry);
    with_page(&site, "tokens_file = \"tokens\"");
    let mut server = serve_with_full_pipe(&site);

    // Each of these requests logs a line; together they are more than the queue holds.
    let headers = [("Authorization".to_owned(), format!("Bearer {token}"))];
    let mut client = Client::connect(server.page);
    let body = json!({ "email": vec!["jane@example.com"; 21] }).to_string();
    let headers = [
        headers[0].clone(),
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Content-Length".to_owned(), body.len().to_string()),
    ];
    for _ in 0..1_200 {
        let (status, _) = client.request("POST", "/api/v1/hashes", &headers, body.as_bytes()).expect("an answer");
        assert_eq!(status, 200);
    }
    // A refusal is logged, an accepted post is not; both are answered.
    let unproven = [("Content-Length".to_owned(), "2".to_owned())];
    assert_eq!(request(server.public, "POST", "/event", &unproven, b"[]").unwrap().0, 401);
    let events = batch(&[event("log", "jane@example.com", "open", now())]);
    assert_eq!(request(server.public, "POST", "/event", &site.honest_headers(&events), &events).unwrap().0, 200);
    assert_eq!(request(server.metrics, "GET", "/readyz", &[], b"").unwrap().0, 200);

    // Doctor finds the metrics where the configuration says.
    let config = std::fs::read_to_string(site.path().join("mailtrail.toml")).unwrap();
    let found = format!("[metrics]\nlisten = \"{}\"", server.metrics);
    site.write_secret("mailtrail.toml", &config.replace("[metrics]\nlisten = \"127.0.0.1:0\"", &found));
    let doctor = site.command(&["doctor"]).output().unwrap();
    let checks = String::from_utf8(doctor.stdout).unwrap();
    assert!(checks.contains("log lines of mailtrail serve were dropped"), "{checks}");

    let id = rustix::process::Pid::from_raw(i32::try_from(server.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = server.child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < until, "SIGTERM had no effect");
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
    drop(server.stderr.fill_buf());
}
