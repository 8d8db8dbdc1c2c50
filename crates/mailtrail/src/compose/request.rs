//! A row as a mail within SendGrid's limits, and mails as the body of a request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::{Compiled, Part, Template, Variable, escape};
use super::fault::ComposeFault;
use super::rows::Rows;
use super::{Composer, Group, Mail, limits};
use crate::config::Sender;
use crate::protect::on_the_wire;
use crate::run::{RECIPIENT_ARG, REQUEST_ARG, RUN_ARG, RecipientId, RequestId, RunName};
use crate::sendgrid::{Asm, Content, EmailAddress, MailSend, MailSettings, Personalization, SandboxMode};

/// The longest run's name, bytes; as JSON at most twice that.
const LONGEST_RUN: usize = 100;
/// `"categories":,` in a request.
const CATEGORIES_KEY: usize = 14;
/// The most that [`own_args`] take, bytes: names and values, quotes, colon and comma. In a run's name each byte may be one that JSON
/// escapes; the ids are 32 hex digits.
pub(super) const OWN_ARGS: usize =
    RECIPIENT_ARG.len() + REQUEST_ARG.len() + RUN_ARG.len() + 2 * 32 + 2 * LONGEST_RUN + 3 * 6;

/// A composed mail is no JSON, which is a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("a composed mail is not JSON, so its request was not made: this is a fault of mailtrail, please report it")]
pub struct BrokenMail;

impl Mail {
    /// The most that it takes in a request, bytes.
    pub(super) fn most_size(&self) -> usize {
        // And a comma.
        self.opening.len() + OWN_ARGS + "}},".len()
    }

    /// The whole personalization.
    fn personalization(&self, own_args: &str) -> Result<Box<RawValue>, BrokenMail> {
        RawValue::from_string(format!("{}{own_args}}}}}", self.opening)).map_err(|_| BrokenMail)
    }
}

/// The custom args that come back with the events, as members of a JSON object.
fn own_args(run: &str, recipient: &str, request: &str) -> String {
    let mut members = String::new();
    for (name, value) in [(RECIPIENT_ARG, recipient), (REQUEST_ARG, request), (RUN_ARG, run)] {
        member(&mut members, name, value);
    }
    members.pop();
    members
}

/// Adds a member of a JSON object and a comma.
fn member(members: &mut String, name: &str, value: &str) {
    let (name, value) = (serde_json::Value::from(name), serde_json::Value::from(value));
    let _infallible = write!(members, "{name}:{value},");
}

impl Composer {
    /// The request that sends a group's mails, each with its recipient's id; the ids and the run come back with the events.
    ///
    /// # Errors
    /// Never, as far as is known.
    pub fn request<M: AsRef<Mail>>(
        &self,
        group: &Group<M>,
        run: &RunName,
        request: RequestId,
        recipients: impl IntoIterator<Item = RecipientId>,
    ) -> Result<MailSend, BrokenMail> {
        let mut mail = self.base(group.content, &group.categories);
        let request = request.to_string();
        let mails = group.mails().iter().zip(recipients);
        mail.personalizations = mails
            .map(|(mail, id)| mail.as_ref().personalization(&own_args(run.as_str(), &id.to_string(), &request)))
            .collect::<Result<_, _>>()?;
        Ok(mail)
    }

    /// Composes a row and holds it to all limits; `shared`: the categories of rows that have none of their own.
    pub(super) fn mail(
        &self,
        rows: &Rows<'_>,
        row: usize,
        content: usize,
        shared: &Arc<[String]>,
    ) -> Result<Mail, ComposeFault> {
        let Some(compiled) = self.contents.get(content) else { return Err(ComposeFault::NoContent) };
        let address = rows.address(row).ok_or(ComposeFault::NoContent)?;
        let no_args = BTreeMap::new();
        let args = rows.custom_args(row).unwrap_or(&no_args);
        limits::custom_arg_names(args)?;
        let size = OWN_ARGS + json_size(args) + json_size(&self.common.custom_args);
        if size >= limits::CUSTOM_ARGS {
            return Err(ComposeFault::CustomArgs { size });
        }
        let categories: Arc<[String]> = match rows.categories(row) {
            Some(own) => own.into_iter().map(str::to_owned).collect(),
            None => Arc::clone(shared),
        };
        limits::categories(&categories)?;
        if compiled.template() != Template::Dynamic {
            self.judge_subject(rows, row, compiled)?;
        }
        let email = on_the_wire(address.expose()).into_owned();
        let personalization = self.personalization(rows, row, compiled, EmailAddress { email, name: None })?;
        let size = json_size(&personalization.substitutions);
        if size > limits::SUBSTITUTIONS {
            return Err(ComposeFault::Substitutions { size });
        }
        let mut opening = serde_json::to_string(&personalization).map_err(|_| ComposeFault::Size { size: 0 })?;
        // The object stays open for the ids.
        opening.pop();
        opening.push_str(",\"custom_args\":{");
        for (name, value) in args {
            member(&mut opening, name, value);
        }
        let mail = Mail { row: rows.number(row), address, categories, content, opening };
        let size = self.base_size(content, &mail.categories) + mail.most_size();
        if size >= limits::REQUEST { Err(ComposeFault::Size { size }) } else { Ok(mail) }
    }

    fn judge_subject(&self, rows: &Rows<'_>, row: usize, content: &Compiled) -> Result<(), ComposeFault> {
        if let Some(own) = rows.subject(row) {
            return limits::subject(own);
        }
        match &content.subject {
            Some(parts) => limits::subject(&rendered(rows, row, content, parts)?),
            // A legacy template has one.
            None if content.template() == Template::Legacy => Ok(()),
            None => Err(ComposeFault::NoSubject),
        }
    }

    fn personalization(
        &self,
        rows: &Rows<'_>,
        row: usize,
        content: &Compiled,
        to: EmailAddress,
    ) -> Result<Personalization, ComposeFault> {
        let mut mail = Personalization { to: vec![to], ..Personalization::default() };
        if content.template() == Template::Dynamic {
            mail.dynamic_template_data = rows.data(row);
            return Ok(mail);
        }
        mail.subject = rows.subject(row).map(str::to_owned);
        for (at, variable) in content.variables.iter().enumerate() {
            mail.substitutions.insert(self.nonce.tag(at), value(rows, row, variable)?);
        }
        if content.template() == Template::Legacy {
            for (name, text) in rows.texts(row)? {
                mail.substitutions.insert(legacy_tag(name), text.into_owned());
            }
        }
        Ok(mail)
    }

    /// The request without recipients.
    fn base(&self, content: usize, categories: &[String]) -> MailSend {
        let common = &self.common;
        let content = self.contents.get(content);
        let tagged = |parts: Option<&Vec<Part>>| parts.map(|parts| self.nonce.tagged(parts));
        let text = tagged(content.and_then(|content| content.text.as_ref()));
        let html = tagged(content.and_then(|content| content.html.as_ref()));
        // SendGrid wants them in this order.
        let parts = [("text/plain", text), ("text/html", html)];
        MailSend {
            personalizations: Vec::new(),
            from: address(&common.from),
            reply_to: common.reply_to.as_ref().map(address),
            subject: tagged(content.and_then(|content| content.subject.as_ref())),
            content: parts.into_iter().filter_map(|(r#type, value)| Some(Content { r#type, value: value? })).collect(),
            template_id: content.and_then(|content| content.template_id.clone()),
            categories: categories.to_vec(),
            custom_args: common.custom_args.clone(),
            asm: common.asm_group.map(|group_id| Asm { group_id }),
            send_at: common.send_at,
            mail_settings: common.sandbox.then_some(MailSettings { sandbox_mode: SandboxMode { enable: true } }),
        }
    }

    /// Each content's request without recipients and categories, bytes.
    pub(super) fn base_sizes(&self) -> Vec<usize> {
        (0..self.contents.len()).map(|content| json_size(&self.base(content, &[]))).collect()
    }

    pub(super) fn base_size(&self, content: usize, categories: &[String]) -> usize {
        self.base_sizes.get(content).copied().unwrap_or_default() + CATEGORIES_KEY + json_size(categories)
    }
}

/// A text as the recipient will read it.
fn rendered(rows: &Rows<'_>, row: usize, content: &Compiled, parts: &[Part]) -> Result<String, ComposeFault> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Variable(at) => {
                if let Some(variable) = content.variables.get(*at) {
                    out.push_str(&value(rows, row, variable)?);
                }
            }
        }
    }
    Ok(out)
}

fn value(rows: &Rows<'_>, row: usize, variable: &Variable) -> Result<String, ComposeFault> {
    let value = rows.value(row, &variable.name)?;
    Ok(if variable.escaped { escape(&value) } else { value.into_owned() })
}

fn address(sender: &Sender) -> EmailAddress {
    EmailAddress { email: sender.email().to_owned(), name: sender.name().map(str::to_owned) }
}

/// A bare word would be replaced wherever the template uses it as a word.
fn legacy_tag(name: &str) -> String {
    let bare = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if bare(name.chars().next()) || bare(name.chars().next_back()) { format!("-{name}-") } else { name.to_owned() }
}

/// Bytes as JSON, counted without being kept.
pub(super) fn json_size(value: &(impl Serialize + ?Sized)) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // Only a broken writer fails here: then nothing fits.
        Err(_) => usize::MAX / 4,
    }
}
