//! What `send` prints: progress on stderr, the summary on stdout.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Args;
use super::problems::RowProblems;
use crate::cli::output::{Format, note, unless_closed};
use crate::cli::time;
use crate::compose::{Composer, Mail};
use crate::list::List;
use crate::run::RunName;
use crate::send::{Choice, Requested, RowRefusal, Skip, Summary, Why};
use crate::sendgrid::{ApiError, Outcome, first_of, is_out_of_credits, said};

/// How many reasons are shown.
const SHOWN: usize = 20;

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
            self.0.inc(requested.mails.len() as u64);
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
    pub(super) problems: &'a RowProblems,
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
            "invalid": self.problems.count(),
            "problems": self.problems.to_json(),
            "repeated": self.repeated,
            "skipped": skipped,
            "accepted": self.summary.accepted,
            "refused": self.summary.refused,
            "uncertain": self.summary.uncertain,
            "left": self.summary.left,
            "refusals": refusals(&self.summary.refusals),
            "requests": self.summary.requests,
            "why": self.summary.why.as_ref().map(|reason| why(reason, &self.summary.refusals)),
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
            (self.problems.count() as u64, "cannot be mailed: skipped (--skip-invalid)"),
        ] {
            if count > 0 {
                writeln!(out, "  {count:>7}  {what}")?;
            }
        }
        for (skip, count) in &self.skipped {
            writeln!(out, "  {count:>7}  skipped: {}", skip.explained())?;
        }
        if let Some(reason) = &summary.why {
            note(&why(reason, &summary.refusals));
        }
        if summary.accepted > 0 && !self.sandbox {
            let quoted = crate::show::shell_word(self.run.as_str());
            note(&format!("mailtrail wait {quoted} tells what becomes of them"));
        }
        Ok(())
    }
}

/// Recipients that SendGrid refused, by row.
fn refusals(refusals: &[RowRefusal]) -> Vec<serde_json::Value> {
    let one = |refusal: &RowRefusal| json!({"row": refusal.row, "reason": said(&refusal.errors)});
    refusals.iter().map(one).collect()
}

/// Why not all were mailed, and what to do.
pub(super) fn why(why: &Why, refusals: &[RowRefusal]) -> String {
    match why {
        Why::Stopped => "stopped as asked".to_owned(),
        Why::Recipients => {
            let errors: Vec<ApiError> = refusals.iter().flat_map(|refusal| refusal.errors.iter().cloned()).collect();
            let recipients = people(refusals.len() as u64);
            format!("SendGrid refused {recipients}: {}", first_of(&errors, SHOWN))
        }
        Why::Refused { status, errors } if errors.iter().any(|error| is_out_of_credits(*status, &error.message)) => {
            format!(
                "the SendGrid account's credits are used up (HTTP {status}: {}); the API key is right. Wait until they are renewed or add \
                 some, then start the same command again. The rest was not tried",
                said(errors)
            )
        }
        Why::Refused { status: status @ (401 | 403), errors } => format!(
            "SendGrid refused the API key (HTTP {status}: {}): [sendgrid] api_key needs the right \"Mail Send\", and the sender must be verified",
            said(errors)
        ),
        Why::Refused { status, errors } => {
            format!("SendGrid refused a request (HTTP {status}: {}); the rest was not tried", first_of(errors, SHOWN))
        }
        Why::TooMany => {
            "SendGrid asks for more time than a send waits (HTTP 429): try again later, or with --rate".to_owned()
        }
        Why::NotSent(why) => format!("SendGrid cannot be reached: {why}. Nobody of this request was mailed"),
        Why::Uncertain(why) => format!("the outcome of a request is unknown: {why}. Its recipients' events will tell"),
    }
}

/// What a command prints for a list with rows that cannot be mailed, where nothing is sent.
pub(super) fn refused_list(args: &Args, problems: &RowProblems) -> io::Result<()> {
    if args.output.format == Format::Table {
        return Ok(());
    }
    let report =
        json!({"run": args.run.as_str(), "accepted": 0, "invalid": problems.count(), "problems": problems.to_json()});
    unless_closed(writeln!(io::stdout().lock(), "{report}"))
}

/// Says what a send would do.
pub(super) fn dry_run(
    args: &Args,
    list: &List,
    problems: &RowProblems,
    composer: &Composer,
    choice: Choice<Mail>,
) -> io::Result<()> {
    let (skipped, chosen) = (choice.skip_counts(), choice.chosen.len());
    let requests = composer.groups(choice.chosen).len() as u64;
    let mut out = io::stdout().lock();
    if args.output.format != Format::Table {
        let skipped: BTreeMap<&str, usize> = skipped.iter().map(|(skip, n)| (skip.as_str(), *n)).collect();
        let report = json!({"run": args.run.as_str(), "dry_run": true, "chosen": chosen, "requests": requests,
            "skipped": skipped, "invalid": problems.count(), "problems": problems.to_json(), "repeated": list.duplicates().len()});
        return writeln!(out, "{report}");
    }
    writeln!(
        out,
        "run {}: would mail {} in {}; nothing was sent",
        args.run,
        people(chosen as u64),
        plural(requests, "request")
    )?;
    for (skip, count) in skipped {
        writeln!(out, "  {count:>7}  skipped: {}", skip.explained())?;
    }
    let repeated = list.duplicates().len();
    if repeated > 0 {
        writeln!(out, "  {repeated:>7}  repeated in the list: counted once")?;
    }
    if problems.count() > 0 {
        writeln!(out, "  {:>7}  cannot be mailed: skipped (--skip-invalid)", problems.count())?;
    }
    Ok(())
}

fn people(count: u64) -> String {
    plural(count, "recipient")
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SendGrid answers 401 in both cases (sendgrid-nodejs#1032).
    #[test]
    fn missing_credits_are_not_a_wrong_key() {
        let refused = |status, message: &str| {
            let errors = vec![ApiError { message: message.to_owned(), field: None, help: None }];
            why(&Why::Refused { status, errors }, &[])
        };
        let credits = refused(401, "Maximum credits exceeded");
        assert!(credits.contains("credits are used up") && credits.contains("the API key is right"), "{credits}");
        let key = refused(401, "The provided authorization grant is invalid, expired, or revoked");
        assert!(key.contains("refused the API key") && !key.contains("credits"), "{key}");
        assert!(refused(403, "access forbidden").contains("refused the API key"));
    }
}
