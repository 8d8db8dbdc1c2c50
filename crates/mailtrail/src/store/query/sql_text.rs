//! A filter as a query over `sendgrid_event`, to copy and to go on from with `mailtrail sql`.

use super::Filter;

impl Filter {
    /// The query that finds the newest events of this filter; values stand in it as literals.
    #[must_use]
    pub fn sql_text(&self, limit: usize) -> String {
        let mut conditions = Vec::new();
        one_of(&mut conditions, "email_hash", self.hashes.iter().map(ToString::to_string));
        one_of(&mut conditions, "message_id", self.messages.iter().cloned());
        one_of(&mut conditions, "run", self.runs.iter().cloned());
        if let Some(list) = literals(self.categories.iter().cloned()) {
            conditions.push(format!("EXISTS (SELECT 1 FROM json_each(category) WHERE value IN ({list}))"));
        }
        one_of(&mut conditions, "email_domain", self.domains.iter().cloned());
        one_of(&mut conditions, "event", self.events.iter().cloned());
        one_of(
            &mut conditions,
            "mail_status(event, type)",
            self.statuses.iter().map(|status| status.as_str().to_owned()),
        );
        if let Some(reason) = &self.reason {
            conditions.push(format!("instr(lower(ifnull(reason, response)), lower({})) > 0", literal(reason)));
        }
        let mut all = Vec::new();
        if self.any && conditions.len() > 1 {
            all.push(format!("({})", conditions.join("\n    OR ")));
        } else {
            all.append(&mut conditions);
        }
        all.extend(self.since.map(|since| format!("timestamp >= {since}")));
        all.extend(self.until.map(|until| format!("timestamp < {until}")));
        if !self.include_tests {
            all.push("ifnull(verified_by, '') <> 'test'".to_owned());
        }
        let wanted = if all.is_empty() { String::new() } else { format!("\nWHERE {}", all.join("\n  AND ")) };
        format!("SELECT *\nFROM sendgrid_event{wanted}\nORDER BY timestamp DESC, id DESC\nLIMIT {limit}")
    }
}

fn one_of(conditions: &mut Vec<String>, column: &str, values: impl Iterator<Item = String>) {
    if let Some(list) = literals(values) {
        conditions.push(format!("{column} IN ({list})"));
    }
}

fn literals(values: impl Iterator<Item = String>) -> Option<String> {
    let list: Vec<String> = values.map(|value| literal(&value)).collect();
    (!list.is_empty()).then(|| list.join(", "))
}

/// A text as SQL writes one. SQLite's texts end at NUL, so that none may stand in a literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}
