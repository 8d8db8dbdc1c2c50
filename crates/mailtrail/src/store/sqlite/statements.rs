//! The statements that an event needs, ready for a whole transaction: finding each of them again by its text would cost every
//! event as much as a row does.

use rusqlite::{CachedStatement, Connection};

pub(super) struct Statements<'c> {
    pub(super) add_event: CachedStatement<'c>,
    pub(super) add_to_list: CachedStatement<'c>,
    pub(super) find_message: CachedStatement<'c>,
    pub(super) add_message: CachedStatement<'c>,
    pub(super) find_address: CachedStatement<'c>,
    pub(super) add_address: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(sql: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            add_event: sql.prepare_cached(
                "INSERT INTO event (timestamp, event_key, fingerprint, event, message, proof_id, received_at,
                     sg_event_id, smtp_id, reason, response, status, type, bounce_classification, attempt, asm_group_id,
                     url, useragent, ip, sg_machine_open, tls, extra)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (timestamp, event_key) DO NOTHING",
            )?,
            add_to_list: sql.prepare_cached(
                "INSERT INTO event_category_list
                     (category_list_id, timestamp, event, event_id, address_id, message, test)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?,
            find_message: sql.prepare_cached(
                "SELECT id, address_id, category_list_id FROM message WHERE message_id IS ?1 AND message_key = ?2",
            )?,
            add_message: sql.prepare_cached(
                "INSERT INTO message (message_id, message_key, sg_message_id, address_id, category_list_id, run, recipient,
                     request, custom_args)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (message_id, message_key) DO NOTHING",
            )?,
            find_address: sql.prepare_cached("SELECT id FROM address WHERE email_hash = ?1")?,
            add_address: sql.prepare_cached(
                "INSERT INTO address (email_hash, email_domain, email, key_id) VALUES (?1, ?2, ?3, ?4)",
            )?,
        })
    }
}
