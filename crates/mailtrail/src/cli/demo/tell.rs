//! What the demo says, in the order it happens.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use sendgrid_simulator::{Report, Story};

use super::proof::Proof;
use super::slack::Slack;
use super::stage::{LIST, RUN, Stage};
use crate::show::shell_word;

/// How much of a command's output is shown.
#[derive(Clone, Copy)]
pub(super) enum Show {
    All,
    /// So many lines; the rest is counted.
    First(usize),
}

/// Tells the story.
pub(super) struct Teller<'o> {
    out: &'o mut dyn Write,
    step: u32,
}

impl<'o> Teller<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, step: 0 }
    }

    pub(super) fn opening(&mut self, stage: &Stage) -> io::Result<()> {
        writeln!(
            self.out,
            "mailtrail demo: a shop mails {} customers. SendGrid and Slack are simulated,",
            stage.fates.len()
        )?;
        writeln!(self.out, "on this machine alone; everything else is what you would type.")
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.step += 1;
        writeln!(self.out, "\n{}. {text}\n", self.step)
    }

    pub(super) fn away(&mut self) -> io::Result<()> {
        writeln!(
            self.out,
            "   (meanwhile `mailtrail serve` receives; in the middle of it, it is stopped for a while)\n"
        )
    }

    /// Runs a command in the stage's folder and shows it with what it said. Which exit code it has is part of the story; only a
    /// command that could not do its work ends the demo.
    pub(super) fn command(&mut self, stage: &Stage, args: &[&str], show: Show) -> anyhow::Result<()> {
        let quoted =
            |word: &&str| if word.starts_with("--") { (*word).to_owned() } else { shell_word(word).into_owned() };
        let words: Vec<_> = args.iter().map(quoted).collect();
        writeln!(self.out, "   $ mailtrail {}", words.join(" "))?;
        self.out.flush()?;
        // One pipe for both, so that lines come in the order they were said.
        let (said, end) = io::pipe()?;
        let mut command = stage.command(args)?;
        let mut child = command.stdout(end.try_clone()?).stderr(end).spawn()?;
        // It holds the writing ends, and the reading would not end.
        drop(command);
        let said = io::read_to_string(said)?;
        let status = child.wait()?;
        let most = match show {
            Show::All => usize::MAX,
            Show::First(most) => most,
        };
        for line in said.lines().take(most) {
            writeln!(self.out, "   {line}")?;
        }
        let more = said.lines().count().saturating_sub(most);
        if more > 0 {
            writeln!(self.out, "   … and {more} more lines")?;
        }
        if matches!(status.code(), Some(0 | 3 | 5)) {
            return Ok(());
        }
        anyhow::bail!("mailtrail {} ended with {status}", args.first().copied().unwrap_or_default())
    }

    pub(super) fn delivery(&mut self, report: &Report, stopped_after: u64) -> io::Result<()> {
        let failed = report.unanswered
            + report.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum::<u64>();
        let ms = |share| report.time_to_200(share).unwrap_or_default().as_secs_f64() * 1000.0;
        writeln!(
            self.out,
            "\n   serve was stopped after {stopped_after} events: {failed} POSTs failed, and SendGrid repeated them. {} POSTs were",
            report.acknowledged_posts
        )?;
        writeln!(
            self.out,
            "   acknowledged, each only when it was on disk: half within {:.1} ms, 99 % within {:.1} ms",
            ms(0.5),
            ms(0.99)
        )
    }

    pub(super) fn slack(&mut self, slack: &Slack) -> io::Result<()> {
        let lines = slack.lines();
        if lines.is_empty() {
            writeln!(self.out, "   nothing: THIS IS WRONG")?;
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "   │ {line}"))
    }

    pub(super) fn proof(&mut self, proof: &Proof) -> io::Result<()> {
        self.heading("Proof")?;
        let out = &mut self.out;
        writeln!(
            out,
            "   {} events told {} times, {} rows in the trail: {} missing, {} doubled, {} never told",
            proof.told, proof.acknowledged, proof.rows, proof.missing, proof.doubled, proof.never_told
        )?;
        writeln!(
            out,
            "   status of {} recipients against SendGrid's truth: {} wrong",
            proof.recipients, proof.wrong_statuses
        )?;
        writeln!(
            out,
            "   {} mails at SendGrid for {} customers: {} mailed twice",
            proof.mails, proof.recipients, proof.mailed_twice
        )?;
        writeln!(
            out,
            "   {} files, {} KiB, and what Slack got, searched for every address of the list: {} found",
            proof.files,
            proof.bytes / 1024,
            proof.addresses_found
        )?;
        let verdict = if proof.holds() {
            "Every event is stored once, nobody was mailed twice."
        } else {
            "THIS DOES NOT HOLD: please report it with the seed."
        };
        writeln!(out, "   {verdict}\n")
    }

    /// Where the page is; flushed, since nothing more is said for long.
    pub(super) fn page(&mut self, link: &str) -> io::Result<()> {
        writeln!(
            self.out,
            "   Open this link in a browser on this machine; it logs you in, once:\n\n   {link}\n\n   SendGrid goes on telling what becomes of this run for some minutes. Ctrl-C ends it all."
        )?;
        self.out.flush()
    }

    pub(super) fn closing(&mut self, page: Option<SocketAddr>, kept: Option<&Path>) -> io::Result<()> {
        match kept.map(Path::display) {
            None => {
                if let Some(page) = page {
                    writeln!(
                        self.out,
                        "Its page was at http://{page}/; `demo --keep` keeps it open, with another run under way to look at."
                    )?;
                }
                writeln!(
                    self.out,
                    "Everything was in a temporary folder and is gone. `demo --keep` leaves it for your own questions;\n`mailtrail init` begins a real one."
                )
            }
            Some(folder) => writeln!(
                self.out,
                "\nKept in {folder}. Ask on, for example:\n   cd {folder}\n   mailtrail activity --status bounce\n   \
                 mailtrail sent --list {LIST} {RUN}\n   mailtrail stats --by domain,status"
            ),
        }
    }
}

/// The most eventful recipient of those who were deferred and got it in the end.
pub(super) fn eventful(story: &Story) -> Option<String> {
    let of = |name: &'static str| {
        story.events.iter().filter(move |event| event.name() == name).filter_map(|event| event.text("email"))
    };
    let deferred: Vec<&str> = of("deferred").collect();
    let events_of = |address: &str| story.events.iter().filter(|event| event.text("email") == Some(address)).count();
    let most = of("click").filter(|address| deferred.contains(address)).max_by_key(|address| events_of(address));
    most.or(deferred.first().copied()).map(str::to_owned)
}
