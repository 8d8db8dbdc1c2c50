//! What the store holds, read beside a running `serve` or without one.

use sendgrid_events::EVENT_NAMES;

use super::check::Check;
use crate::config::Config;
use crate::protect::KeyRing;
use crate::show::time::{age, rfc3339};
use crate::store::Paths;
use crate::store::keys::Keys as _;
use crate::store::sqlite::health::{self, EVENTS_LOOKED_AT, Trail};

const MINUTE: i64 = 60 * 1_000_000;

/// The one event that is about the account: most never get it.
const ABOUT_THE_ACCOUNT: &str = "account_status_change";
/// The ones that every account gets that sends at all.
const EVERYBODY_S: [&str; 2] = ["processed", "delivered"];

pub(super) fn checks(config: &Config, now: i64) -> Vec<Check> {
    let paths = Paths::new(&config.store.path);
    if !paths.trail().exists() {
        let what = format!("{} is not there yet", paths.trail().display());
        return vec![Check::warn("store", what, "start mailtrail serve, which creates it")];
    }
    let mut checks = match health::trail(paths.trail()) {
        Ok(trail) => events(&trail, now),
        Err(error) => vec![Check::fail("store", error.to_string(), "mailtrail serve says more")],
    };
    checks.extend(health::unverified(paths.trail()).ok().map(proof));
    checks.extend(keys(config, &paths));
    checks.extend(backlog(&paths, now));
    checks
}

/// Whether the store was begun with these keys. Keys that cannot be loaded were told already.
fn keys(config: &Config, paths: &Paths) -> Option<Check> {
    let ring = KeyRing::load(&config.privacy).ok()?;
    Some(match health::keys_fit(paths.trail(), &ring.identity()) {
        Ok(()) => Check::pass("keys", "are those of the store"),
        Err(error) => Check::fail("keys", error.to_string(), "mailtrail serve refuses to start until they are"),
    })
}

/// Events that no signature vouches for never settle an uncertain send.
fn proof(unverified: u64) -> Check {
    if unverified == 0 {
        return Check::pass("proof", "every event that needs a proof has one");
    }
    let what = format!("{unverified} of the newest {EVENTS_LOOKED_AT} events came without a signature that held");
    Check::warn("proof", what, "set [receive] signature to enforce; mailtrail forget --unverified removes them")
}

fn events(trail: &Trail, now: i64) -> Vec<Check> {
    let mut checks = vec![Check::pass("store", format!("can be read, format {}", trail.version))];
    checks.push(if trail.quarantined == 0 {
        Check::pass("quarantine", "empty")
    } else {
        Check::warn(
            "quarantine",
            format!("{} items are no events that could be stored", trail.quarantined),
            "mailtrail quarantine list says why and what to do; nothing of them is lost",
        )
    });
    if let Some(until) = trail.pruned_until {
        checks.push(Check::pass("pruned", format!("events before {} were pruned", rfc3339(until))));
    }
    let Some(last) = trail.last_received_at else {
        checks.push(Check::warn(
            "events",
            "none came in yet",
            "paste the Post URL in SendGrid, or try mailtrail trigger delivered",
        ));
        return checks;
    };
    checks.push(Check::pass("events", format!("the last one came in {} ago", age(now - last))));
    let never: Vec<&str> = EVENT_NAMES
        .into_iter()
        .filter(|name| *name != ABOUT_THE_ACCOUNT && !trail.seen.iter().any(|seen| seen == name))
        .collect();
    let what = format!("never seen among the newest {EVENTS_LOOKED_AT} events: {}", never.join(", "));
    if never.iter().any(|name| EVERYBODY_S.contains(name)) {
        checks.push(Check::warn("event types", what, "choose them in the webhook's settings in SendGrid"));
    } else if !never.is_empty() {
        checks.push(Check::pass("event types", what));
    }
    checks
}

fn backlog(paths: &Paths, now: i64) -> Vec<Check> {
    let numbers = match paths.spools() {
        Ok(numbers) => numbers,
        Err(error) => {
            let what = format!("{} cannot be read: {error}", paths.folder().display());
            return vec![Check::fail("spool", what, "run as the user that mailtrail serve runs as")];
        }
    };
    let mut batches = 0;
    let mut oldest: Option<i64> = None;
    for number in numbers {
        match crate::spool::look(&paths.spool(number)) {
            Ok(found) => {
                batches += found.batches;
                oldest = oldest.into_iter().chain(found.oldest_received_at).min();
            }
            Err(error) => return vec![Check::fail("spool", error.to_string(), "mailtrail serve says more")],
        }
    }
    vec![match oldest {
        None => Check::pass("spool", "everything is drained into the trail"),
        Some(oldest) if now - oldest < MINUTE => Check::pass("spool", format!("{batches} posts wait to be drained")),
        Some(oldest) => Check::warn(
            "spool",
            format!("{batches} posts wait to be drained, the oldest for {}", age(now - oldest)),
            "start mailtrail serve where it does not run; where it runs, its log says what keeps it from draining",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;

    #[test]
    fn events_without_proof_are_counted_and_none_is_well() {
        assert_eq!(proof(0).verdict, Verdict::Pass);
        let check = proof(7);
        assert!(check.verdict == Verdict::Warn && check.what.starts_with("7 of"), "{check:?}");
    }
}
