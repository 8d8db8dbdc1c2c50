//! What all questions have in common: the trail they ask, the events they are about, and what is said beside the answer.

use std::sync::Arc;
use std::time::Instant;

use super::Global;
use super::exit::UsageError;
use super::output::note;
use super::server::ServerArgs;
use super::subject::{self, Given};
use super::{pruned, time};
use crate::clock;
use crate::config::{Config, StoreKind};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::Paths;
use crate::store::bigquery::{Asker, BigQuerySends};
use crate::store::query::{Filter, Scanned, message_id};
use crate::store::questions::Questions;
use crate::store::remote::Remote;
use crate::store::remote::wire::Waiting;
use crate::store::sends::{Sends, waiting};
use crate::store::sqlite::Reader;

/// When a question without `--since` is about the last days alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// Where its filters would have the time index looked through for something.
    Search,
    /// Where no index leads to the events: counts go through all of them.
    Count,
    /// Never.
    Everything,
}

/// Which events.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct FilterArgs {
    /// Recipient: an address, - to read one from standard input, or a hash
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// Type of event, such as delivered, bounce, open
    #[arg(long, value_name = "EVENT")]
    event: Vec<String>,
    /// What it says of the mail: processed, deferred, delivered, bounce, blocked, dropped
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// Category
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<String>,
    /// Run
    #[arg(long, value_name = "RUN")]
    run: Vec<String>,
    /// Message id, as in X-Message-Id
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// Domain of the recipient
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// Text within the reason or response
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// From this event time on: 2h, 30d, 2026-11-24, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this event time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// One of the filters is enough (the times hold in any case)
    #[arg(long)]
    any: bool,
}

/// A trail, open for a question.
pub(super) struct Question {
    pub(super) config: Config,
    pub(super) paths: Paths,
    /// Another host, which is asked rather than the store configured here.
    pub(super) server: Option<Remote>,
    started: Instant,
}

impl Question {
    pub(super) fn new(global: &Global) -> anyhow::Result<Self> {
        let config = global.config()?;
        let paths = Paths::new(&config.store.path);
        Ok(Self { config, paths, server: None, started: Instant::now() })
    }

    /// For the store configured here, or another host.
    pub(super) fn anywhere(global: &Global, server: &ServerArgs) -> anyhow::Result<Self> {
        Ok(Self { server: server.open()?, ..Self::new(global)? })
    }

    /// For what only the trail on this machine can answer.
    pub(super) fn of_trail(global: &Global) -> anyhow::Result<Self> {
        let question = Self::new(global)?;
        if question.config.store.kind == StoreKind::BigQuery {
            let why = "this needs the trail on this machine ([store] kind = \"sqlite\"); BigQuery has none of \
                       what it works on";
            return Err(UsageError(why.to_owned()).into());
        }
        Ok(question)
    }

    /// The store that is configured, open for questions.
    pub(super) fn store(&self) -> anyhow::Result<Box<dyn Questions>> {
        if let Some(remote) = &self.server {
            return Ok(Box::new(remote.clone()));
        }
        Ok(match (self.config.store.kind, &self.config.bigquery) {
            (StoreKind::BigQuery, Some(bigquery)) => Box::new(Asker::open(bigquery)?),
            _ => Box::new(self.reader()?),
        })
    }

    /// What the store has on record of sends.
    pub(super) fn sends(&self) -> anyhow::Result<Arc<dyn Sends>> {
        sends_of(&self.config)
    }

    pub(super) fn reader(&self) -> anyhow::Result<Reader> {
        Ok(Reader::open(&self.paths)?)
    }

    /// The hashes to look somebody up by. Another host has the key: it is told the address, over HTTPS.
    pub(super) fn hashes(&self, given: &str) -> anyhow::Result<Vec<EmailHash>> {
        let Some(remote) = &self.server else { return subject::hashes(given, &self.config.privacy) };
        Ok(match subject::read(given)? {
            Given::Hash(hash) => vec![hash],
            Given::Address(address) => {
                remote.hashes(std::iter::once(address.as_str()))?.into_iter().flatten().collect()
            }
        })
    }

    /// The events asked for.
    pub(super) fn filter(&self, args: &FilterArgs, window: Window) -> anyhow::Result<Filter> {
        let now = clock::now_micros();
        let mut filter = Filter {
            events: args.event.iter().map(|name| event_name(name)).collect::<Result<_, _>>()?,
            statuses: args.status.iter().map(|name| status(name)).collect::<Result<_, _>>()?,
            categories: args.category.clone(),
            runs: args.run.clone(),
            messages: args.message.iter().map(|id| message_id(id)).collect(),
            domains: args.domain.iter().map(|name| name.trim().to_lowercase()).collect(),
            reason: args.reason.clone(),
            since: args.since.as_deref().map(|text| time::parse(text, now)).transpose()?,
            until: args.until.as_deref().map(|text| time::parse(text, now)).transpose()?,
            any: args.any,
            ..Filter::default()
        };
        for given in &args.email {
            filter.hashes.extend(self.hashes(given)?);
        }
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && until <= since
        {
            let (since, until) = (time::rfc3339(since), time::rfc3339(until));
            return Err(UsageError(format!(
                "--until is not after --since: nothing is both since {since} and before {until}"
            ))
            .into());
        }
        let limited = match window {
            // The server knows what its store has to look through, and says so.
            _ if self.server.is_some() => false,
            // BigQuery reads every day that is asked for, whatever else is asked.
            Window::Search | Window::Count if self.config.store.kind == StoreKind::BigQuery => true,
            Window::Search => filter.scans(),
            Window::Count => !filter.has_index(),
            Window::Everything => false,
        };
        if filter.since.is_none() && limited {
            // Before a given end, so that --until alone does not ask for nothing.
            filter.limit_to_recent(now);
            let before = if filter.until.is_some() { " before --until" } else { "" };
            note(&format!("note: without --since only the last 7 days{before} are looked through"));
        }
        pruned::tell(self, filter.since);
        Ok(filter)
    }

    /// Says what was looked through, how long it took, and whether more events wait to be indexed.
    pub(super) fn tell(&self, rows: usize, what: &str, scanned: Option<&Scanned>) {
        let mut text =
            format!("{rows} {what}{} in {}", if rows == 1 { "" } else { "s" }, time::took(self.started.elapsed()));
        if let Some(scanned) = scanned {
            match scanned.since {
                Some(since) => text.push_str(&format!("; looked through events since {}", time::rfc3339(since))),
                None => text.push_str("; looked through the whole trail"),
            }
            if let Some(bytes) = scanned.bytes {
                text.push_str(&format!(" ({bytes} bytes)"));
            }
            text.push_str(&format!(": {}", scanned.why));
        }
        note(&text);
        self.tell_backlog();
    }

    /// Says whether more events wait to be indexed.
    pub(super) fn tell_backlog(&self) {
        if let Some(remote) = &self.server {
            let about = remote.about();
            if about.limited_to.is_some() {
                note("note: without --since only the last 7 days are looked through, or those before --until");
            }
            if let Some(Waiting { batches, events }) = about.backlog {
                note_backlog(batches, events);
            }
            return;
        }
        if self.config.store.kind == StoreKind::BigQuery {
            return;
        }
        match waiting(&self.paths) {
            Ok((0, _)) => {}
            Ok((batches, events)) => note_backlog(batches, events),
            Err(error) => note(&format!("note: whether events wait to be indexed is unknown: {error}")),
        }
    }
}

fn note_backlog(batches: i64, events: i64) {
    let batches = format!("{batches} batch{}", if batches == 1 { "" } else { "es" });
    let events = format!("{events} event{}", if events == 1 { "" } else { "s" });
    note(&format!(
        "note: {batches} ({events}) received but not yet in the trail; a running `mailtrail serve` brings them there"
    ));
}

/// What the configured store has on record of sends.
pub(super) fn sends_of(config: &Config) -> anyhow::Result<Arc<dyn Sends>> {
    Ok(match (config.store.kind, &config.bigquery) {
        (StoreKind::BigQuery, Some(bigquery)) => Arc::new(BigQuerySends::open(bigquery)?),
        _ => Arc::new(Paths::new(&config.store.path)),
    })
}

fn event_name(name: &str) -> Result<String, UsageError> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "blocked" => Err(UsageError(
            "there is no event `blocked`: SendGrid sends a bounce of type blocked. Use --status blocked".to_owned(),
        )),
        "spam_report" | "spam report" => Ok("spamreport".to_owned()),
        _ => Ok(name),
    }
}

fn status(name: &str) -> Result<Status, UsageError> {
    Status::parse_of_event(&name.trim().to_lowercase()).ok_or_else(|| {
        let all = Status::OF_EVENTS.map(Status::as_str);
        UsageError(format!(
            "{:?} is no status: use one of {}",
            name.chars().take(40).collect::<String>(),
            all.join(", ")
        ))
    })
}
