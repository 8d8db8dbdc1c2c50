//! `mailtrail trigger`: signed sample events, for trying a receiver out.

mod key;
mod print;
mod tell;

use std::io::Read;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sendgrid_events::EVENT_NAMES;
use sendgrid_simulator::plan::{Plan, Shape};
use sendgrid_simulator::{Delivery, Event, Message, Random, Signer, Target};

use super::Global;
use super::exit::{Exit, UsageError};
use crate::clock;
use crate::config::{BasicCredential, without_bom};

/// Recipient of samples where none is given.
const SAMPLE_ADDRESS: &str = "jane.doe@example.com";

/// Send signed sample events to a receiver, as SendGrid would
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mailtrail trigger delivered --to http://127.0.0.1:8080/event --key-file test-key.pem
  mailtrail trigger all --count 100 --rate 50/s --to https://hooks.example.org/event \\
      --user-password-file basic.txt --key-file test-key.pem
  mailtrail trigger bounce --print bounce --key-file test-key.pem
      writes bounce.headers and bounce.body, and sends nothing

The key file is made where it is missing; its public key belongs into test_public_keys
under [receive]. What is signed by such a key is stored as a test and left out of counts.")]
pub(super) struct Args {
    /// Events to send: SendGrid's names, `all` for the twelve, or any other name
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<String>,
    /// The receiver's Post URL; may hold user:password
    #[arg(long, value_name = "URL", required_unless_present = "print")]
    to: Option<String>,
    /// How many of each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Events in one POST at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    batch: u32,
    /// Private key that signs (PKCS#8, P-256); made where the file is missing [default: a key for this time only]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Do not sign
    #[arg(long, conflicts_with = "key_file")]
    unsigned: bool,
    /// File with user:password for Basic authentication, where the URL has none
    #[arg(long, value_name = "FILE")]
    user_password_file: Option<PathBuf>,
    /// Recipient of the samples; - reads it from stdin [default: jane.doe@example.com]
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Category of the mail; may be given several times
    #[arg(long = "category", value_name = "C")]
    categories: Vec<String>,
    /// Run of the mail (the custom arg mailtrail_run)
    #[arg(long, value_name = "R")]
    run: Option<String>,
    /// The same seed gives the same samples [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Events a second at most: 50 or 50/s
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<NonZeroU32>,
    /// Root certificate (PEM) to trust beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Write each signed request to PREFIX.headers and PREFIX.body instead of sending it
    #[arg(long, value_name = "PREFIX")]
    print: Option<PathBuf>,
}

pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    let target = target(&args)?;
    let signer = if args.unsigned { None } else { Some(Arc::new(key::signer(args.key_file.as_deref())?)) };
    let now = clock::now_micros();
    let plan = plan(&args, now)?;
    if let Some(prefix) = &args.print {
        return print::requests(&plan, signer.as_deref(), target.as_ref(), now / 1_000_000, prefix);
    }
    let Some(target) = target else {
        return Err(UsageError("--to URL is missing: where are the events to go?".to_owned()).into());
    };
    post(&args, target, signer, &plan, now / 1_000_000)
}

fn post(args: &Args, target: Target, signer: Option<Arc<Signer>>, plan: &Plan, now: i64) -> anyhow::Result<Exit> {
    let mut delivery = Delivery::new(target);
    delivery.signer = signer;
    // A person waits for the first answer; trying again for hours is what SendGrid itself is for.
    delivery.retry = None;
    delivery.events_per_second = args.rate.map(NonZeroU32::get);
    delivery.total_time = Duration::from_secs(24 * 3600);
    if let Some(file) = &args.ca_file {
        let pem = std::fs::read(file).with_context(|| format!("reading the certificate {}", file.display()))?;
        delivery.extra_root = Some(pem);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let report = runtime.block_on(delivery.post(plan, now))?;
    let told = tell::summary(&report, &delivery, &mut std::io::stdout().lock(), &mut std::io::stderr().lock());
    told.context("writing the summary")
}

fn target(args: &Args) -> anyhow::Result<Option<Target>> {
    let Some(url) = &args.to else { return Ok(None) };
    let target = Target::parse(url).map_err(|error| UsageError(error.to_string()))?;
    let Some(file) = &args.user_password_file else { return Ok(Some(target)) };
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let credential = BasicCredential::parse(without_bom(&text).trim_end_matches(['\r', '\n']));
    let wrong = || UsageError(format!("{} does not hold user:password on one line", file.display()));
    let credential = credential.ok_or_else(wrong)?;
    let (user, password) = credential.expose().split_once(':').ok_or_else(wrong)?;
    Ok(Some(target.with_credentials(user, password)?))
}

fn plan(args: &Args, now: i64) -> anyhow::Result<Plan> {
    let email = match args.email.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().lock().take(4096).read_to_string(&mut text).context("reading the address from stdin")?;
            without_bom(&text).lines().next().unwrap_or_default().trim().to_owned()
        }
        Some(address) => address.to_owned(),
        None => SAMPLE_ADDRESS.to_owned(),
    };
    if email.is_empty() {
        return Err(UsageError("the address is empty".to_owned()).into());
    }
    let names: Vec<&str> = args
        .events
        .iter()
        .flat_map(|name| if name == "all" { EVENT_NAMES.to_vec() } else { vec![name.as_str()] })
        .collect();
    // Without a seed each call tells new events, so that none of them is taken for a repeat.
    let mut random = Random::new(args.seed.unwrap_or(now.unsigned_abs()));
    let at = now / 1_000_000;
    let mut events: Vec<Event> = Vec::with_capacity(names.len() * args.count as usize);
    for _ in 0..args.count {
        let mut message = Message::new(&mut random, &email, at);
        message.categories.clone_from(&args.categories);
        if let Some(run) = &args.run {
            message.custom_args.push(("mailtrail_run".to_owned(), run.clone()));
        }
        events.extend(names.iter().map(|name| message.event(name, at, &mut random)));
    }
    Ok(Plan::new(&events, &Shape { batch_events: args.batch as usize, ..Shape::default() }))
}

fn parse_rate(text: &str) -> Result<NonZeroU32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number.parse().map_err(|_| "expected a whole number of events a second above 0, such as 50 or 50/s".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Result<Args, clap::Error> {
        Line::try_parse_from(format!("trigger {line}").split(' ')).map(|line| line.args)
    }

    #[test]
    fn all_means_the_twelve_and_a_seed_the_same_events() {
        let line = "all brand_new --to http://localhost/event --count 3 --batch 10 --seed 5 --run spring --category a";
        let args = args(line).expect("valid");
        let plan_of = |now| plan(&args, now).expect("a plan");
        let first = plan_of(1_700_000_000_000_000);
        assert_eq!(first.events(), 13 * 3);
        assert_eq!(first.posts.len(), 4);
        assert!(first.posts.iter().all(|post| post.keys.len() <= 10));
        assert_eq!(first.keys().len(), 39, "each is an event of its own");
        assert_eq!(first.keys(), plan_of(1_700_000_000_000_000).keys());
        let body = String::from_utf8_lossy(&first.posts[0].body).into_owned();
        assert!(body.contains("\"mailtrail_run\":\"spring\"") && body.contains("\"category\":[\"a\"]"), "{body}");
    }

    #[test]
    fn without_a_seed_each_call_tells_new_events() {
        let args = args("delivered --to http://localhost/event").expect("valid");
        let one = plan(&args, 1_700_000_000_000_000).expect("a plan").keys();
        assert!(one.is_disjoint(&plan(&args, 1_700_000_000_000_001).expect("a plan").keys()));
    }

    #[test]
    fn rates() {
        for (text, rate) in [("50", Some(50)), ("50/s", Some(50)), ("0", None), ("-1", None), ("50/m", None)] {
            assert_eq!(parse_rate(text).ok().map(NonZeroU32::get), rate, "{text}");
        }
    }

    #[test]
    fn a_wrong_url_is_not_repeated() {
        let args = args("open --to user:s3cret@host").expect("clap takes any text");
        let error = target(&args).expect_err("no URL of HTTP");
        assert!(!format!("{error:#}").contains("s3cret"));
        assert!(error.downcast_ref::<UsageError>().is_some());
    }

    #[test]
    fn credentials_from_a_file_go_into_the_url_and_wrong_files_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("basic");
        let line = format!("open --to http://localhost/event --user-password-file {}", file.display());
        let args = args(&line).expect("valid");
        std::fs::write(&file, "sendgrid:p:w@rd/x\n").expect("written");
        let url = target(&args).expect("read").expect("given").expose().clone();
        assert_eq!((url.username(), url.password()), ("sendgrid", Some("p%3Aw%40rd%2Fx")));
        std::fs::write(&file, "no colon s3cret\n").expect("written");
        let error = format!("{:#}", target(&args).expect_err("no credential"));
        assert!(error.contains("basic does not hold user:password") && !error.contains("s3cret"), "{error}");
    }
}
