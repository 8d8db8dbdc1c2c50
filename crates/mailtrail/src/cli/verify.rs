//! `mailtrail verify`: whether a saved POST holds under a public key, and if not, why.

mod headers;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sendgrid_events::signature::explain::{Captured, Finding, explain};
use sendgrid_events::{Batch, Item, PublicKey};

use super::Global;
use super::exit::{Exit, UsageError};
use crate::clock;
use crate::config::without_bom;
use headers::SignedHeaders;

/// Checks a saved request against a public key, and says why it fails
///
/// Reads no configuration and prints nothing of the body.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mailtrail trigger bounce --print saved --key-file test-key.pem
  mailtrail verify --body saved.body --headers saved.headers --key MFkw…
  mailtrail verify --body - --signature MEUC… --timestamp 1700000000 --key-file public-key.txt < saved.body

Exit code: 0 the signature holds, 1 it does not, 2 wrong usage.")]
pub(super) struct Args {
    /// The body as received, byte for byte (- for stdin)
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// The request's headers, a `Name: value` line each, as curl -v shows them or trigger --print writes them
    #[arg(long, value_name = "FILE", required_unless_present_any = ["signature", "timestamp"], conflicts_with_all = ["signature", "timestamp"])]
    headers: Option<PathBuf>,
    /// Value of X-Twilio-Email-Event-Webhook-Signature
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    signature: Option<String>,
    /// Value of X-Twilio-Email-Event-Webhook-Timestamp
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    timestamp: Option<String>,
    /// Public key as SendGrid shows it; may be given more than once
    #[arg(long = "key", value_name = "TEXT", required_unless_present = "key_file", allow_hyphen_values = true)]
    keys: Vec<String>,
    /// File that holds a public key
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    key_file: Option<PathBuf>,
}

pub(super) fn run(args: Args, _global: &Global) -> anyhow::Result<Exit> {
    let body = read(&args.body)?;
    let given = match &args.headers {
        Some(file) => headers::parse(without_bom(&String::from_utf8_lossy(&read(file)?))),
        None => SignedHeaders { signature: args.signature, timestamp: args.timestamp },
    };
    let keys = match &args.key_file {
        Some(file) => vec![without_bom(&String::from_utf8_lossy(&read(file)?)).to_owned()],
        None => args.keys,
    };
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let captured = Captured {
        keys: &keys,
        signature: given.signature.as_deref(),
        timestamp: given.timestamp.as_deref(),
        body: &body,
    };
    let findings = explain(&captured);
    match findings.as_slice() {
        [Finding::Holds(key)] => {
            let signed_at = given.timestamp.as_deref().and_then(|text| text.parse().ok());
            holds(key.as_str(), signed_at.unwrap_or_default(), &body)?;
            Ok(Exit::Done)
        }
        _ => {
            fails(&findings, &keys)?;
            Ok(Exit::Failed)
        }
    }
}

fn holds(key: &str, signed_at: i64, body: &[u8]) -> std::io::Result<()> {
    let batch = Batch::parse(body);
    let events = batch.items.iter().filter(|item| matches!(item, Item::Event(_))).count();
    let rejected = batch.items.len() - events;
    let mut out = std::io::stdout().lock();
    writeln!(out, "The signature holds.")?;
    writeln!(out, "key        {key}")?;
    writeln!(out, "signed     {}", age(clock::now_micros() / 1_000_000 - signed_at))?;
    match rejected {
        0 => writeln!(out, "events     {events}"),
        _ => writeln!(out, "events     {events}, and {rejected} that cannot be read as an event"),
    }
}

fn fails(findings: &[Finding], keys: &[&str]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "The signature does not hold as captured.")?;
    let confirmed = findings.iter().all(|finding| matches!(finding, Finding::Confirmed(_)));
    match (confirmed, findings.len()) {
        (true, 1) => writeln!(out, "It holds once this is mended:")?,
        (true, _) => writeln!(out, "It holds once all of these are mended:")?,
        (false, _) => writeln!(out, "No known repair makes it hold. What is seen:")?,
    }
    for finding in findings {
        writeln!(out, "- {finding}")?;
    }
    let ids: Vec<String> =
        keys.iter().filter_map(|text| PublicKey::parse(text).ok()).map(|key| key.id().to_string()).collect();
    match ids.is_empty() {
        true => Ok(()),
        false => writeln!(out, "Checked with key {}.", ids.join(", ")),
    }
}

/// A time span for people, in its largest unit.
fn age(seconds: i64) -> String {
    let (span, when) = (seconds.unsigned_abs(), if seconds < 0 { "ahead of this clock" } else { "ago" });
    let (number, unit) = match span {
        0..120 => (span, "s"),
        120..7_200 => (span / 60, "min"),
        7_200..172_800 => (span / 3_600, "h"),
        _ => (span / 86_400, "days"),
    };
    format!("{number} {unit} {when}")
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut content = Vec::new();
        std::io::stdin().lock().read_to_end(&mut content).context("reading stdin")?;
        return Ok(content);
    }
    std::fs::read(file).map_err(|error| UsageError(format!("cannot read {}: {error}", file.display())).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_unit() {
        for (seconds, told) in [
            (0, "0 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
            (-5, "5 s ahead of this clock"),
            (i64::MIN, "106751991167300 days ahead of this clock"),
        ] {
            assert_eq!(age(seconds), told);
        }
    }
}
