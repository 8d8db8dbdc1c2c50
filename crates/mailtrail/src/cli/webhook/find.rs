//! Which of the account's webhooks are this receiver's.

use sendgrid_events::PublicKey;

use crate::cli::exit::UsageError;
use crate::config::Receive;
use crate::event_webhook::{PostUrl, Webhook};

/// Whether its posts carry credentials that the receiver accepts.
pub(super) fn has_credential(receive: &Receive, webhook: &Webhook) -> bool {
    let given = webhook.post_url().and_then(|(_, credential)| credential);
    given.is_some_and(|given| receive.basic_auth.iter().any(|known| known.expose() == given.expose()))
}

/// Whether its posts are signed with a key that the receiver accepts.
pub(super) fn has_key(receive: &Receive, webhook: &Webhook) -> bool {
    let key = webhook.public_key().and_then(|key| PublicKey::parse(key).ok());
    key.is_some_and(|key| receive.public_keys.iter().any(|known| known.id() == key.id()))
}

/// The one with this URL; without one, the only one that the receiver knows by key or credentials.
pub(super) fn one(receive: &Receive, webhooks: Vec<Webhook>, url: Option<&PostUrl>) -> Result<Webhook, UsageError> {
    let fits = |webhook: &Webhook| match url {
        Some(url) => webhook.post_url().is_some_and(|(known, _)| known == *url),
        None => has_key(receive, webhook) || has_credential(receive, webhook),
    };
    let mut found = webhooks.into_iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(webhook), None) => Ok(webhook),
        (Some(_), Some(_)) => Err(UsageError(
            "several webhooks are this receiver's: say which with --url (webhook show lists them)".into(),
        )),
        (None, _) => {
            Err(UsageError("none of the webhooks is this receiver's: mailtrail webhook create makes one".into()))
        }
    }
}
