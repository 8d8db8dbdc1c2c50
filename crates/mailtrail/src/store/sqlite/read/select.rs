//! A filter → where its events are found and what they must fulfil. Texts of statements are put together from what stands
//! here; values are parameters only, lists of them as one parameter in JSON.

use rusqlite::types::Value;

use crate::store::query::{Filter, Scanned};

/// Where the search begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// `message`, by one of its indexes.
    Message,
    /// The side table of categories.
    Category,
    /// The time index, from `since` to `until`.
    Time,
}

/// A part of a statement's text with the table it speaks of.
struct Condition {
    text: &'static str,
    of: Table,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Columns that the side table of categories has, too.
    Side,
    Event,
    Message,
    Address,
}

/// Which tables beyond its source a statement names.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    pub(super) event: bool,
    pub(super) message: bool,
    pub(super) address: bool,
}

/// A filter, ready for a statement.
pub(super) struct Selection {
    pub(super) source: Source,
    conditions: Vec<Condition>,
    any: bool,
    times: bool,
    tests: bool,
    pub(super) parameters: Vec<(&'static str, Value)>,
    pub(super) scanned: Option<Scanned>,
}

pub(super) const LISTS: &str =
    "m.category_list_id IN (SELECT category_list_id FROM category_member WHERE category_id IN
     (SELECT id FROM category WHERE name IN (SELECT value FROM json_each(:categories))))";

impl Selection {
    /// `source`: where to begin at any rate. `known_tests`: whether the trail holds events of tests at all.
    pub(super) fn new(filter: &Filter, source: Option<Source>, known_tests: bool) -> Self {
        let mut selection = Self {
            source: Source::Time,
            conditions: Vec::new(),
            any: filter.any,
            times: filter.since.is_some() || filter.until.is_some(),
            tests: known_tests && !filter.include_tests,
            parameters: Vec::new(),
            scanned: None,
        };
        let hashes: Vec<String> = filter.hashes.iter().map(ToString::to_string).collect();
        let statuses: Vec<String> = filter.statuses.iter().map(|status| status.as_str().to_owned()).collect();
        selection.one_of(
            ":hashes",
            &hashes,
            Table::Message,
            "m.address_id IN (SELECT id FROM address WHERE email_hash IN (SELECT value FROM json_each(:hashes)))",
        );
        let messages = "m.message_id IN (SELECT value FROM json_each(:messages))";
        selection.one_of(":messages", &filter.messages, Table::Message, messages);
        selection.one_of(":runs", &filter.runs, Table::Message, "m.run IN (SELECT value FROM json_each(:runs))");
        let by_message = !selection.conditions.is_empty();
        selection.one_of(":categories", &filter.categories, Table::Message, LISTS);
        let by_index = !selection.conditions.is_empty();
        let domains = "a.email_domain IN (SELECT value FROM json_each(:domains))";
        selection.one_of(":domains", &filter.domains, Table::Address, domains);
        selection.one_of(":events", &filter.events, Table::Side, "{event} IN (SELECT value FROM json_each(:events))");
        let status = "mail_status(e.event, e.type) IN (SELECT value FROM json_each(:statuses))";
        selection.one_of(":statuses", &statuses, Table::Event, status);
        if let Some(reason) = &filter.reason {
            selection.parameters.push((":reason", Value::Text(reason.clone())));
            let text = "instr(lower(ifnull(e.reason, e.response)), lower(:reason)) > 0";
            selection.conditions.push(Condition { text, of: Table::Event });
        }
        selection.any &= selection.conditions.len() > 1;
        selection.source = match source {
            Some(source) => source,
            None if selection.any => Source::Time,
            None if by_message => Source::Message,
            None if by_index => Source::Category,
            None => Source::Time,
        };
        if selection.times || selection.source == Source::Time {
            selection.times = true;
            selection.parameters.push((":since", Value::Integer(filter.since.unwrap_or(i64::MIN))));
            selection.parameters.push((":until", Value::Integer(filter.until.unwrap_or(i64::MAX))));
        }
        if selection.source == Source::Time && !selection.conditions.is_empty() {
            let why = if selection.any && by_index {
                "one of several conditions is enough"
            } else if by_index {
                "the events were gone through in the order of time"
            } else {
                "events, statuses, domains and reasons have no index"
            };
            selection.scanned = Some(Scanned { bytes: None, since: filter.since, why: why.into() });
        }
        selection
    }

    fn one_of(&mut self, name: &'static str, values: &[String], of: Table, text: &'static str) {
        if !values.is_empty() {
            self.parameters.push((name, Value::Text(json(values))));
            self.conditions.push(Condition { text, of });
        }
    }

    /// A column that the side table has, too: `timestamp`, `event`.
    pub(super) fn shared(&self, column: &str) -> String {
        format!("{}.{column}", if self.source == Source::Category { "l" } else { "e" })
    }

    pub(super) fn id(&self) -> &'static str {
        if self.source == Source::Category { "l.event_id" } else { "e.id" }
    }

    pub(super) fn address(&self) -> &'static str {
        if self.source == Source::Category { "l.address_id" } else { "m.address_id" }
    }

    pub(super) fn category_list(&self) -> &'static str {
        if self.source == Source::Category { "l.category_list_id" } else { "m.category_list_id" }
    }

    /// `FROM … WHERE …`; `needs` says what else the statement names.
    pub(super) fn source_and_conditions(&self, needs: Needs) -> String {
        let side = self.source == Source::Category;
        let of =
            |table| self.conditions.iter().any(|condition| condition.of == table && !(side && condition.text == LISTS));
        let address = needs.address || of(Table::Address);
        let message = needs.message || address || of(Table::Message);
        let event = needs.event || message || (self.tests && !side) || of(Table::Event);
        let mut text = String::from(match self.source {
            // CROSS JOIN: SQLite keeps to this order.
            Source::Message => "FROM message AS m CROSS JOIN event AS e ON e.message = m.id",
            Source::Category => "FROM event_category_list AS l",
            Source::Time => "FROM event AS e INDEXED BY sqlite_autoindex_event_1",
        });
        if side && event {
            text.push_str(" CROSS JOIN event AS e ON e.id = l.event_id");
        }
        if self.source != Source::Message && message {
            text.push_str(" CROSS JOIN message AS m ON m.id = e.message");
        }
        if address {
            text.push_str(" LEFT JOIN address AS a ON a.id = m.address_id");
        }
        text.push_str(" WHERE ");
        text.push_str(&self.all_conditions());
        text
    }

    fn all_conditions(&self) -> String {
        let mut all = Vec::new();
        let conditions: Vec<String> = self
            .conditions
            .iter()
            .map(|condition| match self.source {
                Source::Category if condition.text == LISTS => {
                    LISTS.replace("m.category_list_id", "l.category_list_id")
                }
                _ => condition.text.replace("{event}", &self.shared("event")),
            })
            .collect();
        if self.times {
            let timestamp = self.shared("timestamp");
            all.push(format!("{timestamp} >= :since AND {timestamp} < :until"));
        }
        if self.tests && self.source == Source::Category {
            all.push("l.test IS NULL".to_owned());
        } else if self.tests {
            all.push("e.proof_id NOT IN (SELECT id FROM proof WHERE verified_by = 'test')".to_owned());
        }
        if self.any {
            all.push(format!("({})", conditions.join(" OR ")));
        } else {
            all.extend(conditions);
        }
        all.join(" AND ")
    }
}

/// Parameters as rusqlite takes them.
pub(super) fn named<'a>(parameters: &'a [(&'static str, Value)]) -> Vec<(&'a str, &'a dyn rusqlite::ToSql)> {
    parameters.iter().map(|(name, value)| (*name, value as &dyn rusqlite::ToSql)).collect()
}

/// Several values as one parameter.
pub(super) fn json(values: &[String]) -> String {
    serde_json::Value::from(values).to_string()
}
