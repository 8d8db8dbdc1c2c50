//! What the files of an archive are called: `sendgrid_event-2025-12.parquet`, and `sendgrid_event-2025-12.2.parquet` for what came
//! in when the first was written.

use super::month::Month;

const BEGIN: &str = "sendgrid_event-";
const END: &str = ".parquet";
/// Behind the name of a file that the manifest does not stand for yet.
pub(super) const UNFINISHED: &str = ".part";

/// The `number`th file of a month, from 1.
pub(super) fn name(month: Month, number: u32) -> String {
    match number {
        0 | 1 => format!("{BEGIN}{month}{END}"),
        _ => format!("{BEGIN}{month}.{number}{END}"),
    }
}

/// Which file of which month this names; `None` where it is no such name.
pub(super) fn parse(name: &str) -> Option<(Month, u32)> {
    let middle = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let (month, number) = match middle.split_once('.') {
        None => (middle, 1),
        Some((month, number)) => (month, number.parse().ok().filter(|number| *number > 1)?),
    };
    let month = Month::parse(month)?;
    (self::name(month, number) == name).then_some((month, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_made_and_nothing_else_is() {
        let month = Month::parse("2025-12").unwrap();
        for (number, text) in [(1, "sendgrid_event-2025-12.parquet"), (12, "sendgrid_event-2025-12.12.parquet")] {
            assert_eq!(name(month, number), text);
            assert_eq!(parse(text), Some((month, number)));
        }
        for text in [
            "sendgrid_event-2025-12.1.parquet",
            "sendgrid_event-2025-12.02.parquet",
            "sendgrid_event-2025-12.+2.parquet",
            "sendgrid_event-2025-12.parquet.part",
            "../sendgrid_event-2025-12.parquet",
            "sendgrid_event-.parquet",
            "manifest.json",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
