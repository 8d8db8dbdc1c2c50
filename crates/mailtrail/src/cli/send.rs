//! `mailtrail send`

mod args;
mod messages;
mod recipients;
mod tell;

pub(super) use args::Args;
pub(super) use recipients::read_list;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::question::Question;
use crate::clock::now_micros;
use crate::compose::Composer;
use crate::list::List;
use crate::protect::{EmailHash, KeyRing};
use crate::run::RunName;
use crate::send::{Choice, Rules, Sending, Summary, choose, validate};
use crate::sendgrid::{Client, Patience};
use crate::stop::{self, Stop};
use crate::store::keys::Keys as _;
use crate::store::ledger::{self, Known, LedgerReader, RunLedger};
use tell::Report;

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    let sender = Sender { keys: KeyRing::load(&question.config.privacy)?, question, args, started: Instant::now() };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(async { if sender.args.messages.is_some() { sender.messages().await } else { sender.list().await } })
}

/// A command to send, with what it needs.
struct Sender {
    args: Args,
    question: Question,
    keys: KeyRing,
    started: Instant,
}

impl Sender {
    fn run_name(&self) -> &RunName {
        &self.args.run
    }

    async fn list(&self) -> anyhow::Result<Exit> {
        let list = recipients::read(&self.args)?;
        let now = now_micros();
        let common = self.args.common(&self.question.config.sendgrid, now)?;
        let content = self.args.content()?;
        let composer = Composer::new(&content, common, &list, now).map_err(|error| UsageError(error.to_string()))?;
        let sets = self.sets()?;
        if self.args.dry_run {
            let choice = choose(list.hashes(&self.keys), &self.known()?, &sets.as_rules(&self.args));
            tell::dry_run(&self.args, &list, &composer, &choice)?;
            return Ok(Exit::Done);
        }
        let client = Client::new(&self.question.config.sendgrid).map_err(|error| UsageError(error.to_string()))?;
        if self.args.sandbox {
            return self.sandbox(&client, &composer, &list).await;
        }
        let mut ledger = self.open_ledger(now)?;
        let choice = choose(list.hashes(&self.keys), &ledger.known()?, &sets.as_rules(&self.args));
        let progress = tell::Progress::begin(choice.chosen());
        let sending = Sending {
            ledger: &mut ledger,
            client: &client,
            composer: &composer,
            run: self.run_name(),
            choice: &choice,
            send_at: self.args.send_at(now)?.map(|seconds| seconds * 1_000_000),
            rate: self.args.rate,
            patience: Patience::default(),
        };
        let summary = sending.run(interrupted()?, |requested| progress.request(requested)).await?;
        progress.end();
        drop(ledger);
        self.report(&list, &choice, &summary)
    }

    async fn sandbox(&self, client: &Client, composer: &Composer<'_>, list: &List) -> anyhow::Result<Exit> {
        let limit = self.args.limit.unwrap_or(usize::MAX);
        let summary = validate(client, composer, self.run_name(), |row| row < limit, interrupted()?).await?;
        ledger::note_sandbox(&self.question.paths, self.run_name(), now_micros())?;
        let choice = Choice { rows: Vec::new() };
        self.report(list, &choice, &summary)
    }

    fn report(&self, list: &List, choice: &Choice, summary: &Summary) -> anyhow::Result<Exit> {
        let report = Report {
            run: self.run_name(),
            sandbox: self.args.sandbox,
            listed: list.len() as u64 + list.duplicates().len() as u64 + list.problems().total() as u64,
            invalid: list.problems().total() as u64,
            repeated: list.duplicates().len() as u64,
            skipped: choice.skipped(),
            summary,
            elapsed: self.started.elapsed(),
        };
        report.print(self.args.output.format)?;
        Ok(if summary.refused + summary.uncertain + summary.left > 0 { Exit::Failed } else { Exit::Done })
    }

    fn open_ledger(&self, now: i64) -> anyhow::Result<RunLedger> {
        Ok(RunLedger::open(&self.question.paths, self.run_name(), &self.keys.identity(), now)?)
    }

    /// What the ledger knows of the run, without taking it.
    fn known(&self) -> anyhow::Result<HashMap<EmailHash, Known>> {
        match LedgerReader::open(&self.question.paths)? {
            Some(reader) => Ok(reader.known(self.run_name().as_str())?),
            None => Ok(HashMap::new()),
        }
    }

    fn sets(&self) -> anyhow::Result<Sets> {
        Ok(Sets::default())
    }
}

/// Recipients that the rules of choosing go by.
#[derive(Default)]
struct Sets {
    seen: Option<HashSet<EmailHash>>,
    recently: Option<HashSet<EmailHash>>,
    only: Option<HashSet<EmailHash>>,
}

impl Sets {
    fn as_rules<'s>(&'s self, args: &Args) -> Rules<'s> {
        Rules {
            resend_uncertain: args.resend_uncertain,
            seen: self.seen.as_ref(),
            recently: self.recently.as_ref(),
            only: self.only.as_ref(),
            limit: args.limit,
        }
    }
}

/// Ctrl-C and SIGTERM: stop after the request that is under way. A second Ctrl-C ends the process as usual.
fn interrupted() -> anyhow::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("watching SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching SIGTERM")?;
    let (stopper, stop) = stop::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        super::output::note("stopping after the request under way; started again, the run goes on");
        stopper.stop();
        // The other end tells whoever listens still.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}
