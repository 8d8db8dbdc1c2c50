//! Questions as they travel: the bodies of the API's requests. docs/openapi.yaml describes them; addresses stand in bodies alone,
//! never in a URL, and no type that holds one can be printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Below it stand the API's paths.
pub const ROOT: &str = "/api/v1";

/// The header that says beside the rows what the answer is about: [`About`] as JSON.
pub const ABOUT: &str = "mailtrail-answer";

/// Addresses in one question for their hashes.
pub const MOST_HASHED: usize = 10_000;

/// Which events. Values of one field are alternatives.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the option of its name")]
pub struct Which {
    /// Addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email_hash: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub message: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `2h`, `2026-11-24`, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whose days dates mean, and whose days and hours are counted, as `Asia/Tokyo`; without it UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub any: bool,
}

/// Beside [`Which`]: how many events.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HowMany {
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Beside [`Which`]: what is counted.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counting {
    /// Dimensions; `event` where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Vec<String>>,
    /// `recipients`, or nothing for events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    /// Whether events of test keys and samples count.
    pub include_tests: bool,
}

/// Beside [`Which`]: nothing.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// Whose timeline: exactly one of the three.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeline {
    /// An address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Hashes of one recipient, under all keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<Vec<String>>,
    /// A message id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// At most so many; of more, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Which mail: a run or a category, and who was to get it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// A run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// A category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// From this event time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before this event time (`latest` alone).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whose days dates mean, as `Asia/Tokyo`; without it UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The list, as addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Vec<String>>,
    /// The list, as hashes: each recipient's under all keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_hash: Option<Vec<Vec<String>>>,
    /// Those as well who are not settled (`unreached` alone).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub include_pending: bool,
    /// `en` or `ja`, of reasons (`unreached` alone); nothing: English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Addresses to be hashed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addresses {
    /// At most [`MOST_HASHED`].
    pub email: Vec<String>,
}

/// What an answer says beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Without `since` only events from this time on were looked through, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<String>,
    /// What was looked through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scanned: Option<LookedThrough>,
    /// What is received but not in the trail yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Waiting>,
    /// How many events repeat another one under a new id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// How many rows there are, of which only some were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many recipients the mail has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipients: Option<u64>,
    /// How many of them are not settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
    /// How many recipients of the list are none of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<u64>,
    /// Imported events of the mail that do not say whom they are about: whoever seems not to have got it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nobody: Option<u64>,
    /// Events that imports left out, since nobody knows whom they are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// Recipients of the question about who was mailed who were not, by status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_mailed: Option<BTreeMap<String, u64>>,
    /// When the last event came in, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_up_to: Option<String>,
}

/// As `store::query::Scanned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedThrough {
    /// How many bytes.
    pub bytes: Option<u64>,
    /// From which event time on, RFC 3339; nothing: the whole trail.
    pub since: Option<String>,
    /// Why.
    pub why: String,
}

/// What is received but not in the trail yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Batches.
    pub batches: i64,
    /// Events in them.
    pub events: i64,
}

/// Why there is no answer: `application/problem+json` (RFC 9457), with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:mailtrail:problem:…`
    pub r#type: String,
    /// What is wrong.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Why.
    pub detail: String,
    /// What to do.
    pub advice: String,
}
