//! Tags that SendGrid replaces by plain search, in content and in what it has replaced already. So a tag must stand nowhere
//! by chance: its middle is drawn by lot once the content is known, and searched for in every text.

use super::content::{Compiled, Part};
use super::fault::ComposeFault;
use super::rows::Rows;
use crate::run::RequestId;

/// How many of the drawn hex digits a tag has: every byte counts for SendGrid's limit.
const DIGITS: usize = 16;
/// Drawing again more often than this means that something else is wrong.
const DRAWS: usize = 8;

/// The part that all tags of a composer share.
pub(super) struct Nonce(String);

impl Nonce {
    pub(super) fn new(
        rows: &Rows<'_>,
        contents: &[Compiled],
        content_of: &[Result<usize, ComposeFault>],
    ) -> Result<Self, ComposeFault> {
        for _ in 0..DRAWS {
            let nonce = Self(RequestId::random()?.to_string().chars().take(DIGITS).collect());
            if !nonce.stands_somewhere(rows, contents, content_of) {
                return Ok(nonce);
            }
        }
        Err(crate::run::NoRandomness.into())
    }

    fn stands_somewhere(
        &self,
        rows: &Rows<'_>,
        contents: &[Compiled],
        content_of: &[Result<usize, ComposeFault>],
    ) -> bool {
        let finder = memchr::memmem::Finder::new(self.0.as_bytes());
        let holds = |text: &str| finder.find(text.as_bytes()).is_some();
        contents.iter().flat_map(Compiled::literals).any(holds)
            || (0..rows.len()).any(|row| {
                // A row without usable content is not mailed.
                let content = content_of.get(row).and_then(|content| contents.get(*content.as_ref().ok()?));
                content.is_some_and(|content| rows.any_text(row, content, holds))
            })
    }

    /// The tag of a variable, by its place among the content's variables.
    pub(super) fn tag(&self, variable: usize) -> String {
        format!("-mt{}x{variable}-", self.0)
    }

    /// A text with tags for its variables.
    pub(super) fn tagged(&self, parts: &[Part]) -> String {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable(at) => out.push_str(&self.tag(*at)),
            }
        }
        out
    }
}
