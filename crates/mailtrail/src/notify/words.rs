//! All that is said, by language: each language stands in a file of its own, and the compiler sees that none lacks a word.

mod en;
mod ja;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::notice::Notice;
use crate::config::Language;
use crate::settle::Status;

/// Headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Recipients,
    Unreached,
    Completeness,
    Elapsed,
    TopReasons,
    RawReasons,
    OutstandingDomains,
    Events,
    Runs,
    Categories,
    Domains,
    Others,
    From,
    Until,
    Lasting,
    LastEvent,
    Refused,
    Reason,
    Accepted,
    Page,
}

/// A language.
pub(super) trait Words: Sync {
    fn status(&self, status: Status) -> &'static str;
    /// SendGrid's event, where it says something else than a status.
    fn event(&self, name: &str) -> Option<&'static str>;
    /// What SendGrid's classification means, where the language has another word for it.
    fn classification(&self, name: &str) -> Option<&'static str>;
    fn field(&self, field: Field) -> &'static str;
    fn duration(&self, duration: Duration) -> String;
    /// What happened, in one line without a full stop.
    fn headline(&self, notice: &Notice) -> String;
    /// What it means and what to do, a sentence or two each.
    fn notes(&self, notice: &Notice) -> Vec<String>;
}

/// The words of a language.
pub(super) fn of(language: Language) -> &'static dyn Words {
    match language {
        Language::English => &en::English,
        Language::Japanese => &ja::Japanese,
    }
}

/// `12,345`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `97.8%`, rounded down, so that 100% means all.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// `2026-11-24 15:04 UTC`, by the clock of a zone. µs since the epoch.
pub(super) fn time(micros: i64, zone: &TimeZone) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// The two greatest units of a duration with their numbers, such as 2 h 5 min; below a minute seconds alone.
fn units(duration: Duration, names: [&str; 4], between: &str) -> String {
    let seconds = duration.as_secs();
    let parts = [seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    let first = parts.iter().position(|part| *part > 0).unwrap_or(3);
    let shown: Vec<String> = parts
        .iter()
        .zip(names)
        .skip(first)
        .take(2)
        .filter(|(part, _)| **part > 0 || first == 3)
        .map(|(part, name)| format!("{part}{name}"))
        .collect();
    shown.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_are_for_people() {
        assert_eq!([grouped(0), grouped(999), grouped(1000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [share(999, 1000), share(9999, 10_000), share(1, 1), share(0, 0)],
            ["99.9%", "99.9%", "100.0%", "–"]
        );
        let (en, ja) = (of(Language::English), of(Language::Japanese));
        for (seconds, english, japanese) in [
            (0, "0 s", "0秒"),
            (59, "59 s", "59秒"),
            (125, "2 min 5 s", "2分5秒"),
            (7200, "2 h", "2時間"),
            (90_061, "1 d 1 h", "1日1時間"),
        ] {
            let duration = Duration::from_secs(seconds);
            assert_eq!((en.duration(duration), ja.duration(duration)), (english.to_owned(), japanese.to_owned()));
        }
        assert_eq!(time(1_780_000_000_000_000, &TimeZone::UTC), "2026-05-28 20:26 UTC");
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        assert_eq!(time(1_780_000_000_000_000, &tokyo), "2026-05-29 05:26 JST");
    }
}
