//! Logging: what is written on stderr, and what never is.
//!
//! Own messages at the level that was asked for; libraries never more than warnings, whatever `RUST_LOG` says, since some of
//! them log requests whole. A panic says where, never what: its message may quote the text that caused it.

pub mod limit;

mod chain;
mod json;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{Log, LogFormat, LogLevel};

pub(crate) use chain::chain;
pub use limit::limited;

/// Crates whose messages are ours.
const OWN: [&str; 3] = ["mailtrail", "sendgrid_events", "sendgrid_simulator"];

/// Logging was started before.
#[derive(Debug, thiserror::Error)]
#[error("logging was started twice")]
pub struct StartError(#[from] TryInitError);

/// Starts logging to stderr, once a process, and installs the panic hook.
///
/// # Errors
/// When logging was started before.
pub fn start(config: &Log) -> Result<(), StartError> {
    quiet_panics();
    let registry = tracing_subscriber::registry();
    match config.format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && !crate::config::no_color();
            let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
            registry.with(layer.with_filter(filter(config.level))).try_init()?;
        }
        LogFormat::Json => {
            let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(false).event_format(json::Lines);
            registry.with(layer.with_filter(filter(config.level))).try_init()?;
        }
    }
    Ok(())
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
            use std::io::Write as _;
            // Where stderr is gone nobody is left to tell.
            let _told = writeln!(std::io::stderr(), "error: thread {thread} panicked at {place}");
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
