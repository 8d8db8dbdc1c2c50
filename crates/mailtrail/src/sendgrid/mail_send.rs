//! The body of `POST /v3/mail/send`, as far as mailtrail uses it (`tsg_mail_v3.yaml`).
//!
//! No `Debug`: it is full of addresses.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// One request: up to 1,000 mails of the same content.
#[derive(Clone, Serialize)]
pub struct MailSend {
    /// One a recipient, 1 to 1,000: each a [`Personalization`] as JSON.
    pub personalizations: Vec<Box<RawValue>>,
    /// Who the mail is from; no Unicode in the address.
    pub from: EmailAddress,
    /// Where answers go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<EmailAddress>,
    /// Subject; needless with a template that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Parts, `text/plain` first; empty with a template.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Content>,
    /// Id of a template: `d-…` of a dynamic, else of a legacy one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// Up to 10, unique, 255 characters of 7-bit ASCII each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Custom args of every mail.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_args: BTreeMap<String, String>,
    /// Unsubscribe group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asm: Option<Asm>,
    /// When to deliver, Unix seconds, up to 72 hours ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_at: Option<i64>,
    /// Sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail_settings: Option<MailSettings>,
}

impl MailSend {
    /// Whether SendGrid is asked to validate only.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.mail_settings.as_ref().is_some_and(|settings| settings.sandbox_mode.enable)
    }
}

/// One mail's envelope and variables, without custom args.
#[derive(Clone, Default, Serialize)]
pub struct Personalization {
    /// Recipients who see each other; mailtrail has one.
    pub to: Vec<EmailAddress>,
    /// Subject of this mail alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Plain replacements in subject and content, up to 10,000 bytes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub substitutions: BTreeMap<String, String>,
    /// Data of a dynamic template.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub dynamic_template_data: Map<String, Value>,
}

/// An address with a name.
#[derive(Clone, Serialize)]
pub struct EmailAddress {
    /// The address.
    pub email: String,
    /// The name that people see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One part of a mail.
#[derive(Clone, Serialize)]
pub struct Content {
    /// Media type, such as `text/html`.
    pub r#type: &'static str,
    /// The text; never empty.
    pub value: String,
}

/// Unsubscribe group.
#[derive(Clone, Serialize)]
pub struct Asm {
    /// Its number.
    pub group_id: i64,
}

/// Settings of a request.
#[derive(Clone, Serialize)]
pub struct MailSettings {
    /// Validate only.
    pub sandbox_mode: SandboxMode,
}

/// Validate, but mail nobody: 200 instead of 202, and no events.
#[derive(Clone, Serialize)]
pub struct SandboxMode {
    /// On.
    pub enable: bool,
}
