//! Event time. SendGrid's `timestamp` is integer Unix seconds in live traffic; its documentation also shows digit
//! strings and, for Single Sends, milliseconds (Event reference; `docs_singlesend_open_ms.json` is such a sample).

use crate::value::Value;

/// Microseconds since 1970-01-01T00:00:00Z, within 2009-01-01 ≤ t < 2100-01-01 (SendGrid was founded in 2009; a
/// time outside cannot be one of its events, and stores may refuse it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const EARLIEST: i64 = 1_230_768_000_000_000;
const LATEST: i64 = 4_102_444_800_000_000;
/// Larger numbers are milliseconds: as seconds they would lie beyond the year 5138.
const MILLISECONDS_ABOVE: f64 = 1e11;

impl Timestamp {
    /// From microseconds; `None` outside the range.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (EARLIEST..LATEST).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads a number or a string that holds one: seconds, or milliseconds where above 10¹¹, with or without a fraction.
    pub(crate) fn from_value(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::Number(token) => Self::from_number(token),
            Value::String(text) => Self::from_number(text.trim()),
            _ => None,
        }
    }

    /// Reads a number's token: seconds, or milliseconds where above 10¹¹, with or without a fraction.
    #[must_use]
    pub fn from_number(token: &str) -> Option<Self> {
        // Integers, the rule, stay exact and cheap.
        if let Ok(number) = token.parse::<i64>() {
            let scale = if number as f64 > MILLISECONDS_ABOVE { 1_000 } else { 1_000_000 };
            return Self::from_micros(number.checked_mul(scale)?);
        }
        if !token.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let number = token.parse::<f64>().ok().filter(|n| n.is_finite() && *n < 1e16)?;
        let scale = if number > MILLISECONDS_ABOVE { 1_000.0 } else { 1_000_000.0 };
        Self::from_micros((number * scale).round() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_milliseconds_digits_and_fractions() {
        for (json, micros) in [
            ("1600112492", Some(1_600_112_492_000_000)),
            ("\"1600112492\"", Some(1_600_112_492_000_000)),
            ("\" 1600112492 \"", Some(1_600_112_492_000_000)),
            ("1600112492.5", Some(1_600_112_492_500_000)),
            ("1591726752372", Some(1_591_726_752_372_000)),
            ("\"1591726752372\"", Some(1_591_726_752_372_000)),
            ("1.6e9", Some(1_600_000_000_000_000)),
            ("123456789", None),
            ("0", None),
            ("-1600112492", None),
            ("4102444800", None),
            ("1e999", None),
            ("\"inf\"", None),
            ("\"\"", None),
            ("true", None),
            ("9223372036854775807", None),
        ] {
            let value = Value::parse(json).expect("valid JSON");
            assert_eq!(Timestamp::from_value(&value).map(Timestamp::as_micros), micros, "{json}");
        }
    }
}
