//! What people are told of a send: how it stands, and once how it ended.
//!
//! Posting may take minutes where Slack is slow, so a thread of its own does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::question::Question;
use crate::list::Listed;
use crate::notify::notice::top;
use crate::notify::{Domains, Label, Notice, Notifier, Ops, Outstanding, RunSummary, View};
use crate::outcome::wait::{End, Until};
use crate::outcome::{Details, Watched};
use crate::settle::Status;
use crate::store::query::Scope;
use crate::store::sends::{Sends, Told};

/// So many reasons are told.
const REASONS: usize = 5;

/// Tells of one send.
pub(super) struct Teller<'l> {
    listed: Option<&'l Listed>,
    started: i64,
    work: Option<(Sender<Work>, JoinHandle<Vec<String>>)>,
}

/// A notice, and under what it is remembered so that it goes out once.
struct Work {
    notice: Notice,
    once: Option<(String, i64)>,
}

impl<'l> Teller<'l> {
    pub(super) fn begin(
        question: &Question,
        sends: &Arc<dyn Sends>,
        listed: Option<&'l Listed>,
        no_notify: bool,
        started: i64,
    ) -> anyhow::Result<Self> {
        let notifier = if no_notify { Notifier::none() } else { Notifier::new(&question.config)? };
        if !notifier.is_configured() {
            return Ok(Self { listed, started, work: None });
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        let (sender, receiver) = channel();
        let told = sends.told();
        let thread = std::thread::Builder::new()
            .name("notices".to_owned())
            .spawn(move || tell_all(&receiver, &notifier, &runtime, told))
            .context("starting a thread")?;
        Ok(Self { listed, started, work: Some((sender, thread)) })
    }

    fn add(&self, notice: impl FnOnce() -> Notice, once: Option<(String, i64)>) {
        if let Some((sender, _)) = &self.work {
            // Gone only after a panic, which `finish` tells.
            let _taken = sender.send(Work { notice: notice(), once });
        }
    }

    pub(super) fn interim(&self, watched: &Watched, now: i64) {
        self.add(
            || {
                let (summary, outstanding) = self.summary(watched, now);
                Notice::RunInterim { summary, outstanding }
            },
            None,
        );
    }

    pub(super) fn no_events(&self, watched: &Watched, since: i64) {
        self.add(
            || {
                let accepted = watched.report().accepted;
                Notice::Ops(Ops::NoEvents { run: Label::new(&name(watched)), accepted, since: micros(since) })
            },
            Some(once(watched)),
        );
    }

    pub(super) fn end(&self, end: End, watched: &Watched, now: i64) {
        // Nobody was to get it: there is nothing to tell.
        if watched.report().recipients == 0 {
            return;
        }
        let notice = || {
            let (summary, outstanding) = self.summary(watched, now);
            match end {
                End::Reached(Until::Settled) => Notice::RunSettled(summary),
                End::Reached(Until::Seen) => Notice::RunInterim { summary, outstanding },
                End::Quiet => Notice::RunQuiet { summary, outstanding },
                End::TimedOut | End::Unsent => Notice::RunTimedOut { summary, outstanding },
            }
        };
        self.add(notice, Some(once(watched)));
    }

    /// Waits until all is told; what went wrong.
    pub(super) fn finish(self) -> Vec<String> {
        let Some((sender, thread)) = self.work else { return Vec::new() };
        drop(sender);
        thread.join().unwrap_or_else(|_| vec!["warning: the notices were lost in an error".to_owned()])
    }

    fn summary(&self, watched: &Watched, now: i64) -> (RunSummary, Outstanding) {
        let (report, details) =
            (watched.report(), watched.details(&|hash| self.listed.and_then(|listed| listed.domain(hash))));
        let begun = watched.record().map_or(self.started, |record| record.begun_at);
        let summary = RunSummary {
            run: Label::new(&name(watched)),
            recipients: report.recipients,
            counts: report.counts().collect(),
            completeness: report.completeness(),
            elapsed: micros(now - begun),
            top_reasons: top(&labels(&details.reasons), REASONS),
            raw_reasons: top(&labels(&details.raw_reasons), REASONS),
            view: view(watched),
        };
        let outstanding = Outstanding {
            unknown: report.count(Status::Unknown),
            processed: report.count(Status::Processed),
            deferred: report.count(Status::Deferred),
            unsent: report.unsent,
            domains: domains(&details),
        };
        (summary, outstanding)
    }
}

fn tell_all(
    work: &Receiver<Work>,
    notifier: &Notifier,
    runtime: &tokio::runtime::Runtime,
    mut told: Box<dyn Told>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for Work { notice, once } in work {
        let kind = notice.kind();
        // Whether it was told is not known: twice is better than never.
        if let Some((run, at)) = &once
            && told.was_told(run, kind, *at).unwrap_or(false)
        {
            continue;
        }
        if let Err(error) = runtime.block_on(notifier.send(&notice)) {
            problems.push(format!("warning: {error}"));
            if error.told.is_empty() {
                continue;
            }
        }
        if let Some(Err(error)) = once.map(|(run, at)| told.note(&run, kind, at)) {
            problems.push(format!("warning: that this was told is not remembered, it may be told again: {error}"));
        }
    }
    problems
}

/// The run, or the category with the time it is looked at from.
fn name(watched: &Watched) -> String {
    let selector = watched.selector();
    match (&selector.scope, selector.since) {
        (Scope::Run(run), _) => run.clone(),
        (Scope::Category(category), Some(since)) => {
            format!("{category} since {}", crate::cli::time::rfc3339(since))
        }
        (Scope::Category(category), None) => category.clone(),
    }
}

/// Where the page shows it.
fn view(watched: &Watched) -> View {
    let selector = watched.selector();
    match &selector.scope {
        Scope::Run(run) => View::Run(run.clone()),
        Scope::Category(category) => {
            let since = selector.since.map(|since| ("since", crate::show::time::rfc3339(since)));
            View::Activity([("category", category.clone())].into_iter().chain(since).collect())
        }
    }
}

/// Under what an end is remembered, and how far the send had come: an end is told again where more mail went out since.
fn once(watched: &Watched) -> (String, i64) {
    let selector = watched.selector();
    let at = watched.reached().or(selector.since).unwrap_or_default();
    match &selector.scope {
        Scope::Run(run) => (run.clone(), at),
        // No run has an @ in its name. `--since 2h` is another time at each call, so it does not tell sends apart.
        Scope::Category(category) => (format!("@{category}"), at),
    }
}

fn labels(counts: &BTreeMap<String, u64>) -> BTreeMap<Label, u64> {
    let mut labels = BTreeMap::new();
    for (text, count) in counts {
        *labels.entry(Label::new(text)).or_default() += count;
    }
    labels
}

fn domains(details: &Details) -> Domains {
    Domains::fold(details.outstanding.iter().map(|(domain, count)| (domain.as_deref(), *count)))
}

fn micros(time: i64) -> Duration {
    Duration::from_micros(u64::try_from(time).unwrap_or_default())
}
