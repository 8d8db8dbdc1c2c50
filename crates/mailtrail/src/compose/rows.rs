//! Recipients of a list or of messages, asked alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::content::{Compiled, Template};
use super::fault::ComposeFault;
use crate::config::nearest;
use crate::list::{Address, List, Message};

/// Columns of a list that say something about the mail itself.
const SUBJECT: &str = "subject";
const CATEGORY: &str = "category";

pub(super) enum Rows<'l> {
    List(&'l List),
    Messages(&'l [Message]),
}

impl<'l> Rows<'l> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Messages(messages) => messages.len(),
        }
    }

    /// The row as people find it in their file.
    pub(super) fn number(&self, row: usize) -> u64 {
        match self {
            Self::List(list) => list.row(row).map_or(0, |row| row.number()),
            Self::Messages(messages) => messages.get(row).map_or(0, |message| message.row),
        }
    }

    pub(super) fn address(&self, row: usize) -> Option<Address> {
        match self {
            Self::List(list) => list.row(row).map(|row| row.address()),
            Self::Messages(messages) => messages.get(row).map(|message| message.address.clone()),
        }
    }

    /// The subject that overrides the content's; a message's is its content's.
    pub(super) fn subject(&self, row: usize) -> Option<&'l str> {
        self.cell(row, SUBJECT).filter(|cell| !cell.is_empty())
    }

    /// The categories that override those of the run.
    pub(super) fn categories(&self, row: usize) -> Option<Vec<&'l str>> {
        match self {
            Self::List(_) => self.cell(row, CATEGORY).filter(|cell| !cell.is_empty()).map(|cell| vec![cell]),
            Self::Messages(messages) => {
                let categories = messages.get(row)?.category.as_ref()?;
                Some(categories.iter().map(String::as_str).collect())
            }
        }
    }

    pub(super) fn custom_args(&self, row: usize) -> Option<&'l BTreeMap<String, String>> {
        match self {
            Self::List(_) => None,
            Self::Messages(messages) => messages.get(row).map(|message| &message.custom_args),
        }
    }

    /// Variables of the content for which the list has no column; messages are asked one by one.
    pub(super) fn unknown_variables(&self, compiled: &Compiled) -> Vec<ComposeFault> {
        let Self::List(list) = self else { return Vec::new() };
        let names: BTreeSet<&str> = compiled.variables.iter().map(|variable| variable.name.as_str()).collect();
        let unknown = names.into_iter().filter(|name| list.column(name).is_none());
        unknown.map(|name| missing(name, list.columns().iter().map(String::as_str))).collect()
    }

    /// Whether rows may bring a subject of their own.
    pub(super) fn has_subjects(&self) -> bool {
        match self {
            Self::List(list) => list.column(SUBJECT).is_some(),
            Self::Messages(_) => true,
        }
    }

    /// What a variable stands for.
    pub(super) fn value(&self, row: usize, name: &str) -> Result<Cow<'l, str>, ComposeFault> {
        match self {
            Self::List(list) => match self.cell(row, name) {
                Some(cell) => Ok(Cow::Borrowed(cell)),
                None => Err(missing(name, list.columns().iter().map(String::as_str))),
            },
            Self::Messages(messages) => {
                let Some(message) = messages.get(row) else { return Err(missing(name, std::iter::empty())) };
                match message.data.get(name) {
                    Some(value) => text_of(name, value),
                    None => Err(missing(name, message.data.keys().map(String::as_str))),
                }
            }
        }
    }

    /// Everything there is to know of a row, for a dynamic template.
    pub(super) fn data(&self, row: usize) -> Map<String, Value> {
        match self {
            Self::List(_) => {
                self.cells(row).map(|(name, cell)| (name.to_owned(), Value::String(cell.to_owned()))).collect()
            }
            Self::Messages(messages) => messages.get(row).map(|message| message.data.clone()).unwrap_or_default(),
        }
    }

    /// The same as texts, for a legacy template.
    pub(super) fn texts(&self, row: usize) -> Result<Vec<(&'l str, Cow<'l, str>)>, ComposeFault> {
        match self {
            Self::List(_) => Ok(self.cells(row).map(|(name, cell)| (name, Cow::Borrowed(cell))).collect()),
            Self::Messages(messages) => {
                let Some(message) = messages.get(row) else { return Ok(Vec::new()) };
                message.data.iter().map(|(name, value)| Ok((name.as_str(), text_of(name, value)?))).collect()
            }
        }
    }

    /// Calls `with` for each text of a row that goes into own content, until it returns true; whether it did.
    pub(super) fn any_text(&self, row: usize, compiled: &Compiled, with: impl Fn(&str) -> bool) -> bool {
        if compiled.template() == Template::Dynamic {
            return false;
        }
        self.subject(row).is_some_and(&with)
            || compiled.variables.iter().any(|variable| self.value(row, &variable.name).is_ok_and(|value| with(&value)))
    }

    fn cells(&self, row: usize) -> impl Iterator<Item = (&'l str, &'l str)> {
        let (columns, row) = match self {
            Self::List(list) => (list.columns(), list.row(row)),
            Self::Messages(_) => (&[][..], None),
        };
        let cells = row.into_iter().flat_map(|row| row.cells());
        columns.iter().map(String::as_str).zip(cells).filter(|(name, _)| !name.is_empty())
    }

    fn cell(&self, row: usize, name: &str) -> Option<&'l str> {
        let Self::List(list) = self else { return None };
        let column = list.column(name)?;
        list.row(row).map(|row| row.cell(column))
    }
}

fn missing<'c>(name: &str, columns: impl Iterator<Item = &'c str>) -> ComposeFault {
    let nearest = nearest(name, columns).map(str::to_owned);
    ComposeFault::UnknownVariable { name: name.to_owned(), nearest }
}

fn text_of<'v>(name: &str, value: &'v Value) -> Result<Cow<'v, str>, ComposeFault> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Null => Ok(Cow::Borrowed("")),
        Value::Bool(_) | Value::Number(_) => Ok(Cow::Owned(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err(ComposeFault::Compound { name: name.to_owned() }),
    }
}
