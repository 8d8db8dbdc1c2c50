//! Which send a question is about, and the list that gives hashes their addresses.

use std::path::PathBuf;
use std::sync::Arc;

use super::exit::UsageError;
use super::output::note;
use super::question::Question;
use super::send::read_list;
use super::time;
use crate::clock;
use crate::list::{EncodingChoice, Listed};
use crate::outcome::Selector;
use crate::protect::KeyRing;
use crate::store::query::Scope;

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
    /// Encoding of the list
    #[arg(long, value_name = "ENCODING", value_enum, default_value_t)]
    encoding: EncodingChoice,
    /// The list's column of addresses [default: email]
    #[arg(long, value_name = "NAME")]
    email_column: Option<String>,
}

/// What was asked about.
pub(super) struct Selection {
    pub(super) selector: Selector,
    pub(super) listed: Option<Listed>,
    pub(super) keys: Arc<KeyRing>,
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
        let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
        let listed = self.list.read(&keys)?;
        let list = listed.as_ref().map(|listed| listed.list.hashes(&keys).collect());
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

    fn read(&self, keys: &KeyRing) -> anyhow::Result<Option<Listed>> {
        let Some(file) = &self.file else { return Ok(None) };
        let list = read_list(file, self.encoding, self.email_column.clone())?;
        let left_out = list.problems().total();
        if left_out > 0 {
            note(&format!("note: {left_out} rows of the list have no address that can be mailed and are left out"));
        }
        Ok(Some(Listed::new(list, keys)))
    }
}

/// A category is used again and again, so an answer about all time would mix sends.
pub(super) fn need_since(args: &SelectionArgs) -> Result<(), UsageError> {
    if args.is_open_ended() {
        return Err(UsageError("say from when by --since: a category is used again and again".to_owned()));
    }
    Ok(())
}
