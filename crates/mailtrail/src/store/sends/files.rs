//! Sends of a store on this machine: trail, spool, ledger and places, each a file.

use std::sync::Arc;
use std::time::Duration;

use super::backlog::{self, Backlog};
use super::{Pace, Sends, SendsError, Told};
use crate::run::RunName;
use crate::store::keys::{Identity, Keys};
use crate::store::ledger::{Claims, Ledger, LedgerError, LedgerReader, RunLedger, note_hash_key, note_sandbox};
use crate::store::lock;
use crate::store::outcomes::Outcomes;
use crate::store::questions::AskError;
use crate::store::sqlite::{ReadError, Reader};
use crate::store::{Paths, Places, restored};

/// A look costs a lookup in an index.
const LOOK: Duration = Duration::from_millis(250);

impl Sends for Paths {
    fn share(&self) -> Arc<dyn Sends> {
        Arc::new(self.clone())
    }

    /// Nobody has to take a run over here: the system lets go of the lock of a process that has ended.
    fn take(&self, run: &RunName, keys: &Identity, _: bool, now: i64) -> Result<Box<dyn Claims>, LedgerError> {
        if let Some(restored) = restored::look(self)? {
            return Err(restored.into());
        }
        Ok(Box::new(RunLedger::open(self, run, keys, now)?))
    }

    fn note_sandbox(&self, run: &RunName, now: i64) -> Result<(), LedgerError> {
        note_sandbox(self, run, now)
    }

    fn note_hash_key(&self, key_id: &str) -> Result<(), SendsError> {
        Ok(note_hash_key(self, key_id)?)
    }

    fn ledger(&self) -> Result<Option<Box<dyn Ledger>>, SendsError> {
        Ok(LedgerReader::open(self)?.map(|reader| Box::new(reader) as Box<dyn Ledger>))
    }

    fn events(&self) -> Result<Option<Box<dyn Outcomes>>, SendsError> {
        match Reader::open(self) {
            Ok(reader) => Ok(Some(Box::new(reader))),
            Err(ReadError::Missing { .. }) => Ok(None),
            Err(error) => Err(AskError::from(error).into()),
        }
    }

    fn sender(&self, run: &RunName) -> Result<Option<String>, SendsError> {
        let path = self.run_lock(run);
        if !lock::is_held(&path)? {
            return Ok(None);
        }
        Ok(Some(lock::holder_of(&path).map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))))
    }

    fn backlog(&self) -> Result<Backlog, SendsError> {
        Backlog::now(self)
    }

    fn is_past(&self, backlog: &mut Backlog) -> Result<bool, SendsError> {
        backlog.is_past(self)
    }

    fn behind(&self) -> Result<i64, SendsError> {
        backlog::behind(self)
    }

    fn catch_up(&self, keys: Arc<dyn Keys>, patient: bool) -> Result<(), SendsError> {
        if patient || !lock::is_held(&self.lock())? {
            backlog::catch_up(self, keys)?;
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace { shortest: LOOK, longest: LOOK }
    }

    fn at_once(&self) -> usize {
        1
    }

    fn told(&self) -> Box<dyn Told> {
        Box::new(ToldBeside(self.clone()))
    }
}

/// Beside the places of followers. Opened for each notice: there are few.
struct ToldBeside(Paths);

impl Told for ToldBeside {
    fn was_told(&mut self, run: &str, outcome: &str, at: i64) -> Result<bool, SendsError> {
        Ok(Places::open(&self.0)?.was_told(run, outcome, at)?)
    }

    fn note(&mut self, run: &str, outcome: &str, at: i64) -> Result<(), SendsError> {
        Ok(Places::open(&self.0)?.told(run, outcome, at)?)
    }
}
