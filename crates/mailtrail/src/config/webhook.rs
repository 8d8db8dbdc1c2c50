//! `[webhook]`: a receiver of our own notices that is not Slack.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::hook::HookUrl;
use super::reader::Reader;
use super::slack;

/// `[webhook]`
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where notices are posted.
    pub url: HookUrl,
    /// What signs them.
    pub secret: WebhookSecret,
}

/// A key of Standard Webhooks: `whsec_` and base64 of 24 to 64 random bytes.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// Reads the text form; `None` where it is another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix("whsec_")?).ok()?);
        (24..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes, for signing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Webhook> {
    let url = slack::url(reader, "webhook.url", "webhook.url_file");
    let set = |reader: &Reader<'_>, key: &str| reader.is_set(key);
    let has_url = set(reader, "webhook.url") || set(reader, "webhook.url_file");
    let has_secret = set(reader, "webhook.secret") || set(reader, "webhook.secret_file");
    if has_url != has_secret {
        let (given, missing) = if has_url { ("url", "secret") } else { ("secret", "url") };
        reader.problems.push(format!("[webhook] has a {given} but no {missing}: set both, or none"));
        return None;
    }
    if !has_secret {
        return None;
    }
    let (key, text) = reader.secret("webhook.secret", "webhook.secret_file")?;
    let Some(secret) = WebhookSecret::parse(&text) else {
        reader.problem(
            key,
            "is not whsec_ with base64 of 24 to 64 random bytes: make one with \
             printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"",
        );
        return None;
    };
    Some(Webhook { url: url?, secret })
}
