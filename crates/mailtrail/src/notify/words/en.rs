//! English.

use std::time::Duration;

use super::{Field, Words, grouped, units};
use crate::notify::notice::{Concern, ConcernKind, Notice, Ops, Outstanding};
use crate::settle::Status;

pub(super) struct English;

impl Words for English {
    fn status(&self, status: Status) -> &'static str {
        match status {
            Status::Unknown => "Unknown (no event)",
            Status::Processed => "Processed",
            Status::Deferred => "Deferred",
            Status::Delivered => "Delivered",
            Status::Refused => "Refused by SendGrid's API",
            Status::Dropped => "Dropped",
            Status::Blocked => "Blocked",
            Status::Bounce => "Bounced",
        }
    }

    fn event(&self, name: &str) -> Option<&'static str> {
        Some(match name {
            "open" => "Opens",
            "click" => "Clicks",
            "spamreport" => "Spam reports",
            "unsubscribe" => "Unsubscribes",
            "group_unsubscribe" => "Unsubscribes from a group",
            "group_resubscribe" => "Resubscribes to a group",
            _ => return None,
        })
    }

    fn classification(&self, _name: &str) -> Option<&'static str> {
        // SendGrid's own words are English.
        None
    }

    fn field(&self, field: Field) -> &'static str {
        match field {
            Field::Recipients => "Recipients",
            Field::Unreached => "Unreached",
            Field::Completeness => "Heard of",
            Field::Elapsed => "Time taken",
            Field::TopReasons => "Most frequent reasons",
            Field::RawReasons => "What mail servers wrote",
            Field::OutstandingDomains => "Domains of who is outstanding",
            Field::Events => "Events",
            Field::Runs => "Runs",
            Field::Categories => "Categories",
            Field::Domains => "Domains",
            Field::Others => "others",
            Field::From => "First",
            Field::Until => "Last",
            Field::Lasting => "For",
            Field::LastEvent => "Last event",
            Field::Refused => "Refused",
            Field::Reason => "Last reason",
            Field::Accepted => "Accepted by SendGrid",
            Field::Page => "Open in mailtrail",
        }
    }

    fn duration(&self, duration: Duration) -> String {
        units(duration, [" d", " h", " min", " s"], " ")
    }

    fn headline(&self, notice: &Notice) -> String {
        match notice {
            Notice::RunSettled(summary) => match summary.unreached() {
                0 => "Send finished, everybody reached".to_owned(),
                unreached => format!("Send finished, {} not reached", grouped(unreached)),
            },
            Notice::RunTimedOut { outstanding, .. } => {
                format!("Send not settled in time, {} outstanding", grouped(waiting(outstanding)))
            }
            Notice::RunInterim { outstanding, .. } => {
                format!("Send going on, {} outstanding", grouped(waiting(outstanding)))
            }
            Notice::RunQuiet { outstanding, .. } => {
                format!("Send seen to its end but for {} still deferred", grouped(outstanding.deferred))
            }
            Notice::Alert(group) if group.total() == 1 => "1 event to look at".to_owned(),
            Notice::Alert(group) => format!("{} events to look at", grouped(group.total())),
            Notice::Ops(Ops::Silence { .. }) => "No events are coming in".to_owned(),
            Notice::Ops(Ops::SilenceOver { .. }) => "Events are coming in again".to_owned(),
            Notice::Ops(Ops::Refusals { proven: true, .. }) => "Every POST is being refused".to_owned(),
            Notice::Ops(Ops::Refusals { proven: false, .. }) => {
                "POSTs are refused: wrong key or credentials?".to_owned()
            }
            Notice::Ops(Ops::RefusalsOver) => "POSTs are accepted again".to_owned(),
            Notice::Ops(Ops::NoticesRefused { .. }) => "Another destination refuses notices".to_owned(),
            Notice::Ops(Ops::NoEvents { .. }) => "No events of a send have come in".to_owned(),
            Notice::Ops(Ops::Concern(concern)) => self.concern(concern),
            Notice::Ops(Ops::ConcernOver(kind)) => match kind {
                ConcernKind::Clock => "This machine's clock is right again",
                ConcernKind::Certificate => "The certificate holds again",
                ConcernKind::Backlog => "The backlog is worked off",
                ConcernKind::Disk => "There is room on the disk again",
                ConcernKind::Relay => "POSTs are passed on again",
                ConcernKind::Files => "All files of the store are in place again",
            }
            .to_owned(),
            Notice::Test => "mailtrail test notice".to_owned(),
        }
    }

    fn notes(&self, notice: &Notice) -> Vec<String> {
        let mut unsent = Vec::new();
        if let Notice::RunTimedOut { outstanding: Outstanding { unsent: count @ 1.., .. }, .. } = notice {
            unsent.push(format!(
                "{} of them were not sent: mailtrail send with the same run sends them.",
                grouped(*count)
            ));
        }
        let note = match notice {
            Notice::RunSettled(summary) if summary.unreached() > 0 => {
                "Who was not reached, and why: mailtrail unreached with this run and your list.".to_owned()
            }
            Notice::RunTimedOut { outstanding, .. } => format!(
                "Outstanding: {} without any event, {} processed, {} deferred. Late events still count: ask again with \
                 mailtrail wait.",
                grouped(outstanding.unknown),
                grouped(outstanding.processed),
                grouped(outstanding.deferred)
            ),
            Notice::RunInterim { outstanding, .. } => format!(
                "Outstanding: {} without any event, {} processed, {} deferred.",
                grouped(outstanding.unknown),
                grouped(outstanding.processed),
                grouped(outstanding.deferred)
            ),
            Notice::RunQuiet { .. } => {
                "Their mail servers ask to come again; SendGrid tries for up to 72 hours.".to_owned()
            }
            Notice::Ops(Ops::Silence { .. }) => {
                "If mail is being sent, look at the Event Webhook's settings in SendGrid and run mailtrail doctor."
                    .to_owned()
            }
            Notice::Ops(Ops::Refusals { proven: false, .. }) => {
                "None is accepted, and nothing proves who sent them: they may be a stranger's. If they are SendGrid's, it gives events \
                 up after 24 hours: run mailtrail doctor."
                    .to_owned()
            }
            Notice::Ops(Ops::Refusals { .. }) => {
                "SendGrid gives events up after 24 hours: run mailtrail doctor now.".to_owned()
            }
            Notice::Ops(Ops::NoticesRefused { .. }) => {
                "What it refuses is not sent to it again. Correct its URL, then run mailtrail notify test.".to_owned()
            }
            Notice::Ops(Ops::NoEvents { .. }) => {
                "Is the Event Webhook on, and does it post to this mailtrail? Run mailtrail doctor.".to_owned()
            }
            Notice::Ops(Ops::Concern(concern)) => match concern.kind() {
                ConcernKind::Clock => "Set it by NTP: further off, every POST would be refused.",
                ConcernKind::Certificate => {
                    "SendGrid does not post to an expired one. Renew it; mailtrail doctor says what is wrong with a refused one."
                }
                ConcernKind::Backlog => {
                    "Nothing is lost; when it is full, POSTs are refused. mailtrail doctor says why it is not stored."
                }
                ConcernKind::Disk => "Make room: on a full disk every POST is refused, and lost after 24 hours.",
                ConcernKind::Files => {
                    "Put them back, or restart mailtrail serve. SendGrid gives events up after 24 hours. The log names the file."
                }
                ConcernKind::Relay => {
                    "mailtrail's own trail lacks nothing. mailtrail doctor says which consumer it is and what to do."
                }
            }
            .to_owned(),
            Notice::Test => "If you can read this, notices arrive here.".to_owned(),
            _ => return Vec::new(),
        };
        std::iter::once(note).chain(unsent).collect()
    }
}

fn waiting(outstanding: &Outstanding) -> u64 {
    outstanding.unknown + outstanding.processed + outstanding.deferred
}

impl English {
    fn concern(&self, concern: &Concern) -> String {
        match concern {
            Concern::Clock { behind, by } => {
                let side = if *behind { "behind" } else { "ahead of" };
                format!("This machine's clock is {} {side} SendGrid's", self.duration(*by))
            }
            Concern::Certificate { left: Duration::ZERO, .. } => "The certificate has run out".to_owned(),
            Concern::Certificate { left, refused: true } => {
                format!("The new certificate cannot be used; the old one runs out in {}", self.duration(*left))
            }
            Concern::Certificate { left, .. } => format!("The certificate runs out in {}", self.duration(*left)),
            Concern::Backlog { percent, oldest } => format!(
                "Events wait to be stored: the spool is {percent}% full, the oldest waits for {}",
                self.duration(*oldest)
            ),
            Concern::Disk { free, left: None } => format!("Only {} MiB are free on the disk", grouped(free >> 20)),
            Concern::Disk { free, left: Some(left) } => format!(
                "{} MiB are free on the disk, enough for {} at the present growth",
                grouped(free >> 20),
                self.duration(*left)
            ),
            Concern::Files => {
                "Files of the store were replaced or removed while mailtrail serve has them open: every POST is refused"
                    .to_owned()
            }
            Concern::Relay { waiting, oldest, set_aside, dropped } => {
                let mut parts = Vec::new();
                if *dropped > 0 {
                    parts.push(format!("{} were given up", grouped(*dropped)));
                }
                if *set_aside > 0 {
                    parts.push(format!("{} are refused", grouped(*set_aside)));
                }
                if *waiting > 0 {
                    parts.push(format!("{} wait, the oldest for {}", grouped(*waiting), self.duration(*oldest)));
                }
                format!("POSTs do not reach a consumer of [[relay]]: {}", parts.join("; "))
            }
        }
    }
}
