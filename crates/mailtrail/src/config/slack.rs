//! `[slack]`: where notices go, and in which language.

use super::hook::HookUrl;
use super::language::{self, Language};
use super::reader::Reader;

/// `[slack]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slack {
    /// Results and alerts.
    pub business: Option<HookUrl>,
    /// Time-outs, silence, refusals; the same as `business` where nothing else is said.
    pub ops: Option<HookUrl>,
    /// Of all notices, to whom ever they go.
    pub language: Language,
    /// Whether what mail servers wrote is quoted.
    pub reasons: bool,
}

/// `otherwise`: the language where none is named here.
pub(super) fn read(reader: &mut Reader<'_>, otherwise: Language) -> Slack {
    let business = url(reader, "slack.webhook_url", "slack.webhook_url_file");
    let ops = url(reader, "slack.ops_webhook_url", "slack.ops_webhook_url_file");
    if ops.is_some() && business.is_none() {
        reader.warn("slack.ops_webhook_url", "is set without webhook_url: results and alerts go nowhere in Slack");
    }
    Slack {
        ops: ops.or_else(|| business.clone()),
        business,
        language: language::read(reader, "slack.language").unwrap_or(otherwise),
        reasons: reader.boolean("slack.reasons", false),
    }
}

/// A URL given in place or as a file.
pub(super) fn url(reader: &mut Reader<'_>, key: &'static str, file_key: &'static str) -> Option<HookUrl> {
    if !reader.is_set(key) && !reader.is_set(file_key) {
        return None;
    }
    let (key, text) = reader.secret(key, file_key)?;
    match HookUrl::parse(&text) {
        Ok(url) => Some(url),
        Err(why) => {
            reader.problem(key, why);
            None
        }
    }
}
