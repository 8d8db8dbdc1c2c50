//! Makes rows of events and sends them as forwarding does, and says what that takes: rows a second, CPU a row.
//!
//!     cargo run --release --features bench --example bigquery_write -- REST_PORT GRPC_PORT ROWS
//!
//! Both ports on this machine: of `bigquery_sink`, or of the tests' protocol server, with the tables of `mailtrail bigquery init` in
//! `demo.mail`. Prints one JSON object. `benches/bigquery.py` runs it beside Google's Python client.
#![expect(clippy::print_stdout, reason = "an example talks to a terminal")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mailtrail::clock;
use mailtrail::config::BigQuery;
use mailtrail::config::bigquery::{Endpoint, Name};
use mailtrail::store::bigquery::{Dataset, EventWriter, Pulse, Row, deliver};
use mailtrail::store::query::EventRecord;
use tokio::task::JoinSet;

/// Rows of one request, as the forwarder reads them.
const A_BATCH: u64 = 2_000;

/// The binary's own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

struct Counts(AtomicU64, AtomicU64);

impl Pulse for Counts {
    fn taken(&self, _rows: usize) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn requests_taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn trouble(&self, _why: &str) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || {
        arguments.next().context("usage: bigquery_write REST_PORT GRPC_PORT ROWS")?.parse::<u64>().context("a number")
    };
    let (rest, grpc, rows) = (number()?, number()?, number()?);
    let now = clock::now_micros();

    // Made only, and thrown away.
    let (began, cpu) = (Instant::now(), cpu()?);
    let bytes: usize = (0..rows).map(|n| std::hint::black_box(Row::of(&event(n, now))).size()).sum();
    let (build, build_cpu) = (began.elapsed(), self::cpu()? - cpu);

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (began, cpu) = (Instant::now(), self::cpu()?);
    let troubles = runtime.block_on(send(rest, grpc, rows, now))?;
    let (sent, send_cpu) = (began.elapsed(), self::cpu()? - cpu);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / rows.max(1) as f64;
    println!(
        "{{\"rows\": {rows}, \"bytes_a_row\": {:.0}, \"build_us_a_row\": {:.3}, \"build_cpu_us_a_row\": {:.3}, \"rows_per_s\": {:.0}, \
         \"cpu_us_a_row\": {:.3}, \"troubles\": {troubles}}}",
        bytes as f64 / rows.max(1) as f64,
        each(build),
        each(build_cpu),
        rows as f64 / sent.as_secs_f64(),
        each(send_cpu),
    );
    Ok(())
}

/// Says how often something was tried again.
async fn send(rest: u64, grpc: u64, rows: u64, now: i64) -> anyhow::Result<u64> {
    let dataset = Dataset::new(&config(rest, grpc)?)?;
    let writer = dataset.event_writer()?;
    let counts = std::sync::Arc::new(Counts(AtomicU64::new(0), AtomicU64::new(0)));
    let mut flights = JoinSet::new();
    for from in (0..rows).step_by(usize::try_from(A_BATCH)?) {
        if flights.len() >= EventWriter::IN_FLIGHT
            && let Some(landed) = flights.join_next().await
        {
            landed?;
        }
        let batch: Vec<Row> = (from..rows.min(from + A_BATCH)).map(|n| Row::of(&event(n, now))).collect();
        let (writer, counts) = (writer.clone(), std::sync::Arc::clone(&counts));
        flights.spawn(async move { deliver(batch, &writer, &*counts).await.len() });
    }
    while let Some(refused) = flights.join_next().await {
        anyhow::ensure!(refused? == 0, "rows were refused");
    }
    Ok(counts.1.load(Ordering::Relaxed))
}

fn config(rest: u64, grpc: u64) -> anyhow::Result<BigQuery> {
    let name = |text| Name::new(text).context("a name");
    let endpoint = |port| Endpoint::new(&format!("http://127.0.0.1:{port}")).context("an address");
    Ok(BigQuery {
        project: name("demo")?,
        dataset: name("mail")?,
        table: name("sendgrid_event")?,
        location: None,
        endpoint: endpoint(rest)?,
        grpc_endpoint: endpoint(grpc)?,
        forward: true,
        quota_project: None,
        max_bytes_billed: 1 << 30,
        append_timeout: Duration::from_secs(60),
    })
}

/// As a delivered mail's event comes out of the trail. `benches/bigquery_write.py` makes the same one.
fn event(n: u64, now: i64) -> EventRecord {
    let text = |text: &str| Some(text.to_owned());
    EventRecord {
        id: 0,
        sg_event_id: Some(format!("ZGVsaXZlcmVkLTAtMTIzNDU2Nzgt{n:012}")),
        event: "delivered".to_owned(),
        timestamp: now,
        email_hash: Some(format!("{n:064x}")),
        email_domain: text("example.com"),
        email: None,
        sg_message_id: Some(format!("msg{n:012}.recvd-5b8c6d8f9-abcde-1-6543210F-1.0")),
        message_id: Some(format!("msg{n:012}")),
        smtp_id: Some(format!("<msg{n:012}@geopod-ismtpd-1>")),
        category: vec!["newsletter".to_owned(), "segment-3".to_owned()],
        reason: None,
        response: text("250 2.0.0 OK 1700000000 d2e1a72fcca58-6bdf0a1b2c3d4e5f6 - gsmtp"),
        status: None,
        r#type: None,
        bounce_classification: None,
        attempt: None,
        asm_group_id: None,
        url: None,
        useragent: None,
        ip: text("167.89.12.34"),
        sg_machine_open: None,
        tls: Some(true),
        run: text("november"),
        recipient: Some(format!("{n:032x}")),
        request: text("0123456789abcdef0123456789abcdef"),
        custom_args: text(r#"{"customer":"4711","campaign":"autumn"}"#),
        extra: text(r#"{"sg_template_name":"Newsletter"}"#),
        received_at: now,
        verified_by: text("0123456789abcdef"),
        key_id: text("0123456789abcdef"),
        event_key: format!("{n:032x}"),
        fingerprint: format!("{n:032x}"),
    }
}

/// Processor time that this process has used, user and system.
fn cpu() -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("the form of /proc/self/stat")?;
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or(0)).sum();
    // Of Linux, wherever it runs.
    Ok(Duration::from_millis(ticks * 10))
}
