//! The statements. Hashes are parameters; of all days, since nobody is forgotten in part.

use super::{Part, texts};
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::{EVENTS, QUARANTINE};
use crate::store::sqlite::Unproven;

/// What `protect` puts for an address that is the whole value of a custom arg, as a pattern that takes the hashes.
const MENTION: (&str, &str) = (r"\[email:(", r")\]");
/// What stands there afterwards.
const REPLACEMENT: &str = "[address]";

const EVERY_DAY: &str = "timestamp >= TIMESTAMP '2009-01-01' AND timestamp < TIMESTAMP '2100-01-01'";
const EVER_RECEIVED: &str = "received_at >= TIMESTAMP '2009-01-01'";
/// BigQuery keeps what was streamed apart for up to ninety minutes.
const LONG_AGO: &str = "received_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 95 MINUTE)";

const MENTIONS_THEM: &str = "custom_args IS NOT NULL AND REGEXP_CONTAINS(TO_JSON_STRING(custom_args), @mentions)";
const OF_OTHERS: &str = "(email_hash IS NULL OR email_hash NOT IN UNNEST(@hashes))";

fn aged(sql: String, old: bool) -> String {
    if old { format!("{sql} AND {LONG_AGO}") } else { sql }
}

/// One pattern of all hashes that `protect` wrote and of all digests that senders did; hex digits stand for themselves.
fn mentions(people: &Part) -> Parameter {
    let hashes = format!("{}{}{}", MENTION.0, people.hashes.join("|"), MENTION.1);
    let digests = format!("(?i:{})", people.digests.join("|"));
    let parts = [(hashes, &people.hashes), (digests, &people.digests)];
    let parts = parts.into_iter().filter(|(_, texts)| !texts.is_empty()).map(|(pattern, _)| pattern);
    Parameter::Text(parts.collect::<Vec<_>>().join("|"))
}

/// The same within rows as JSON, where unkeyed hashes have a column of their own.
fn mentions_in_rows(people: &Part) -> Parameter {
    let digests = people.digests.iter().filter(|digest| !people.hashes.contains(digest)).cloned().collect();
    mentions(&Part { hashes: people.hashes.clone(), digests })
}

/// What an event in the quarantine has that is theirs.
fn own(people: &Part) -> Parameter {
    Parameter::Text(format!("\"email_hash\":\"({})\"", people.hashes.join("|")))
}

/// Events of theirs, and others' that name them.
pub(super) fn count_events(names: &Names, people: &Part) -> Query {
    let sql = format!(
        "SELECT COUNTIF(IFNULL(email_hash IN UNNEST(@hashes), FALSE)) AS theirs,
                COUNTIF({OF_OTHERS} AND {MENTIONS_THEM}) AS mentions
         FROM {} WHERE {EVERY_DAY}",
        names.sql_table(&EVENTS)
    );
    Query::new(sql).with("hashes", texts(&people.hashes)).with("mentions", mentions(people))
}

pub(super) fn delete_events(names: &Names, people: &Part, old: bool) -> Query {
    let sql = format!("DELETE FROM {} WHERE {EVERY_DAY} AND email_hash IN UNNEST(@hashes)", names.sql_table(&EVENTS));
    Query::new(aged(sql, old)).with("hashes", texts(&people.hashes))
}

pub(super) fn neutralise_events(names: &Names, people: &Part, old: bool) -> Query {
    let sql = format!(
        "UPDATE {} SET custom_args = PARSE_JSON(REGEXP_REPLACE(TO_JSON_STRING(custom_args), @mentions, @replacement))
         WHERE {EVERY_DAY} AND {MENTIONS_THEM}",
        names.sql_table(&EVENTS)
    );
    Query::new(aged(sql, old))
        .with("mentions", mentions(people))
        .with("replacement", Parameter::Text(REPLACEMENT.to_owned()))
}

/// Events of theirs that BigQuery refused, and others' that name them.
pub(super) fn count_refused(names: &Names, people: &Part) -> Query {
    let sql = format!(
        "SELECT COUNTIF(REGEXP_CONTAINS(`row`, @own)) AS theirs,
                COUNTIF(REGEXP_CONTAINS(`row`, @mentions) AND NOT REGEXP_CONTAINS(`row`, @own)) AS mentions
         FROM {} WHERE {EVER_RECEIVED} AND `row` IS NOT NULL",
        names.sql_table(&QUARANTINE)
    );
    Query::new(sql).with("own", own(people)).with("mentions", mentions_in_rows(people))
}

pub(super) fn delete_refused(names: &Names, people: &Part, old: bool) -> Query {
    let sql = format!(
        "DELETE FROM {} WHERE {EVER_RECEIVED} AND `row` IS NOT NULL AND REGEXP_CONTAINS(`row`, @own)",
        names.sql_table(&QUARANTINE)
    );
    Query::new(aged(sql, old)).with("own", own(people))
}

pub(super) fn neutralise_refused(names: &Names, people: &Part, old: bool) -> Query {
    let sql = format!(
        "UPDATE {} SET `row` = REGEXP_REPLACE(`row`, @mentions, @replacement)
         WHERE {EVER_RECEIVED} AND `row` IS NOT NULL AND REGEXP_CONTAINS(`row`, @mentions)",
        names.sql_table(&QUARANTINE)
    );
    Query::new(aged(sql, old))
        .with("mentions", mentions_in_rows(people))
        .with("replacement", Parameter::Text(REPLACEMENT.to_owned()))
}

/// Entries that nobody could read.
pub(super) fn sealed(names: &Names) -> Query {
    Query::new(format!(
        "SELECT item_key, seal_key_id, sealed FROM {} WHERE {EVER_RECEIVED} AND sealed IS NOT NULL ORDER BY item_key",
        names.sql_table(&QUARANTINE)
    ))
}

pub(super) fn delete_sealed(names: &Names, items: &[String], old: bool) -> Query {
    let sql = format!(
        "DELETE FROM {} WHERE {EVER_RECEIVED} AND sealed IS NOT NULL AND item_key IN UNNEST(@items)",
        names.sql_table(&QUARANTINE)
    );
    Query::new(aged(sql, old)).with("items", texts(items))
}

fn unproven(which: Unproven) -> &'static str {
    match which {
        Unproven::Test => "verified_by = 'test'",
        Unproven::Unverified => "verified_by IS NULL",
    }
}

pub(super) fn count_unproven(names: &Names, which: Unproven) -> Query {
    let table = names.sql_table(&EVENTS);
    Query::new(format!("SELECT COUNT(*) AS events, 0 AS none FROM {table} WHERE {EVERY_DAY} AND {}", unproven(which)))
}

pub(super) fn delete_unproven(names: &Names, which: Unproven, old: bool) -> Query {
    let table = names.sql_table(&EVENTS);
    Query::new(aged(format!("DELETE FROM {table} WHERE {EVERY_DAY} AND {}", unproven(which)), old))
}
