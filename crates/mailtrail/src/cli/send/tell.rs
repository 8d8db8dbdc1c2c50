//! What `send` prints: progress on stderr, the summary on stdout.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Args;
use crate::cli::output::{Format, note};
use crate::cli::time;
use crate::compose::Composer;
use crate::list::List;
use crate::run::RunName;
use crate::send::{Choice, Requested, Skip, Summary, Why};
use crate::sendgrid::{ApiError, Outcome, is_out_of_credits};

/// How far sending has come; on a terminal alone.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn begin(recipients: usize) -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(recipients as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} mailed, {elapsed}, {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(super) fn request(&self, requested: &Requested<'_>) {
        if !matches!(requested.outcome, Outcome::TooMany { .. } | Outcome::NotSent { .. }) {
            self.0.inc(requested.rows.len() as u64);
        }
    }

    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}

/// The end of a send.
pub(super) struct Report<'a> {
    pub(super) run: &'a RunName,
    pub(super) sandbox: bool,
    pub(super) listed: u64,
    pub(super) invalid: u64,
    pub(super) repeated: u64,
    pub(super) skipped: BTreeMap<Skip, usize>,
    pub(super) summary: &'a Summary,
    pub(super) elapsed: Duration,
}

impl Report<'_> {
    pub(super) fn print(&self, format: Format) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if format == Format::Table {
            return self.print_text(&mut out);
        }
        let skipped: BTreeMap<&str, usize> = self.skipped.iter().map(|(skip, n)| (skip.as_str(), *n)).collect();
        let report = json!({
            "run": self.run.as_str(),
            "sandbox": self.sandbox,
            "listed": self.listed,
            "invalid": self.invalid,
            "repeated": self.repeated,
            "skipped": skipped,
            "accepted": self.summary.accepted,
            "refused": self.summary.refused,
            "uncertain": self.summary.uncertain,
            "left": self.summary.left,
            "requests": self.summary.requests,
            "why": self.summary.why.as_ref().map(why),
            "elapsed_s": (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        });
        writeln!(out, "{report}")
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        let summary = self.summary;
        let took = time::took(self.elapsed);
        let requests = plural(summary.requests, "request");
        if self.sandbox {
            writeln!(
                out,
                "sandbox: SendGrid would take {} ({requests}, {took}); nobody was mailed",
                people(summary.accepted)
            )?;
        } else {
            writeln!(
                out,
                "run {}: SendGrid has the mail for {} ({requests}, {took})",
                self.run,
                people(summary.accepted)
            )?;
        }
        for (count, what) in [
            (summary.refused, "refused by SendGrid: not mailed"),
            (
                summary.uncertain,
                "uncertain: SendGrid's answer was lost; they are not mailed again unless you say --resend-uncertain",
            ),
            (summary.left, "not mailed yet: start the same command again"),
            (self.repeated, "repeated in the list: counted once"),
            (self.invalid, "cannot be mailed: left out"),
        ] {
            if count > 0 {
                writeln!(out, "  {count:>7}  {what}")?;
            }
        }
        for (skip, count) in &self.skipped {
            writeln!(out, "  {count:>7}  skipped: {}", skip.explained())?;
        }
        if let Some(reason) = &summary.why {
            note(&why(reason));
        }
        if summary.accepted > 0 && !self.sandbox {
            let quoted = crate::show::shell_word(self.run.as_str());
            note(&format!("mailtrail wait {quoted} tells what becomes of them"));
        }
        Ok(())
    }
}

/// Why not all were mailed, and what to do.
pub(super) fn why(why: &Why) -> String {
    match why {
        Why::Stopped => "stopped as asked".to_owned(),
        Why::Recipients(errors) => format!("SendGrid refused some recipients: {}", said(errors)),
        Why::Refused { status, errors } if errors.iter().any(|error| is_out_of_credits(*status, &error.message)) => {
            format!(
                "the SendGrid account's credits are used up (HTTP {status}: {}): wait until they are renewed or add some, then start the \
             same command again; the rest was not tried",
                said(errors)
            )
        }
        Why::Refused { status: status @ (401 | 403), errors } => format!(
            "SendGrid refused the API key (HTTP {status}: {}): [sendgrid] api_key needs the right \"Mail Send\", and the sender must be verified",
            said(errors)
        ),
        Why::Refused { status, errors } => {
            format!("SendGrid refused a request (HTTP {status}: {}); the rest was not tried", said(errors))
        }
        Why::TooMany => {
            "SendGrid asks for more time than a send waits (HTTP 429): try again later, or with --rate".to_owned()
        }
        Why::NotSent(why) => format!("SendGrid cannot be reached: {why}. Nobody of this request was mailed"),
        Why::Uncertain(why) => format!("the outcome of a request is unknown: {why}. Its recipients' events will tell"),
    }
}

fn said(errors: &[ApiError]) -> String {
    let mut said: Vec<String> = errors.iter().take(5).map(ToString::to_string).collect();
    if errors.len() > 5 {
        said.push(format!("and {} more", errors.len() - 5));
    }
    said.join("; ")
}

/// Says what a send would do.
pub(super) fn dry_run(args: &Args, list: &List, composer: &Composer<'_>, choice: &Choice) -> io::Result<()> {
    let requests = composer.groups(|row| choice.rows.get(row).is_some_and(Result::is_ok)).len() as u64;
    let mut out = io::stdout().lock();
    if args.output.format != Format::Table {
        let skipped: BTreeMap<&str, usize> = choice.skipped().iter().map(|(skip, n)| (skip.as_str(), *n)).collect();
        let report = json!({"run": args.run.as_str(), "dry_run": true, "chosen": choice.chosen(), "requests": requests,
            "skipped": skipped, "invalid": list.problems().total(), "repeated": list.duplicates().len()});
        return writeln!(out, "{report}");
    }
    writeln!(
        out,
        "run {}: would mail {} in {}; nothing was sent",
        args.run,
        people(choice.chosen() as u64),
        plural(requests, "request")
    )?;
    for (skip, count) in choice.skipped() {
        writeln!(out, "  {count:>7}  skipped: {}", skip.explained())?;
    }
    let repeated = list.duplicates().len();
    if repeated > 0 {
        writeln!(out, "  {repeated:>7}  repeated in the list: counted once")?;
    }
    Ok(())
}

fn people(count: u64) -> String {
    plural(count, "recipient")
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
