//! What the page says: all texts of one language in one file.

mod en;
mod ja;
mod runs;

pub(super) use runs::RunTexts;

use crate::config::Language;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    English,
    Japanese,
}

impl Lang {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Japanese];

    pub(super) fn of(language: Language) -> Self {
        match language {
            Language::English => Self::English,
            Language::Japanese => Self::Japanese,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Japanese => "日本語",
        }
    }

    pub(super) fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &en::TEXTS,
            Self::Japanese => &ja::TEXTS,
        }
    }
}

/// The texts, named for what they are about.
pub(super) struct Texts {
    /// SendGrid's names of events, and how this language calls them.
    pub(super) event_names: [(&'static str, &'static str); 12],
    pub(super) why: WhyTexts,
    pub(super) runs: RunTexts,
    /// For words that other rooms have.
    pub(super) spoken: Language,
    /// `3 events`
    pub(super) n_events: fn(&str, u64) -> String,
    /// `12 new events`
    pub(super) n_new: fn(usize) -> String,
    pub(super) skip: &'static str,
    pub(super) activity: &'static str,
    pub(super) overview: &'static str,
    pub(super) pages: &'static str,
    pub(super) log_out: &'static str,
    pub(super) log_in: &'static str,
    pub(super) user_name: &'static str,
    pub(super) password: &'static str,
    pub(super) log_in_wrong: &'static str,
    pub(super) log_in_too_often: &'static str,
    pub(super) log_in_busy: &'static str,
    pub(super) log_in_link: &'static str,
    pub(super) link_used: &'static str,
    pub(super) log_in_intro: &'static str,
    pub(super) language: &'static str,
    pub(super) theme: &'static str,
    pub(super) theme_auto: &'static str,
    pub(super) theme_light: &'static str,
    pub(super) theme_dark: &'static str,
    pub(super) apply: &'static str,
    pub(super) settings: &'static str,
    pub(super) search: &'static str,
    pub(super) search_events: &'static str,
    pub(super) who: &'static str,
    pub(super) who_hint: &'static str,
    pub(super) reason: &'static str,
    pub(super) reason_hint: &'static str,
    pub(super) time: &'static str,
    pub(super) any_time: &'static str,
    pub(super) last_hour: &'static str,
    pub(super) last_day: &'static str,
    pub(super) last_week: &'static str,
    pub(super) last_month: &'static str,
    pub(super) last_quarter: &'static str,
    pub(super) since: &'static str,
    pub(super) until: &'static str,
    pub(super) time_hint: &'static str,
    pub(super) events: &'static str,
    pub(super) more_filters: &'static str,
    pub(super) outcome: &'static str,
    pub(super) category: &'static str,
    pub(super) run: &'static str,
    pub(super) domain: &'static str,
    pub(super) message: &'static str,
    pub(super) list_hint: &'static str,
    pub(super) match_all: &'static str,
    pub(super) match_any: &'static str,
    pub(super) matching: &'static str,
    pub(super) clear: &'static str,
    pub(super) remove: &'static str,
    pub(super) filters: &'static str,
    pub(super) recipient: &'static str,
    pub(super) detail: &'static str,
    pub(super) event: &'static str,
    pub(super) when: &'static str,
    pub(super) test: &'static str,
    pub(super) machine_open: &'static str,
    pub(super) blocked: &'static str,
    pub(super) none_found: &'static str,
    pub(super) none_yet: &'static str,
    pub(super) older: &'static str,
    pub(super) newest: &'static str,
    pub(super) paging: &'static str,
    pub(super) live: &'static str,
    pub(super) live_on: &'static str,
    pub(super) live_stop: &'static str,
    pub(super) count_them: &'static str,
    pub(super) searching: &'static str,
    /// `BigQuery read 12.3 MB for this.`
    pub(super) bytes_read: fn(&str) -> String,
    pub(super) follows_each_minute: &'static str,
    pub(super) look_again: &'static str,
    pub(super) counting: &'static str,
    pub(super) export: &'static str,
    pub(super) export_note: &'static str,
    pub(super) sql: &'static str,
    pub(super) sql_note: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) timeline: &'static str,
    pub(super) close: &'static str,
    pub(super) raw_row: &'static str,
    pub(super) server_said: &'static str,
    pub(super) no_timeline: &'static str,
    pub(super) only_recent: &'static str,
    pub(super) scanned: &'static str,
    pub(super) not_a_time: &'static str,
    pub(super) until_before_since: &'static str,
    pub(super) problem: &'static str,
    pub(super) loading: &'static str,
    pub(super) delivery_rate: &'static str,
    pub(super) delivery_rate_note: &'static str,
    pub(super) bounce_rate: &'static str,
    pub(super) bounce_rate_note: &'static str,
    pub(super) opens: &'static str,
    pub(super) opens_note_machine: &'static str,
    pub(super) clicks: &'static str,
    pub(super) clicks_note: &'static str,
    pub(super) last_event: &'static str,
    pub(super) receiver: &'static str,
    pub(super) receiver_ok: &'static str,
    pub(super) receiver_bad: &'static str,
    pub(super) waiting: &'static str,
    pub(super) quarantine: &'static str,
    pub(super) quarantine_note: &'static str,
    pub(super) over_time: &'static str,
    pub(super) by_domain: &'static str,
    pub(super) by_category: &'static str,
    pub(super) delivered: &'static str,
    pub(super) bounced: &'static str,
    pub(super) dropped: &'static str,
    pub(super) total: &'static str,
    pub(super) nothing_in_time: &'static str,
    pub(super) as_table: &'static str,
    pub(super) day: &'static str,
    pub(super) hour: &'static str,
    pub(super) zoom_out: &'static str,
    pub(super) never: &'static str,
    pub(super) other: &'static str,
    pub(super) rate: &'static str,
    pub(super) viewer: &'static str,
    pub(super) operator: &'static str,
}

/// Reasons, each a sentence.
pub(super) struct WhyTexts {
    pub(super) no_such_mailbox: &'static str,
    pub(super) no_such_domain: &'static str,
    pub(super) mailbox_full: &'static str,
    pub(super) mailbox_disabled: &'static str,
    pub(super) too_large: &'static str,
    pub(super) reputation: &'static str,
    pub(super) content: &'static str,
    pub(super) policy: &'static str,
    pub(super) too_much: &'static str,
    pub(super) technical_failure: &'static str,
    pub(super) refused_for_now: &'static str,
    pub(super) refused_for_good: &'static str,
    pub(super) comes_again: &'static str,
    pub(super) dropped_bounced: &'static str,
    pub(super) dropped_unsubscribed: &'static str,
    pub(super) dropped_spam: &'static str,
    pub(super) dropped_invalid: &'static str,
    pub(super) dropped_duplicate: &'static str,
    pub(super) dropped_other: &'static str,
    pub(super) processed: &'static str,
    pub(super) delivered: &'static str,
    pub(super) open: &'static str,
    pub(super) machine_open: &'static str,
    pub(super) click: &'static str,
    pub(super) spam: &'static str,
    pub(super) unsubscribed: &'static str,
    pub(super) resubscribed: &'static str,
}

impl Texts {
    /// How an event is called; `None` for one that nobody knows yet.
    pub(super) fn event_name(&self, name: &str) -> Option<&'static str> {
        self.event_names.iter().find(|(known, _)| *known == name).map(|(_, called)| *called)
    }
}

/// `12,345`
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `98.5 %`; of nothing `–`. Never rounded up to all, nor down to none.
pub(super) fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    let tenths = match u128::from(part) * 1000 / u128::from(all) {
        0 if part > 0 => 1,
        tenths => tenths,
    };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_name_in_both_languages() {
        for lang in Lang::ALL {
            for name in sendgrid_events::EVENT_NAMES {
                let known = lang.texts().event_name(name).is_some();
                assert!(known || name.starts_with("account_"), "{name} in {}", lang.name());
            }
            assert_eq!(Lang::parse(lang.code()), Some(lang));
        }
    }

    #[test]
    fn numbers_are_read_in_threes() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_rate_says_all_only_of_all() {
        for (part, all, expected) in [
            (0, 0, "–"),
            (0, 5, "0.0 %"),
            (1, 1_000_000, "0.1 %"),
            (999_999, 1_000_000, "99.9 %"),
            (7, 7, "100.0 %"),
            (1, 3, "33.3 %"),
        ] {
            assert_eq!(percent(part, all), expected);
        }
    }
}
