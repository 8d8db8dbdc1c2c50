//! One POST's body → its items, each an [`Event`] or a [`Rejected`] part with its exact bytes. Every element of the
//! body is one item, so counts always add up; nothing here fails as a whole but by handing the whole body back.

use std::fmt;

use crate::event::{Event, NotAnEvent};
use crate::reader::Reader;
use crate::split::{self, Element, MAX_DEPTH, Unsplittable};
use crate::value::{Object, Value};

/// The items of one body, in the order sent.
#[derive(Debug)]
pub struct Batch<'a> {
    /// One per element of the body; a body that could not be cut into elements is one rejected item.
    pub items: Vec<Item<'a>>,
}

/// One element of a body.
#[derive(Debug)]
// An event is the rule and a rejected part the exception: boxing the event would cost each of them an allocation.
#[expect(clippy::large_enum_variant, reason = "events are the common case")]
pub enum Item<'a> {
    /// A decoded event.
    Event(Event<'a>),
    /// Bytes that are no event, for the caller to keep.
    Rejected(Rejected<'a>),
}

/// Bytes that could not be read as an event.
#[derive(Clone, Copy)]
pub struct Rejected<'a> {
    /// The element as sent (or the whole body, where it could not be cut).
    pub bytes: &'a [u8],
    /// Why.
    pub why: Reject,
}

impl fmt::Debug for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rejected({} bytes, {:?})", self.bytes.len(), self.why)
    }
}

/// Why an element, or a whole body, is no event. Carries no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reject {
    /// The body is not a JSON array or object, or its brackets and quotes do not pair up.
    NotJson,
    /// The body has more than 20,000 elements.
    TooManyElements,
    /// The element nests deeper than 64.
    TooDeep,
    /// The element is not valid UTF-8.
    NotUtf8,
    /// The element is not valid JSON.
    Malformed,
    /// The element is valid JSON, but not an object.
    NotAnObject,
    /// The object has no string `event`.
    NoEventName,
    /// The object has no usable `timestamp` (see [`crate::Timestamp`]).
    NoTimestamp,
}

impl Reject {
    /// A stable name for storing, logs and metrics: `not_json`, `too_deep`, …
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reject::NotJson => "not_json",
            Reject::TooManyElements => "too_many_elements",
            Reject::TooDeep => "too_deep",
            Reject::NotUtf8 => "not_utf8",
            Reject::Malformed => "malformed",
            Reject::NotAnObject => "not_an_object",
            Reject::NoEventName => "no_event_name",
            Reject::NoTimestamp => "no_timestamp",
        }
    }
}

impl<'a> Batch<'a> {
    /// Reads a body: an array of events, one bare object, or `[]`; with or without byte order mark, CRLF or LF.
    ///
    /// Never fails and never panics: what cannot be read is handed back as [`Item::Rejected`].
    #[must_use]
    pub fn parse(body: &'a [u8]) -> Self {
        Self { items: Items::of(body).collect() }
    }
}

/// The items of one body, in the order sent, each decoded when it is asked for: of a large body few are in memory at once.
pub struct Items<'a> {
    body: &'a [u8],
    /// The body, where all of it is UTF-8.
    text: Option<&'a str>,
    elements: std::vec::IntoIter<Element>,
    /// A body that could not be cut into elements.
    whole: Option<Rejected<'a>>,
}

impl<'a> Items<'a> {
    /// Cuts a body as [`Batch::parse`] does.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        let (elements, whole) = match split::split(body) {
            Ok(elements) => (elements, None),
            Err(Unsplittable::Structure) => (Vec::new(), Some(Rejected { bytes: body, why: Reject::NotJson })),
            Err(Unsplittable::TooMany) => (Vec::new(), Some(Rejected { bytes: body, why: Reject::TooManyElements })),
        };
        Self { body, text: std::str::from_utf8(body).ok(), elements: elements.into_iter(), whole }
    }

    fn item(&self, element: Element) -> Item<'a> {
        let bytes = self.body.get(element.range.clone()).unwrap_or_default();
        let text = match self.text {
            Some(text) => text.get(element.range).ok_or(Reject::NotUtf8),
            None => std::str::from_utf8(bytes).map_err(|_| Reject::NotUtf8),
        };
        let event = parse_object(text, element.depth).and_then(|object| {
            Event::from_object(object).map_err(|why| match why {
                NotAnEvent::NoEventName => Reject::NoEventName,
                NotAnEvent::NoTimestamp => Reject::NoTimestamp,
            })
        });
        match event {
            Ok(event) => Item::Event(event),
            Err(why) => Item::Rejected(Rejected { bytes, why }),
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        match self.elements.next() {
            Some(element) => Some(self.item(element)),
            None => self.whole.take().map(Item::Rejected),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.elements.len() + usize::from(self.whole.is_some());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Items<'_> {}

impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Items({} left)", self.len())
    }
}

/// Too deep comes before anything else: nothing recurses before that is known.
fn parse_object(text: Result<&str, Reject>, depth: u32) -> Result<Object<'_>, Reject> {
    if depth > MAX_DEPTH {
        return Err(Reject::TooDeep);
    }
    let text = text?;
    if !text.starts_with('{') {
        return Err(if Value::parse(text).is_ok() { Reject::NotAnObject } else { Reject::Malformed });
    }
    Reader::new(text).whole_object().map_err(|_| Reject::Malformed)
}

/// Reads one object as such, with the bounds that events have: for rows that are not in SendGrid's form.
///
/// # Errors
/// When it is no object, or one that nests too deep.
pub fn object(bytes: &[u8]) -> Result<Object<'_>, Reject> {
    match split::split(bytes) {
        Ok(elements) if bytes.first() == Some(&b'{') => {
            let element = elements.first().ok_or(Reject::NotJson)?;
            let bytes = bytes.get(element.range.clone()).unwrap_or_default();
            parse_object(std::str::from_utf8(bytes).map_err(|_| Reject::NotUtf8), element.depth)
        }
        Ok(_) => Err(Reject::NotAnObject),
        Err(_) => Err(Reject::NotJson),
    }
}
