//! Load for an Event Webhook receiver on this machine: lean keep-alive connections that post bodies made and signed
//! beforehand, so that what is measured is the receiver.
//!
//! ```text
//! cargo run --release -p sendgrid-simulator --example load -- \
//!     --to http://user:password@127.0.0.1:8080/event --key-file key.pem --events-per-post 30 --connections 32 --seconds 10
//! ```
//!
//! Every event of a run is distinct, but for the share asked for with `--repeats`. When the prepared bodies are used up
//! before the time is over, the run ends early and says so; rates are over the time that was spent posting. After a 503 the
//! same POST is tried again a little later, and its time counts from the first try.

#[path = "load/fire.rs"]
mod fire;
#[path = "load/line.rs"]
mod line;
#[path = "load/prepare.rs"]
mod prepare;
#[path = "load/wait.rs"]
mod wait;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use clap::Parser;
use sendgrid_simulator::{Signer, Target};

#[derive(Debug, Parser)]
#[command(name = "load", about = "Posts prepared, signed Event Webhook bodies to a receiver on this machine")]
struct Args {
    /// The receiver's Post URL, with Basic credentials where it wants them; loopback only
    #[arg(long)]
    to: String,
    /// Events in each POST
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    events_per_post: u32,
    /// Connections, each with one POST in flight
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// Stop after this long
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Prepare and send at most this many POSTs [default: what --megabytes holds, at most 200,000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    posts: Option<u64>,
    /// Prepare at most this many megabytes of bodies
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    megabytes: u64,
    /// PKCS#8 private key on P-256; without it POSTs are unsigned
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The same seed gives the same events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many different recipients
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    recipients: u64,
    /// Share of POSTs that repeat an earlier one, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    repeats: f64,
    /// Seconds since the epoch of the newest event [default: now]; events lie in the day before
    #[arg(long)]
    at: Option<i64>,
    /// Print one line of JSON on stdout beside the text on stderr
    #[arg(long)]
    json: bool,
    /// After posting, poll this metrics page (Prometheus text) until --wait-metric has --wait-value
    #[arg(long, value_name = "URL", requires = "wait_metric")]
    wait_url: Option<String>,
    /// Name of the metric to wait for; of several with labels the sum counts
    #[arg(long, value_name = "NAME")]
    wait_metric: Option<String>,
    /// Value to wait for
    #[arg(long, default_value_t = 0.0)]
    wait_value: f64,
    /// Give up waiting after this long
    #[arg(long, default_value_t = 600)]
    wait_seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(run(args))
}

async fn run(args: Args) -> anyhow::Result<()> {
    let target = Target::parse(&args.to)?;
    ensure!(target.is_loopback(), "{target} is not on this machine: load goes to loopback addresses only");
    ensure!(!target.is_https(), "load is posted over plain HTTP only; put TLS aside for measuring");
    ensure!((0.0..=1.0).contains(&args.repeats), "--repeats is a share, from 0 to 1");
    let signer = match &args.key_file {
        Some(file) => {
            let key = std::fs::read(file).with_context(|| format!("reading the key {}", file.display()))?;
            Some(Arc::new(Signer::from_pkcs8(&key)?))
        }
        None => None,
    };
    #[expect(clippy::disallowed_methods, reason = "a load run happens now, and its signatures must be fresh")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?.as_secs() as i64;

    let preparing = Instant::now();
    let wanted = prepare::Wanted {
        events_per_post: args.events_per_post,
        posts: args.posts.unwrap_or(200_000),
        bytes: args.megabytes * 1_000_000,
        recipients: args.recipients,
        repeats: args.repeats,
        seed: args.seed,
        newest: args.at.unwrap_or(now),
        signed_at: now,
    };
    let prepared = prepare::requests(&wanted, &target, signer)?;
    let posts = prepared.requests.len();
    talk(&format!(
        "prepared {posts} POSTs with {} events ({} repeated), {} MB, {} B an event, in {:.1} s",
        prepared.events,
        prepared.repeated,
        prepared.bytes / 1_000_000,
        prepared.bytes / prepared.events.max(1),
        preparing.elapsed().as_secs_f64()
    ))?;

    let started = Instant::now();
    let fired = fire::all(&target, prepared.requests, args.connections, Duration::from_secs(args.seconds)).await?;
    let events = fired.acknowledged() * u64::from(args.events_per_post);
    let seconds = fired.elapsed.as_secs_f64();
    let [p50, p90, p99, max] = fired.milliseconds();
    let (events_per_s, posts_per_s) = (events as f64 / seconds, fired.acknowledged() as f64 / seconds);
    talk(&format!(
        "{events_per_s:.0} events/s, {posts_per_s:.0} POSTs/s; to 200: p50 {p50:.2} p90 {p90:.2} p99 {p99:.2} max {max:.2} ms; \
         {} POSTs in {seconds:.2} s, statuses {:?}, unanswered {}{}",
        fired.acknowledged(),
        fired.statuses,
        fired.unanswered,
        if fired.used_up { "; all prepared POSTs were used up before the time was over" } else { "" }
    ))?;

    let mut askable_s = None;
    if let (Some(url), Some(metric)) = (&args.wait_url, &args.wait_metric) {
        let limit = Duration::from_secs(args.wait_seconds);
        wait::until(url, metric, args.wait_value, limit).await?;
        let total = started.elapsed().as_secs_f64();
        talk(&format!(
            "{metric} = {} after {total:.2} s from the first POST: {:.0} events/s",
            args.wait_value,
            events as f64 / total
        ))?;
        askable_s = Some(total);
    }
    if args.json {
        let line = serde_json::json!({
            "events_per_post": args.events_per_post, "connections": args.connections, "seconds": seconds,
            "posts": fired.acknowledged(), "events": events, "events_per_s": events_per_s, "posts_per_s": posts_per_s,
            "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max,
            "statuses": fired.statuses, "unanswered": fired.unanswered, "used_up": fired.used_up,
            "prepared_posts": posts, "prepared_events": prepared.events,
            "askable_s": askable_s, "askable_events_per_s": askable_s.map(|s| events as f64 / s),
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    ensure!(
        fired.acknowledged() > 0,
        "nothing was acknowledged: statuses {:?}, unanswered {}",
        fired.statuses,
        fired.unanswered
    );
    Ok(())
}

fn talk(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{text}")
}
