//! A notice in words, before it takes the form of Slack, JSON or a terminal.

use super::label::Label;
use super::manner::Manner;
use super::notice::{AlertGroup, Counted, Domains, Notice, Ops, Outstanding, RunSummary, View};
use super::words::{Field, Words, grouped, share, time};
use crate::settle::Status;

/// A notice in one language.
pub(super) struct Page {
    /// What it is about, where it is about something that has a name.
    pub(super) subject: Option<Label>,
    /// What happened, in one line of our own words.
    pub(super) headline: String,
    /// Names and values, of our own words.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What was counted, under a heading.
    pub(super) lists: Vec<(&'static str, Vec<Counted>)>,
    /// What it means and what to do, in our own words.
    pub(super) notes: Vec<String>,
    /// Where more is to be seen: what to call it, and its URL.
    pub(super) link: Option<(&'static str, String)>,
}

impl Page {
    pub(super) fn new(notice: &Notice, manner: &Manner) -> Self {
        let words = super::words::of(manner.language);
        let url = |view: &View| manner.page.as_ref().and_then(|page| view.url(page));
        let mut page = Self {
            subject: None,
            headline: format!("{} {}", mark(notice), words.headline(notice)),
            facts: Vec::new(),
            lists: Vec::new(),
            notes: words.notes(notice),
            link: notice.view().and_then(url).map(|url| (words.field(Field::Page), url)),
        };
        match notice {
            Notice::RunSettled(summary) => page.summary(summary, words, manner.reasons),
            Notice::RunTimedOut { summary, outstanding }
            | Notice::RunInterim { summary, outstanding }
            | Notice::RunQuiet { summary, outstanding } => {
                page.summary(summary, words, manner.reasons);
                page.outstanding(outstanding, words);
            }
            Notice::Alert(group) => page.alert(group, words, manner),
            Notice::Ops(ops) => page.ops(ops, words, manner),
            Notice::Test => {}
        }
        page
    }

    /// The headline with what it is about.
    pub(super) fn title(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{}: {subject}", self.headline),
            None => self.headline.clone(),
        }
    }

    /// Lines for a terminal.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        lines.extend(self.facts.iter().map(|(name, value)| format!("  {name}: {value}")));
        for (heading, items) in &self.lists {
            lines.push(format!("  {heading}"));
            lines.extend(items.iter().map(|item| format!("    {}", counted(item))));
        }
        lines.extend(self.notes.iter().map(|note| format!("  {note}")));
        lines.extend(self.link.iter().map(|(name, url)| format!("  {name}: {url}")));
        lines
    }

    fn summary(&mut self, summary: &RunSummary, words: &dyn Words, reasons: bool) {
        self.subject = Some(summary.run.clone());
        self.fact(words, Field::Recipients, grouped(summary.recipients));
        // What nobody has is left out.
        for status in Status::IN_SUMMARIES {
            let count = summary.counts.get(status);
            if count > 0 || status == Status::Delivered {
                let value = format!("{} ({})", grouped(count), share(count, summary.recipients));
                self.facts.push((words.status(status), value));
            }
        }
        self.fact(words, Field::Unreached, grouped(summary.unreached()));
        // Rounded down: 100 % means everybody.
        let completeness = summary
            .completeness
            .map_or_else(|| "–".to_owned(), |ratio| format!("{:.1}%", (ratio.clamp(0.0, 1.0) * 1000.0).floor() / 10.0));
        self.fact(words, Field::Completeness, completeness);
        self.fact(words, Field::Elapsed, words.duration(summary.elapsed));
        self.list(words, Field::TopReasons, &summary.top_reasons);
        if reasons {
            self.list(words, Field::RawReasons, &summary.raw_reasons);
        }
    }

    fn outstanding(&mut self, outstanding: &Outstanding, words: &dyn Words) {
        self.domains(words, Field::OutstandingDomains, &outstanding.domains);
    }

    fn alert(&mut self, group: &AlertGroup, words: &dyn Words, manner: &Manner) {
        self.subject = Some(group.rule.clone());
        let named = |(label, count): &Counted| {
            let name = Status::parse(label.as_str()).map(|status| words.status(status));
            let name = name.or_else(|| words.event(label.as_str()));
            (name.map_or_else(|| label.clone(), Label::new), *count)
        };
        self.list(words, Field::Events, &group.counts.iter().map(named).collect::<Vec<_>>());
        self.list(words, Field::TopReasons, &group.top_reasons);
        if manner.reasons {
            self.list(words, Field::RawReasons, &group.raw_reasons);
        }
        self.list(words, Field::Runs, &group.runs);
        self.list(words, Field::Categories, &group.categories);
        self.domains(words, Field::Domains, &group.domains);
        self.fact(words, Field::From, time(group.first, &manner.time_zone));
        self.fact(words, Field::Until, time(group.last, &manner.time_zone));
    }

    fn ops(&mut self, ops: &Ops, words: &dyn Words, manner: &Manner) {
        match ops {
            Ops::Silence { rule, lasting, last } => {
                self.subject = Some(rule.clone());
                self.fact(words, Field::Lasting, words.duration(*lasting));
                if let Some(last) = last {
                    self.fact(words, Field::LastEvent, time(*last, &manner.time_zone));
                }
            }
            Ops::SilenceOver { rule, lasted } => {
                self.subject = Some(rule.clone());
                self.fact(words, Field::Lasting, words.duration(*lasted));
            }
            Ops::Refusals { refused, lasting, reason, proven: _ } => {
                self.fact(words, Field::Refused, grouped(*refused));
                self.fact(words, Field::Lasting, words.duration(*lasting));
                self.fact(words, Field::Reason, (*reason).to_owned());
            }
            // The headline says it all.
            Ops::RefusalsOver | Ops::Concern(_) | Ops::ConcernOver(_) => {}
            Ops::NoticesRefused { channel, why } => {
                self.subject = Some(Label::new(channel));
                self.fact(words, Field::Reason, why.to_string());
            }
            Ops::NoEvents { run, accepted, since } => {
                self.subject = Some(run.clone());
                self.fact(words, Field::Accepted, grouped(*accepted));
                self.fact(words, Field::Lasting, words.duration(*since));
            }
        }
    }

    fn fact(&mut self, words: &dyn Words, field: Field, value: String) {
        self.facts.push((words.field(field), value));
    }

    fn list(&mut self, words: &dyn Words, field: Field, items: &[Counted]) {
        if items.is_empty() {
            return;
        }
        let items = items.iter().map(|(label, count)| match words.classification(label.as_str()) {
            Some(word) => (Label::new(&format!("{label} ({word})")), *count),
            None => (label.clone(), *count),
        });
        self.lists.push((words.field(field), items.collect()));
    }

    fn domains(&mut self, words: &dyn Words, field: Field, domains: &Domains) {
        let mut items = domains.named().to_vec();
        if domains.others() > 0 {
            items.push((Label::new(words.field(Field::Others)), domains.others()));
        }
        self.list(words, field, &items);
    }
}

/// One line of a list.
pub(super) fn counted((label, count): &Counted) -> String {
    format!("{} × {label}", grouped(*count))
}

fn mark(notice: &Notice) -> &'static str {
    match notice {
        Notice::RunSettled(summary) if summary.unreached() == 0 => "✅",
        Notice::RunSettled(_) => "⚠️",
        Notice::RunTimedOut { .. } => "⏰",
        Notice::RunInterim { .. } | Notice::RunQuiet { .. } => "⏳",
        Notice::Alert(_) => "⚠️",
        Notice::Ops(Ops::SilenceOver { .. } | Ops::RefusalsOver | Ops::ConcernOver(_)) => "✅",
        Notice::Ops(_) => "🚨",
        Notice::Test => "👋",
    }
}
