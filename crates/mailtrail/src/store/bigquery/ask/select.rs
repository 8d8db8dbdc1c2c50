//! Which events a question is about. Texts of statements are put together from what stands here; values are parameters only.

use sendgrid_events::EVENT_NAMES;

use crate::settle::Status;
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::EVENTS;
use crate::store::query::{Filter, Scope};

/// 2009-01-01 and 2100-01-01: no event is before or after. Where nobody says which days, all of these.
const ALL_DAYS: (i64, i64) = (1_230_768_000_000_000, 4_102_444_800_000_000);

/// A condition of a statement with the parameter it names.
struct Condition {
    text: String,
    name: &'static str,
    value: Parameter,
}

/// `SELECT columns FROM …` of the events that fulfil a filter, each once.
pub(super) fn select(names: &Names, filter: &Filter, columns: &str) -> Query {
    let mut conditions = Vec::new();
    let mut one_of = |name: &'static str, values: Vec<String>, text: &str| {
        if !values.is_empty() {
            conditions.push(Condition { text: text.to_owned(), name, value: Parameter::Texts(values) });
        }
    };
    one_of("hashes", filter.hashes.iter().map(ToString::to_string).collect(), "email_hash IN UNNEST(@hashes)");
    one_of("messages", filter.messages.clone(), "message_id IN UNNEST(@messages)");
    one_of("runs", filter.runs.clone(), "run IN UNNEST(@runs)");
    let category = "EXISTS (SELECT 1 FROM UNNEST(category) AS one WHERE one IN UNNEST(@categories))";
    one_of("categories", filter.categories.clone(), category);
    one_of("domains", filter.domains.clone(), "email_domain IN UNNEST(@domains)");
    one_of("events", filter.events.clone(), "event IN UNNEST(@events)");
    let statuses = filter.statuses.iter().map(|status| status.as_str().to_owned()).collect();
    one_of("statuses", statuses, &format!("{} IN UNNEST(@statuses)", mail_status()));
    if let Some(reason) = &filter.reason {
        let text = "STRPOS(LOWER(IFNULL(reason, response)), LOWER(@reason)) > 0".to_owned();
        conditions.push(Condition { text, name: "reason", value: Parameter::Text(reason.clone()) });
    }

    let (first, last) = ALL_DAYS;
    let mut sql =
        format!("SELECT {columns} FROM {} WHERE timestamp >= @since AND timestamp < @until", names.sql_table(&EVENTS));
    if !filter.include_tests {
        sql.push_str(" AND IFNULL(verified_by, '') != 'test'");
    }
    if !conditions.is_empty() {
        // A condition of unknown truth (a null) is none, also beside others that hold.
        let texts: Vec<String> =
            conditions.iter().map(|condition| format!("IFNULL({}, FALSE)", condition.text)).collect();
        sql.push_str(&format!(" AND ({})", texts.join(if filter.any { " OR " } else { " AND " })));
    }
    sql.push_str(" QUALIFY ROW_NUMBER() OVER (PARTITION BY timestamp, event_key ORDER BY received_at) = 1");
    let mut query = Query::new(sql)
        .with("since", Parameter::Timestamp(filter.since.unwrap_or(first).clamp(first, last)))
        .with("until", Parameter::Timestamp(filter.until.unwrap_or(last).clamp(first, last)));
    query.parameters.extend(conditions.into_iter().map(|condition| (condition.name, condition.value)));
    query
}

/// `SELECT columns FROM …` of rows as they are, repetitions too.
pub(super) fn on_days(names: &Names, columns: &str, condition: &str, since: Option<i64>, until: Option<i64>) -> Query {
    let (first, last) = ALL_DAYS;
    let sql = format!(
        "SELECT {columns} FROM {} WHERE timestamp >= @since AND timestamp < @until AND {condition}",
        names.sql_table(&EVENTS)
    );
    Query::new(sql)
        .with("since", Parameter::Timestamp(since.unwrap_or(first).clamp(first, last)))
        .with("until", Parameter::Timestamp(until.unwrap_or(last).clamp(first, last)))
}

/// Whether an event is of that mail.
pub(super) fn condition_of_mail(scope: &Scope) -> (&'static str, (&'static str, Parameter)) {
    match scope {
        Scope::Run(name) => ("IFNULL(run = @run, FALSE)", ("run", Parameter::Text(name.clone()))),
        Scope::Category(name) => (
            "EXISTS (SELECT 1 FROM UNNEST(category) AS one WHERE one = @category)",
            ("category", Parameter::Text(name.clone())),
        ),
    }
}

/// `settle`'s rule as SQL, made from the rule itself.
pub(super) fn mail_status() -> String {
    let mut cases = String::from("CASE");
    for name in EVENT_NAMES {
        let (plain, blocked) = (Status::of(name, None), Status::of(name, Some("blocked")));
        if blocked != plain {
            cases.push_str(&format!(
                " WHEN event = '{name}' AND LOWER(TRIM(IFNULL(type, ''))) = 'blocked' THEN '{}'",
                blocked.as_str()
            ));
        }
        if plain != Status::Unknown {
            cases.push_str(&format!(" WHEN event = '{name}' THEN '{}'", plain.as_str()));
        }
    }
    format!(
        "{cases} WHEN STARTS_WITH(event, 'group_') THEN '{}' ELSE '{}' END",
        Status::of("group_", None).as_str(),
        Status::Unknown.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::names;

    #[test]
    fn values_never_stand_in_the_text_and_days_always_do() {
        let evil = || vec!["x') OR TRUE --".to_owned()];
        let filter = Filter {
            events: evil(),
            statuses: vec![Status::Blocked],
            categories: evil(),
            runs: evil(),
            messages: evil(),
            domains: evil(),
            reason: Some("x') OR TRUE --".to_owned()),
            ..Filter::default()
        };
        for any in [false, true] {
            let query = select(&names(), &Filter { any, ..filter.clone() }, "event");
            assert!(!query.sql.contains("OR TRUE") && query.sql.contains("timestamp >= @since"), "{}", query.sql);
            assert_eq!(query.parameters.len(), 9);
            for (name, _) in &query.parameters {
                assert!(query.sql.contains(&format!("@{name}")), "{name}");
            }
        }
        let plain = select(&names(), &Filter::default(), "event");
        assert_eq!(plain.parameters[0], ("since", Parameter::Timestamp(ALL_DAYS.0)));
    }

    #[test]
    fn the_rule_of_statuses_is_settle_s() {
        let sql = mail_status();
        assert!(sql.contains("WHEN event = 'bounce' AND LOWER(TRIM(IFNULL(type, ''))) = 'blocked' THEN 'blocked' WHEN event = 'bounce' THEN 'bounce'"));
        assert!(sql.contains("WHEN event = 'open' THEN 'delivered'") && sql.ends_with("ELSE 'unknown' END"), "{sql}");
    }
}
