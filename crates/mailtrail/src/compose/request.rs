//! Rows of a group as the body of a request, and what each of them takes of the limits.

use std::collections::BTreeMap;

use serde::Serialize;

use super::content::{Compiled, Part, Template, escape};
use super::fault::{ComposeError, ComposeFault};
use super::{Composer, Group, limits};
use crate::config::Sender;
use crate::protect::on_the_wire;
use crate::run::{RECIPIENT_ARG, REQUEST_ARG, RUN_ARG, RecipientId, RequestId, RunName};
use crate::sendgrid::{Asm, Content, EmailAddress, MailSend, MailSettings, Personalization, SandboxMode};

/// The longest run's name, bytes; as JSON at most twice that.
const LONGEST_RUN: usize = 100;
/// `"categories":,` in a request.
const CATEGORIES_KEY: usize = 14;
/// An id as text.
const ID: &str = "00000000000000000000000000000000";

impl Composer<'_> {
    /// The request that mails a group. `recipient` gives each row's id; the ids and the run come back with the events.
    pub fn request(
        &self,
        group: &Group,
        run: Option<&RunName>,
        request: RequestId,
        recipient: impl Fn(usize) -> RecipientId,
    ) -> MailSend {
        let mut mail = self.base(group.content, &group.categories);
        let request = request.to_string();
        for row in group.rows() {
            let mut own = BTreeMap::from([
                (RECIPIENT_ARG.to_owned(), recipient(*row).to_string()),
                (REQUEST_ARG.to_owned(), request.clone()),
            ]);
            own.extend(run.map(|run| (RUN_ARG.to_owned(), run.to_string())));
            // Every row was composed once when it was checked; what failed then never got here.
            mail.personalizations.extend(self.personalization(*row, own).ok());
        }
        mail
    }

    /// Holds a row to all limits; returns the most that it takes in a request, bytes.
    pub(super) fn check(&self, row: usize) -> Result<usize, ComposeError> {
        self.judge(row).map_err(|fault| ComposeError { row: Some(self.rows.number(row)), fault })
    }

    fn judge(&self, row: usize) -> Result<usize, ComposeFault> {
        let run = "\"".repeat(LONGEST_RUN);
        let own = [(RUN_ARG, run.as_str()), (RECIPIENT_ARG, ID), (REQUEST_ARG, ID)];
        let own = own.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        if let Some(args) = self.rows.custom_args(row) {
            limits::custom_arg_names(args)?;
        }
        let personalization = self.personalization(row, own)?;
        let size = json_size(&personalization.substitutions);
        if size > limits::SUBSTITUTIONS {
            return Err(ComposeFault::Substitutions { size });
        }
        let size = json_size(&personalization.custom_args) + json_size(&self.common.custom_args);
        if size >= limits::CUSTOM_ARGS {
            return Err(ComposeFault::CustomArgs { size });
        }
        let categories = self.categories(row);
        limits::categories(&categories)?;
        if let Some(content) = self.contents.get(self.content_index(row))
            && content.template() != Template::Dynamic
        {
            self.judge_subject(row, content)?;
        }
        // And a comma.
        let own = json_size(&personalization) + 1;
        let size = self.base_size(self.content_index(row), &categories) + own;
        if size >= limits::REQUEST { Err(ComposeFault::Size { size }) } else { Ok(own) }
    }

    fn judge_subject(&self, row: usize, content: &Compiled) -> Result<(), ComposeFault> {
        if let Some(own) = self.rows.subject(row) {
            return limits::subject(own);
        }
        match &content.subject {
            Some(parts) => limits::subject(&self.rendered(row, content, parts)?),
            // A legacy template has one.
            None if content.template() == Template::Legacy => Ok(()),
            None => Err(ComposeFault::NoSubject),
        }
    }

    /// A text as the recipient will read it.
    pub(super) fn rendered(&self, row: usize, content: &Compiled, parts: &[Part]) -> Result<String, ComposeFault> {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable(at) => out.push_str(&self.value(row, content, *at)?),
            }
        }
        Ok(out)
    }

    fn value(&self, row: usize, content: &Compiled, variable: usize) -> Result<String, ComposeFault> {
        let Some(variable) = content.variables.get(variable) else { return Ok(String::new()) };
        let value = self.rows.value(row, &variable.name)?;
        Ok(if variable.escaped { escape(&value) } else { value.into_owned() })
    }

    fn personalization(&self, row: usize, own: BTreeMap<String, String>) -> Result<Personalization, ComposeFault> {
        let mut custom_args = self.rows.custom_args(row).cloned().unwrap_or_default();
        custom_args.extend(own);
        let address = self.rows.address(row);
        let to = address.map(|address| EmailAddress { email: on_the_wire(address.expose()).into_owned(), name: None });
        let mut mail = Personalization { to: to.into_iter().collect(), custom_args, ..Personalization::default() };
        let Some(content) = self.contents.get(self.content_index(row)) else { return Ok(mail) };
        if content.template() == Template::Dynamic {
            mail.dynamic_template_data = self.rows.data(row);
            return Ok(mail);
        }
        mail.subject = self.rows.subject(row).map(str::to_owned);
        for at in 0..content.variables.len() {
            mail.substitutions.insert(self.nonce.tag(at), self.value(row, content, at)?);
        }
        if content.template() == Template::Legacy {
            for (name, text) in self.rows.texts(row)? {
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
        self.base_sizes.get(content).copied().unwrap_or_default() + CATEGORIES_KEY + json_size(&categories)
    }
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
fn json_size(value: &impl Serialize) -> usize {
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
