//! Serves the page over a trail that `fill_trail` made, and says how long each page takes to its first byte and how large it is.
//!
//! `cargo run --release --features bench --example page_figures -- FILE`
//!
//! Pages first, then the parts that come after them (counts, figures), then the files. A key is made beside the trail where
//! there is none. Sizes are before and after `gzip -6`, which must be there.
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use mailtrail::protect::KeyRing;
use mailtrail::show::time;
use mailtrail::store::Paths;
use mailtrail::store::query::EventRecord;
use mailtrail::store::sqlite::Reader;
use mailtrail::{config, serve};

const DAY: i64 = 86_400_000_000;
const TIMES: usize = 7;

fn main() -> anyhow::Result<()> {
    let file = std::env::args().nth(1).context("usage: page_figures FILE")?;
    let file = std::fs::canonicalize(file)?;
    let reader = Reader::open(&Paths::new(&file))?;
    let newest = reader.newest(1)?.pop().context("the trail is empty")?;
    let runs = reader.run_names()?;
    drop(reader);

    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(serve::start(&configured(&file)?))?;
    let page = server.page_address().context("the page did not start")?;
    println!("{:<52} {:>10} {:>10} {:>10} {:>10}", "", "first", "median", "bytes", "gzip");
    println!("Pages, to the first byte");
    for path in pages(&newest, runs.first()) {
        measure(page, &path)?;
    }
    println!("Parts that come after a page");
    for path in parts(&newest, runs.first()) {
        measure(page, &path)?;
    }
    println!("Files, kept by browsers");
    let whole = get(page, "/activity")?.body;
    let html = String::from_utf8(whole)?;
    for path in html.split('"').filter(|text| text.starts_with("/assets/")) {
        measure(page, path)?;
    }
    runtime.block_on(server.stop());
    Ok(())
}

fn configured(file: &Path) -> anyhow::Result<config::Config> {
    let private = |path: &Path, text: &str| -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(file.write_all(text.as_bytes())?)
    };
    let (key, written) = (file.with_extension("key"), file.with_extension("toml"));
    if !key.exists() {
        private(&key, &KeyRing::generate()?.to_text())?;
    }
    let text = format!(
        "[receive]\nlisten = \"127.0.0.1:0\"\nbasic_auth = [\"a:b\"]\n[privacy]\nkey_file = {key:?}\n[store]\npath = {file:?}\n\
         [metrics]\nlisten = \"off\"\n[web]\nlisten = \"127.0.0.1:0\"\nopen_on_loopback = true\n"
    );
    private(&written, &text)?;
    Ok(config::load_file_alone(&written)?)
}

fn week(newest: &EventRecord) -> String {
    let (since, until) = (time::rfc3339(newest.timestamp - 7 * DAY), time::rfc3339(newest.timestamp));
    format!("since={since}&until={until}")
}

fn pages(newest: &EventRecord, run: Option<&String>) -> Vec<String> {
    let week = week(newest);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut pages = vec![
        "/activity".to_owned(),
        format!("/activity?open={}", newest.id),
        format!("/activity?before={}.{}", newest.timestamp - 3 * DAY, newest.id),
        format!("/activity?recipient={}", text(&newest.email_hash)),
        format!("/activity?message={}", text(&newest.message_id)),
        format!("/activity?category={}", newest.category.first().cloned().unwrap_or_default()),
        format!("/activity?event=bounce&{week}"),
        format!("/activity?domain={}&{week}", text(&newest.email_domain)),
        format!("/overview?{week}"),
        "/runs".to_owned(),
    ];
    pages.extend(run.into_iter().flat_map(|run| [format!("/activity?run={run}"), format!("/runs/{run}")]));
    pages
}

fn parts(newest: &EventRecord, run: Option<&String>) -> Vec<String> {
    let week = week(newest);
    let mut parts = vec![
        "/activity/count".to_owned(),
        format!("/activity/count?event=bounce&{week}"),
        // With their lists, which come after the page.
        format!("/activity?whole=1&event=bounce&{week}"),
        format!("/activity?whole=1&domain={}&{week}", newest.email_domain.clone().unwrap_or_default()),
        format!("/activity?whole=1&reason=nobody+has+it&{week}"),
        format!("/overview/figures?{week}"),
    ];
    parts.extend(run.into_iter().flat_map(|run| {
        [format!("/activity?whole=1&run={run}"), format!("/runs/{run}/row"), format!("/runs/{run}/figures")]
    }));
    parts
}

struct Answer {
    first_byte: Duration,
    body: Vec<u8>,
}

fn get(page: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect(page)?;
    let began = Instant::now();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n")?;
    let mut answer = vec![0];
    stream.read_exact(&mut answer)?;
    let first_byte = began.elapsed();
    stream.read_to_end(&mut answer)?;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer without a head")? + 4;
    Ok(Answer { first_byte, body: answer.split_off(head) })
}

fn measure(page: SocketAddr, path: &str) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut body = Vec::new();
    for _ in 0..TIMES {
        let answer = get(page, path)?;
        times.push(answer.first_byte);
        body = answer.body;
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let median = times.get(TIMES / 2).copied().unwrap_or_default();
    let shown: String = path.chars().take(52).collect();
    println!("{shown:<52} {first:>10.1?} {median:>10.1?} {:>10} {:>10}", body.len(), gzipped(&body)?);
    Ok(())
}

fn gzipped(body: &[u8]) -> anyhow::Result<usize> {
    let mut gzip = Command::new("gzip").args(["-6", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = gzip.stdin.take().context("gzip takes nothing")?;
    let body = body.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&body));
    let size = gzip.wait_with_output()?.stdout.len();
    writing.join().map_err(|_| anyhow::anyhow!("gzip took nothing"))??;
    Ok(size)
}
