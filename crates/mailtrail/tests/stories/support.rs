//! A store in a folder of its own, the binary that serves it, and a client that can be as wrong as it likes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sendgrid_simulator::Signer;

/// How long anything that should happen may take before the test says that it did not.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const CREDENTIALS: &str = "sendgrid:pass:word";

/// A folder with configuration, keys and store.
pub struct Site {
    dir: tempfile::TempDir,
    pub signer: Arc<Signer>,
    environment: Vec<(String, String)>,
    failures: Failures,
}

impl Site {
    /// Basic credentials and a signature are both asked for.
    pub fn new() -> Self {
        Self::with("")
    }

    /// With further lines of `[receive]`.
    pub fn with(receive: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let signer = Arc::new(Signer::generate().unwrap());
        let site = Self { dir, signer, environment: Vec::new(), failures: Failures::default() };
        let key = mailtrail::protect::KeyRing::generate().unwrap().to_text();
        site.write_secret("mailtrail.key", &key);
        site.configure(&format!(
            "basic_auth = [\"{CREDENTIALS}\"]\npublic_keys = [\"{}\"]\n{receive}",
            site.signer.public_key()
        ));
        site
    }

    /// Replaces the lines of `[receive]` behind `listen`.
    pub fn configure(&self, receive: &str) {
        let config = format!(
            "[receive]\nlisten = \"127.0.0.1:0\"\n{receive}\n[privacy]\nkey_file = \"mailtrail.key\"\n\
             [store]\npath = \"mailtrail.db\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
             [web]\nlisten = \"off\"\n"
        );
        self.write_secret("mailtrail.toml", &config);
    }

    /// The store lies elsewhere.
    pub fn configure_store(&self, path: &str) {
        let config = std::fs::read_to_string(self.path().join("mailtrail.toml")).unwrap();
        self.write_secret("mailtrail.toml", &config.replace("path = \"mailtrail.db\"", &format!("path = {path:?}")));
    }

    /// Sets an environment variable for what is started from here on.
    pub fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.path().join(name);
        let mut file = std::fs::OpenOptions::new();
        file.write(true).create(true).truncate(true).mode(0o600);
        file.open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        path
    }

    /// `mailtrail …` with this configuration.
    pub fn command(&self, args: &[&str]) -> Tool {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mailtrail"));
        command
            .args(args)
            .arg("--config")
            .arg(self.path().join("mailtrail.toml"))
            .current_dir(self.path())
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        Tool { command, failures: self.failures.clone() }
    }

    /// Runs a question and returns its standard output.
    pub fn ask(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mailtrail {args:?} failed: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts `serve` and waits until it takes requests.
    pub fn serve(&self) -> Running {
        self.try_serve().unwrap_or_else(|log| panic!("serve did not start:\n{log}"))
    }

    /// Starts `serve`; an error is what it said before it ended.
    pub fn try_serve(&self) -> Result<Running, String> {
        self.try_serve_with(&[])
    }

    /// The same with more arguments.
    pub fn try_serve_with(&self, args: &[&str]) -> Result<Running, String> {
        let mut child = self
            .command(&[&["serve"], args].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .child;
        let log = Arc::new(Mutex::new(String::new()));
        let lines = follow(child.stderr.take().unwrap(), Arc::clone(&log));
        let mut metrics = None;
        let mut address = None;
        while address.is_none() || metrics.is_none() {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                // It ended, or it hangs: either way it did not start.
                let _gone = child.kill();
                child.wait().unwrap();
                return Err(log.lock().unwrap().clone());
            };
            if let Some(found) = address_in(&line, "receiving on ") {
                address = Some(found);
            }
            if let Some(found) = address_in(&line, "metrics on ") {
                metrics = Some(found);
            }
        }
        Ok(Running { child, address: address.unwrap(), metrics: metrics.unwrap(), log, lines })
    }

    /// A read-only look at the trail's rows.
    pub fn trail(&self) -> rusqlite::Connection {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        rusqlite::Connection::open_with_flags(self.path().join("mailtrail.db"), flags).unwrap()
    }

    /// The headers of an honest POST.
    pub fn honest_headers(&self, body: &[u8]) -> Vec<(String, String)> {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        self.headers_signed_at(i64::try_from(now).unwrap(), body)
    }

    pub fn headers_signed_at(&self, timestamp: i64, body: &[u8]) -> Vec<(String, String)> {
        signed_headers(&self.signer, timestamp, body)
    }
}

/// What processes of a test said that did not end with success. Printed if the test fails.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<String>>>);

impl Failures {
    fn note(&self, command: &str, output: &Output) {
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            self.0.lock().unwrap().push(format!("{command} ended with {}; stderr:\n{said}", output.status));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for failure in self.failures.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
                eprintln!("{failure}");
            }
        }
    }
}

/// A command whose stderr is printed if it fails and the test fails. Everything else is [`Command`]'s.
pub struct Tool {
    command: Command,
    failures: Failures,
}

impl Tool {
    pub fn stdin(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stdin(to);
        self
    }

    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stdout(to);
        self
    }

    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Self {
        self.command.stderr(to);
        self
    }

    pub fn output(&mut self) -> std::io::Result<Output> {
        let output = self.command.output()?;
        self.failures.note(&self.arguments(), &output);
        Ok(output)
    }

    pub fn spawn(&mut self) -> std::io::Result<Process> {
        let child = self.command.spawn()?;
        Ok(Process { child, command: self.arguments(), failures: self.failures.clone() })
    }

    fn arguments(&self) -> String {
        let arguments: Vec<_> = self.command.get_args().map(std::ffi::OsStr::to_string_lossy).collect();
        format!("mailtrail {}", arguments.join(" "))
    }
}

impl Deref for Tool {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

impl DerefMut for Tool {
    fn deref_mut(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// A process of a [`Tool`].
pub struct Process {
    child: Child,
    command: String,
    failures: Failures,
}

impl Process {
    pub fn wait_with_output(self) -> std::io::Result<Output> {
        let output = self.child.wait_with_output()?;
        self.failures.note(&self.command, &output);
        Ok(output)
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

/// The headers of a POST signed by `signer`.
pub fn signed_headers(signer: &Signer, timestamp: i64, body: &[u8]) -> Vec<(String, String)> {
    let signed = signer.sign(timestamp, body).unwrap();
    vec![
        basic(CREDENTIALS),
        ("X-Twilio-Email-Event-Webhook-Signature".to_owned(), signed.signature),
        ("X-Twilio-Email-Event-Webhook-Timestamp".to_owned(), signed.timestamp),
        ("Content-Length".to_owned(), body.len().to_string()),
    ]
}

/// An Authorization header.
pub fn basic(credentials: &str) -> (String, String) {
    ("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(credentials)))
}

fn follow(stderr: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
            drop(log);
            // The test may have stopped listening.
            let _heard = sender.send(line);
        }
    });
    lines
}

pub fn address_in(line: &str, before: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(before)?;
    let rest = rest.trim_start_matches("https://").trim_start_matches("http://");
    rest.split(['/', '"']).next()?.parse().ok()
}

/// A `serve` that runs; killed when dropped.
pub struct Running {
    child: Child,
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    log: Arc<Mutex<String>>,
    lines: Receiver<String>,
}

impl Running {
    /// SIGKILL, and wait until it is gone.
    /// Waits until it ends by itself.
    pub fn wait_ended(mut self) {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "serve did not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// SIGTERM, and what became of it.
    pub fn stop(mut self) -> String {
        self.signal(rustix::process::Signal::TERM);
        let status = self.child.wait().unwrap();
        // It has said its last line; whoever reads along may not have heard it yet.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let log = self.log();
        assert!(status.success(), "serve ended with {status}:\n{log}");
        log
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Where the page and the API are.
    pub fn page(&self) -> SocketAddr {
        wait_for("the page", || self.log().contains("page on "));
        self.log().lines().find_map(|line| address_in(line, "page on ")).unwrap()
    }

    /// The value of a metric, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let (status, page) = request(self.metrics, "GET", "/metrics", &[], b"").unwrap();
        assert_eq!(status, 200);
        let values =
            page.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        values.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    /// Waits until everything acknowledged is in the trail.
    pub fn wait_drained(&self) {
        let until = Instant::now() + PATIENCE;
        while self.metric("mailtrail_backlog_items") > 0.0 {
            assert!(Instant::now() < until, "the backlog did not drain; serve said:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Peak resident memory so far, MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// An honest POST on a connection of its own.
    pub fn post(&self, site: &Site, body: &[u8]) -> (u16, String) {
        request(self.address, "POST", "/event", &site.honest_headers(body), body).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("serve said:\n{}", self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        }
        // It may be gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Polls until `done`; what is waited for has no event to await from outside the process.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One request on a connection of its own; `None` where the connection broke before a whole answer.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Option<(u16, String)> {
    Client::connect(address).request(method, path, headers, body)
}

/// A keep-alive connection.
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { address, stream: BufReader::new(stream) }
    }

    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Option<(u16, String)> {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.send(&bytes);
        self.answer().map(|(status, _, body)| (status, body))
    }

    /// Bytes as they are. A server that has hung up is found when its answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        let _may_have_hung_up = self.stream.get_mut().write_all(bytes);
    }

    /// The next answer: status, headers in lower case, body.
    pub fn answer(&mut self) -> Option<(u16, BTreeMap<String, String>, String)> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        let status = line.split_whitespace().nth(1)?.parse().ok()?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut body = Vec::new();
        if let Some(length) = headers.get("content-length") {
            body.resize(length.parse().ok()?, 0);
            self.stream.read_exact(&mut body).ok()?;
        } else if headers.get("transfer-encoding").is_some_and(|te| te == "chunked") {
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    break;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        Some((status, headers, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Whether the server has closed this connection (waits for it).
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_))
    }
}

/// An event as SendGrid would send it, told apart by `id`.
pub fn event(id: &str, email: &str, name: &str, timestamp: i64) -> String {
    format!(
        "{{\"category\":[\"news\"],\"email\":\"{email}\",\"event\":\"{name}\",\"sg_event_id\":\"{id}\",\
         \"sg_message_id\":\"msg{id}.recvd-1-2-3.0\",\"smtp-id\":\"<msg{id}@geopod-ismtpd-1>\",\"timestamp\":{timestamp}}}"
    )
}

/// A body of several events, in SendGrid's layout.
pub fn batch(events: &[String]) -> Vec<u8> {
    format!("[{}]\r\n", events.join(",\r\n")).into_bytes()
}

/// Unix seconds.
pub fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// The folder of published samples beside the repository; says so where it is absent.
pub fn shared_data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: ../shared/data is not here");
    None
}
