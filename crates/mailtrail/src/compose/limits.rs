//! SendGrid's limits (mail API overview; `tsg_mail_v3.yaml`).

use std::collections::BTreeMap;

use super::Common;
use super::fault::ComposeFault;
use super::request::{OWN_ARGS, json_size};
use crate::run::{RECIPIENT_ARG, REQUEST_ARG, RUN_ARG};

/// Recipients of a request.
pub(super) const PERSONALIZATIONS: usize = 1_000;
/// A request's bytes: below 30 MB.
pub(super) const REQUEST: usize = 30_000_000;
/// A personalization's substitutions, bytes.
pub(super) const SUBSTITUTIONS: usize = 10_000;
/// A mail's custom args, bytes: below this.
pub(super) const CUSTOM_ARGS: usize = 10_000;
const CATEGORIES: usize = 10;
const CATEGORY: usize = 255;
const AHEAD_SECONDS: i64 = 72 * 3600;

/// Everything that is wrong with what all mails share.
pub(super) fn common(common: &Common, now: i64) -> Vec<ComposeFault> {
    let seconds = now.div_euclid(1_000_000);
    let send_at = match common.send_at {
        Some(at) if at <= seconds || at > seconds.saturating_add(AHEAD_SECONDS) => Err(ComposeFault::SendAt),
        _ => Ok(()),
    };
    let size = OWN_ARGS + json_size(&common.custom_args);
    let size = if size >= CUSTOM_ARGS { Err(ComposeFault::CustomArgs { size }) } else { Ok(()) };
    let checks = [categories(&common.categories), custom_arg_names(&common.custom_args), size, send_at];
    checks.into_iter().filter_map(Result::err).collect()
}

pub(super) fn categories<C: AsRef<str>>(categories: &[C]) -> Result<(), ComposeFault> {
    if categories.len() > CATEGORIES {
        return Err(ComposeFault::Categories(categories.len()));
    }
    for (at, category) in categories.iter().map(AsRef::as_ref).enumerate() {
        let plain = category.bytes().all(|b| b.is_ascii() && !b.is_ascii_control());
        if category.trim().is_empty() || category.len() > CATEGORY || !plain {
            return Err(ComposeFault::Category);
        }
        if categories.iter().take(at).any(|other| other.as_ref() == category) {
            return Err(ComposeFault::RepeatedCategory);
        }
    }
    Ok(())
}

pub(super) fn custom_arg_names(args: &BTreeMap<String, String>) -> Result<(), ComposeFault> {
    match [RUN_ARG, RECIPIENT_ARG, REQUEST_ARG].into_iter().find(|name| args.contains_key(*name)) {
        Some(own) => Err(ComposeFault::OwnCustomArg(own)),
        None => Ok(()),
    }
}

/// Subjects are one line of a header.
pub(super) fn subject(subject: &str) -> Result<(), ComposeFault> {
    if subject.trim().is_empty() {
        return Err(ComposeFault::NoSubject);
    }
    subject_line(subject)
}

/// A part of a subject.
pub(super) fn subject_line(subject: &str) -> Result<(), ComposeFault> {
    // U+2028 and U+2029 break lines too.
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if subject.contains(breaks) { Err(ComposeFault::SubjectBreaks) } else { Ok(()) }
}
