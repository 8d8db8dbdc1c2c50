//! One POST to a consumer, as SendGrid sent it to us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sendgrid_events::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use zeroize::Zeroizing;

use crate::config::{HookUrl, Relay};
use crate::notify::{Client, SendError};
use crate::protect::Post;
use crate::receive::{HOP_HEADER, with_own_hop};

/// Posts to one consumer.
pub(super) struct Poster {
    client: Client,
    url: HookUrl,
    authorization: Option<HeaderValue>,
}

impl Poster {
    pub(super) fn new(relay: &Relay) -> Result<Self, SendError> {
        let authorization = relay.basic_auth.as_ref().and_then(|credential| {
            let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(credential.expose())));
            let mut value = HeaderValue::from_str(&text).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self { client: Client::new(relay.timeout)?, url: relay.url.clone(), authorization })
    }

    /// Posts once.
    pub(super) async fn post(&self, post: &Post) -> Result<(), SendError> {
        let mut headers = HeaderMap::new();
        let names = [
            (CONTENT_TYPE, &post.content_type),
            (name(SIGNATURE_HEADER), &post.signature),
            (name(TIMESTAMP_HEADER), &post.timestamp),
        ];
        for (name, value) in names {
            // Whatever came in a header fits into one.
            if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_bytes(value).ok()) {
                headers.insert(name, value);
            }
        }
        if let Some(hops) = with_own_hop(post.hops.as_deref()) {
            headers.insert(HeaderName::from_static(HOP_HEADER), hops);
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.client.post(&self.url, headers, post.body.clone()).await.map(drop)
    }
}

/// A name of SendGrid's as the HTTP library has it.
fn name(name: &'static str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).unwrap_or(HeaderName::from_static("x-unnamed"))
}
