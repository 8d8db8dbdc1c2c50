//! Durations and sizes as people write them: `90s`, `25h`, `8MiB`.

use std::time::Duration;

/// Reads a whole number with one unit of `ms s m h d`; `None` for anything else.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Reads a whole number of bytes with one unit of `B KiB MiB GiB TiB kB MB GB TB`; `None` for anything else.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(bytes)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("90s", Some(90_000)),
            ("25h", Some(90_000_000)),
            ("30d", Some(2_592_000_000)),
            ("5m", Some(300_000)),
            ("250ms", Some(250)),
            ("5 m", Some(300_000)),
            ("0s", Some(0)),
            ("", None),
            ("s", None),
            ("90", None),
            ("-5s", None),
            ("1.5h", None),
            ("5M", None),
            ("1h30m", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), milliseconds.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("8MiB", Some(8 << 20)),
            ("4GiB", Some(4 << 30)),
            ("1 KiB", Some(1024)),
            ("10MB", Some(10_000_000)),
            ("512B", Some(512)),
            ("8", None),
            ("8mib", None),
            ("8M", None),
            ("-8MiB", None),
            ("99999999TiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), bytes, "{text:?}");
        }
    }
}
