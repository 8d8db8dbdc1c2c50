//! Counts.

use jiff::tz::TimeZone;

use super::cell::Cells;
use super::select::{mail_status, select};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query, Rows};
use crate::store::query::{Counted, Dimension, Filter, Group};

/// Most lines of counts that an answer has.
const MAX_GROUPS: usize = 100_000;

pub(super) fn stats(names: &Names, filter: &Filter, by: &[Dimension], counted: Counted) -> Query {
    let spread = by.contains(&Dimension::Category);
    let inner = "event, type, timestamp, event_key, email_hash, email_domain, category, run, message_id, \
                 bounce_classification, reason, response, verified_by";
    let zone = filter.zone.as_ref().and_then(|zone| zone.iana_name());
    let mut query = select(names, filter, inner);
    let mut columns: Vec<String> =
        (0..).zip(by).map(|(at, dimension)| format!("{} AS k{at}", column(*dimension, zone.is_some()))).collect();
    columns.push(
        match counted {
            // An event counts once under a category that it names twice.
            Counted::Rows if spread => "COUNT(DISTINCT event_key)",
            Counted::Rows => "COUNT(*)",
            Counted::Recipients => "COUNT(DISTINCT email_hash)",
        }
        .to_owned(),
    );
    let group: Vec<String> = (1..=by.len()).map(|at| at.to_string()).collect();
    let counts_time = by.iter().any(|dimension| matches!(dimension, Dimension::Day | Dimension::Hour));
    if let Some(name) = zone.filter(|_| counts_time) {
        query = query.with("zone", Parameter::Text(name.to_owned()));
    }
    query.sql = format!(
        "WITH found AS ({}) SELECT {} FROM found{}{} LIMIT {}",
        query.sql,
        columns.join(", "),
        if spread { " LEFT JOIN UNNEST(found.category) AS one" } else { "" },
        if group.is_empty() { String::new() } else { format!(" GROUP BY {}", group.join(", ")) },
        MAX_GROUPS + 1
    );
    query
}

/// `local`: days and hours by the clock of the zone in the parameter `zone`.
fn column(dimension: Dimension, local: bool) -> String {
    match dimension {
        Dimension::Event => "event".to_owned(),
        Dimension::Status => mail_status(),
        Dimension::Category => "one".to_owned(),
        Dimension::Domain => "email_domain".to_owned(),
        Dimension::Run => "run".to_owned(),
        Dimension::Day if local => "FORMAT_TIMESTAMP('%Y-%m-%d', timestamp, @zone)".to_owned(),
        Dimension::Hour if local => "FORMAT_TIMESTAMP('%Y-%m-%dT%H:00%Ez', timestamp, @zone)".to_owned(),
        Dimension::Day => "FORMAT_TIMESTAMP('%Y-%m-%d', timestamp)".to_owned(),
        Dimension::Hour => "FORMAT_TIMESTAMP('%Y-%m-%dT%H:00Z', timestamp)".to_owned(),
        Dimension::Classification => "bounce_classification".to_owned(),
        Dimension::Reason => "IFNULL(reason, response)".to_owned(),
        Dimension::VerifiedBy => "verified_by".to_owned(),
        Dimension::Message => "message_id".to_owned(),
    }
}

/// The lines of [`stats`], the largest counts first.
pub(super) fn groups(rows: &Rows, by: &[Dimension], zone: Option<&TimeZone>) -> Result<Vec<Group>, BigQueryError> {
    if rows.rows.len() > MAX_GROUPS {
        return Err(BigQueryError::Unfit(format!(
            "more than {MAX_GROUPS} lines of counts: count by fewer things, or narrow the time with --since and --until"
        )));
    }
    let mut groups = Vec::with_capacity(rows.rows.len());
    for row in &rows.rows {
        let mut cells = Cells::new(row);
        let keys = by.iter().map(|_| cells.text()).collect();
        groups.push(Group { keys, count: cells.count()? });
    }
    Group::sort(&mut groups, by, zone);
    Ok(groups)
}

pub(super) fn repeats(names: &Names, filter: &Filter) -> Query {
    let mut query = select(names, filter, "timestamp, fingerprint, event_key, received_at");
    query.sql = format!(
        "WITH found AS ({}) SELECT IFNULL(SUM(n - 1), 0) FROM
             (SELECT COUNT(*) AS n FROM found GROUP BY timestamp, fingerprint HAVING COUNT(*) > 1) AS repeated",
        query.sql
    );
    query
}
