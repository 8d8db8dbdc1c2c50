//! Rows as they arrive, one JSON object a line.

use serde::de::DeserializeOwned;

use super::client::Remote;
use super::error::RemoteError;

/// The lines of an answer.
pub(super) struct Lines {
    remote: Remote,
    response: reqwest::Response,
    /// What has arrived and was not handed out.
    held: Vec<u8>,
}

impl Lines {
    pub(super) fn new(remote: Remote, response: reqwest::Response) -> Self {
        Self { remote, response, held: Vec::new() }
    }

    /// All rows.
    pub(super) fn rows<T: DeserializeOwned>(mut self) -> Result<Vec<T>, RemoteError> {
        let mut rows = Vec::new();
        while let Some(some) = self.some()? {
            rows.extend(some);
        }
        Ok(rows)
    }

    /// Some more rows; `None` behind the last one. An answer that ends within a line has broken off.
    pub(super) fn some<T: DeserializeOwned>(&mut self) -> Result<Option<Vec<T>>, RemoteError> {
        loop {
            let Some(chunk) = self.remote.chunk(&mut self.response)? else {
                return if self.held.is_empty() { Ok(None) } else { Err(self.remote.broken_off()) };
            };
            self.held.extend_from_slice(&chunk);
            let Some(end) = self.held.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = self.held.split_off(end + 1);
            let whole = std::mem::replace(&mut self.held, rest);
            let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let rows = lines.map(|line| serde_json::from_slice(line).map_err(|error| self.unreadable(&error)));
            return rows.collect::<Result<_, _>>().map(Some);
        }
    }

    /// Says where, and not what.
    fn unreadable(&self, error: &serde_json::Error) -> RemoteError {
        let place = format!("{:?}, column {}", error.classify(), error.column());
        RemoteError::Row { server: self.remote.server(), place }
    }
}
