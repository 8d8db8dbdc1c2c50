//! Questions to another host: where it is, and its rows as cells.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::tz::TimeZone;
use serde_json::Value;
use zeroize::Zeroizing;

use super::exit::UsageError;
use super::output::{Cell, note};
use crate::config::secret_file::{self, Permissions};
use crate::config::{self, without_bom};
use crate::show::time;
use crate::store::remote::{Remote, Row};

/// Whom to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ServerArgs {
    /// Ask the mailtrail whose page is there, such as https://mailtrail.example.com, rather than the store configured here
    #[arg(long, value_name = "URL", help_heading = "Another host")]
    server: Option<String>,
    /// File with the token for --server [default: $MAILTRAIL_TOKEN_FILE]
    #[arg(long, value_name = "FILE", requires = "server", help_heading = "Another host")]
    token_file: Option<PathBuf>,
}

impl ServerArgs {
    /// The server that is asked; `None`: this machine.
    pub(super) fn open(&self) -> anyhow::Result<Option<Remote>> {
        let Some(server) = &self.server else { return Ok(None) };
        let file = self.token_file.clone().or_else(config::token_file).ok_or_else(|| {
            UsageError(
                "--server needs a token: name its file by --token-file or MAILTRAIL_TOKEN_FILE (`mailtrail web token NAME`, where \
                 the server runs, makes one)"
                    .to_owned(),
            )
        })?;
        let shown = file.display();
        let token = std::fs::read_to_string(&file).with_context(|| format!("reading the token file {shown}"))?;
        let token = Zeroizing::new(token);
        match secret_file::permissions(&file).with_context(|| format!("looking at {shown}"))? {
            Permissions::Narrow => {}
            Permissions::WideNotOurs(mode) => {
                note(&format!("note: the token file {shown} may be read by everybody (mode {mode:04o})"));
            }
            Permissions::Wide(mode) => {
                let why =
                    format!("the token file {shown} may be read by everybody (mode {mode:04o}): run chmod 600 {shown}");
                return Err(UsageError(why).into());
            }
        }
        Ok(Some(Remote::open(server, without_bom(&token))?))
    }
}

/// Columns that are times.
const TIMES: [&str; 7] = ["begun", "last_event", "accepted_at", "send_at", "first_seen", "last_seen", "last"];

/// A value of a server's row as what it would be here.
pub(super) fn cell(column: &str, value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(yes) => Cell::Bool(*yes),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Cell::Real(number.as_f64().unwrap_or(f64::NAN)), Cell::Integer)
        }
        Value::String(text) if TIMES.contains(&column) => {
            micros(text).map_or_else(|| Cell::Text(text.clone()), Cell::Time)
        }
        Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Json(other.to_string()),
    }
}

/// The cells of these columns.
pub(super) fn cells(row: &Row, columns: &[&str]) -> Vec<Cell> {
    columns.iter().map(|column| row.get(column).map_or(Cell::Null, |value| cell(column, value))).collect()
}

/// A time of a server's row, µs since the epoch.
pub(super) fn micros(text: &str) -> Option<i64> {
    time::parse(text, 0, &TimeZone::UTC).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_would_be_here() {
        let row: Row = serde_json::from_str(
            r#"{"run":"2h","begun":"2026-11-24T10:00:00Z","asked":3,"completeness":0.5,"sandbox":false,"last_event":null}"#,
        )
        .expect("a row");
        let found = cells(&row, &["run", "begun", "asked", "completeness", "sandbox", "last_event", "new"]);
        let expected = [
            Cell::Text("2h".to_owned()),
            Cell::Time(1_795_514_400_000_000),
            Cell::Integer(3),
            Cell::Real(0.5),
            Cell::Bool(false),
            Cell::Null,
            Cell::Null,
        ];
        assert_eq!(found, expected);
    }
}
