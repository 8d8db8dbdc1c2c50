//! Content and recipients become requests to SendGrid's mail API, within all of its limits.
//!
//! Everything is checked when the [`Composer`] is made, before anybody is mailed, and told by the row that breaks it. One
//! personalization a recipient, so that nobody sees another's address.

mod content;
mod fault;
mod group;
mod limits;
mod request;
mod rows;
mod tags;

pub use content::Content;
pub use fault::{ComposeError, ComposeFault};
pub use group::Group;

use std::collections::BTreeMap;

use crate::config::Sender;
use crate::list::{List, Message};
use crate::protect::without_address;
use content::Compiled;
use rows::Rows;
use tags::Nonce;

/// What all mails of a run share.
#[derive(Clone)]
pub struct Common {
    /// Who the mail is from.
    pub from: Sender,
    /// Where answers go.
    pub reply_to: Option<Sender>,
    /// Categories, where a row does not say otherwise.
    pub categories: Vec<String>,
    /// Custom args of every mail.
    pub custom_args: BTreeMap<String, String>,
    /// Unsubscribe group.
    pub asm_group: Option<i64>,
    /// When to deliver, Unix seconds.
    pub send_at: Option<i64>,
    /// Let SendGrid validate only.
    pub sandbox: bool,
}

impl Common {
    /// From a sender, everything else left out.
    #[must_use]
    pub fn from(from: Sender) -> Self {
        Self {
            from,
            reply_to: None,
            categories: Vec::new(),
            custom_args: BTreeMap::new(),
            asm_group: None,
            send_at: None,
            sandbox: false,
        }
    }
}

/// Makes requests of checked content and rows. Rows are named by their index, as in the list or the slice of messages.
pub struct Composer<'l> {
    rows: Rows<'l>,
    common: Common,
    /// One of a list; of messages one for each that differs from the message before.
    contents: Vec<Compiled>,
    /// Which of `contents` a row has; empty for a list.
    content_of: Vec<usize>,
    /// The most that each row's personalization takes in a request, bytes.
    sizes: Vec<usize>,
    /// What each of `contents` takes without recipients and categories, bytes.
    base_sizes: Vec<usize>,
    nonce: Nonce,
}

impl<'l> Composer<'l> {
    /// For one content to a whole list. `now` in µs since 1970, for `send_at`.
    ///
    /// # Errors
    /// When the content does not fit the list, or SendGrid would refuse a request.
    pub fn new(content: &Content, common: Common, list: &'l List, now: i64) -> Result<Self, ComposeError> {
        let rows = Rows::List(list);
        let compiled = Compiled::new(content, None)?;
        rows.know(&compiled)?;
        Self::checked(rows, common, vec![compiled], Vec::new(), now)
    }

    /// For messages that each bring their content. Consecutive ones of equal content and category share a request.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_messages(common: Common, messages: &'l [Message], now: i64) -> Result<Self, ComposeError> {
        let mut contents: Vec<Compiled> = Vec::new();
        let mut content_of = Vec::with_capacity(messages.len());
        let mut before: Option<&Message> = None;
        for message in messages {
            let same = |other: &Message| {
                (&other.subject, &other.html, &other.text, &other.template_id)
                    == (&message.subject, &message.html, &message.text, &message.template_id)
            };
            if !before.is_some_and(same) {
                contents.push(Compiled::new(&Content::of(message), Some(message.row))?);
            }
            content_of.push(contents.len() - 1);
            before = Some(message);
        }
        Self::checked(Rows::Messages(messages), common, contents, content_of, now)
    }

    fn checked(
        rows: Rows<'l>,
        common: Common,
        contents: Vec<Compiled>,
        content_of: Vec<usize>,
        now: i64,
    ) -> Result<Self, ComposeError> {
        limits::common(&common, now)?;
        let nonce = Nonce::new(&rows, &contents, &content_of)?;
        let mut composer =
            Self { rows, common, contents, content_of, sizes: Vec::new(), base_sizes: Vec::new(), nonce };
        composer.base_sizes = composer.base_sizes();
        let mut sizes = Vec::with_capacity(composer.rows.len());
        for row in 0..composer.rows.len() {
            sizes.push(composer.check(row)?);
        }
        composer.sizes = sizes;
        Ok(composer)
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nobody to mail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A text about a row, such as SendGrid's reason for refusing it, without the row's address.
    #[must_use]
    pub fn without_address(&self, row: usize, text: &str) -> String {
        match self.rows.address(row) {
            Some(address) => without_address(text, address.expose()).into_owned(),
            None => text.to_owned(),
        }
    }

    fn content_index(&self, row: usize) -> usize {
        self.content_of.get(row).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
