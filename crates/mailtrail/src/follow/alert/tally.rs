//! Events of a rule, counted. Its size is bounded whatever comes in: counts, never rows.

use std::collections::{BTreeMap, HashMap};

use super::rule::Rule;
use crate::notify::notice::{FEWEST, top};
use crate::notify::{AlertGroup, Domains, Label};
use crate::settle::Status;
use crate::store::query::Brief;

/// Different texts that are counted apart; of further ones it is not known how often each came.
const MOST: usize = 500;
/// Different domains.
const MOST_DOMAINS: usize = 5000;
/// How many of each are told.
const TOLD: usize = 10;

/// What came in so far.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    counts: BTreeMap<Label, u64>,
    reasons: BTreeMap<Label, u64>,
    raw_reasons: BTreeMap<Label, u64>,
    runs: BTreeMap<Label, u64>,
    categories: BTreeMap<Label, u64>,
    domains: HashMap<String, Domain>,
    /// Events without a domain, or of more domains than are kept.
    elsewhere: u64,
    first: i64,
    last: i64,
}

/// Events of a domain, and its first recipients: a domain of few people is not to be named however many events it has.
#[derive(Debug, Clone, Default)]
struct Domain {
    events: u64,
    recipients: Vec<i64>,
}

impl Tally {
    pub(super) fn of(event: &Brief) -> Self {
        let mut tally = Self {
            counts: BTreeMap::new(),
            reasons: BTreeMap::new(),
            raw_reasons: BTreeMap::new(),
            runs: BTreeMap::new(),
            categories: BTreeMap::new(),
            domains: HashMap::new(),
            elsewhere: 0,
            first: event.timestamp,
            last: event.timestamp,
        };
        tally.add(event);
        tally
    }

    pub(super) fn add(&mut self, event: &Brief) {
        self.first = self.first.min(event.timestamp);
        self.last = self.last.max(event.timestamp);
        let status = event.mail_status();
        let bad = status == Status::Deferred || status.is_unreached();
        count(&mut self.counts, Some(if bad { status.as_str() } else { event.event.as_str() }));
        let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let reason = if text(&event.classification) { &event.classification } else { &event.status_code };
        count(&mut self.reasons, reason.as_deref());
        if bad {
            count(&mut self.raw_reasons, event.reason.as_deref());
        }
        count(&mut self.runs, event.run.as_deref());
        for category in &event.categories {
            count(&mut self.categories, Some(category));
        }
        let room = self.domains.len() < MOST_DOMAINS;
        match &event.domain {
            Some(name) if room || self.domains.contains_key(name) => {
                let domain = self.domains.entry(name.clone()).or_default();
                domain.events += 1;
                if let Some(recipient) = event.recipient
                    && (domain.recipients.len() as u64) < FEWEST
                    && !domain.recipients.contains(&recipient)
                {
                    domain.recipients.push(recipient);
                }
            }
            _ => self.elsewhere += 1,
        }
    }

    /// What is told of it.
    pub(super) fn told(&self, rule: &Rule) -> AlertGroup {
        let domains = self.domains.iter().map(|(name, domain)| {
            let many = domain.recipients.len() as u64 >= FEWEST;
            (many.then_some(name.as_str()), domain.events)
        });
        AlertGroup {
            rule: rule.name.clone(),
            to: rule.to,
            counts: top(&self.counts, usize::MAX),
            top_reasons: top(&self.reasons, TOLD),
            raw_reasons: top(&self.raw_reasons, TOLD),
            runs: top(&self.runs, TOLD),
            categories: top(&self.categories, TOLD),
            domains: Domains::fold(domains.chain([(None, self.elsewhere)])),
            first: self.first,
            last: self.last,
            view: rule.view(self.first, self.last),
        }
    }
}

fn count(counts: &mut BTreeMap<Label, u64>, text: Option<&str>) {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return };
    let label = Label::new(text);
    let label = if counts.len() < MOST || counts.contains_key(&label) { label } else { Label::new("…") };
    *counts.entry(label).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::super::rule::tests::{alert, brief};
    use super::*;

    #[test]
    fn what_is_told_is_counted_and_small_domains_are_not_named() {
        let event = |id, domain: &str, recipient| Brief {
            domain: Some(domain.to_owned()),
            recipient: Some(recipient),
            classification: Some(if id < 4 { "Invalid Address" } else { " " }.to_owned()),
            status_code: Some("5.7.1".to_owned()),
            reason: Some(if id < 3 { "550 no such user" } else { "550 [address] is full" }.to_owned()),
            run: Some("run-1".to_owned()),
            categories: vec!["news".to_owned(), "jane@example.com".to_owned()],
            ..brief(id, "bounce")
        };
        let mut tally = Tally::of(&event(1, "large.example", 1));
        (2..=5).for_each(|n| tally.add(&event(n, "large.example", n)));
        // Many events of one person.
        (6..30).for_each(|n| tally.add(&event(n, "small.example", 99)));
        tally.add(&Brief { event: "spamreport".into(), domain: None, ..event(30, "", 1) });
        let group = tally.told(&Rule::new(&alert(&[], &["bounce"])));
        assert_eq!(group.counts, [(Label::new("bounce"), 29), (Label::new("spamreport"), 1)]);
        assert_eq!(group.total(), 30);
        assert_eq!(group.top_reasons, [(Label::new("5.7.1"), 27), (Label::new("Invalid Address"), 3)]);
        assert_eq!(group.raw_reasons, [(Label::new("550 [address] is full"), 27), (Label::new("550 no such user"), 2)]);
        assert_eq!(group.runs, [(Label::new("run-1"), 30)]);
        assert_eq!(group.categories, [(Label::new("[address]"), 30), (Label::new("news"), 30)]);
        assert_eq!((group.domains.named(), group.domains.others()), (&[(Label::new("large.example"), 5)][..], 25));
        assert_eq!(group.last - group.first, 29);
    }

    #[test]
    fn its_size_is_bounded() {
        let event = |n: i64| Brief {
            domain: Some(format!("d{n}.example")),
            run: Some(format!("run {n}")),
            categories: vec![format!("category {n}")],
            status_code: Some(format!("{n}")),
            reason: Some(format!("why {n}")),
            ..brief(n, &format!("event {n}"))
        };
        let mut tally = Tally::of(&event(0));
        (1..20_000).for_each(|n| tally.add(&event(n)));
        assert!(tally.domains.len() <= MOST_DOMAINS);
        for counts in [&tally.counts, &tally.reasons, &tally.runs, &tally.categories] {
            assert!(counts.len() <= MOST + 1);
            assert_eq!(counts.values().sum::<u64>(), 20_000);
        }
    }
}
