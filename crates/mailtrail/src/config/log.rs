//! `[log]`: how much is said, and in which form.

use super::reader::Reader;

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important messages that are written.
    pub level: LogLevel,
    /// Lines for people or for a collector.
    pub format: LogFormat,
}

/// `[log] level`; of libraries never more than warnings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Somebody should look.
    Warn,
    /// What happens, a few lines a minute at most.
    Info,
    /// Each POST.
    Debug,
    /// Everything.
    Trace,
}

/// `[log] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// An object a line, with `severity` as Google Cloud reads it.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Log {
    let defaults = Log::default();
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: reader.choice("log.level", &levels).unwrap_or(defaults.level),
        format: reader.choice("log.format", &formats).unwrap_or(defaults.format),
    }
}
