//! The content as people write it, and its variables found.

use super::fault::ComposeFault;
use super::limits;
use crate::list::Message;

/// What is sent: own content, or a template of SendGrid's. `{{name}}` in subject, HTML and text stands for a column, escaped
/// in HTML; `{{{name}}}` is never escaped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Subject.
    pub subject: Option<String>,
    /// HTML part.
    pub html: Option<String>,
    /// Plain text part.
    pub text: Option<String>,
    /// Id of a template: `d-…` gets all columns as its data; a legacy one gets each as a substitution, `-name-` or, where the
    /// column's name has signs around it already, the name itself.
    pub template_id: Option<String>,
}

impl Content {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            subject: message.subject.clone(),
            html: message.html.clone(),
            text: message.text.clone(),
            template_id: message.template_id.clone(),
        }
    }
}

/// A variable in one of its two forms.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) escaped: bool,
}

#[derive(Clone)]
pub(super) enum Part {
    Literal(String),
    /// Index into [`Compiled::variables`].
    Variable(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    None,
    Dynamic,
    Legacy,
}

/// Content with its variables found.
pub(super) struct Compiled {
    pub(super) subject: Option<Vec<Part>>,
    pub(super) html: Option<Vec<Part>>,
    pub(super) text: Option<Vec<Part>>,
    pub(super) template_id: Option<String>,
    pub(super) variables: Vec<Variable>,
}

impl Compiled {
    pub(super) fn new(content: &Content) -> Result<Self, ComposeFault> {
        let mut compiled = Self {
            subject: None,
            html: None,
            text: None,
            template_id: content.template_id.clone(),
            variables: Vec::new(),
        };
        compiled.subject = compiled.parts("subject", content.subject.as_deref(), false)?;
        compiled.html = compiled.parts("html", content.html.as_deref(), true)?;
        compiled.text = compiled.parts("text", content.text.as_deref(), false)?;
        let has_body = compiled.html.is_some() || compiled.text.is_some();
        match (compiled.template(), has_body) {
            (Template::None, false) => Err(ComposeFault::NoContent),
            (Template::Dynamic | Template::Legacy, true) => Err(ComposeFault::TwoContents),
            (Template::Dynamic, false) if compiled.subject.is_some() => Err(ComposeFault::SubjectOfTemplate),
            _ if compiled.template_id.as_deref() == Some("") => Err(ComposeFault::Empty("template_id")),
            _ => Ok(compiled),
        }
    }

    pub(super) fn template(&self) -> Template {
        match &self.template_id {
            None => Template::None,
            Some(id) if id.starts_with("d-") => Template::Dynamic,
            Some(_) => Template::Legacy,
        }
    }

    /// Checks what the subject has in common for all rows; `has_subjects`: whether rows bring their own.
    pub(super) fn shared_subject(&self, has_subjects: bool) -> Result<(), ComposeFault> {
        if self.template() == Template::Dynamic {
            return Ok(());
        }
        match &self.subject {
            Some(parts) => parts.iter().try_for_each(|part| match part {
                Part::Literal(text) => limits::subject_line(text),
                Part::Variable(_) => Ok(()),
            }),
            None if has_subjects || self.template() == Template::Legacy => Ok(()),
            None => Err(ComposeFault::NoSubject),
        }
    }

    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        let parts = [&self.subject, &self.html, &self.text].into_iter().flatten().flatten();
        parts.filter_map(|part| if let Part::Literal(text) = part { Some(text.as_str()) } else { None })
    }

    fn parts(
        &mut self,
        field: &'static str,
        text: Option<&str>,
        html: bool,
    ) -> Result<Option<Vec<Part>>, ComposeFault> {
        let Some(mut rest) = text else { return Ok(None) };
        if rest.is_empty() {
            return Err(ComposeFault::Empty(field));
        }
        let whole = rest;
        let mut parts = Vec::new();
        while let Some((before, inside)) = rest.split_once("{{") {
            let line = whole[..whole.len() - inside.len()].lines().count();
            let broken = || ComposeFault::Braces { field, line };
            let (raw, inside) = inside.strip_prefix('{').map_or((false, inside), |inside| (true, inside));
            let (name, after) = inside.split_once(if raw { "}}}" } else { "}}" }).ok_or_else(broken)?;
            let name = name.trim();
            if name.is_empty() || name.contains(['{', '}', '\n', '\r']) {
                return Err(broken());
            }
            let variable = Variable { name: name.to_owned(), escaped: html && !raw };
            let at = self.variables.iter().position(|known| *known == variable).unwrap_or_else(|| {
                self.variables.push(variable);
                self.variables.len() - 1
            });
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Variable(at));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Some(parts))
    }
}

/// As HTML text or an attribute's value in quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
