//! Waiting at a terminal: how it stands on one line, what is said, and who is told.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::WaitArgs;
use super::notices::Teller;
use crate::cli::output::note;
use crate::cli::question::Question;
use crate::cli::{time, unreached};
use crate::clock;
use crate::list::Listed;
use crate::outcome::wait::{End, News, Waiter};
use crate::outcome::{Report, Watched};
use crate::settle::Status;
use crate::store::sends::Sends;

/// The terminal, and the teller of notices.
pub(super) struct Console<'l> {
    bar: ProgressBar,
    teller: Teller<'l>,
    /// Where to write who was not reached, and the list with their addresses.
    file: Option<(&'l Path, &'l Listed)>,
    /// Without a terminal the line is said once, at the beginning.
    said: bool,
}

impl<'l> Console<'l> {
    pub(super) fn begin(
        question: &Question,
        sends: &Arc<dyn Sends>,
        listed: Option<&'l Listed>,
        args: &'l WaitArgs,
        started: i64,
    ) -> anyhow::Result<Self> {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {wide_msg}") {
            bar.set_style(style);
        }
        let teller = Teller::begin(question, sends, listed, args.no_notify, started)?;
        Ok(Self { bar, teller, file: args.unreached_out.as_deref().zip(listed), said: terminal })
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| note(text));
    }

    /// Writes who was not reached so far, where that is wanted.
    pub(super) fn write(&self, watched: &Watched, pending: bool, now: i64) -> anyhow::Result<()> {
        if let Some((path, listed)) = self.file {
            let rows = unreached::write(path, watched, listed, pending, now)?;
            let what = if pending { "not reached or not settled" } else { "not reached" };
            self.say(&format!("{rows} recipients who were {what} are in {}", path.display()));
        }
        Ok(())
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

impl Waiter for Console<'_> {
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
                if let Err(error) = self.write(watched, true, now) {
                    self.say(&format!("warning: {error:#}"));
                }
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
            News::StillSent(sender) => self.say(&format!(
                "note: everybody so far is settled, but {sender} is sending this run: waiting until it has ended"
            )),
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
