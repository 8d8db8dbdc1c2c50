//! Files of JSON objects: rows or events as SendGrid posts them, one a line, in arrays, or whole bodies a line.

use std::collections::VecDeque;
use std::io::Read;

use sendgrid_events::elements::{Elements, Piece};

use super::row::{self, Fault, Unknown};
use super::source::{Item, Source, SourceError};

/// Longer objects are not read: SendGrid's are a few kilobytes.
const LONGEST: usize = 8 * 1024 * 1024;
/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// Why an object as SendGrid posts it is sealed that does not even end.
const BROKEN: &str = "malformed";

/// What the objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Events as SendGrid posts them.
    Posted,
    /// Rows of a table.
    Rows,
}

pub(super) struct Objects<R> {
    input: R,
    form: Form,
    elements: Elements,
    ready: VecDeque<(Vec<u8>, bool)>,
    read: u64,
    ended: bool,
    unknown: Unknown,
}

impl<R: Read> Objects<R> {
    /// `sample`: how the input begins.
    pub(super) fn new(input: R, form: Form, sample: &[u8]) -> Self {
        let elements = Elements::new(Elements::are_lines(sample), LONGEST);
        Self { input, form, elements, ready: VecDeque::new(), read: 0, ended: false, unknown: Unknown::default() }
    }

    fn fill(&mut self) -> Result<(), SourceError> {
        let mut chunk = vec![0; CHUNK];
        let ready = &mut self.ready;
        let mut each = |piece: Piece<'_>| ready.push_back((piece.bytes.to_vec(), piece.whole));
        let length = self.input.read(&mut chunk)?;
        self.read += length as u64;
        if length == 0 {
            self.elements.finish(&mut each);
            self.ended = true;
        } else {
            self.elements.push(chunk.get(..length).unwrap_or_default(), &mut each);
        }
        Ok(())
    }
}

impl<R: Read> Source for Objects<R> {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            let Some((bytes, whole)) = self.ready.pop_front() else {
                if self.ended {
                    return Ok(None);
                }
                self.fill()?;
                continue;
            };
            return Ok(Some(match self.form {
                Form::Posted if whole => Item::Posted(bytes),
                Form::Posted => Item::Unread { bytes, why: BROKEN },
                Form::Rows if whole => match row::of_object(&bytes, &mut self.unknown) {
                    Ok(event) => Item::Row(Box::new(event)),
                    Err(fault) => Item::Unread { bytes, why: fault.as_str() },
                },
                Form::Rows => Item::Unread { bytes, why: Fault::Malformed.as_str() },
            }));
        }
    }

    fn read(&self) -> u64 {
        self.read
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }
}
