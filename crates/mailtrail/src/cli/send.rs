//! `mailtrail send`

mod args;
mod messages;
mod problems;
mod recipients;
mod tell;

pub(super) use args::Args;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

use super::Global;
use super::exit::{Exit, UsageError};
use super::question::Question;
use super::selection::Selection;
use super::sent::tell_blind;
use super::{output, pruned, time, wait};
use crate::clock::now_micros;
use crate::compose::{Composer, Composition, Mail};
use crate::list::{Address, List, Listed};
use crate::outcome::{Selector, Watched, already_sent, mailed_before, proven, refuse_new_key, soft};
use crate::protect::{EmailHash, KeyRing};
use crate::run::RunName;
use crate::send::{Hashes, Rules, Sending, Skip, Summary, choose, validate};
use crate::sendgrid::{Client, Patience};
use crate::stop::{self, Stop};
use crate::store::keys::Keys as _;
use crate::store::ledger::{Claims, Known, Sent};
use crate::store::query::Scope;
use crate::store::sends::Sends;
use problems::RowProblems;
use tell::Report;

pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    if args.wait {
        // What is wrong with waiting is said before anybody is mailed.
        args.waiting.check(args.list.is_some())?;
    }
    let question = Question::new(global)?;
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let sends = question.sends()?;
    let sender = Sender { keys, question, sends, args, started: Instant::now() };
    if sender.args.messages.is_some() {
        return block_on(sender.messages());
    }
    let list = recipients::read(&sender.args, &sender.question.config.sendgrid)?;
    let sent = block_on(sender.list(&list))?;
    // Who was mailed before this time is waited for as well.
    let nobody = sender.sends.ledger()?.is_none();
    if !sender.args.wait || nobody {
        return Ok(sent);
    }
    let waited = sender.wait(list)?;
    // Not all were mailed: that outweighs what became of the others.
    Ok(if sent == Exit::Done { waited } else { sent })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // A thread beside this one hears of Ctrl-C while this one waits for the ledger.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("starting the runtime")?.block_on(work)
}

/// A command to send, with what it needs.
struct Sender {
    args: Args,
    question: Question,
    sends: Arc<dyn Sends>,
    keys: Arc<KeyRing>,
    started: Instant,
}

impl Sender {
    fn run_name(&self) -> &RunName {
        &self.args.run
    }

    async fn list(&self, list: &List) -> anyhow::Result<Exit> {
        let now = now_micros();
        let common = self.args.common(&self.question.config.sendgrid, now)?;
        let content = self.args.content()?;
        let composed = Composer::compose_list(&content, common, list, now);
        // Every problem is reported, those of rows and those of what all rows share.
        let faults = composed.as_ref().map_or(&[][..], |composed| &composed.faults);
        let problems = RowProblems::new(list.problems(), faults);
        self.show_problems(&problems)?;
        let Composition { composer, mails, .. } = composed.map_err(|error| UsageError(error.to_string()))?;
        self.refuse_problems(&problems)?;
        if mails.is_empty() {
            return Err(UsageError("the list has no recipient that can be mailed".to_owned()).into());
        }
        if self.args.dry_run {
            let sets = self.sets()?;
            let choice = choose(self.hashed(mails), &self.known()?, &sets.as_rules(&self.args));
            tell::dry_run(&self.args, list, &problems, &composer, choice)?;
            return Ok(Exit::Done);
        }
        let client = Client::new(&self.question.config.sendgrid).map_err(|error| UsageError(error.to_string()))?;
        if self.args.sandbox {
            return self.sandbox(&client, &composer, mails, list, &problems).await;
        }
        // Before the run is taken, so that a signal always releases it.
        let stop = interrupted()?;
        let mut ledger = self.take(now)?;
        // After the ledger was taken: what an earlier sender left is settled by then.
        let sets = self.sets()?;
        let choice = choose(self.hashed(mails), &ledger.known()?, &sets.as_rules(&self.args));
        let (skipped, chosen) = (choice.skip_counts(), choice.chosen);
        let progress = tell::Progress::begin(chosen.len());
        let sending = self.sending(&mut *ledger, &client, &composer, now)?;
        let summary = sending.run(chosen, stop, |requested| progress.request(requested)).await?;
        progress.end();
        ledger.close()?;
        self.report(list, &problems, skipped, &summary)
    }

    /// Shows rows that cannot be mailed, and writes them where that is wanted.
    fn show_problems(&self, problems: &RowProblems) -> anyhow::Result<()> {
        let file = self.args.problems_out.as_deref();
        problems.show(self.args.skip_invalid, file);
        match file {
            Some(file) => problems.write(file, self.args.output),
            None => Ok(()),
        }
    }

    fn refuse_problems(&self, problems: &RowProblems) -> anyhow::Result<()> {
        let count = problems.count();
        if count == 0 || self.args.skip_invalid {
            return Ok(());
        }
        tell::refused_list(&self.args, problems)?;
        let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        Err(UsageError(format!(
            "{rows} of the list cannot be mailed, so nothing was sent. Correct them, or skip them with --skip-invalid"
        ))
        .into())
    }

    /// Each mail with all hashes of its recipient.
    fn hashed(&self, mails: Vec<Mail>) -> impl Iterator<Item = (Mail, Hashes)> {
        mails.into_iter().map(|mail| {
            let hashes = self.hashes(&mail.address);
            (mail, hashes)
        })
    }

    fn hashes(&self, address: &Address) -> Hashes {
        let all = self.keys.lookup_hashes(address.expose());
        let current = all.first().copied().unwrap_or_else(|| self.keys.email_hash(address.expose()));
        Hashes { current, all }
    }

    /// What the arguments say of how to send.
    fn sending<'a>(
        &'a self,
        ledger: &'a mut dyn Claims,
        client: &'a Client,
        composer: &'a Composer,
        now: i64,
    ) -> anyhow::Result<Sending<'a>> {
        Ok(Sending {
            ledger,
            client,
            composer,
            run: self.run_name(),
            send_at: self.args.send_at(now)?.map(|seconds| seconds * 1_000_000),
            rate: self.args.rate,
            patience: Patience::default(),
        })
    }

    async fn sandbox(
        &self,
        client: &Client,
        composer: &Composer,
        mut mails: Vec<Mail>,
        list: &List,
        problems: &RowProblems,
    ) -> anyhow::Result<Exit> {
        mails.truncate(self.args.limit.unwrap_or(usize::MAX));
        let summary = validate(client, composer, mails, self.run_name(), interrupted()?).await?;
        self.sends.note_sandbox(self.run_name(), now_micros())?;
        self.report(list, problems, BTreeMap::new(), &summary)
    }

    fn report(
        &self,
        list: &List,
        problems: &RowProblems,
        skipped: BTreeMap<Skip, usize>,
        summary: &Summary,
    ) -> anyhow::Result<Exit> {
        let report = Report {
            run: self.run_name(),
            sandbox: self.args.sandbox,
            listed: list.len() as u64 + list.duplicates().len() as u64 + list.problems().total() as u64,
            problems,
            repeated: list.duplicates().len() as u64,
            skipped,
            summary,
            elapsed: self.started.elapsed(),
        };
        // The exit code tells what became of the send, even if nobody reads the report.
        output::unless_closed(report.print(self.args.output.format))?;
        Ok(if summary.refused + summary.uncertain + summary.left > 0 { Exit::Failed } else { Exit::Done })
    }

    fn take(&self, now: i64) -> anyhow::Result<Box<dyn Claims>> {
        refuse_new_key(&*self.sends, &self.keys.identity(), false, now)?;
        Ok(self.sends.take(self.run_name(), &self.keys.identity(), self.args.take_over, now)?)
    }

    /// What the ledger knows of the run, without taking it.
    fn known(&self) -> anyhow::Result<HashMap<EmailHash, Known>> {
        match self.sends.ledger()? {
            Some(ledger) => Ok(ledger.known(self.run_name().as_str())?),
            None => Ok(HashMap::new()),
        }
    }

    /// What events and other runs say of whom to leave out.
    fn sets(&self) -> anyhow::Result<Sets> {
        let (args, sends, now) = (&self.args, &*self.sends, now_micros());
        let mut sets = Sets::default();
        let run = self.run_name().as_str();
        if args.resend_uncertain {
            pruned::refuse_uncertain(&self.question, run)?;
        }
        let knows_run = || match sends.events() {
            Ok(events) => events.is_some_and(|events| events.knows_run(run).unwrap_or(true)),
            Err(_) => true,
        };
        if !knows_run() && args.not_sent_since.is_none() && args.only_unreached.is_none() {
            return Ok(sets);
        }
        let keys: Arc<KeyRing> = Arc::clone(&self.keys);
        sends.catch_up(keys, true)?;
        if knows_run() {
            let mailed = mailed_before(sends, &Scope::Run(run.to_owned()), None)?;
            let seen = mailed.into_iter().filter(|(_, earlier)| earlier.seen);
            let mut seen: HashSet<EmailHash> = seen.map(|(hash, _)| hash).collect();
            let known = self.known()?;
            let in_doubt = |hash: &EmailHash| {
                known.get(hash).is_some_and(|known| matches!(known.sent, Sent::Uncertain | Sent::Sending))
            };
            if known.keys().any(in_doubt) {
                seen.extend(proven(sends, run)?.into_iter().filter(in_doubt));
            }
            sets.seen = Some(seen);
        }
        if let Some(since) = &args.not_sent_since {
            let since = time::parse(since, now)?;
            pruned::tell_of_mailed(&self.question, Some(since));
            let mut recently = HashSet::new();
            for category in &args.category {
                recently.extend(already_sent(sends, category, Some(since), false)?);
                tell_blind(sends, &Scope::Category(category.clone()), Some(since))?;
            }
            sets.recently = Some(recently);
        }
        if let Some(run) = &args.only_unreached {
            if run == self.run_name() {
                return Err(UsageError(
                    "--only-unreached needs a new name for --run: whoever is mailed twice must be so in two runs"
                        .to_owned(),
                )
                .into());
            }
            let selector = Selector::of_run(run.as_str());
            let again = soft(&Watched::begin(sends, selector)?, now);
            sets.only = Some(again.into_iter().map(|(hash, _)| hash).collect());
        }
        Ok(sets)
    }

    /// Waits for the whole run.
    fn wait(&self, list: List) -> anyhow::Result<Exit> {
        let selection = Selection {
            selector: Selector::of_run(self.run_name().as_str()),
            listed: Some(Listed::new(list, &self.keys)),
            keys: Some(Arc::clone(&self.keys)),
        };
        wait::watch(&self.question, &self.sends, &selection, &self.args.waiting, self.args.output)
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
        output::note("stopping after the request under way; started again, the run goes on");
        stopper.stop();
        // The other end tells whoever listens still.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}
