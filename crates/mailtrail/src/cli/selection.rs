//! Which send a question is about, and the list that gives hashes their addresses.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::UsageError;
use super::list_file::{self, ListFormatArgs};
use super::question::Question;
use super::time;
use crate::clock;
use crate::list::{List, Listed, LocalParts};
use crate::outcome::Selector;
use crate::protect::KeyRing;
use crate::store::query::Scope;
use crate::store::remote::wire::Mail;
use crate::store::sends::{Sends, SendsError};

/// A run, or a category from some time on.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SelectionArgs {
    /// The run
    #[arg(value_name = "RUN", required_unless_present = "category", conflicts_with = "category")]
    run: Option<String>,
    /// Mail of this category, whichever tool sent it
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// From this event time on: 2h, 30d, 2026-11-24, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    pub(super) list: ListArgs,
}

/// A list of recipients.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ListArgs {
    /// Who was to get it: CSV with a heading; - is standard input
    #[arg(long = "list", value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    format: ListFormatArgs,
    /// Skip rows of the list that have no address, instead of ending with an error
    #[arg(long, requires = "file")]
    skip_invalid: bool,
}

/// What was asked about.
pub(super) struct Selection {
    pub(super) selector: Selector,
    pub(super) listed: Option<Listed>,
    /// This machine's; `None` where another host is asked, which has its own.
    pub(super) keys: Option<Arc<KeyRing>>,
}

impl Selection {
    /// Sees to it that what was received before the question counts; another host sees to it itself.
    pub(super) fn catch_up(&self, sends: &dyn Sends, patient: bool) -> Result<(), SendsError> {
        self.keys.clone().map_or(Ok(()), |keys| sends.catch_up(keys, patient))
    }

    /// The mail it is about, for another host; with its list.
    pub(super) fn mail(&self) -> Mail {
        let Selector { scope, since, list, .. } = &self.selector;
        Mail::of(scope).since(*since).with_list(list.as_deref())
    }
}

impl SelectionArgs {
    /// Reads the list. `expect`: how many there are to be, where there is none.
    pub(super) fn read(&self, question: &Question, expect: Option<u64>) -> anyhow::Result<Selection> {
        let now = clock::now_micros();
        let since = self.since.as_deref().map(|text| time::parse(text, now)).transpose()?;
        // SendGrid's times have whole seconds.
        let since = since.map(|since| since - since.rem_euclid(1_000_000));
        let scope = match (&self.run, &self.category) {
            (Some(run), _) => Scope::Run(run.clone()),
            (None, Some(category)) => Scope::Category(category.clone()),
            (None, None) => return Err(UsageError("say which run, or --category".to_owned()).into()),
        };
        let keys = match question.server {
            Some(_) => None,
            None => Some(Arc::new(KeyRing::load(&question.config.privacy)?)),
        };
        let listed = self.list.read()?.map(|list| {
            Ok::<_, anyhow::Error>(match (&question.server, &keys) {
                (Some(remote), _) => {
                    let addresses: Vec<String> = list.rows().map(|row| row.address().expose().to_owned()).collect();
                    Listed::with(list, remote.hashes(addresses.iter().map(String::as_str))?)
                }
                (None, Some(keys)) => Listed::new(list, keys),
                (None, None) => Listed::with(list, Vec::new()),
            })
        });
        let listed = listed.transpose()?;
        let list = listed.as_ref().map(|listed| listed.hashes.clone());
        Ok(Selection { selector: Selector { scope, since, list, expect }, listed, keys })
    }

    /// Whether a category is asked for without saying from when.
    pub(super) fn is_open_ended(&self) -> bool {
        self.category.is_some() && self.since.is_none()
    }
}

impl ListArgs {
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some()
    }

    fn read(&self) -> anyhow::Result<Option<List>> {
        let Some(file) = &self.file else { return Ok(None) };
        let list = self.format.read(file, LocalParts::Utf8)?;
        if self.skip_invalid {
            list_file::print_problems(list.problems(), "skipped");
        } else {
            list_file::refuse(list.problems(), ", or skip them with --skip-invalid")?;
        }
        Ok(Some(list))
    }
}

/// A category is used again and again, so an answer about all time would mix sends.
pub(super) fn need_since(args: &SelectionArgs) -> Result<(), UsageError> {
    if args.is_open_ended() {
        return Err(UsageError("say from when by --since: a category is used again and again".to_owned()));
    }
    Ok(())
}
