//! Statements over the ledger in BigQuery.
//!
//! Steps have no order but what they say: of a request, the one that says more counts, whenever it was written, since clocks
//! differ and a sender that lost its run may still be heard. Where two requests were made of one attempt, the one that is more
//! likely to have mailed somebody counts.

use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query};
use crate::store::bigquery::schema::SENDS;
use crate::store::ledger::Sent;

const DAY: i64 = 86_400_000_000;
/// Days on which steps may have been written. (`at` is a word of GoogleSQL's own, so it stands in quotes everywhere.)
const ALL_DAYS: (i64, i64) = (1_577_836_800_000_000, 4_102_444_800_000_000);

/// A request's states, the one that says least first.
const BY_WORD: [Sent; 6] =
    [Sent::Claimed, Sent::Sending, Sent::Uncertain, Sent::Abandoned, Sent::Refused, Sent::Accepted];
/// The states of an attempt's requests, the one that is least likely to have mailed somebody first.
const BY_MAIL: [Sent; 6] =
    [Sent::Abandoned, Sent::Refused, Sent::Claimed, Sent::Sending, Sent::Uncertain, Sent::Accepted];

const COLUMNS: &str = "email_hash, state, attempt, recipient, request, message_id, `at`, send_at, code, why";

/// Each recipient of a run, by the last attempt.
pub(super) fn of_run(names: &Names, run: &str, begun_at: i64) -> Query {
    let sql = format!("WITH steps AS ({}) {}", steps(names, "run = @run"), last(COLUMNS));
    on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned()))
}

/// How many steps of a run there are.
pub(super) fn steps_of_run(names: &Names, run: &str, begun_at: i64) -> Query {
    let sql = format!(
        "SELECT COUNT(*) FROM {} WHERE `at` >= @since AND `at` < @until AND run = @run",
        names.sql_table(&SENDS)
    );
    on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned()))
}

/// How many steps under a category there are since a time in µs.
pub(super) fn steps_of_category(names: &Names, category: &str, since: i64) -> Query {
    let sql = format!(
        "SELECT COUNT(*) FROM {} WHERE `at` >= @since AND `at` < @until
         AND EXISTS (SELECT 1 FROM UNNEST(category) AS one WHERE one = @category)",
        names.sql_table(&SENDS)
    );
    on_days(sql, since).with("category", Parameter::Text(category.to_owned()))
}

/// Of every run each recipient whose last attempt was of a category, with steps since a time in µs.
pub(super) fn of_category(names: &Names, category: &str, since: i64) -> Query {
    let sql = format!(
        "WITH steps AS ({}) SELECT {COLUMNS} FROM ({}) AS last
         WHERE EXISTS (SELECT 1 FROM UNNEST(category) AS one WHERE one = @category)",
        steps(names, "TRUE"),
        last("*")
    );
    on_days(sql, since).with("category", Parameter::Text(category.to_owned()))
}

/// The claims of a run's requests that nobody has ended.
pub(super) fn unfinished(names: &Names, run: &str, begun_at: i64) -> Query {
    let sql = format!(
        "WITH steps AS ({}) SELECT email_hash, state, attempt, recipient, request, key_id, category, send_at FROM steps
         WHERE state IN UNNEST(@states)",
        steps(names, "run = @run")
    );
    let states = [Sent::Claimed, Sent::Sending].map(|sent| sent.as_str().to_owned()).to_vec();
    on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned())).with("states", Parameter::Texts(states))
}

/// The keys that hashes of the ledger were made with.
pub(super) fn keys(names: &Names) -> Query {
    let sql = format!("SELECT DISTINCT key_id FROM {} WHERE `at` >= @since AND `at` < @until", names.sql_table(&SENDS));
    on_days(sql, i64::MIN)
}

/// Every request's recipients, with the step that counts.
fn steps(names: &Names, condition: &str) -> String {
    format!(
        "SELECT run, email_hash, key_id, recipient, request, attempt, state, message_id, category, `at`, send_at, code, why FROM {}
         WHERE `at` >= @since AND `at` < @until AND {condition}
         QUALIFY ROW_NUMBER() OVER (PARTITION BY request, email_hash ORDER BY {} DESC, `at` DESC) = 1",
        names.sql_table(&SENDS),
        place_in(BY_WORD)
    )
}

/// Of these, every run's recipients with the last attempt.
fn last(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM steps WHERE TRUE
         QUALIFY ROW_NUMBER() OVER (PARTITION BY run, email_hash ORDER BY attempt DESC, {} DESC, `at` DESC) = 1",
        place_in(BY_MAIL)
    )
}

fn place_in(order: [Sent; 6]) -> String {
    let cases: Vec<String> = (0..).zip(order).map(|(at, sent)| format!("WHEN '{}' THEN {at}", sent.as_str())).collect();
    format!("CASE state {} ELSE -1 END", cases.join(" "))
}

/// A sender's clock may lag: a day more costs next to nothing.
fn on_days(sql: String, since: i64) -> Query {
    let (first, last) = ALL_DAYS;
    let since = since.saturating_sub(DAY).clamp(first, last);
    Query::new(sql).with("since", Parameter::Timestamp(since)).with("until", Parameter::Timestamp(last)).fresh()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::names;

    #[test]
    fn words_of_sql_stand_in_quotes_and_values_nowhere() {
        for sql in [steps(&names(), "run = @run"), last(COLUMNS), keys(&names()).sql] {
            assert!(
                !sql.replace("`at`", "").split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "at"),
                "{sql}"
            );
        }
        let evil = "x') OR TRUE --";
        for query in [of_run(&names(), evil, 7), unfinished(&names(), evil, 7), steps_of_run(&names(), evil, 7)] {
            assert!(
                !query.sql.contains("OR TRUE") && query.sql.contains("`at` >= @since AND `at` < @until") && query.fresh
            );
            assert!(
                query.parameters.iter().any(|(name, value)| *name == "run" && *value == Parameter::Text(evil.into()))
            );
        }
    }

    #[test]
    fn states_are_ordered_by_what_they_say() {
        let place = |order: [Sent; 6], sent| order.iter().position(|one| *one == sent).unwrap();
        for order in [BY_WORD, BY_MAIL] {
            let mut all = order.to_vec();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 6);
        }
        // What is known to have mailed nobody outweighs a doubt about the same request, but not another request's doubt.
        assert!(place(BY_WORD, Sent::Abandoned) > place(BY_WORD, Sent::Uncertain));
        assert!(BY_MAIL.iter().skip(2).all(|sent| sent.is_taken()) && BY_MAIL[..2].iter().all(|sent| !sent.is_taken()));
        assert!(place_in(BY_WORD).starts_with("CASE state WHEN 'claimed' THEN 0 WHEN 'sending' THEN 1"));
    }
}
