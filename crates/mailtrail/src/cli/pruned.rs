//! What is said beside an answer that may lack events since they were pruned.

use super::exit::UsageError;
use super::output::note;
use super::question::Question;
use super::time;
use crate::config::StoreKind;
use crate::outcome::Selector;
use crate::store::ledger::LedgerReader;
use crate::store::query::Scope;
use crate::store::sqlite::Reader;

/// Before which time events may be missing, µs since the epoch. A trail that cannot be read says so elsewhere.
fn mark(question: &Question) -> Option<i64> {
    if question.config.store.kind == StoreKind::BigQuery {
        return None;
    }
    Reader::open(&question.paths).ok()?.pruned_until().ok()?
}

/// The mark, where a question from `since` on (event time; `None`: from the beginning) reaches before it.
fn reached(question: &Question, since: Option<i64>) -> Option<i64> {
    mark(question).filter(|mark| since.is_none_or(|since| since < *mark))
}

/// Of an answer about events.
pub(super) fn tell(question: &Question, since: Option<i64>) {
    if let Some(mark) = reached(question, since) {
        let mark = time::rfc3339(mark);
        note(&format!("note: events before {mark} were pruned from this trail: what they told is missing here"));
    }
}

/// Of an answer about what became of a send.
pub(super) fn tell_of_send(question: &Question, selector: &Selector) {
    tell(question, begun(question, selector));
}

/// Of an answer to who was mailed already: what else knows it.
pub(super) fn tell_of_mailed(question: &Question, since: Option<i64>) {
    if let Some(mark) = reached(question, since) {
        let mark = time::rfc3339(mark);
        note(&format!(
            "note: events before {mark} were pruned: who got mail before then is known of mail that mailtrail sent (by its ledger), \
             not of mail of other tools"
        ));
    }
}

/// As [`tell_of_mailed`], of a run or category.
pub(super) fn tell_of_scope(question: &Question, selector: &Selector) {
    tell_of_mailed(question, begun(question, selector));
}

/// Whether the events may be gone that would show that uncertain mail of a run went out; then nobody is to be mailed by their
/// absence.
///
/// # Errors
/// When they may be.
pub(super) fn refuse_uncertain(question: &Question, run: &str) -> Result<(), UsageError> {
    match reached(question, begun(question, &Selector::of_run(run))) {
        None => Ok(()),
        Some(mark) => Err(UsageError(format!(
            "--resend-uncertain goes by the absence of events, and events before {} were pruned, some of this run's maybe: whoever \
             got its mail could be mailed again. Look into the archive, and send to whom it does not name in a run of another name",
            time::rfc3339(mark)
        ))),
    }
}

/// When a send began: of a run the ledger knows, of a category whoever asks says it.
fn begun(question: &Question, selector: &Selector) -> Option<i64> {
    let Scope::Run(run) = &selector.scope else { return selector.since };
    let ledger = LedgerReader::open(&question.paths).ok().flatten();
    ledger.and_then(|ledger| ledger.run(run).ok().flatten()).map(|record| record.begun_at).or(selector.since)
}
