//! How a command ends: the exit codes that scripts rely on.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::log::with_causes;
use crate::outcome::OutcomeError;
use crate::store::questions::AskError;
use crate::store::remote::RemoteError;

/// A command's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: settled, but somebody was not reached (with `--exit-status`).
    Unreached,
    /// 4: not settled in time.
    TimedOut,
    /// 5: all who are left are deferred.
    Quiet,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreached => 3,
            Exit::TimedOut => 4,
            Exit::Quiet => 5,
        })
    }
}

/// An error that is the caller's to mend: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Prints an error on stderr, one line a cause, and chooses the exit code. A reader that hung up is no error.
pub fn report(result: anyhow::Result<Exit>) -> Exit {
    let error = match result {
        Ok(exit) => return exit,
        Err(error) => error,
    };
    let hung_up = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if hung_up {
        return Exit::Done;
    }
    crate::log::write_line(&format!("error: {}", with_causes(error.as_ref())));
    let asked_elsewhere = || {
        let of_store = match error.downcast_ref() {
            Some(AskError::Remote(error)) => Some(error),
            _ => None,
        };
        of_store.or_else(|| error.downcast_ref()).is_some_and(RemoteError::is_usage)
    };
    let unanswerable = matches!(error.downcast_ref(), Some(OutcomeError::Usage(_))) || asked_elsewhere();
    if error.is::<UsageError>() || error.is::<ConfigError>() || unanswerable { Exit::Usage } else { Exit::Failed }
}
