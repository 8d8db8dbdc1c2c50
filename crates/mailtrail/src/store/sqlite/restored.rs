//! The mark of a trail that came from a backup.

use rusqlite::TransactionBehavior;

use super::error::TrailError;
use super::meta;
use super::read::{self, ReadError};
use super::trail::Trail;
use crate::store::Paths;

const NAME: &str = "restored_from";

pub(in crate::store) fn restored_from(paths: &Paths) -> Result<Option<i64>, ReadError> {
    let text = meta::get(&read::open(paths)?, NAME)?;
    Ok(text.filter(|text| !text.is_empty()).map(|text| text.parse().unwrap_or(0)))
}

pub(in crate::store) fn set_restored_from(trail: &mut Trail, since: Option<i64>) -> Result<(), TrailError> {
    let transaction = trail.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known = meta::get(&transaction, NAME)?.and_then(|text| text.parse::<i64>().ok());
    let text = since.map(|since| known.map_or(since, |known| known.min(since)).to_string());
    meta::set(&transaction, NAME, text.as_deref().unwrap_or_default())?;
    Ok(transaction.commit()?)
}
