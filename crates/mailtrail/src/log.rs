//! Logging: what is written on stderr, and what never is.
//!
//! Own messages at the level that was asked for; libraries never more than warnings, whatever `RUST_LOG` says, since some of
//! them log requests whole. A panic says where, never what: its message may quote the text that caused it.

pub mod limit;

mod chain;
mod json;
mod queue;

use std::io::{IsTerminal, Write as _};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{Log, LogFormat, LogLevel};

pub(crate) use chain::{chain, with_causes};
pub use limit::limited;
use queue::LogQueue;

/// Crates whose messages are ours.
const OWN: [&str; 3] = ["mailtrail", "sendgrid_events", "sendgrid_simulator"];

/// How long a process that ends waits for its last log lines to be written.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Of the process; empty in commands that do not log.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was started before.
    #[error("logging was started twice")]
    Twice(#[from] TryInitError),
    /// The system gave no thread.
    #[error("the thread that writes the log cannot be started: {0}")]
    Thread(std::io::Error),
}

/// Starts logging to stderr through a bounded queue, once a process, and installs the panic hook.
///
/// # Errors
/// If logging was started before, or if its thread cannot be started.
pub fn start(config: &Log) -> Result<(), StartError> {
    quiet_panics();
    let queue = LogQueue::start(std::io::stderr(), |dropped| {
        tracing::warn!(dropped, "{dropped} log lines were dropped, because stderr was not read");
    })
    .map_err(StartError::Thread)?;
    let registry = tracing_subscriber::registry();
    match config.format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && !crate::config::no_color();
            let layer = fmt::layer().with_writer(queue.clone()).with_ansi(colour).with_target(false);
            registry.with(layer.with_filter(filter(config.level))).try_init()?;
        }
        LogFormat::Json => {
            let layer = fmt::layer().with_writer(queue.clone()).with_ansi(false).event_format(json::Lines);
            registry.with(layer.with_filter(filter(config.level))).try_init()?;
        }
    }
    // Still empty: the subscriber could be set only once.
    QUEUE.get_or_init(|| queue);
    Ok(())
}

/// Log lines dropped since the start because stderr was not read.
#[must_use]
pub fn dropped_lines() -> u64 {
    QUEUE.get().map_or(0, LogQueue::dropped)
}

/// Writes a line to stderr: through the queue if this process logs, so that a blocked stderr stops nothing.
pub fn write_line(text: &str) {
    let line = format!("{text}\n");
    match QUEUE.get() {
        Some(queue) => queue.push(line.as_bytes()),
        None => {
            // If stderr is closed, nobody can receive the line.
            let _written = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

/// Before the process ends: waits a moment for the last lines to be written.
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush(FLUSH_LIMIT);
    }
}

/// Own targets at `level`, all others at `warn` or less.
fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Capped at warn, and lower still where less was asked for: the greater LevelFilter lets more through.
    Targets::new().with_default(own.min(LevelFilter::WARN)).with_targets(OWN.map(|target| (target, own)))
}

/// A panic prints its thread and place alone: slicing a text in the middle of a character, for one, quotes the text.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        if tracing::dispatcher::has_been_set() {
            tracing::error!("thread {thread} panicked at {place}");
        } else {
            write_line(&format!("error: thread {thread} panicked at {place}"));
        }
    }));
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_say_warnings_at_most_whatever_level_is_asked_for() {
        let trace = filter(LogLevel::Trace);
        assert!(trace.would_enable("mailtrail::receive", &Level::TRACE));
        assert!(trace.would_enable("hyper::proto", &Level::WARN));
        assert!(!trace.would_enable("hyper::proto", &Level::INFO));
        let error = filter(LogLevel::Error);
        assert!(error.would_enable("mailtrail", &Level::ERROR));
        assert!(!error.would_enable("mailtrail", &Level::WARN));
        assert!(!error.would_enable("hyper", &Level::WARN));
    }
}
