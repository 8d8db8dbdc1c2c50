//! What stands around every page: title bar, language, colours, who is logged in.

use super::assets::{URLS, Urls};
use super::guard::Person;
use super::preferences::Preferences;
use super::texts::{Lang, Texts};
use super::visitor::Visitor;
use crate::config::Role;
use crate::show::visible;

/// Which page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Activity,
    Runs,
    Overview,
    LogIn,
}

/// The frame of a page.
pub(super) struct Frame {
    pub(super) t: &'static Texts,
    pub(super) lang: Lang,
    pub(super) languages: [Lang; 2],
    pub(super) theme: &'static str,
    pub(super) section: Section,
    /// The name of the clock that is shown.
    pub(super) zone: String,
    pub(super) urls: &'static Urls,
    /// Path and query, to come back to.
    pub(super) here: String,
    pub(super) who: Option<Who>,
}

/// Who is logged in.
pub(super) struct Who {
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) csrf: String,
    pub(super) is_operator: bool,
    pub(super) has_session: bool,
}

impl Frame {
    pub(super) fn new(visitor: &Visitor, section: Section) -> Self {
        let t = visitor.preferences.texts();
        Self {
            who: Some(Who::new(&visitor.person, t)),
            zone: visitor.zone.name(),
            ..Self::empty(visitor.preferences, section, &visitor.here)
        }
    }

    /// For who is not logged in.
    pub(super) fn empty(preferences: Preferences, section: Section, here: &str) -> Self {
        Self {
            t: preferences.texts(),
            lang: preferences.lang,
            languages: Lang::ALL,
            theme: preferences.theme,
            section,
            zone: String::new(),
            urls: &URLS,
            here: here.to_owned(),
            who: None,
        }
    }

    /// What forms carry.
    pub(super) fn csrf(&self) -> &str {
        self.who.as_ref().map_or("", |who| &who.csrf)
    }

    pub(super) fn is_operator(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.is_operator)
    }
}

impl Who {
    fn new(person: &Person, t: &Texts) -> Self {
        let is_operator = person.role == Role::Operator;
        Self {
            name: visible(&person.name).into_owned(),
            role: if is_operator { t.operator } else { t.viewer },
            csrf: person.csrf.clone(),
            is_operator,
            has_session: person.has_session,
        }
    }
}
