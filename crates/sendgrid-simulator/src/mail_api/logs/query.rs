//! The language of searches: conditions joined by `AND`, each a field, an operator and values in quotes.

use super::message::Logged;

/// What a message must be.
#[derive(Debug, PartialEq)]
pub(super) struct Query(Vec<Condition>);

#[derive(Debug, PartialEq)]
enum Condition {
    MessageId(String),
    Subject(String),
    To(String),
    Status(Vec<String>),
    Categories(Vec<String>),
    /// From this millisecond on.
    CreatedFrom(i64),
    /// Before this millisecond.
    CreatedBefore(i64),
}

impl Query {
    /// An empty text asks for all; `None`: not of the language.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut conditions = Vec::new();
        while !rest.is_empty() {
            let (condition, after) = condition(rest)?;
            conditions.push(condition);
            rest = after.trim_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix("AND ")?.trim_start();
                if rest.is_empty() {
                    return None;
                }
            }
        }
        Some(Self(conditions))
    }

    pub(super) fn fits(&self, message: &Logged) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::MessageId(id) => message.sg_message_id == *id,
            Condition::Subject(subject) => message.subject == *subject,
            Condition::To(address) => message.to == *address,
            Condition::Status(names) => names.iter().any(|name| name == message.status()),
            Condition::Categories(names) => names.iter().any(|name| message.categories.contains(name)),
            Condition::CreatedFrom(at) => message.created_ms >= *at,
            Condition::CreatedBefore(at) => message.created_ms < *at,
        })
    }
}

fn condition(text: &str) -> Option<(Condition, &str)> {
    let (field, rest) = text.split_once(' ')?;
    let (operator, rest) = rest.trim_start().split_once(' ')?;
    let rest = rest.trim_start();
    if field == "sg_message_id_created_at" {
        let (time, after) = quoted(rest.strip_prefix("TIMESTAMP")?.trim_start())?;
        let at = time.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        let condition = match operator {
            ">=" => Condition::CreatedFrom(at),
            ">" => Condition::CreatedFrom(at + 1),
            "<" => Condition::CreatedBefore(at),
            "<=" => Condition::CreatedBefore(at + 1),
            _ => return None,
        };
        return Some((condition, after));
    }
    if matches!(field, "status" | "categories") {
        let (values, after) = list(rest).filter(|_| operator == "IN")?;
        let known = ["processed", "delivered", "deferred", "dropped", "bounced", "blocked"];
        return match field {
            "status" if !values.iter().all(|value| known.contains(&value.as_str())) => None,
            "status" => Some((Condition::Status(values), after)),
            _ => Some((Condition::Categories(values), after)),
        };
    }
    let (value, after) = quoted(rest).filter(|_| operator == "=")?;
    let condition = match field {
        "sg_message_id" => Condition::MessageId(value),
        "subject" => Condition::Subject(value),
        "to_email" => Condition::To(value),
        _ => return None,
    };
    Some((condition, after))
}

/// A value in quotes of either kind, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, after) = text[1..].split_once(quote)?;
    Some((value.to_owned(), after))
}

/// `('a', 'b')`
fn list(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text.strip_prefix('(')?.trim_start();
    let mut values = Vec::new();
    loop {
        let (value, after) = quoted(rest)?;
        values.push(value);
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return Some((values, rest.strip_prefix(')')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sendgrids_own_example_and_what_is_no_query() {
        let example = "sg_message_id_created_at > TIMESTAMP \"2025-01-01T00:00:00Z\" AND sg_message_id_created_at < \
                       TIMESTAMP \"2025-02-01T00:00:00Z\" AND status IN ('delivered', 'processed') AND categories IN \
                       ('newsletter', 'marketing')";
        let text = |values: [&str; 2]| values.map(str::to_owned).to_vec();
        assert_eq!(
            Query::parse(example),
            Some(Query(vec![
                Condition::CreatedFrom(1_735_689_600_001),
                Condition::CreatedBefore(1_738_368_000_000),
                Condition::Status(text(["delivered", "processed"])),
                Condition::Categories(text(["newsletter", "marketing"])),
            ]))
        );
        assert_eq!(Query::parse(""), Some(Query(Vec::new())));
        for wrong in [
            "status = 'delivered'",
            "status IN ('unknown')",
            "status IN ()",
            "to_email > 'a'",
            "to_email = 'a' OR to_email = 'b'",
            "to_email = 'a' AND ",
            "sg_message_id_created_at > \"2025-01-01T00:00:00Z\"",
            "sg_message_id_created_at > TIMESTAMP \"yesterday\"",
            "(to_email = 'a')",
            "from_email = 'a'",
        ] {
            assert_eq!(Query::parse(wrong), None, "{wrong}");
        }
    }
}
