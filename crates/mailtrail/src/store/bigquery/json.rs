//! JSON that BigQuery's type takes: it refuses numbers that a float cannot hold exactly, and with them the whole row. Such
//! numbers travel as strings of their digits.

use std::borrow::Cow;

/// The same JSON, with numbers in quotes that would be refused or changed.
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

/// Whether a number comes back from a 64-bit integer or float with the same digits.
fn survives(token: &str) -> bool {
    if !token.contains(['.', 'e', 'E']) {
        return token.parse::<i64>().is_ok() || token.parse::<u64>().is_ok();
    }
    match token.parse::<f64>() {
        Ok(float) if float.is_finite() => decimal(token) == decimal(&format!("{float:e}")),
        _ => false,
    }
}

/// Sign, digits without zeros at their ends, and the place of the decimal point; `None` where the exponent is absurd.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = exponent.checked_add(i64::try_from(whole.len()).ok()?)?;
    let significant = digits.trim_start_matches('0');
    let point = point - i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_end_matches('0');
    // Zero is zero, wherever its point is.
    let point = if significant.is_empty() { 0 } else { point };
    Some((negative, significant.to_owned(), point))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_float_cannot_hold_becomes_text_and_all_else_stays() {
        let same = [
            r#"{"a":1,"b":-0.5,"c":1e10,"d":"12345678901234567890123","e":[9223372036854775807,18446744073709551615]}"#,
            r#"{"0.1":0.1,"t":3.10,"z":0.0,"m":-0,"esc":"\"1e999\\","n":null,"x":1.5E+3}"#,
            "",
        ];
        for json in same {
            assert!(matches!(exact(json), Cow::Borrowed(_)), "{}", exact(json));
        }
        let changed = [
            (r#"{"a":12345678901234567890123}"#, r#"{"a":"12345678901234567890123"}"#),
            (r#"[1,3.14159265358979323846,2]"#, r#"[1,"3.14159265358979323846",2]"#),
            (r#"{"a":1e999,"b":-1e-999}"#, r#"{"a":"1e999","b":"-1e-999"}"#),
            (r#"{"a":0.1000000000000000055511151231257827}"#, r#"{"a":"0.1000000000000000055511151231257827"}"#),
        ];
        for (json, expected) in changed {
            assert_eq!(exact(json), expected);
        }
    }

    proptest! {
        #[test]
        fn floats_as_rust_writes_them_stay(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
            let number = format!("{float:e}");
            prop_assert!(survives(&number));
            let json = format!("[{number},\"{number}\"]");
            prop_assert!(matches!(exact(&json), Cow::Borrowed(_)), "{}", json);
        }

        #[test]
        fn what_comes_out_is_json_again_and_says_the_same(text in "\\PC{0,20}", digits in "[1-9][0-9]{0,40}", cut in 0_usize..20) {
            let point = cut.min(digits.len() - 1);
            let number = format!("{}.{}1", &digits[..digits.len() - point], &digits[digits.len() - point..]);
            let json = format!("{{{}:{digits},\"k\":[{number},{}]}}", serde_json::json!(text), serde_json::json!(text));
            let fixed = exact(&json);
            let read: serde_json::Value = serde_json::from_str(&fixed).expect("JSON");
            prop_assert_eq!(&read["k"][1], &serde_json::json!(text));
            let unquoted = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            prop_assert_eq!(decimal(&unquoted(&read["k"][0])), decimal(&number));
        }

        #[test]
        fn nothing_makes_it_panic(json in "\\PC{0,60}") {
            let _fixed = exact(&json);
        }
    }
}
