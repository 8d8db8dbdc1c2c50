//! Google BigQuery: the dataset, its tables, appending and asking. SQL and wire types stay inside.

mod arrivals;
mod ask;
mod auth;
mod blocking;
mod check;
mod deliver;
mod error;
mod event_writer;
mod fit;
mod following;
mod forget;
mod intake;
mod json;
mod ledger;
mod load;
mod lock;
mod meta;
mod names;
mod plan;
mod print;
mod quarantine;
mod query;
mod received;
mod resource;
mod rest;
mod row;
mod schema;
mod seen;
mod sends;
mod table_rows;
#[cfg(test)]
pub(crate) mod testing;
mod write;

pub use ask::{Asker, EachRow, SqlValue, Tail};
pub use check::{Checked, Cost};
pub use deliver::{Backoff, Pulse, Undeliverable, deliver};
pub use error::{AppendError, BigQueryError, RowRefused};
pub use event_writer::{EventWriter, Row, event_table, takes};
pub use following::{Arrived, FollowStateError, Following, LOCK as FOLLOW_LOCK};
pub use forget::Erased;
pub use intake::{Acknowledged, Intake, IntakeError, Prepared};
pub use load::{Loaded, Loader};
pub use lock::{Held, LockRowError, Owner};
pub use meta::{Entry, entries, first_public_key};
pub use plan::Plan;
pub use print::{sql, terraform};
pub use sends::BigQuerySends;
pub use table_rows::{TableName, TableRows};

use auth::Auth;
use names::Names;
use query::Jobs;
use rest::Rest;

use crate::config::BigQuery;

/// A dataset of mailtrail's, or one that is to become one. Cheap to clone.
#[derive(Clone)]
pub struct Dataset {
    config: BigQuery,
    names: Names,
    location: Option<String>,
    auth: Auth,
    rest: Rest,
    jobs: Jobs,
}

impl Dataset {
    /// Finds the credentials and makes ready; asks nobody yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn new(config: &BigQuery) -> Result<Self, BigQueryError> {
        let auth = Auth::find(config)?;
        let rest = Rest::new(config, auth.clone())?;
        Ok(Self {
            names: Names::of(config),
            location: config.location.as_ref().map(ToString::to_string),
            jobs: Jobs::new(config, rest.clone()),
            config: config.clone(),
            auth,
            rest,
        })
    }

    /// For people: `project.dataset`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}.{}", self.names.project(), self.names.dataset())
    }
}
