//! `mailtrail reconcile`

mod ready;

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::output::note;
use super::question::Question;
use super::time;
use crate::clock::now_micros;
use crate::protect::KeyRing;
use crate::reconcile::{KEPT_DAYS, Progress, Reconciler};
use crate::sendgrid::Client;
use crate::store::keys::Keys as _;
use crate::store::restored;
use crate::store::sqlite::Trail;

const DAY: i64 = 24 * 3600 * 1_000_000;
/// Events of younger messages are mostly on their way still.
const YOUNG: i64 = 10 * 60 * 1_000_000;

/// Prove the trail complete against SendGrid's Email Logs, and add what is missing
///
/// SendGrid keeps 30 days, at no charge. What is added is marked verified_by = api. `serve` may go on meanwhile, or not run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Messages that SendGrid took from this time on: 2h, 7d, 2026-11-24, RFC 3339
    #[arg(long, value_name = "TIME", required_unless_present = "resume")]
    since: Option<String>,
    /// And before this time [default: 10 minutes ago]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Say what is missing, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Fetch the events of every message, one request each: finds missing opens, clicks and earlier deferrals too
    #[arg(long)]
    every_message: bool,
    /// Look at the messages of this subuser, by its number (SendGrid: Settings > Subuser Management), instead of the account's own
    #[arg(long, value_name = "NUMBER")]
    subuser: Option<u64>,
    /// Go on with one that was interrupted
    #[arg(long, conflicts_with_all = ["since", "until", "dry_run", "every_message", "subuser"])]
    resume: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    let client = Client::new(&question.config.sendgrid)?;
    let saved_at = question.paths.reconcile();
    let saved = Progress::load(&saved_at).with_context(|| format!("{}, the saved place", saved_at.display()))?;
    let mut progress = match (args.resume, saved) {
        (true, Some(saved)) => saved,
        (true, None) => {
            return Err(UsageError("no reconciliation was interrupted: begin one with --since".into()).into());
        }
        (false, saved) => {
            if let Some(saved) = saved {
                let edge = time::rfc3339(saved.edge);
                note(&format!(
                    "note: an interrupted one had come to {edge}; this one begins anew (--resume goes on with it)"
                ));
            }
            begin(&args)?
        }
    };
    if question.config.sendgrid.on_behalf_of.is_some() && progress.subuser.is_none() {
        note(
            "note: [sendgrid] on_behalf_of is set, which SendGrid does not document for its logs: name the subuser's number with \
             --subuser, or use a key of the subuser's own",
        );
    }
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(async {
        ready::drained(&question, &keys).await?;
        let trail = match args.dry_run {
            true => None,
            false => {
                let mut trail = Trail::open(question.paths.trail())?;
                trail.adopt(&keys.identity())?;
                Some(trail)
            }
        };
        let mut reconciler =
            Reconciler::new(&client, question.reader()?, trail, keys, &question.config.privacy, progress.every_message)
                .of_subuser(progress.subuser);
        let save = |progress: &Progress| if args.dry_run { Ok(()) } else { progress.save(&saved_at) };
        let ended = reconciler.run(&mut progress, save).await;
        tell(&mut io::stdout().lock(), &progress, args.dry_run)?;
        if ended.is_err() && !args.dry_run {
            note("note: mailtrail reconcile --resume goes on from there");
        }
        ended?;
        if !args.dry_run {
            std::fs::remove_file(&saved_at)
                .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
            settle_restored(&question, &progress)?;
        }
        Ok(if progress.unseen_windows + progress.gone + progress.quarantined > 0 { Exit::Failed } else { Exit::Done })
    })
}

/// Whatever was sent after the backup that the store came from is in the trail now, and `send` may go by it.
fn settle_restored(question: &Question, progress: &Progress) -> anyhow::Result<()> {
    let Some(restored) = restored::look(&question.paths)? else { return Ok(()) };
    if progress.subuser.is_some() && question.config.sendgrid.on_behalf_of.is_none() {
        note(
            "note: this store was restored from a backup; `send` waits until the account's own messages are looked at, too",
        );
        return Ok(());
    }
    if progress.since > restored.since {
        let since = time::rfc3339(restored.since);
        note(&format!(
            "note: this store was restored from a backup of {since}; `send` waits until all since then is looked at"
        ));
    } else if progress.unseen_windows + progress.gone + progress.quarantined == 0 {
        restored::clear(&question.paths)?;
        note("note: this store was restored from a backup; all that was sent since is in it again, and `send` works");
    }
    Ok(())
}

fn begin(args: &Args) -> anyhow::Result<Progress> {
    let now = now_micros();
    let read = |text: &Option<String>| text.as_deref().map(|text| time::parse(text, now)).transpose();
    let second = |at: i64| at - at.rem_euclid(1_000_000);
    let mut since = second(read(&args.since)?.unwrap_or(now));
    let until = second(read(&args.until)?.unwrap_or(now - YOUNG).min(now));
    let kept = second(now - KEPT_DAYS * DAY);
    if since < kept {
        since = kept;
        let from = time::rfc3339(since);
        note(&format!(
            "note: SendGrid keeps {KEPT_DAYS} days, so messages are looked at from {from} on; nobody can prove the rest"
        ));
    }
    if until <= since {
        let (since, until) = (time::rfc3339(since), time::rfc3339(until));
        return Err(UsageError(format!(
            "nothing lies between {since} and {until}: choose an earlier --since (messages of the last 10 minutes are left out \
             without --until)"
        ))
        .into());
    }
    Ok(Progress { subuser: args.subuser, ..Progress::new(since, until, args.every_message) })
}

fn tell(out: &mut impl Write, progress: &Progress, dry_run: bool) -> io::Result<()> {
    let (since, edge) = (time::rfc3339(progress.since), time::rfc3339(progress.edge));
    writeln!(out, "{} messages looked at, made from {since} up to {edge}", progress.messages)?;
    let added = if dry_run { "missing" } else { "were missing and are added (verified_by = api)" };
    writeln!(
        out,
        "{} events {added}; {} messages were looked at more closely",
        progress.repaired, progress.incomplete
    )?;
    writeln!(out, "{} requests made", progress.requests)?;
    for (count, what) in [
        (progress.gone, "messages that SendGrid had no more when their events were asked for"),
        (progress.cut_short, "messages with 100 events or more, of which SendGrid tells the newest 100"),
        (
            progress.unseen_windows,
            "milliseconds with 1,000 messages of one status or more, of which SendGrid tells 1,000",
        ),
        (progress.quarantined, "events that could not be read; they are in quarantine"),
    ] {
        if count > 0 {
            writeln!(out, "not proven: {count} {what}")?;
        }
    }
    if !progress.every_message {
        writeln!(
            out,
            "not looked for: opens, clicks, complaints and earlier deferrals of messages whose status fits (--every-message)"
        )?;
    }
    Ok(())
}
