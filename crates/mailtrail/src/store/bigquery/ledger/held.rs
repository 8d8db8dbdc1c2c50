//! A run in BigQuery's ledger, for its only sender.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::run::RunLock;
use super::step::{Claimed, Step};
use super::{read, sql};
use crate::protect::EmailHash;
use crate::run::{RequestId, RunName};
use crate::store::bigquery::ask::Asker;
use crate::store::bigquery::ask::cell::Cells;
use crate::store::bigquery::deliver::Backoff;
use crate::store::bigquery::error::AppendError;
use crate::store::bigquery::meta;
use crate::store::bigquery::schema::SENDS;
use crate::store::bigquery::write::Appender;
use crate::store::keys::Identity;
use crate::store::ledger::{Claim, Claims, Ended, Known, LedgerError, Sent};

/// How often a step is written before its sender gives up.
const TRIES: usize = 6;

/// A run, ours to send.
pub(in crate::store::bigquery) struct HeldRun {
    asker: Arc<Asker>,
    appender: Appender,
    lock: RunLock,
    run: RunName,
    key_id: String,
    /// Nobody else writes, so what was read once and written since is all there is.
    known: HashMap<EmailHash, Known>,
    /// Requests that are not ended.
    open: HashMap<RequestId, Vec<Claimed>>,
}

impl HeldRun {
    pub(in crate::store::bigquery) fn take(
        asker: &Arc<Asker>,
        run: &RunName,
        keys: &Identity,
        take_over: bool,
        now: i64,
    ) -> Result<Self, LedgerError> {
        let dataset = &asker.dataset;
        asker.blocking.wait(dataset.verify_table(&SENDS, &meta::entries(keys)))?;
        know_keys(asker, keys)?;
        let appender = {
            let _runtime = asker.blocking.enter();
            Appender::start(&dataset.config, dataset.auth.clone(), &SENDS)?
        };
        let lock = RunLock::take(asker, run, take_over, now)?;
        let begun_at = lock.begun_at();
        let mut held = Self {
            asker: Arc::clone(asker),
            appender,
            lock,
            run: run.clone(),
            key_id: keys.key_id.clone(),
            known: HashMap::new(),
            open: HashMap::new(),
        };
        held.recover(begun_at, now)?;
        let rows = asker.ask_at_once(&sql::of_run(&dataset.names, run.as_str(), begun_at))?;
        for (one, _) in read::asked(&rows)? {
            held.known.insert(one.hash, Known { sent: one.sent, attempt: one.attempt, recipient: one.recipient });
        }
        Ok(held)
    }

    /// What an earlier sender left claimed was never sent; what it left under way may have been.
    fn recover(&mut self, begun_at: i64, now: i64) -> Result<(), LedgerError> {
        let rows = self.asker.ask_at_once(&sql::unfinished(&self.asker.dataset.names, self.run.as_str(), begun_at))?;
        let mut steps = Vec::new();
        for (sent, claimed) in read::claimed(&rows)? {
            let now_is = if sent == Sent::Claimed { Sent::Abandoned } else { Sent::Uncertain };
            steps.push(Step::new(now_is, Some("sender ended")).row(self.run.as_str(), &claimed, now)?);
        }
        for part in steps.chunks(AT_ONCE) {
            self.append(part.to_vec())?;
        }
        Ok(())
    }

    /// Writes a step of all recipients of a request; durable when this returns.
    fn step(&mut self, request: RequestId, step: Step<'_>, now: i64) -> Result<(), LedgerError> {
        self.steps(request, now, |_| step)
    }

    /// The same, where recipients of one request may come to different states.
    fn steps<'a>(
        &mut self,
        request: RequestId,
        now: i64,
        step: impl Fn(&Claimed) -> Step<'a>,
    ) -> Result<(), LedgerError> {
        let claimed = self.open.get(&request).map(Vec::as_slice).unwrap_or_default();
        let rows = claimed.iter().map(|one| step(one).row(self.run.as_str(), one, now)).collect::<Result<_, _>>()?;
        self.append(rows)?;
        for one in self.open.get(&request).map(Vec::as_slice).unwrap_or_default() {
            let known = Known { sent: step(one).state, attempt: one.attempt, recipient: one.recipient };
            self.known.insert(one.hash, known);
        }
        Ok(())
    }

    fn append(&self, rows: Vec<Bytes>) -> Result<(), LedgerError> {
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.asker.blocking.wait(append(&self.appender, rows))?)
    }
}

/// Rows of a request to BigQuery: below its limit whatever the categories are.
const AT_ONCE: usize = 1_000;

/// A row that is there twice says the same twice.
async fn append(appender: &Appender, rows: Vec<Bytes>) -> Result<(), AppendError> {
    let mut backoff = Backoff::default();
    for _ in 1..TRIES {
        match appender.append(rows.clone()).await {
            // A table that was made a moment ago may not be known everywhere yet.
            Err(AppendError::Passing(_) | AppendError::Refused { reason: "notFound", .. }) => backoff.wait().await,
            settled => return settled,
        }
    }
    appender.append(rows).await
}

/// All keys of earlier claims must be at hand.
fn know_keys(asker: &Asker, keys: &Identity) -> Result<(), LedgerError> {
    for row in &asker.ask_at_once(&sql::keys(&asker.dataset.names))?.rows {
        let known = Cells::new(row).needed()?;
        if known != keys.key_id && !keys.previous_key_ids.contains(&known) {
            return Err(LedgerError::UnknownKey(known));
        }
    }
    Ok(())
}

impl Claims for HeldRun {
    fn known(&self) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        Ok(self.known.clone())
    }

    fn claim(
        &mut self,
        request: RequestId,
        categories: &[String],
        send_at: Option<i64>,
        recipients: Vec<Claim>,
        now: i64,
    ) -> Result<(), LedgerError> {
        let mut claimed = Vec::with_capacity(recipients.len());
        for (hash, recipient, attempt) in recipients {
            if self.known.get(&hash).is_some_and(|known| known.attempt >= attempt) {
                return Err(LedgerError::Claimed(self.run.clone()));
            }
            let (key_id, category) = (self.key_id.clone(), categories.to_vec());
            claimed.push(Claimed { hash, key_id, recipient, request, attempt, category, send_at });
        }
        self.open.insert(request, claimed);
        self.step(request, Step::new(Sent::Claimed, None), now)
    }

    fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError> {
        self.step(request, Step::new(Sent::Sending, None), now)?;
        // In this order: whoever took the run over read that the request may be made, or we read that it is not ours to make.
        let ours = self.lock.prove();
        if ours.is_err() {
            // It is not made. Where that cannot be written, it counts as uncertain.
            let _doubt = self.step(request, Step::new(Sent::Abandoned, Some("run lost")), now);
        }
        ours
    }

    fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError> {
        let refused: HashMap<EmailHash, &str> = match ended {
            Ended::RefusedFor { recipients, .. } => {
                recipients.iter().map(|(hash, why)| (*hash, why.as_str())).collect()
            }
            _ => HashMap::new(),
        };
        self.steps(request, now, |one| {
            let step = Step::of(ended);
            refused.get(&one.hash).map_or(step, |why| Step { state: Sent::Refused, why: Some(why), ..step })
        })?;
        self.open.remove(&request);
        Ok(())
    }

    fn close(mut self: Box<Self>) -> Result<(), LedgerError> {
        Ok(self.lock.release()?)
    }
}
