//! Where an event stands, as a URL names it: by its number in the trail, or by time and key where the store numbers nothing.

use crate::store::query::{EventRecord, Place};

/// Hexadecimal digits of an event's key.
const KEY_DIGITS: usize = 32;

/// One event's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spot {
    /// Its time is wanted where the order is by time.
    Id {
        time: i64,
        id: i64,
    },
    Key(Place),
}

impl Spot {
    pub(super) fn of(event: &EventRecord) -> Self {
        match event.id {
            1.. => Self::Id { time: event.timestamp, id: event.id },
            _ => Self::Key(event.place()),
        }
    }

    /// The event alone: `4711`, or time and key.
    pub(super) fn short(&self) -> String {
        match self {
            Self::Id { id, .. } => id.to_string(),
            Self::Key(_) => self.long(),
        }
    }

    /// With its time.
    pub(super) fn long(&self) -> String {
        match self {
            Self::Id { time, id } => format!("{time}.{id}"),
            Self::Key(place) => format!("{}.{}", place.timestamp, place.event_key),
        }
    }

    /// The reverse of [`long`](Self::long).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (time, rest) = text.split_once('.')?;
        let time = time.parse().ok()?;
        let is_key = rest.len() == KEY_DIGITS && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        Some(match is_key {
            true => Self::Key(Place { timestamp: time, event_key: rest.to_owned() }),
            false => Self::Id { time, id: rest.parse().ok()? },
        })
    }

    /// The reverse of [`short`](Self::short).
    pub(super) fn parse_short(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(id) => Some(Self::Id { time: 0, id }),
            // A number with a time is no short form: the time would be lost on the way back to a URL.
            Err(_) => Self::parse(text).filter(|spot| matches!(spot, Self::Key(_))),
        }
    }
}
