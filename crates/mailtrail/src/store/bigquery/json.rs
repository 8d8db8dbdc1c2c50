//! JSON that BigQuery's type takes. It refuses a number that a double does not hold exactly (`67.174118`), and with it the whole row. So
//! only integers within ±2^53 are sent as numbers, and every other number as the string of its token.

use std::borrow::Cow;

/// The same JSON, with every number in quotes but integers within ±2^53.
pub(super) fn exact(json: &str) -> Cow<'_, str> {
    let mut fixed: Option<String> = None;
    let mut kept_to = 0;
    for (start, token) in numbers(json) {
        if survives(token) {
            continue;
        }
        let fixed = fixed.get_or_insert_with(String::new);
        fixed.push_str(json.get(kept_to..start).unwrap_or_default());
        fixed.push('"');
        fixed.push_str(token);
        fixed.push('"');
        kept_to = start + token.len();
    }
    match fixed {
        None => Cow::Borrowed(json),
        Some(mut fixed) => {
            fixed.push_str(json.get(kept_to..).unwrap_or_default());
            Cow::Owned(fixed)
        }
    }
}

/// The tokens of numbers with where they start. Within JSON, what begins like a number outside of a string is one.
fn numbers(json: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = behind_string(bytes, at),
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    let in_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    at += bytes.get(at..).unwrap_or_default().iter().take_while(in_number).count();
                    return Some((start, json.get(start..at).unwrap_or_default()));
                }
                _ => at += 1,
            }
        }
        None
    })
}

fn behind_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Whether a number is an integer that every reader of JSON holds exactly: within ±2^53, in plain digits.
fn survives(token: &str) -> bool {
    const MOST: u64 = 1 << 53;
    token != "-0" && token.parse::<i64>().is_ok_and(|integer| integer.unsigned_abs() <= MOST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_integers_that_a_double_holds_stay_numbers() {
        let same = [
            r#"{"a":1,"b":0,"c":-7,"d":"67.174118","e":[9007199254740992,-9007199254740992]}"#,
            r#"{"0.1":true,"esc":"\"1e999\\","n":null}"#,
            "",
        ];
        for json in same {
            assert!(matches!(exact(json), Cow::Borrowed(_)), "{}", exact(json));
        }
        for token in [
            "67.174118",
            "0.1",
            "1.0",
            "-0",
            "-0.5",
            "1e3",
            "1E+3",
            "1e999",
            "-1e-999",
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "12345678901234567890123",
            "3.14159265358979323846",
        ] {
            let (bare, in_list) = (format!("{{\"a\":{token}}}"), format!("[1,{token},2]"));
            assert_eq!(exact(&bare), format!("{{\"a\":\"{token}\"}}"));
            assert_eq!(exact(&in_list), format!("[1,\"{token}\",2]"));
        }
    }

    proptest! {
        #[test]
        fn every_number_keeps_its_token_and_all_else_stays(
            text in "\\PC{0,20}", integer in any::<i64>(), float in any::<f64>().prop_filter("finite", |float| float.is_finite()),
        ) {
            let (text, float) = (serde_json::json!(text), format!("{float:e}"));
            let json = format!("{{{text}:{integer},\"k\":[{float},{text}]}}");
            let fits = integer.unsigned_abs() <= 1 << 53;
            let integer = if fits { integer.to_string() } else { format!("\"{integer}\"") };
            prop_assert_eq!(exact(&json), format!("{{{text}:{integer},\"k\":[\"{float}\",{text}]}}"));
        }

        #[test]
        fn nothing_makes_it_panic(json in "\\PC{0,60}") {
            let _fixed = exact(&json);
        }
    }
}
