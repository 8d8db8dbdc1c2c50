//! Content and recipients become requests to SendGrid's mail API, within all of its limits.
//!
//! Each row is composed and checked once, before anybody is mailed: it becomes a [`Mail`] or a [`RowFault`]. A mail has one
//! personalization, so that nobody sees another's address.

mod content;
mod fault;
mod group;
mod limits;
mod request;
mod rows;
mod tags;

pub use content::Content;
pub use fault::{ComposeFault, RowFault, SharedFaults};
pub use group::Group;
pub use request::BrokenMail;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Sender;
use crate::list::{Address, List, Message};
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

/// Content and common settings that passed all checks; makes requests of [`Mail`]s.
pub struct Composer {
    common: Common,
    /// One of a list; of messages one for each that differs from the message before.
    contents: Vec<Compiled>,
    /// The size of each content's request without recipients and categories, bytes.
    base_sizes: Vec<usize>,
    nonce: Nonce,
    /// Whether requests follow the order of the mails, or mails of one category share requests wherever they stand.
    keeps_order: bool,
}

/// One recipient's mail, composed once and within all limits. No `Debug`: it has an address.
pub struct Mail {
    /// Row of the list (its line in the file) or line of the messages.
    pub row: u64,
    /// The recipient, as in the input.
    pub address: Address,
    categories: Arc<[String]>,
    /// Index into [`Composer::contents`].
    content: usize,
    /// The personalization as JSON, up to the custom args that are drawn with each request.
    opening: String,
}

impl AsRef<Mail> for Mail {
    fn as_ref(&self) -> &Mail {
        self
    }
}

/// A whole input, composed: each row is among the mails or among the faults.
pub struct Composition {
    /// Makes the mails' requests.
    pub composer: Composer,
    /// Rows that can be mailed, in the order of the input.
    pub mails: Vec<Mail>,
    /// Rows that cannot, in the order of the input.
    pub faults: Vec<RowFault>,
}

impl Composer {
    /// Composes one content for a whole list. `now` in µs since 1970, for `send_at`.
    ///
    /// # Errors
    /// When the content does not fit the list, or SendGrid would refuse every request.
    pub fn compose_list(content: &Content, common: Common, list: &List, now: i64) -> Result<Composition, SharedFaults> {
        let rows = Rows::List(list);
        let mut faults = limits::common(&common, now);
        let compiled = match Compiled::new(content) {
            Ok(compiled) => compiled,
            Err(fault) => {
                faults.push(fault);
                return Err(SharedFaults(faults));
            }
        };
        faults.extend(rows.unknown_variables(&compiled));
        faults.extend(compiled.shared_subject(rows.has_subjects()).err());
        SharedFaults::none(faults)?;
        let content_of = vec![Ok(0); rows.len()];
        Self::compose(&rows, common, vec![compiled], content_of, false)
    }

    /// Composes messages that each bring their content. Consecutive ones of equal content and category share a request.
    ///
    /// # Errors
    /// When what all messages share is wrong.
    pub fn compose_messages(common: Common, messages: &[Message], now: i64) -> Result<Composition, SharedFaults> {
        SharedFaults::none(limits::common(&common, now))?;
        let mut contents: Vec<Compiled> = Vec::new();
        let mut content_of: Vec<Result<usize, ComposeFault>> = Vec::with_capacity(messages.len());
        let mut before: Option<&Message> = None;
        for message in messages {
            let same = |other: &Message| {
                (&other.subject, &other.html, &other.text, &other.template_id)
                    == (&message.subject, &message.html, &message.text, &message.template_id)
            };
            let content = match content_of.last() {
                Some(last) if before.is_some_and(same) => last.clone(),
                _ => Compiled::new(&Content::of(message)).map(|compiled| {
                    contents.push(compiled);
                    contents.len() - 1
                }),
            };
            content_of.push(content);
            before = Some(message);
        }
        Self::compose(&Rows::Messages(messages), common, contents, content_of, true)
    }

    fn compose(
        rows: &Rows<'_>,
        common: Common,
        contents: Vec<Compiled>,
        content_of: Vec<Result<usize, ComposeFault>>,
        keeps_order: bool,
    ) -> Result<Composition, SharedFaults> {
        let nonce = Nonce::new(rows, &contents, &content_of)?;
        let mut composer = Self { common, contents, base_sizes: Vec::new(), nonce, keeps_order };
        composer.base_sizes = composer.base_sizes();
        if let (Rows::List(_), Some(size)) = (rows, composer.base_sizes.first())
            && *size >= limits::REQUEST
        {
            return Err(SharedFaults(vec![ComposeFault::Size { size: *size }]));
        }
        let shared: Arc<[String]> = composer.common.categories.clone().into();
        let (mut mails, mut faults) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, content) in content_of.into_iter().enumerate() {
            match content.and_then(|content| composer.mail(rows, row, content, &shared)) {
                Ok(mail) => mails.push(mail),
                Err(fault) => faults.push(RowFault { row: rows.number(row), fault }),
            }
        }
        Ok(Composition { composer, mails, faults })
    }
}

#[cfg(test)]
mod tests;
