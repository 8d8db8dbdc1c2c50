//! Which tables there are.

use super::Kind::{Bool, Bytes, Integer, Json, String as Text, Timestamp};
use super::{Column, Kind, Mode, Purpose, Table};

const fn column(name: &'static str, kind: Kind, description: &'static str) -> Column {
    Column { name, kind, mode: Mode::Nullable, description }
}

const fn required(name: &'static str, kind: Kind, description: &'static str) -> Column {
    Column { name, kind, mode: Mode::Required, description }
}

const fn list(name: &'static str, kind: Kind, description: &'static str) -> Column {
    Column { name, kind, mode: Mode::Repeated, description }
}

/// All tables, in the order they are made.
pub(crate) const TABLES: [&Table; 8] = [&EVENTS, &SENDS, &RUNS, &TOLD, &QUARANTINE, &META, &LOCKS, &PLACES];

/// Every event. The columns stand in the order of `store::query::EventRecord`; new ones go to the end, since a column's place
/// is its field's number in the rows' protobuf.
pub(crate) static EVENTS: Table = Table {
    purpose: Purpose::Event,
    default_name: "sendgrid_event",
    description: "Every event that SendGrid told, without addresses. Delivered at least once: see the view with _unique behind its name.",
    columns: &[
        column("sg_event_id", Text, "SendGrid's id of the event; null where absent"),
        required("event", Text, "Type of the event, lower case: processed, delivered, bounce, open, ..."),
        required("timestamp", Timestamp, "When it happened, by SendGrid's clock"),
        column(
            "email_hash",
            Text,
            "Stands for the recipient: hex of a keyed hash of the address; null where there is none",
        ),
        column("email_domain", Text, "Domain of the recipient's address, lower case"),
        column("email", Text, "The plain address; null unless keep_address is configured"),
        column("sg_message_id", Text, "SendGrid's id of the message, with its suffixes"),
        column("message_id", Text, "The part of sg_message_id before the first dot: X-Message-Id of the send"),
        column("smtp_id", Text, "Message-ID header of the mail"),
        list("category", Text, "Categories of the mail"),
        column("reason", Text, "Why it did not arrive, addresses taken out"),
        column("response", Text, "What the receiving server answered, addresses taken out"),
        column("status", Text, "Status code of the receiving server, such as 5.1.1"),
        column("type", Text, "Kind of bounce: bounce or blocked"),
        column("bounce_classification", Text, "SendGrid's classification of the bounce"),
        column("attempt", Integer, "Number of the attempt at delivery"),
        column("asm_group_id", Integer, "Unsubscribe group"),
        column("url", Text, "Clicked link, protected as configured"),
        column("useragent", Text, "Reader's user agent"),
        column("ip", Text, "IP address, cut as configured"),
        column("sg_machine_open", Bool, "Whether a machine opened the mail"),
        column("tls", Bool, "Whether the mail was delivered over TLS"),
        column("run", Text, "Custom arg mailtrail_run: name of the bulk send"),
        column("recipient", Text, "Custom arg mailtrail_recipient: id of one mail to one recipient"),
        column("request", Text, "Custom arg mailtrail_request: id of the request to SendGrid"),
        column("custom_args", Json, "The sender's own keys, a JSON object"),
        column("extra", Json, "SendGrid's other keys and values that fit no column, a JSON object"),
        required("received_at", Timestamp, "When mailtrail received it, by mailtrail's clock"),
        column("verified_by", Text, "What vouched for it: id of a public key, basic, import, api, test; null: nothing"),
        column("key_id", Text, "Which key made email_hash"),
        required("event_key", Text, "Tells events apart: repetitions of one event have the same; hex"),
        required("fingerprint", Text, "Of the event without its id: the same for repeats under a new id; hex"),
    ],
    partition: Some("timestamp"),
    cluster: &["email_hash", "event"],
};

/// The ledger: what was asked of SendGrid, append only.
pub(crate) static SENDS: Table = Table {
    purpose: Purpose::Send,
    default_name: "sendgrid_send",
    description: "The ledger: what mailtrail asked SendGrid to send, one row a change of state.",
    columns: &[
        required("id", Text, "Id of the row"),
        required("run", Text, "Name of the bulk send"),
        required("email_hash", Text, "Stands for the recipient"),
        required("key_id", Text, "Which key made email_hash"),
        column("recipient", Text, "Id that rides along with the mail"),
        column("request", Text, "Id of the request to SendGrid"),
        required("attempt", Integer, "Number of the attempt"),
        required("state", Text, "claimed, sending, accepted, refused, uncertain or abandoned"),
        column("message_id", Text, "SendGrid's X-Message-Id"),
        list("category", Text, "Categories of the mail"),
        required("at", Timestamp, "When"),
        column("code", Integer, "HTTP status of SendGrid's answer"),
        column("send_at", Timestamp, "When the mail is to be delivered, not before"),
        column("why", Text, "Why SendGrid refused it, or what happened where SendGrid gave no answer"),
    ],
    partition: Some("at"),
    cluster: &["run", "email_hash"],
};

/// The runs. Who sends one holds the lock `run:NAME`.
pub(crate) static RUNS: Table = Table {
    purpose: Purpose::Run,
    default_name: "mailtrail_run",
    description: "The bulk sends, and when they were begun.",
    columns: &[
        required("name", Text, "Name of the bulk send"),
        column("begun_at", Timestamp, "When it was first sent; null where it went to the sandbox alone"),
        column("sandbox_at", Timestamp, "When it was last validated by SendGrid's sandbox"),
    ],
    partition: None,
    cluster: &[],
};

/// Whom people were told of.
pub(crate) static TOLD: Table = Table {
    purpose: Purpose::Told,
    default_name: "mailtrail_told",
    description: "Which ends of bulk sends people were told of, so that each is told once.",
    columns: &[
        required("run", Text, "Name of the bulk send; a category behind an at sign"),
        required("outcome", Text, "Which end"),
        required("at", Timestamp, "How far the send had come: its last acceptance, or its newest mail"),
    ],
    partition: None,
    cluster: &[],
};

/// What could not be read or stored.
pub(crate) static QUARANTINE: Table = Table {
    purpose: Purpose::Quarantine,
    default_name: "sendgrid_quarantine",
    description: "Authentic input that could not be read (sealed), and rows that BigQuery refused (without addresses).",
    columns: &[
        required("item_key", Text, "Tells entries apart; hex"),
        required("why", Text, "Why it is here"),
        required("received_at", Timestamp, "When mailtrail received it"),
        column("verified_by", Text, "What vouched for it"),
        column("seal_key_id", Text, "Which key sealed it"),
        column("sealed", Bytes, "The input, encrypted; null for rows that BigQuery refused"),
        column("row", Text, "The event that BigQuery refused, as a JSON object; null for sealed input"),
    ],
    partition: Some("received_at"),
    cluster: &[],
};

/// What mailtrail knows of this dataset. Written by `bigquery init` alone.
pub(crate) static META: Table = Table {
    purpose: Purpose::Meta,
    default_name: "mailtrail_meta",
    description: "What mailtrail knows of this dataset: format and check values of its keys.",
    columns: &[required("name", Text, "Of the entry"), column("value", Text, "Of the entry")],
    partition: None,
    cluster: &[],
};

/// Locks among processes; see `lock`.
pub(crate) static LOCKS: Table = Table {
    purpose: Purpose::Lock,
    default_name: "mailtrail_lock",
    description: "Who does what only one process at a time may do.",
    columns: &[
        required("name", Text, "Of the lock"),
        column("owner", Text, "Who holds it; null: nobody"),
        required("fence", Integer, "How often it was taken"),
        column("since", Timestamp, "Since when it is held"),
    ],
    partition: None,
    cluster: &[],
};

/// How far followers have come; see `following`.
pub(crate) static PLACES: Table = Table {
    purpose: Purpose::Place,
    default_name: "mailtrail_place",
    description: "How far the process that follows events has told of them.",
    columns: &[
        required("name", Text, "Of who follows"),
        column("state", Text, "Up to which receipt each alert rule was told of, and keys of events read lately; JSON"),
        required("fence", Integer, "Of the lock under which it is saved: an older holder saves nothing more"),
        column("saved_at", Timestamp, "When it was saved"),
    ],
    partition: None,
    cluster: &[],
};
