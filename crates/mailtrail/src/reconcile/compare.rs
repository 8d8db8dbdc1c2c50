//! Does the trail have what the logs' summary of a message says?

use std::collections::{HashMap, HashSet};

use sendgrid_events::MessageId;

use super::logs::Found;
use crate::protect::KeyRing;
use crate::settle::Status;
use crate::store::sqlite::{ReadError, Reader};

/// What the trail has of some messages: by whole message id and hash of the recipient.
pub(super) struct Known(HashMap<(String, String), HashSet<Status>>);

impl Known {
    pub(super) fn of(reader: &Reader, found: &[Found]) -> Result<Self, ReadError> {
        let ids: Vec<String> = found.iter().map(|message| message.sg_message_id.clone()).collect();
        let mut requests: Vec<String> =
            ids.iter().filter_map(|id| MessageId::from_sg_message_id(id)).map(|id| id.as_str().to_owned()).collect();
        requests.sort();
        requests.dedup();
        let mut known: HashMap<_, HashSet<Status>> = HashMap::new();
        for seen in reader.seen_of_messages(&requests, &ids)? {
            // What a reader does shows that mail was delivered, but is not the event itself.
            let status = match seen.event.as_str() {
                "open" | "click" | "spamreport" | "unsubscribe" | "group_unsubscribe" | "group_resubscribe" => continue,
                event => Status::of(event, seen.r#type.as_deref()),
            };
            known.entry((seen.sg_message_id, seen.email_hash)).or_default().insert(status);
        }
        Ok(Self(known))
    }

    /// Whether the events that its status cannot be without are there.
    pub(super) fn has_all_of(&self, message: &Found, keys: &KeyRing) -> bool {
        let has = |status: &Status| {
            keys.lookup_hashes(&message.to_email).into_iter().any(|hash| {
                let place = (message.sg_message_id.clone(), hash.to_string());
                self.0.get(&place).is_some_and(|seen| seen.contains(status))
            })
        };
        needed(&message.status).is_some_and(|needed| needed.iter().all(has))
    }
}

/// `None`: a status that is not known, so that nothing is known to be enough.
fn needed(status: &str) -> Option<&'static [Status]> {
    Some(match status {
        "processed" => &[Status::Processed],
        "deferred" => &[Status::Processed, Status::Deferred],
        "delivered" => &[Status::Processed, Status::Delivered],
        // What is dropped was not processed.
        "dropped" => &[Status::Dropped],
        "bounced" => &[Status::Processed, Status::Bounce],
        "blocked" => &[Status::Processed, Status::Blocked],
        _ => return None,
    })
}
