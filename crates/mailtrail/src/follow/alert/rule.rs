//! Which events a rule is about.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::{Alert, Destination};
use crate::notify::{Label, View};
use crate::settle::Status;
use crate::show::time;
use crate::store::query::{Brief, Filter};

/// A rule of the configuration, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// As configured; also names the rule's saved place.
    pub(super) id: String,
    pub(super) name: Label,
    events: Vec<String>,
    statuses: Vec<Status>,
    category: Option<String>,
    run: Option<String>,
    pub(super) silence: Option<Duration>,
    pub(super) to: Destination,
    pub(super) group: Duration,
    pub(super) every: Duration,
}

impl Rule {
    pub(super) fn new(alert: &Alert) -> Self {
        Self {
            id: alert.name.clone(),
            name: Label::new(&alert.name),
            events: alert.watched.events.clone(),
            // The configuration lets only statuses pass.
            statuses: alert.watched.statuses.iter().filter_map(|status| Status::parse(status)).collect(),
            category: alert.category.clone(),
            run: alert.run.clone(),
            silence: alert.silence,
            to: alert.to,
            group: alert.group,
            every: alert.every,
        }
    }

    /// Where its notices go.
    pub(super) fn destination(&self) -> Destination {
        if self.silence.is_some() { Destination::Ops } else { self.to }
    }

    pub(super) fn matches(&self, event: &Brief) -> bool {
        let anything = self.events.is_empty() && self.statuses.is_empty();
        (anything || self.events.contains(&event.event) || self.statuses.contains(&event.mail_status()))
            && self.category.as_ref().is_none_or(|category| event.categories.contains(category))
            && self.run.as_ref().is_none_or(|run| event.run.as_ref() == Some(run))
    }

    /// Whether every event is meant.
    pub(super) fn is_about_everything(&self) -> bool {
        self.events.is_empty() && self.statuses.is_empty() && self.category.is_none() && self.run.is_none()
    }

    /// The same as a question to the trail.
    pub(super) fn filter(&self, since: i64) -> Filter {
        Filter {
            events: self.events.clone(),
            statuses: self.statuses.clone(),
            categories: self.category.iter().cloned().collect(),
            runs: self.run.iter().cloned().collect(),
            since: Some(since),
            ..Filter::default()
        }
    }

    /// Where the page shows what matched between two times, both included. µs.
    pub(super) fn view(&self, first: i64, last: i64) -> View {
        let mut fields: Vec<(&str, String)> = Vec::new();
        // The page means all fields at once, a rule either an event or a status.
        if self.events.is_empty() || self.statuses.is_empty() {
            fields.extend(self.events.iter().map(|event| ("event", event.clone())));
            fields.extend(self.statuses.iter().map(|status| ("status", status.as_str().to_owned())));
        }
        fields.extend(self.category.iter().map(|category| ("category", category.clone())));
        fields.extend(self.run.iter().map(|run| ("run", run.clone())));
        fields.push(("since", time::rfc3339(first)));
        fields.push(("until", time::rfc3339(last.saturating_add(1))));
        View::Activity(fields)
    }

    /// The names of events that may match; `None`: any.
    fn names(&self) -> Option<BTreeSet<&str>> {
        let mut names: BTreeSet<&str> = self.events.iter().map(String::as_str).collect();
        for status in &self.statuses {
            names.insert(match status {
                Status::Bounce | Status::Blocked => "bounce",
                Status::Dropped => "dropped",
                Status::Deferred => "deferred",
                Status::Processed => "processed",
                // Many events say so.
                Status::Delivered | Status::Unknown | Status::Refused => return None,
            });
        }
        (!names.is_empty()).then_some(names)
    }
}

/// The names of events that some of these rules have to see; `None`: any.
pub(super) fn names<'r>(rules: impl Iterator<Item = &'r Rule>) -> Option<Vec<String>> {
    let mut all = BTreeSet::new();
    // That nothing is silent is seen from the newest event alone.
    for rule in rules.filter(|rule| !(rule.silence.is_some() && rule.is_about_everything())) {
        all.append(&mut rule.names()?);
    }
    Some(all.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Watched;
    use crate::config::alert::STATUSES;

    pub(in super::super) fn alert(events: &[&str], statuses: &[&str]) -> Alert {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Alert {
            name: "rule".to_owned(),
            watched: Watched { events: texts(events), statuses: texts(statuses) },
            category: None,
            run: None,
            silence: None,
            to: Destination::Business,
            group: Duration::from_secs(30),
            every: Duration::from_secs(300),
        }
    }

    pub(in super::super) fn brief(id: i64, event: &str) -> Brief {
        Brief {
            id,
            timestamp: 1_780_000_000_000_000 + id,
            received_at: 1_780_000_000_000_000 + id,
            event: event.to_owned(),
            r#type: None,
            classification: None,
            status_code: None,
            reason: None,
            run: None,
            categories: Vec::new(),
            domain: None,
            recipient: Some(id),
        }
    }

    #[test]
    fn the_configuration_s_statuses_are_the_ones_there_are() {
        assert_eq!(STATUSES, Status::OF_EVENTS.map(Status::as_str));
    }

    #[test]
    fn events_statuses_category_and_run() {
        let bounce = |kind: &str| Brief { r#type: Some(kind.to_owned()), ..brief(1, "bounce") };
        let bad = Rule::new(&alert(&[], &["bounce", "dropped"]));
        assert!(
            bad.matches(&bounce("bounce")) && bad.matches(&brief(1, "bounce")) && bad.matches(&brief(1, "dropped"))
        );
        assert!(!bad.matches(&bounce("blocked")) && !bad.matches(&brief(1, "delivered")));
        let either = Rule::new(&alert(&["spamreport"], &["blocked"]));
        assert!(either.matches(&brief(1, "spamreport")) && either.matches(&bounce("blocked")));
        assert!(!either.matches(&bounce("bounce")));

        let news =
            Rule::new(&Alert { category: Some("news".into()), run: Some("r1".into()), ..alert(&[], &["bounce"]) });
        let of = |category: &str, run: &str| Brief {
            categories: vec!["other".into(), category.into()],
            run: Some(run.into()),
            ..brief(1, "bounce")
        };
        assert!(news.matches(&of("news", "r1")));
        assert!(
            !news.matches(&of("olds", "r1")) && !news.matches(&of("news", "r2")) && !news.matches(&brief(1, "bounce"))
        );
    }

    #[test]
    fn only_events_that_may_match_are_read() {
        let rule = |events: &[&str], statuses: &[&str]| Rule::new(&alert(events, statuses));
        let names = |rules: &[Rule]| names(rules.iter());
        let bad = rule(&[], &["bounce", "blocked", "dropped"]);
        assert_eq!(names(&[bad.clone(), rule(&["click"], &[])]).unwrap(), ["bounce", "click", "dropped"]);
        assert_eq!(names(&[bad.clone(), rule(&[], &["delivered"])]), None);
        let silence = Rule::new(&Alert { silence: Some(Duration::from_secs(1)), ..alert(&[], &[]) });
        assert_eq!(names(&[bad, silence.clone()]).unwrap(), ["bounce", "dropped"]);
        let of_category = Rule { category: Some("news".into()), ..silence };
        assert_eq!(names(&[of_category]), None);
    }
}
