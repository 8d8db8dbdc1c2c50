//! Waiting at a terminal: how it stands on one line, what is said, and who is told.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::notices::Teller;
use crate::cli::output::note;
use crate::cli::question::Question;
use crate::cli::time;
use crate::clock;
use crate::outcome::wait::{End, News, Waiter};
use crate::outcome::{Report, Watched};
use crate::settle::Status;

/// The terminal, and the teller of notices.
pub(super) struct Console {
    bar: ProgressBar,
    teller: Teller,
    /// Without a terminal the line is said once, at the beginning.
    said: bool,
}

impl Console {
    pub(super) fn begin(question: &Question, no_notify: bool, started: i64) -> anyhow::Result<Self> {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {wide_msg}") {
            bar.set_style(style);
        }
        Ok(Self { bar, teller: Teller::begin(question, no_notify, started)?, said: terminal })
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// The bar goes, and the end is told.
    pub(super) fn end(&mut self, end: End, watched: &Watched, now: i64) {
        self.bar.finish_and_clear();
        self.teller.end(end, watched, now);
    }

    /// Waits until everybody is told, and says who was not.
    pub(super) fn told(self) {
        for problem in self.teller.finish() {
            note(&problem);
        }
    }
}

impl Waiter for Console {
    fn now(&mut self) -> i64 {
        clock::now_micros()
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn progress(&mut self, report: &Report, now: i64) {
        self.bar.set_length(report.recipients);
        self.bar.set_position(report.settled());
        self.bar.set_message(line(report, now));
        if !std::mem::replace(&mut self.said, true) {
            note(&line(report, now));
        }
    }

    fn tell(&mut self, news: News, watched: &Watched, now: i64) {
        match news {
            News::Interim => {
                self.say(&format!("still waiting: {}", line(watched.report(), now)));
                self.teller.interim(watched, now);
            }
            News::NoEvents(since) => {
                self.say(&format!(
                    "warning: no event in the {} since the mail was accepted. Is the Event Webhook switched on, and does it reach \
                     `mailtrail serve`? `mailtrail doctor` knows more",
                    time::long(since)
                ));
                self.teller.no_events(watched, since);
            }
            News::Trouble(why) => self.say(&format!("note: the store cannot be read for now, trying again: {why}")),
            News::Recovered => self.say("note: the store can be read again"),
        }
    }
}

/// How it stands, on one line.
pub(super) fn line(report: &Report, now: i64) -> String {
    let mut line = format!("{}/{} settled", report.settled(), report.recipients);
    for (status, count) in report.counts().filter(|(_, count)| *count > 0) {
        line.push_str(&format!(" · {} {count}", status.as_str()));
    }
    if let Some(oldest) = report.oldest_deferral.filter(|_| report.count(Status::Deferred) > 0) {
        line.push_str(&format!(" · oldest deferral {}", time::long(now - oldest)));
    }
    line
}
