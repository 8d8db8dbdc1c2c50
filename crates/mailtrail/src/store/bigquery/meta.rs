//! `mailtrail_meta`: what a dataset was begun with.

use aws_lc_rs::digest::{SHA256, digest};

use super::error::BigQueryError;
use super::names::Names;
use super::query::{Jobs, Parameter, Query};
use super::schema::META;
use crate::store::hex::hex;
use crate::store::keys::Identity;

/// The format of all tables together.
const FORMAT: &str = "1";

/// A row of `mailtrail_meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of what it is.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// What a dataset of these keys begins with.
#[must_use]
pub fn entries(identity: &Identity) -> Vec<Entry> {
    let known = |name: &str, value: &str| Entry { name: name.to_owned(), value: value.to_owned() };
    vec![
        known("format", FORMAT),
        known("hash_mode", &identity.hash_mode),
        known("dedupe_check", &identity.dedupe_check),
    ]
}

/// When the first public key was configured, µs.
const FIRST_PUBLIC_KEY: &str = "first_public_key_at";

/// That a public key is configured from now on (µs); an earlier time stays.
#[must_use]
pub fn first_public_key(now: i64) -> Entry {
    Entry { name: FIRST_PUBLIC_KEY.to_owned(), value: now.to_string() }
}

/// Since when events need to be vouched for, µs; `None` where no public key was ever configured.
pub(super) async fn keyed(jobs: &Jobs, names: &Names) -> Result<Option<i64>, BigQueryError> {
    let found = read(jobs, names).await?.into_iter().filter(|entry| entry.name == FIRST_PUBLIC_KEY);
    // Two who noted it in the same moment left two.
    Ok(found.filter_map(|entry| entry.value.parse().ok()).min())
}

/// What is there.
pub(super) async fn read(jobs: &Jobs, names: &Names) -> Result<Vec<Entry>, BigQueryError> {
    let query = Query::new(format!("SELECT name, value FROM {}", names.sql_table(&META)));
    let found = jobs.ask(&query).await?;
    let text = |value: Option<&serde_json::Value>| value.and_then(|value| value.as_str()).map(str::to_owned);
    // Entries without a value are locks of an earlier time.
    Ok(found.rows.iter().filter_map(|row| Some(Entry { name: text(row.first())?, value: text(row.get(1))? })).collect())
}

/// Adds an entry where there is none of its name.
pub(super) async fn add(jobs: &Jobs, names: &Names, entry: &Entry) -> Result<(), BigQueryError> {
    let table = names.sql_table(&META);
    let sql = format!(
        "INSERT INTO {table} (name, value) SELECT @name, @value FROM (SELECT 1 AS one)
         WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE name = @name)"
    );
    let query = Query::new(sql).with("name", Parameter::Text(entry.name.clone()));
    jobs.ask(&query.with("value", Parameter::Text(entry.value.clone()))).await.map(drop)
}

/// Before the id of a hash key that was accepted.
const HASH_KEY: &str = "hash_key:";

/// That a hash key was accepted.
pub(super) fn hash_key(key_id: &str) -> Entry {
    Entry { name: format!("{HASH_KEY}{key_id}"), value: key_id.to_owned() }
}

/// The hash keys that were accepted.
pub(super) async fn hash_keys(jobs: &Jobs, names: &Names) -> Result<Vec<String>, BigQueryError> {
    let found = read(jobs, names).await?.into_iter().filter(|entry| entry.name.starts_with(HASH_KEY));
    Ok(found.map(|entry| entry.value).collect())
}

/// Before what tells the sources of imports apart.
const LEFT_OUT: &str = "import_left_out:";

/// Remembers how many events of a source an import left out, since nobody knows whom they are about; the source by a digest.
pub(super) async fn note_left_out(jobs: &Jobs, names: &Names, source: &str, events: u64) -> Result<(), BigQueryError> {
    let source = hex(digest(&SHA256, source.as_bytes()).as_ref().get(..8).unwrap_or_default());
    let entry = Entry { name: format!("{LEFT_OUT}{source}"), value: events.to_string() };
    if events > 0 {
        add(jobs, names, &entry).await?;
    }
    let sql = format!("UPDATE {} SET value = @value WHERE name = @name", names.sql_table(&META));
    let query =
        Query::new(sql).with("name", Parameter::Text(entry.name)).with("value", Parameter::Text(events.to_string()));
    jobs.ask(&query).await.map(drop)
}

/// How many events imports have left out in all, since nobody knows whom they are about.
pub(super) fn left_out(entries: &[Entry]) -> u64 {
    let counts = entries.iter().filter(|entry| entry.name.starts_with(LEFT_OUT));
    counts.filter_map(|entry| entry.value.parse::<u64>().ok()).sum()
}

/// Whether what is there was begun with the same keys and by a version that this one understands.
pub(super) fn judge(found: &[Entry], wanted: &[Entry], dataset: &str) -> Result<(), BigQueryError> {
    for entry in wanted {
        let Some(there) = found.iter().find(|there| there.name == entry.name) else { continue };
        if there.value == entry.value {
            continue;
        }
        let (found, ours) = (&there.value, &entry.value);
        return Err(BigQueryError::Unfit(match entry.name.as_str() {
            "format" => format!(
                "{dataset} has format {found}, this mailtrail knows {ours}: run the mailtrail that made it, or upgrade this one"
            ),
            "hash_mode" => format!(
                "{dataset} holds hashes of [privacy] hash = \"{found}\", this configuration says \"{ours}\": set it back, or name another dataset"
            ),
            "dedupe_check" => format!(
                "{dataset} was begun with another key file: bring that one back, or name another dataset; events of two keys would not be recognised as the same"
            ),
            _ => continue,
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::keys::Keys as _;
    use crate::store::testing::PlainKeys;

    #[test]
    fn another_key_or_mode_is_refused_and_what_is_missing_is_not() {
        let identity = PlainKeys.identity();
        let wanted = entries(&identity);
        assert!(judge(&wanted, &wanted, "p.d").is_ok() && judge(&[], &wanted, "p.d").is_ok());
        for (name, expected) in
            [("format", "upgrade"), ("hash_mode", "set it back"), ("dedupe_check", "another key file")]
        {
            let found = [Entry { name: name.to_owned(), value: "other".to_owned() }];
            let told = judge(&found, &wanted, "p.d").unwrap_err().to_string();
            assert!(told.contains(expected) && told.contains("p.d"), "{told}");
        }
    }
}
