//! What the pages of runs say.

mod en;
mod ja;

pub(super) use en::TEXTS as ENGLISH;
pub(super) use ja::TEXTS as JAPANESE;

/// What is said of runs.
pub(in crate::web) struct RunTexts {
    /// `940 of 1,000 settled`
    pub(in crate::web) settled_of: fn(&str, &str) -> String,
    /// `and 12 more, …`
    pub(in crate::web) more_deferred: fn(&str) -> String,
    /// `3 events are left out …`
    pub(in crate::web) left_out: fn(&str) -> String,
    pub(in crate::web) title: &'static str,
    pub(in crate::web) back: &'static str,
    pub(in crate::web) none: &'static str,
    pub(in crate::web) begun: &'static str,
    pub(in crate::web) asked: &'static str,
    pub(in crate::web) asked_note: &'static str,
    pub(in crate::web) accepted: &'static str,
    pub(in crate::web) accepted_note: &'static str,
    pub(in crate::web) refused: &'static str,
    pub(in crate::web) uncertain: &'static str,
    pub(in crate::web) abandoned: &'static str,
    pub(in crate::web) settled: &'static str,
    pub(in crate::web) unreached: &'static str,
    pub(in crate::web) unreached_note: &'static str,
    pub(in crate::web) completeness: &'static str,
    pub(in crate::web) completeness_note: &'static str,
    pub(in crate::web) last_event: &'static str,
    pub(in crate::web) accepted_at: &'static str,
    pub(in crate::web) send_at: &'static str,
    pub(in crate::web) state: &'static str,
    pub(in crate::web) state_open: &'static str,
    pub(in crate::web) state_deferred: &'static str,
    pub(in crate::web) state_unsent: &'static str,
    pub(in crate::web) state_settled: &'static str,
    pub(in crate::web) state_sandbox: &'static str,
    pub(in crate::web) sandbox_note: &'static str,
    pub(in crate::web) foreign_note: &'static str,
    pub(in crate::web) unknown: &'static str,
    pub(in crate::web) statuses: &'static str,
    pub(in crate::web) status: &'static str,
    pub(in crate::web) recipients: &'static str,
    pub(in crate::web) reasons: &'static str,
    pub(in crate::web) no_reasons: &'static str,
    pub(in crate::web) reason: &'static str,
    pub(in crate::web) words: &'static str,
    pub(in crate::web) deferred: &'static str,
    pub(in crate::web) no_deferred: &'static str,
    pub(in crate::web) waiting_since: &'static str,
    pub(in crate::web) oldest: &'static str,
    pub(in crate::web) who_waits: &'static str,
    pub(in crate::web) file: &'static str,
    pub(in crate::web) file_note: &'static str,
    pub(in crate::web) list_file: &'static str,
    pub(in crate::web) list_text: &'static str,
    pub(in crate::web) list_hint: &'static str,
    pub(in crate::web) pending: &'static str,
    pub(in crate::web) download: &'static str,
    pub(in crate::web) viewer_note: &'static str,
    pub(in crate::web) list_wrong: &'static str,
    pub(in crate::web) events: &'static str,
    pub(in crate::web) following: &'static str,
}
