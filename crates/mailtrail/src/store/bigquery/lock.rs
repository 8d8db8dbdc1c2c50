//! Locks among processes that share a dataset: rows of `mailtrail_lock`, one name each.
//!
//! BigQuery has no unique keys and no leases, but statements that change the same table are put in order, and each sees what
//! was committed before it. So whoever changes `owner` from null holds the lock, once it has read that no other name stands on a row
//! of the same name: each having written before it reads, at least one of two sees the other. There is no expiry: a process that waits, or
//! whose clock is wrong, must not lose what it works on. Who was killed leaves its lock behind, and somebody who knows that it is dead
//! takes it over in so many words; the dead one, if it was not, sees at [`Held::confirm`] that it is no longer the owner.

use std::fmt;
use std::time::Duration;

use super::Dataset;
use super::error::BigQueryError;
use super::query::{Parameter, Query};
use super::schema::LOCKS;
use crate::run::RequestId;

/// How often it is tried to take a lock while others want it at the same moment.
const TRIES: u32 = 5;
/// Between two tries, longer each time.
const PAUSE: Duration = Duration::from_millis(400);
/// How long a name may be, in bytes.
const LONGEST_NAME: usize = 300;

/// Who wants a lock: the machine and process for people, and something random that nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn this_process() -> Result<Self, BigQueryError> {
        let id = RequestId::random().map_err(|error| BigQueryError::Unfit(error.to_string()))?;
        let host = rustix::system::uname();
        let host: String = host.nodename().to_string_lossy().chars().filter(|c| !c.is_control()).take(100).collect();
        Ok(Self(format!("{host}, process {}, {id}", std::process::id())))
    }

    /// As it stands in the row.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a lock is not ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockRowError {
    /// Somebody else has it.
    #[error("the lock \"{name}\" is held by {owner}{}", .since.map(|since| format!(" since {since}")).unwrap_or_default())]
    Held {
        /// Of the lock.
        name: String,
        /// Who has it.
        owner: String,
        /// Since when.
        since: Option<jiff::Timestamp>,
    },
    /// It was ours, and somebody took it over.
    #[error("the lock \"{name}\" was taken over by {}", .owner.as_deref().unwrap_or("somebody who has let it go since"))]
    Lost {
        /// Of the lock.
        name: String,
        /// Who has it now; `None`: nobody.
        owner: Option<String>,
    },
    /// BigQuery did not do what was asked.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
}

/// A lock that was taken. Dropping it does not let it go: [`Held::release`] does.
#[derive(Clone)]
pub struct Held {
    dataset: Dataset,
    name: String,
    owner: Owner,
    fence: i64,
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Held({}, {}, {})", self.name, self.owner, self.fence)
    }
}

/// What stands in a lock's row.
struct Found {
    owner: String,
    fence: i64,
    since: Option<jiff::Timestamp>,
}

impl Dataset {
    /// Takes the lock of a name, which need not have been used before.
    ///
    /// # Errors
    /// [`LockRowError::Held`] where somebody has it.
    pub async fn lock(&self, name: &str, owner: &Owner) -> Result<Held, LockRowError> {
        self.take(name, owner, false).await
    }

    /// Takes it whoever has it. Only for somebody who knows that the other one is dead, or may be stopped by this.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn lock_by_force(&self, name: &str, owner: &Owner) -> Result<Held, LockRowError> {
        self.take(name, owner, true).await
    }

    async fn take(&self, name: &str, owner: &Owner, by_force: bool) -> Result<Held, LockRowError> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            let why = format!("a lock's name has 1 to {LONGEST_NAME} bytes");
            return Err(BigQueryError::Unfit(why).into());
        }
        let mut tries = 0;
        loop {
            tries += 1;
            // What the row says afterwards decides, not what the statement's answer says: that may have been cut.
            let tried = self.try_to_take(name, owner, by_force).await;
            let (ours, others): (Vec<Found>, Vec<Found>) =
                self.lock_rows(name).await?.into_iter().partition(|found| found.owner == owner.as_str());
            match (ours.into_iter().max_by_key(|found| found.fence), others.into_iter().next()) {
                (Some(Found { fence, .. }), None) => {
                    return Ok(Held { dataset: self.clone(), name: name.to_owned(), owner: owner.clone(), fence });
                }
                (ours, Some(Found { owner: holder, since, .. })) if !by_force => {
                    // Each has a row of the name. Having written before it reads, at least one of two sees the other.
                    if ours.is_some() {
                        self.let_go(name, owner).await?;
                    }
                    return Err(LockRowError::Held { name: name.to_owned(), owner: holder, since });
                }
                // Nobody has it: the statement was turned away because another one ran, or did not get there.
                _ if tries < TRIES => tokio::time::sleep(PAUSE * tries).await,
                _ => {
                    tried?;
                    let why = format!("the lock \"{name}\" could not be taken, since others take it all the time");
                    return Err(BigQueryError::Unfit(why).into());
                }
            }
        }
    }

    async fn try_to_take(&self, name: &str, owner: &Owner, by_force: bool) -> Result<(), BigQueryError> {
        let table = self.names.sql_table(&LOCKS);
        let name = Parameter::Text(name.to_owned());
        // Two who do this at once may make two rows of a name. Both are taken together, and none of them while any is held.
        let make = format!(
            "INSERT INTO {table} (name, fence) SELECT @name, 0 FROM (SELECT 1 AS one)
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE name = @name)"
        );
        if self.lock_row_is_missing(&name).await? {
            self.jobs.ask(&Query::new(make).with("name", name.clone())).await?;
        }
        let free = if by_force {
            "TRUE".to_owned()
        } else {
            format!("NOT EXISTS (SELECT 1 FROM {table} WHERE name = @name AND owner IS NOT NULL)")
        };
        let take = format!(
            "UPDATE {table} SET owner = @owner, fence = fence + 1, since = CURRENT_TIMESTAMP()
             WHERE name = @name AND {free}"
        );
        let owner = Parameter::Text(owner.as_str().to_owned());
        self.change(&Query::new(take).with("name", name).with("owner", owner)).await.map(drop)
    }

    async fn lock_row_is_missing(&self, name: &Parameter) -> Result<bool, BigQueryError> {
        let sql = format!("SELECT 1 FROM {} WHERE name = @name LIMIT 1", self.names.sql_table(&LOCKS));
        Ok(self.jobs.ask(&Query::new(sql).with("name", name.clone())).await?.rows.is_empty())
    }

    /// Who holds the lock of a name; `None`: nobody.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn lock_holder(&self, name: &str) -> Result<Option<String>, BigQueryError> {
        Ok(self.lock_rows(name).await?.into_iter().next().map(|found| found.owner))
    }

    /// The rows of a name that are held: one as a rule, none where it is free.
    async fn lock_rows(&self, name: &str) -> Result<Vec<Found>, BigQueryError> {
        let sql = format!(
            "SELECT owner, fence, UNIX_MICROS(since) AS since FROM {} WHERE name = @name AND owner IS NOT NULL
             ORDER BY fence DESC",
            self.names.sql_table(&LOCKS)
        );
        let rows = self.jobs.ask(&Query::new(sql).with("name", Parameter::Text(name.to_owned())).fresh()).await?.rows;
        let found = rows.iter().map(|row| {
            let text = |index: usize| row.get(index).and_then(serde_json::Value::as_str);
            let number = |index: usize| text(index).and_then(|digits| digits.parse::<i64>().ok());
            Found {
                owner: text(0).unwrap_or_default().to_owned(),
                fence: number(1).unwrap_or(0),
                since: number(2).and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()),
            }
        });
        Ok(found.collect())
    }

    /// The rows of a name go, held or not.
    pub(super) async fn forget_lock(&self, name: &str) -> Result<(), BigQueryError> {
        let sql = format!("DELETE FROM {} WHERE name = @name", self.names.sql_table(&LOCKS));
        self.change(&Query::new(sql).with("name", Parameter::Text(name.to_owned()))).await.map(drop)
    }

    async fn let_go(&self, name: &str, owner: &Owner) -> Result<(), BigQueryError> {
        let sql = format!(
            "UPDATE {} SET owner = NULL, since = NULL WHERE name = @name AND owner = @owner",
            self.names.sql_table(&LOCKS)
        );
        let query = Query::new(sql)
            .with("name", Parameter::Text(name.to_owned()))
            .with("owner", Parameter::Text(owner.as_str().to_owned()));
        self.change(&query).await.map(drop)
    }
}

impl Held {
    /// How often the lock was taken, this time included: grows with each owner.
    #[must_use]
    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// Looks whether it is still ours, before something is done that only one may do.
    ///
    /// # Errors
    /// [`LockRowError::Lost`] where it is not, or when BigQuery cannot be asked.
    pub async fn confirm(&self) -> Result<(), LockRowError> {
        let found = self.dataset.lock_rows(&self.name).await?;
        if found.iter().any(|found| found.owner == self.owner.as_str()) {
            return Ok(());
        }
        let owner = found.into_iter().next().map(|found| found.owner);
        Err(LockRowError::Lost { name: self.name.clone(), owner })
    }

    /// Lets it go, where it is still ours.
    ///
    /// # Errors
    /// When BigQuery cannot be asked; then it stays held.
    pub async fn release(self) -> Result<(), BigQueryError> {
        self.dataset.let_go(&self.name, &self.owner).await
    }
}
