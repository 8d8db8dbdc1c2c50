//! Times as people write them on the command line.

use super::exit::UsageError;
use crate::show::time;

pub(super) use time::{rfc3339, took};

/// As [`time::parse`]; what is no time is wrong usage.
pub(super) fn parse(text: &str, now: i64) -> Result<i64, UsageError> {
    time::parse(text, now).map_err(|error| UsageError(error.to_string()))
}
