//! What `send` takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::exit::UsageError;
use crate::cli::list_file::ListFormatArgs;
use crate::cli::output::OutputArgs;
use crate::cli::time;
use crate::cli::wait::WaitArgs;
use crate::compose::{Common, Content};
use crate::config::{SendGrid, Sender, without_bom};
use crate::run::RunName;

/// Mail a list, each address at most once per run
///
/// The list is CSV with a heading; its column email says whom, the others are variables: {{name}} in the subject, HTML and text
/// stands for the column name ({{{name}}} without escaping), and a template of SendGrid's gets them all. Everything is checked
/// before the first request. Started again after whatever happened, the same run mails only whom it has not.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["list", "to", "messages"]))]
pub(in crate::cli) struct Args {
    /// The list, CSV with a heading; - is standard input
    #[arg(value_name = "LIST")]
    pub(super) list: Option<PathBuf>,
    /// Name of the run: who was mailed under it is never mailed under it again
    #[arg(long, value_name = "NAME")]
    pub(super) run: RunName,
    /// One address instead of a list, may be repeated; - reads one a line from standard input
    #[arg(long, value_name = "ADDRESS")]
    pub(super) to: Vec<String>,
    /// Whole messages instead of a list, one JSON object a line: email, subject, html, text, template_id, category,
    /// custom_args, data; - is standard input. Answers one JSON object for each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "html", "text", "template"])]
    pub(super) messages: Option<PathBuf>,
    /// Subject
    #[arg(long, value_name = "TEXT")]
    pub(super) subject: Option<String>,
    /// File with the HTML part
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// File with the plain text part
    #[arg(long, value_name = "FILE")]
    pub(super) text: Option<PathBuf>,
    /// Id of a template of SendGrid's
    #[arg(long, value_name = "ID")]
    pub(super) template: Option<String>,
    /// Who it is from: Name <news@example.com> [default: [sendgrid] from]
    #[arg(long, value_name = "SENDER")]
    pub(super) from: Option<String>,
    /// Where answers go
    #[arg(long, value_name = "SENDER")]
    pub(super) reply_to: Option<String>,
    /// Category, may be repeated
    #[arg(long, value_name = "CATEGORY")]
    pub(super) category: Vec<String>,
    /// Custom arg of every mail, may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) custom_arg: Vec<String>,
    /// Unsubscribe group
    #[arg(long, value_name = "ID")]
    pub(super) asm_group: Option<i64>,
    /// When to deliver: RFC 3339, or 2h for in two hours; at most 72 hours ahead
    #[arg(long, value_name = "TIME")]
    pub(super) send_at: Option<String>,
    /// Let SendGrid check every request; nobody is mailed
    #[arg(long)]
    pub(super) sandbox: bool,
    /// Check everything and say who would be mailed; nothing is sent
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Mail so many at most
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Recipients a second at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
    /// Mail again whom SendGrid's answer left in doubt and no event speaks for; they may get it twice
    #[arg(long)]
    pub(super) resend_uncertain: bool,
    /// Take the run from a sender that is gone and never let go of it, which only BigQuery's ledger needs; what it had under
    /// way counts as uncertain
    #[arg(long)]
    pub(super) take_over: bool,
    /// Leave out whoever got one of the categories since then (30d, 2026-11-24), whichever tool sent it
    #[arg(long, value_name = "TIME", requires = "category")]
    pub(super) not_sent_since: Option<String>,
    /// Mail only whom that run did not reach and a second try may
    #[arg(long, value_name = "RUN")]
    pub(super) only_unreached: Option<RunName>,
    /// Skip every row that cannot be mailed, instead of mailing nobody: no address, a variable or subject that SendGrid refuses
    #[arg(long)]
    pub(super) skip_invalid: bool,
    /// Write every row that cannot be mailed to this file: CSV with row, column and reason, without addresses
    #[arg(long, value_name = "FILE", conflicts_with = "messages")]
    pub(super) problems_out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) list_format: ListFormatArgs,
    /// Wait until everybody is settled, as `mailtrail wait` does
    #[arg(long, conflicts_with_all = ["messages", "sandbox", "dry_run"])]
    pub(super) wait: bool,
    #[command(flatten, next_help_heading = "With --wait")]
    pub(super) waiting: WaitArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

impl Args {
    /// What is sent.
    pub(super) fn content(&self) -> anyhow::Result<Content> {
        Ok(Content {
            subject: self.subject.clone(),
            html: self.html.as_deref().map(read).transpose()?,
            text: self.text.as_deref().map(read).transpose()?,
            template_id: self.template.clone(),
        })
    }

    /// What all mails share.
    pub(super) fn common(&self, config: &SendGrid, now: i64) -> anyhow::Result<Common> {
        let sender =
            |flag: &str, text: &String| Sender::parse(text).map_err(|error| UsageError(format!("{flag} {error}")));
        let from = match &self.from {
            Some(text) => sender("--from", text)?,
            None => config.from.clone().ok_or_else(|| {
                UsageError("who is it from? Say --from \"Name <news@example.com>\", or set [sendgrid] from".to_owned())
            })?,
        };
        Ok(Common {
            reply_to: self.reply_to.as_ref().map(|text| sender("--reply-to", text)).transpose()?,
            categories: self.category.clone(),
            custom_args: self.custom_args()?,
            asm_group: self.asm_group,
            send_at: self.send_at(now)?,
            sandbox: self.sandbox,
            ..Common::from(from)
        })
    }

    /// Unix seconds.
    pub(super) fn send_at(&self, now: i64) -> Result<Option<i64>, UsageError> {
        self.send_at.as_deref().map(|text| time::ahead(text, now).map(|micros| micros / 1_000_000)).transpose()
    }

    fn custom_args(&self) -> Result<BTreeMap<String, String>, UsageError> {
        let parts = |given: &String| {
            let (name, value) = given.split_once('=').filter(|(name, _)| !name.is_empty())?;
            Some((name.to_owned(), value.to_owned()))
        };
        let wrong = || UsageError("--custom-arg is written NAME=VALUE".to_owned());
        self.custom_arg.iter().map(|given| parts(given).ok_or_else(wrong)).collect()
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(without_bom(&text).to_owned())
}
