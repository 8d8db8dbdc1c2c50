//! What became of the mail of every recipient of a category or run.

mod gather;
mod touched;

use rusqlite::OptionalExtension as _;
use rusqlite::types::Value;

use super::select::{Needs, Selection, Source, named};
use super::{ReadError, Reader};
use crate::settle::Seen;
use crate::store::query::{Mailed, RecipientOutcome, RecipientStatus, Scope};
use crate::store::sqlite::append::message_digest;
use crate::store::sqlite::meta;
use gather::{Gathered, texts_of};

/// How long after a message's first event a bounce without ids is still taken for its own, µs.
pub(super) const ASTRAY_WITHIN: i64 = 7 * 24 * 3600 * 1_000_000;

/// Events that are nobody's mail.
const NO_TEST: &str = "e.proof_id NOT IN (SELECT id FROM proof WHERE verified_by = 'test')";
/// Events that SendGrid itself vouches for.
const PROVEN: &str = "e.proof_id IN (SELECT id FROM proof WHERE verified_by NOT IN ('basic', 'import', 'test'))";
/// Events that came by `import`.
const IMPORTED: &str = "e.proof_id IN (SELECT id FROM proof WHERE verified_by = 'import')";
/// Events that nothing vouches for, since a public key was configured.
const UNPROVEN: &str = "(e.proof_id IN (SELECT id FROM proof WHERE verified_by IS NULL) AND e.received_at >= :keyed)";

impl Reader {
    /// The status of every recipient that has an event in the scope at that time, by hash. Events of tests do not count, nor
    /// do those that nothing vouches for since a public key was configured.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, ReadError> {
        let mailed = Mailed { scope: scope.clone(), since, until, unproven: false };
        let mut all: Vec<RecipientStatus> =
            self.outcomes(&mailed, None)?.into_iter().map(|outcome| outcome.status).collect();
        all.sort_unstable_by(|one, other| one.email_hash.cmp(&other.email_hash));
        Ok(all)
    }

    /// What became of every recipient that has an event of that mail, or of those among some addresses (column
    /// `address_id`): the same, for each of them. In the order of their numbers.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn outcomes(&self, mailed: &Mailed, only: Option<&[i64]>) -> Result<Vec<RecipientOutcome>, ReadError> {
        // All of it from one state of the trail. Each statement by itself would also lock and unlock the log, some of them once
        // a recipient.
        let _snapshot = self.sql.unchecked_transaction()?;
        let keyed = if mailed.unproven { None } else { self.keyed()? };
        let mut recipients = match only {
            Some(addresses) => self.by_addresses(mailed, keyed, addresses)?,
            None => {
                let selection = Selection::new(&mailed.filter(), None, self.knows_tests()?);
                match selection.source {
                    Source::Category if keyed.is_none() => self.by_side_table(&selection)?,
                    _ => self.by_events(selection, &mailed.scope, keyed)?,
                }
            }
        };
        self.add_without_run(&mut recipients, mailed, keyed, only)?;
        self.add_astray_bounces(&mut recipients, mailed, keyed, only)?;
        self.with_hashes(recipients)
    }

    /// How many events of that mail are left out because nothing vouches for them.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn unproven(&self, mailed: &Mailed) -> Result<u64, ReadError> {
        let Some(keyed) = self.keyed()? else { return Ok(0) };
        let mut selection = Selection::new(&mailed.filter(), None, self.knows_tests()?);
        let found = selection.source_and_conditions(Needs { event: true, ..Needs::default() });
        selection.parameters.push((":keyed", Value::Integer(keyed)));
        let mut statement = self.prepare(&format!("SELECT count(*) {found} AND {UNPROVEN}"))?;
        let count: i64 = statement.query_row(&named(&selection.parameters)[..], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// How many imported events of that mail do not say whom they are about.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn about_nobody(&self, mailed: &Mailed) -> Result<u64, ReadError> {
        let selection = Selection::new(&mailed.filter(), None, self.knows_tests()?);
        let found = selection.source_and_conditions(Needs { event: true, message: true, ..Needs::default() });
        let address = selection.address();
        let statement = format!("SELECT count(*) {found} AND {address} IS NULL AND {IMPORTED}");
        let count: i64 = self.prepare(&statement)?.query_row(&named(&selection.parameters)[..], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Since when an event needs to be vouched for, µs; `None` where that leaves nothing out.
    fn keyed(&self) -> Result<Option<i64>, ReadError> {
        let mut statement = self.prepare("SELECT EXISTS (SELECT 1 FROM proof WHERE ifnull(verified_by, '') = '')")?;
        if !statement.query_row((), |row| row.get::<_, bool>(0))? {
            return Ok(None);
        }
        Ok(meta::get(&self.sql, "first_public_key_at")?.and_then(|text| text.parse().ok()))
    }

    /// An event that names no run belongs to the one that other events of its message name.
    fn add_without_run(
        &self,
        recipients: &mut Gathered,
        mailed: &Mailed,
        keyed: Option<i64>,
        only: Option<&[i64]>,
    ) -> Result<(), ReadError> {
        let Scope::Run(run) = &mailed.scope else { return Ok(()) };
        let mut parameters = gather::times(mailed);
        let from = match only {
            Some(addresses) => {
                parameters.push((":addresses", gather::numbers(addresses)));
                "json_each(:addresses) AS c CROSS JOIN message AS m INDEXED BY message_address ON m.address_id = c.value"
            }
            None => {
                parameters.push((":run", Value::Text(run.clone())));
                "(SELECT DISTINCT message_id FROM message WHERE run = :run) AS c
                 CROSS JOIN message AS m INDEXED BY message_message_id ON m.message_id = c.message_id"
            }
        };
        let proof = gather::proof_condition(keyed, &mut parameters);
        let statement = format!(
            "SELECT m.address_id, m.message_id, e.event, e.type, e.timestamp, {}, {PROVEN}
             FROM {from} CROSS JOIN event AS e ON e.message = m.id
             WHERE m.run IS NULL AND m.message_id IS NOT NULL AND m.address_id IS NOT NULL
               AND e.timestamp >= :since AND e.timestamp < :until AND {NO_TEST} {proof}",
            texts_of("e")
        );
        let mut prepared = self.prepare(&statement)?;
        let mut rows = prepared.query(&named(&parameters)[..])?;
        while let Some(row) = rows.next()? {
            let seen = gather::seen(row)?;
            let its = recipients.get_mut(&row.get(0)?).filter(|one| seen.message.is_some_and(|id| one.fold.knows(id)));
            if let Some(one) = its {
                one.proven |= row.get::<_, bool>(8)?;
                one.add(&seen);
            }
        }
        Ok(())
    }

    /// Asynchronous bounces name neither message nor categories nor custom args. One belongs to the newest message that
    /// its recipient got within the seven days before it, and counts where that message does.
    fn add_astray_bounces(
        &self,
        recipients: &mut Gathered,
        mailed: &Mailed,
        keyed: Option<i64>,
        only: Option<&[i64]>,
    ) -> Result<(), ReadError> {
        let mut parameters = gather::times(mailed);
        let mut from = "message AS m";
        if let Some(addresses) = only {
            from = "json_each(:addresses) AS c CROSS JOIN message AS m INDEXED BY message_address ON m.address_id = c.value";
            parameters.push((":addresses", gather::numbers(addresses)));
        }
        let proof = gather::proof_condition(keyed, &mut parameters);
        let mut bounces = self.prepare(&format!(
            "SELECT m.address_id, e.event, e.type, e.timestamp, {}
             FROM {from} JOIN event AS e ON e.message = m.id
             WHERE m.message_id IS NULL AND m.run IS NULL AND m.address_id IS NOT NULL AND e.event = 'bounce'
               AND e.timestamp >= :since AND e.timestamp < :until AND {NO_TEST} {proof}",
            texts_of("e")
        ))?;
        let mut newest_message = self.prepare(
            "SELECT m.message_id FROM message AS m JOIN event AS e ON e.message = m.id
             WHERE m.address_id = ?1 AND m.message_id IS NOT NULL AND e.timestamp <= ?2
             GROUP BY m.message_id HAVING min(e.timestamp) >= ?3 ORDER BY min(e.timestamp) DESC LIMIT 1",
        )?;
        let mut rows = bounces.query(&named(&parameters)[..])?;
        while let Some(row) = rows.next()? {
            let (address, timestamp): (i64, i64) = (row.get(0)?, row.get(3)?);
            let Some(one) = recipients.get_mut(&address) else { continue };
            let message: Option<String> = newest_message
                .query_row((address, timestamp, timestamp - ASTRAY_WITHIN), |row| row.get(0))
                .optional()?;
            let Some(message) = message.map(|id| message_digest(&id)).filter(|id| one.fold.knows(*id)) else {
                continue;
            };
            let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
            one.add(&Seen {
                message: Some(message),
                event: row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?,
                r#type: text(2)?,
                timestamp,
                reason: text(4)?,
                classification: text(5)?,
                status_code: text(6)?,
            });
        }
        Ok(())
    }

    fn with_hashes(&self, recipients: Gathered) -> Result<Vec<RecipientOutcome>, ReadError> {
        let mut address = self.prepare("SELECT email_hash, email_domain FROM address WHERE id = ?1")?;
        let mut all = Vec::with_capacity(recipients.len());
        // In the order of the table, so that each of its pages is visited once.
        let mut recipients: Vec<_> = recipients.into_iter().collect();
        recipients.sort_unstable_by_key(|(address, _)| *address);
        for (id, one) in recipients {
            let Some(settled) = one.fold.settled() else { continue };
            let (email_hash, domain) = address.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            all.push(RecipientOutcome {
                address: id,
                domain,
                proven: one.proven,
                mailed: one.mailed,
                status: RecipientStatus::of(email_hash, settled),
            });
        }
        Ok(all)
    }
}
