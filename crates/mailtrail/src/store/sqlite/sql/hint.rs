//! Times in SQLite are integers, and text is never smaller than a number: comparing the two is a mistake that SQL lets
//! pass. It is looked for in the text of the query.

const TIMES: [&str; 2] = ["timestamp", "received_at"];
/// Where times are text, so that comparing them with text is right.
const READABLE: &str = "sendgrid_event_text";

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// What stands between the quotes.
    Text(&'a str),
    Other(&'a str),
}

/// What to say about a query, if anything.
pub(super) fn of(query: &str) -> Option<String> {
    let tokens = tokens(query);
    if tokens.iter().any(|token| is_word(token, READABLE)) {
        return None;
    }
    let (column, date) = (0..tokens.len()).find_map(|at| compared(&tokens, at))?;
    Some(format!(
        "{column} is a number of microseconds: compare it with ts('{date}') instead of '{date}', or query \
         {READABLE}, whose times are text"
    ))
}

/// The column and the date of a comparison whose operator stands at a place.
fn compared<'a>(tokens: &[Token<'a>], at: usize) -> Option<(&'a str, &'a str)> {
    let operator = match tokens.get(at)? {
        Token::Other(text) => matches!(*text, "=" | "==" | "<" | ">" | "<=" | ">=" | "<>" | "!="),
        word => is_word(word, "between") || is_word(word, "in"),
    };
    if !operator {
        return None;
    }
    // `date(timestamp) = '…'` is no better than `timestamp = '…'`.
    let mut before = tokens.get(..at)?.iter().rev().filter(|token| **token != Token::Other(")"));
    let mut after = tokens.get(at + 1..)?.iter().filter(|token| **token != Token::Other("("));
    match (before.find(|token| !is_word(token, "not"))?, after.next()?) {
        (Token::Word(column), Token::Text(date)) => Some((time(column)?, looks_like_date(date)?)),
        (Token::Text(date), Token::Word(first)) => {
            // `e.timestamp`
            let column = match after.next() {
                Some(Token::Other(".")) => after.next().and_then(|token| match token {
                    Token::Word(column) => Some(*column),
                    _ => None,
                })?,
                _ => first,
            };
            Some((time(column)?, looks_like_date(date)?))
        }
        _ => None,
    }
}

fn time(word: &str) -> Option<&'static str> {
    TIMES.into_iter().find(|column| column.eq_ignore_ascii_case(word))
}

/// `2026-…` without anything that would need a quote in the hint.
fn looks_like_date(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let year = bytes.len() >= 5 && bytes.iter().take(4).all(u8::is_ascii_digit) && bytes.get(4) == Some(&b'-');
    let plain = bytes.len() <= 40 && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-:.+ ".contains(b));
    (year && plain).then_some(text)
}

fn is_word(token: &Token<'_>, word: &str) -> bool {
    matches!(token, Token::Word(text) if text.eq_ignore_ascii_case(word))
}

/// The tokens of SQL, as far as they matter here.
fn tokens(query: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let token_end = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if matches!(first, '\'' | '"' | '`') {
            let end = rest[1..].find(first).map_or(rest.len(), |end| end + 1);
            let inner = rest.get(1..end).unwrap_or_default();
            found.push(if first == '\'' { Token::Text(inner) } else { Token::Word(inner) });
            rest.len().min(end + 1)
        } else if is_part_of_word(first) {
            let end = token_end(is_part_of_word);
            found.push(Token::Word(&rest[..end]));
            end
        } else if is_comparison(first) {
            let end = token_end(is_comparison);
            found.push(Token::Other(&rest[..end]));
            end
        } else {
            found.push(Token::Other(&rest[..first.len_utf8()]));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_comparison(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '!')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn comparisons_of_times_with_text_are_told() {
        for query in [
            "SELECT * FROM sendgrid_event WHERE timestamp >= '2026-11-24'",
            "select 1 from sendgrid_event e where e.TIMESTAMP<'2026-11-24T10:00:00Z' limit 1",
            "SELECT 1 FROM sendgrid_event WHERE '2026-11-24' <= e.timestamp",
            "SELECT 1 FROM sendgrid_event WHERE '2026-11-24' <= received_at",
            "SELECT 1 FROM sendgrid_event WHERE \"timestamp\" = '2026-11-24'",
            "SELECT 1 FROM sendgrid_event WHERE received_at BETWEEN '2026-11-24' AND '2026-11-25'",
            "SELECT 1 FROM sendgrid_event WHERE timestamp NOT BETWEEN '2026-11-24' AND ts('2026-11-25')",
            "SELECT 1 FROM sendgrid_event WHERE DATE(timestamp) = '2026-11-24'",
            "SELECT 1 FROM sendgrid_event WHERE timestamp IN ('2026-11-24')",
            "SELECT 1 FROM sendgrid_event WHERE timestamp /* ' */ = -- '\n '2026-11-24'",
        ] {
            let hint = of(query).unwrap_or_else(|| panic!("no hint for {query}"));
            assert!(hint.contains("ts('2026-11-24"), "{hint}");
        }
    }

    #[test]
    fn right_queries_are_left_in_peace() {
        for query in [
            "SELECT * FROM sendgrid_event WHERE timestamp >= ts('2026-11-24')",
            "SELECT * FROM sendgrid_event_text WHERE timestamp >= '2026-11-24'",
            "SELECT timestamp FROM sendgrid_event WHERE reason = '2026-11-24'",
            "SELECT 1 FROM sendgrid_event WHERE date(timestamp / 1000000, 'unixepoch') = '2026-11-24'",
            "SELECT 1 FROM sendgrid_event WHERE timestamp > 5 AND reason = 'timestamp = ''2026-11-24'''",
            "SELECT 1 -- WHERE timestamp = '2026-11-24'",
            "SELECT 1 FROM sendgrid_event WHERE timestamp = 'x'",
            "",
            "'",
        ] {
            assert_eq!(of(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_through(query in "[ ='\"`/*\\-.()a-zäöü0-9<>!]{0,40}|.{0,40}") {
            let _ = of(&query);
        }
    }
}
