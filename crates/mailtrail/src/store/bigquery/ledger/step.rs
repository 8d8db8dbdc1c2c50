//! One step of one recipient: a row of `sendgrid_send`.

use bytes::Bytes;

use crate::protect::EmailHash;
use crate::run::{NoRandomness, RecipientId, RequestId};
use crate::store::bigquery::row::{self, Value};
use crate::store::ledger::{Ended, OF_OTHERS, Sent};

/// A recipient, set aside for a request.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) hash: EmailHash,
    pub(super) key_id: String,
    pub(super) recipient: RecipientId,
    pub(super) request: RequestId,
    pub(super) attempt: u32,
    pub(super) category: Vec<String>,
    /// µs.
    pub(super) send_at: Option<i64>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) state: Sent,
    pub(super) message_id: Option<&'a str>,
    /// HTTP status.
    pub(super) code: Option<u16>,
    /// SendGrid's reason, or what happened instead of an answer.
    pub(super) why: Option<&'a str>,
}

impl<'a> Step<'a> {
    pub(super) fn new(state: Sent, why: Option<&'a str>) -> Self {
        Self { state, message_id: None, code: None, why }
    }

    pub(super) fn of(ended: Ended<'a>) -> Self {
        match ended {
            Ended::Accepted(message_id) => Self { message_id, ..Self::new(Sent::Accepted, None) },
            Ended::Refused { status, why } => Self { code: Some(status), ..Self::new(Sent::Refused, Some(why)) },
            Ended::RefusedFor { status, .. } => {
                Self { code: Some(status), ..Self::new(Sent::Abandoned, Some(OF_OTHERS)) }
            }
            Ended::Uncertain(why) => Self::new(Sent::Uncertain, Some(why)),
            Ended::Abandoned(why) => Self::new(Sent::Abandoned, Some(why)),
        }
    }

    /// The row: values in the order of `schema::SENDS`.
    pub(super) fn row(&self, run: &str, claimed: &Claimed, now: i64) -> Result<Bytes, NoRandomness> {
        let id = RequestId::random()?.to_string();
        let (hash, recipient) = (claimed.hash.to_string(), claimed.recipient.to_string());
        let request = claimed.request.to_string();
        Ok(row::encode(&[
            Value::Text(&id),
            Value::Text(run),
            Value::Text(&hash),
            Value::Text(&claimed.key_id),
            Value::Text(&recipient),
            Value::Text(&request),
            Value::Integer(i64::from(claimed.attempt)),
            Value::Text(self.state.as_str()),
            Value::text(self.message_id),
            Value::List(&claimed.category),
            Value::Integer(now),
            Value::integer(self.code.map(i64::from)),
            Value::integer(claimed.send_at),
            Value::text(self.why),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::schema::SENDS;
    use crate::store::bigquery::testing;

    #[test]
    fn a_step_s_values_stand_under_their_columns() {
        let claimed = Claimed {
            hash: EmailHash::from_bytes([7; 32]),
            key_id: "key".to_owned(),
            recipient: RecipientId::random().unwrap(),
            request: RequestId::random().unwrap(),
            attempt: 3,
            category: vec!["news".to_owned(), "日本".to_owned()],
            send_at: Some(11),
        };
        let step = Step { message_id: Some("abc"), ..Step::of(Ended::Refused { status: 413, why: "too large" }) };
        let row = step.row("november", &claimed, 12).unwrap();
        let read = testing::decode(&row::descriptor(&SENDS), &row);
        assert_eq!(read.len(), SENDS.columns.len());
        for (column, expected) in [
            ("run", "november"),
            ("email_hash", &"07".repeat(32)),
            ("key_id", "key"),
            ("recipient", &claimed.recipient.to_string()),
            ("request", &claimed.request.to_string()),
            ("attempt", "3"),
            ("state", "refused"),
            ("message_id", "abc"),
            ("at", "12"),
            ("code", "413"),
            ("send_at", "11"),
            ("why", "too large"),
        ] {
            assert_eq!(read[column], [expected], "{column}");
        }
        assert_eq!(read["category"], ["news", "日本"]);
    }
}
