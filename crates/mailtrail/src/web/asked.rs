//! What a URL of the Activity page asks for, there and back. No address has a place in it.

use jiff::tz::TimeZone;

use super::spot::Spot;
use super::texts::Texts;
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::time;
use crate::store::query::Filter;

/// Most values of one kind: an index is asked for each of them.
const MOST_VALUES: usize = 100;

/// Longest value, in characters.
const LONGEST: usize = 500;

/// The view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) recipients: Vec<EmailHash>,
    pub(super) events: Vec<String>,
    pub(super) statuses: Vec<Status>,
    pub(super) categories: Vec<String>,
    pub(super) runs: Vec<String>,
    pub(super) messages: Vec<String>,
    pub(super) domains: Vec<String>,
    pub(super) reason: Option<String>,
    /// As typed: `24h`, `2026-11-24`, RFC 3339.
    pub(super) since: Option<String>,
    /// As typed.
    pub(super) until: Option<String>,
    pub(super) any: bool,
    /// Only what stands behind this event.
    pub(super) before: Option<Spot>,
    /// The event whose timeline is open.
    pub(super) open: Option<Spot>,
    pub(super) live: bool,
}

impl Asked {
    /// Reads a query; what makes no sense is left out.
    pub(super) fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            asked.take(&name, &value);
        }
        asked
    }

    /// Takes one field of a URL or form; says whether it is one of the view.
    pub(super) fn take(&mut self, name: &str, value: &str) -> bool {
        let value: String = value.trim().chars().take(LONGEST).collect();
        let text = || Some(value.clone()).filter(|text| !text.is_empty());
        match name {
            "recipient" => add(&mut self.recipients, EmailHash::parse(&value)),
            "event" => add(&mut self.events, text().map(|name| name.to_lowercase())),
            "status" => add(&mut self.statuses, Status::parse_of_event(&value)),
            "category" => add(&mut self.categories, text()),
            "run" => add(&mut self.runs, text()),
            "message" => {
                // Events carry more behind a dot.
                let id = value.split('.').next().unwrap_or_default().trim().to_owned();
                add(&mut self.messages, Some(id).filter(|id| !id.is_empty()));
            }
            "domain" => add(&mut self.domains, text().map(|name| name.to_lowercase())),
            "reason" => self.reason = text(),
            "since" => self.since = text(),
            "until" => self.until = text(),
            "any" => self.any = value == "1",
            "before" => self.before = Spot::parse(&value),
            "open" => self.open = Spot::parse_short(&value),
            "live" => self.live = value == "1",
            _ => return false,
        }
        true
    }

    /// The filter, and what is to be said of it. `now`: µs since the epoch; `zone`: whose days are meant.
    pub(super) fn filter(
        &self,
        now: i64,
        zone: &TimeZone,
        t: &Texts,
    ) -> Result<(Filter, Option<&'static str>), String> {
        let time = |text: &Option<String>| {
            text.as_deref().map(|text| time::parse(text, now, zone)).transpose().map_err(|_| t.not_a_time.to_owned())
        };
        let mut filter = Filter {
            hashes: self.recipients.clone(),
            events: self.events.clone(),
            statuses: self.statuses.clone(),
            categories: self.categories.clone(),
            runs: self.runs.clone(),
            messages: self.messages.clone(),
            domains: self.domains.clone(),
            reason: self.reason.clone(),
            since: time(&self.since)?,
            until: time(&self.until)?,
            any: self.any,
            // Whoever tries the set-up out looks here for what arrived.
            include_tests: true,
            zone: None,
        };
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && until <= since
        {
            return Err(t.until_before_since.to_owned());
        }
        let mut note = None;
        if filter.since.is_none() && filter.scans() {
            filter.limit_to_recent(now);
            note = Some(t.only_recent);
        }
        Ok((filter, note))
    }

    /// The URL's query of this view.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields() {
            query.append_pair(name, &value);
        }
        query.finish()
    }

    /// The fields of this view in the order of the form.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields: Vec<(&'static str, String)> = Vec::new();
        let mut each = |name, values: &[String]| fields.extend(values.iter().map(|value| (name, value.clone())));
        each("recipient", &self.recipients.iter().map(ToString::to_string).collect::<Vec<_>>());
        each("event", &self.events);
        each("status", &self.statuses.iter().map(|status| status.as_str().to_owned()).collect::<Vec<_>>());
        each("category", &self.categories);
        each("run", &self.runs);
        each("message", &self.messages);
        each("domain", &self.domains);
        each("reason", self.reason.as_slice());
        each("since", self.since.as_slice());
        each("until", self.until.as_slice());
        let flag = |on: bool| on.then(|| "1".to_owned());
        let last = [
            ("any", flag(self.any)),
            ("before", self.before.as_ref().map(Spot::long)),
            ("live", flag(self.live)),
            ("open", self.open.as_ref().map(Spot::short)),
        ];
        fields.extend(last.into_iter().filter_map(|(name, value)| Some((name, value?))));
        fields
    }

    /// Where this view is.
    pub(super) fn url(&self) -> String {
        let query = self.query();
        if query.is_empty() { "/activity".to_owned() } else { format!("/activity?{query}") }
    }

    /// The same filter, from the newest event on, with nothing open.
    pub(super) fn bare(&self) -> Self {
        Self { before: None, open: None, live: false, ..self.clone() }
    }

    /// The same view without one of its values; the newest events of it.
    pub(super) fn without(&self, name: &str, value: &str) -> Self {
        let mut rest = Self::default();
        for (other, kept) in self.bare().fields() {
            if other != name || kept != value {
                rest.take(other, &kept);
            }
        }
        rest
    }
}

fn add<T: PartialEq>(values: &mut Vec<T>, value: Option<T>) {
    if let Some(value) = value
        && values.len() < MOST_VALUES
        && !values.contains(&value)
    {
        values.push(value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::web::texts::Lang;

    const NOW: i64 = 1_764_000_000_000_000;

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        let name = prop_oneof![
            Just("recipient"),
            Just("event"),
            Just("status"),
            Just("category"),
            Just("run"),
            Just("message"),
            Just("domain"),
            Just("reason"),
            Just("since"),
            Just("until"),
            Just("any"),
            Just("before"),
            Just("open"),
            Just("live"),
            Just("other"),
        ];
        let value = prop_oneof![
            "[a-z0-9.]{0,6}",
            "-?[0-9]{1,3}\\.(-?[0-9]{1,3}|[0-9a-f]{32})",
            ".{0,12}",
            Just("ab".repeat(32)),
            Just("bounce".to_owned()),
        ];
        prop::collection::vec((name.prop_map(str::to_owned), value), 0..12)
    }

    proptest! {
        #[test]
        fn a_view_and_its_url_say_the_same(pairs in pairs()) {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&pairs);
            let asked = Asked::parse(&query.finish());
            prop_assert_eq!(&Asked::parse(&asked.query()), &asked);
            let _no_panic = asked.filter(NOW, &TimeZone::UTC, Lang::English.texts());
            for (name, value) in asked.bare().fields() {
                let rest = asked.without(name, &value);
                prop_assert!(!rest.fields().contains(&(name, value)));
            }
        }

        #[test]
        fn nothing_panics(query in ".*") {
            let _asked = Asked::parse(&query);
        }
    }

    #[test]
    fn what_no_index_leads_to_is_looked_for_in_the_last_days() {
        let t = Lang::English.texts();
        let (filter, note) = Asked::parse("event=bounce").filter(NOW, &TimeZone::UTC, t).expect("a filter");
        assert_eq!((filter.since, note.is_some()), (Some(NOW - 7 * 86_400_000_000), true));
        let (filter, note) =
            Asked::parse("category=news&event=bounce").filter(NOW, &TimeZone::UTC, t).expect("a filter");
        assert_eq!((filter.since, note), (None, None));
        assert!(Asked::parse("since=yesterday").filter(NOW, &TimeZone::UTC, t).is_err());
        assert!(Asked::parse("since=1h&until=2h").filter(NOW, &TimeZone::UTC, t).is_err());
    }
}
