//! What events tell of who was mailed, whichever store keeps them. Each method is one question.

use super::query::{Mailed, RecipientOutcome, Scope};
use super::questions::AskError;
use super::sqlite::Reader;

/// Whose outcome may be another one since a mark.
#[derive(Debug, Clone, Default)]
pub struct Renewed {
    /// All of them ([`RecipientOutcome::address`]); who has no outcome now is here, too.
    pub touched: Vec<i64>,
    /// How they stand now.
    pub outcomes: Vec<RecipientOutcome>,
}

/// A store's events, open for questions about mail.
pub trait Outcomes: Send {
    /// Another number whenever there may be something new of that mail; it grows where the store knows an order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn mark(&self, mailed: &Mailed) -> Result<i64, AskError>;

    /// What became of every recipient that has an event of that mail.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn outcomes(&self, mailed: &Mailed) -> Result<Vec<RecipientOutcome>, AskError>;

    /// What changed of that mail between two marks, the second one being larger; `held` says whose outcome the caller has.
    /// `None`: this store cannot tell, everything is to be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn renewed(
        &self,
        _mailed: &Mailed,
        _between: (i64, i64),
        _held: &dyn Fn(i64) -> bool,
    ) -> Result<Option<Renewed>, AskError> {
        Ok(None)
    }

    /// How many events of that mail are left out because nothing vouches for them.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn unproven(&self, mailed: &Mailed) -> Result<u64, AskError>;

    /// How many imported events of that mail do not say whom they are about.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn about_nobody(&self, mailed: &Mailed) -> Result<u64, AskError>;

    /// How many events of any mail imports have left out because nobody knows whom they are about.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn left_out(&self) -> Result<u64, AskError>;

    /// The requests of a run that an event of SendGrid's confirms; `between` two marks: those at least that are new.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn proven_requests(&self, mailed: &Mailed, between: Option<(i64, i64)>) -> Result<Vec<String>, AskError>;

    /// Whether any event names this run.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn knows_run(&self, run: &str) -> Result<bool, AskError>;

    /// The runs that events name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn run_names(&self) -> Result<Vec<String>, AskError>;

    /// When the last event came in, µs since the epoch.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn last_received(&self) -> Result<Option<i64>, AskError>;
}

/// Ids of events are in the order of commits, so that behind a mark nothing is missed.
impl Outcomes for Reader {
    fn mark(&self, _: &Mailed) -> Result<i64, AskError> {
        Ok(self.last_id()?)
    }

    fn outcomes(&self, mailed: &Mailed) -> Result<Vec<RecipientOutcome>, AskError> {
        Ok(Self::outcomes(self, mailed, None)?)
    }

    fn renewed(
        &self,
        mailed: &Mailed,
        (after, until): (i64, i64),
        held: &dyn Fn(i64) -> bool,
    ) -> Result<Option<Renewed>, AskError> {
        let touched = self.touched(&mailed.scope, after, until)?.into_iter();
        let touched: Vec<i64> =
            touched.filter(|(one, in_scope)| *in_scope || held(*one)).map(|(address, _)| address).collect();
        let outcomes = if touched.is_empty() { Vec::new() } else { Self::outcomes(self, mailed, Some(&touched))? };
        Ok(Some(Renewed { touched, outcomes }))
    }

    fn unproven(&self, mailed: &Mailed) -> Result<u64, AskError> {
        Ok(Self::unproven(self, mailed)?)
    }

    fn about_nobody(&self, mailed: &Mailed) -> Result<u64, AskError> {
        Ok(Self::about_nobody(self, mailed)?)
    }

    fn left_out(&self) -> Result<u64, AskError> {
        Ok(Self::left_out(self)?)
    }

    fn proven_requests(&self, mailed: &Mailed, between: Option<(i64, i64)>) -> Result<Vec<String>, AskError> {
        match &mailed.scope {
            Scope::Run(run) => Ok(Self::proven_requests(self, run, between)?),
            Scope::Category(_) => Ok(Vec::new()),
        }
    }

    fn knows_run(&self, run: &str) -> Result<bool, AskError> {
        Ok(Self::knows_run(self, run)?)
    }

    fn run_names(&self) -> Result<Vec<String>, AskError> {
        Ok(Self::run_names(self)?)
    }

    fn last_received(&self) -> Result<Option<i64>, AskError> {
        Ok(Self::last_received(self, 0)?)
    }
}
