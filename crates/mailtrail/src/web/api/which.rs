//! Which events: the fields of a question as a filter of the store.

use jiff::tz::TimeZone;

use super::problem::Problem;
use crate::clock;
use crate::list::{Address, LocalParts};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::time;
use crate::store::query::{Filter, message_id};
use crate::store::remote::wire::Which;
use crate::web::page::App;

/// Most values of one kind: an index is asked for each of them.
const MOST_VALUES: usize = 100;

/// Longest value, in characters.
const LONGEST: usize = 500;

/// When a question without `since` is about the last days alone; as on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    Search,
    Count,
    Everything,
}

/// The filter, and since when it looks where the question did not say so, RFC 3339.
pub(super) fn filter(which: Which, app: &App, window: Window) -> Result<(Filter, Option<String>), Problem> {
    let now = clock::now_micros();
    let lists = [
        &which.email,
        &which.email_hash,
        &which.event,
        &which.status,
        &which.category,
        &which.run,
        &which.message,
        &which.domain,
    ];
    if lists.iter().any(|list| list.len() > MOST_VALUES) {
        return Err(Problem::malformed(format!("a field has more than {MOST_VALUES} values")));
    }
    let texts = lists.into_iter().flatten().chain(&which.reason);
    if texts.into_iter().any(|text| text.chars().count() > LONGEST) {
        return Err(Problem::malformed(format!("a value has more than {LONGEST} characters")));
    }
    let mut filter = Filter {
        hashes: which.email_hash.iter().map(|text| hash(text)).collect::<Result<_, _>>()?,
        events: which.event.iter().map(|name| event_name(name)).collect::<Result<_, _>>()?,
        statuses: which.status.iter().map(|name| status(name)).collect::<Result<_, _>>()?,
        categories: which.category,
        runs: which.run,
        messages: which.message.iter().map(|id| message_id(id)).collect(),
        domains: which.domain.iter().map(|name| name.trim().to_lowercase()).collect(),
        reason: which.reason,
        since: when(which.since.as_deref(), now, which.time_zone.as_deref())?,
        until: when(which.until.as_deref(), now, which.time_zone.as_deref())?,
        any: which.any,
        include_tests: false,
        zone: zone(which.time_zone.as_deref()).map(|zone| Some(zone).filter(|zone| *zone != TimeZone::UTC))?,
    };
    for address in &which.email {
        filter.hashes.extend(app.keys.lookup_hashes(email(address)?));
    }
    if let (Some(since), Some(until)) = (filter.since, filter.until)
        && until <= since
    {
        return Err(Problem::unanswerable("until is not after since", "nothing is in between: ask for another time"));
    }
    let limited = match window {
        // BigQuery reads every day that is asked for, whatever else is asked.
        Window::Search | Window::Count if app.source.costs() => true,
        Window::Search => filter.scans(),
        Window::Count => !filter.has_index(),
        Window::Everything => false,
    };
    let mut limited_to = None;
    if filter.since.is_none() && limited {
        filter.limit_to_recent(now);
        limited_to = filter.since.map(time::rfc3339);
    }
    Ok((filter, limited_to))
}

/// The zone of a request.
fn zone(name: Option<&str>) -> Result<TimeZone, Problem> {
    let unknown = |_| Problem::unanswerable("there is no such time zone", "name one as Asia/Tokyo does");
    name.map_or(Ok(TimeZone::UTC), |name| TimeZone::get(name).map_err(unknown))
}

/// A time of the request, µs since the epoch; a date is where the day begins in the request's zone.
pub(super) fn when(text: Option<&str>, now: i64, time_zone: Option<&str>) -> Result<Option<i64>, Problem> {
    let zone = zone(time_zone)?;
    let wrong = |_| Problem::malformed("a time is none: write 2h, 30d, 2026-11-24 or 2026-11-24T10:00:00Z");
    text.map(|text| time::parse(text, now, &zone)).transpose().map_err(wrong)
}

/// A hash of the request.
pub(super) fn hash(text: &str) -> Result<EmailHash, Problem> {
    EmailHash::parse(text).ok_or_else(|| Problem::malformed("an email_hash is no hash of 64 hex digits"))
}

/// An address of the request.
pub(super) fn email(text: &str) -> Result<&str, Problem> {
    let wrong = |fault| Problem::unanswerable(format!("an email is no address: {fault}"), "write the address alone");
    let address = Address::searchable(text).map_err(wrong)?;
    if address.contains('@') { Ok(address) } else { Err(Problem::malformed("an email is no address: it has no @")) }
}

/// The addresses of a list in a request: what is wrong is told by place, since the text may be anything.
pub(super) fn addresses_of_list(texts: &[String]) -> Result<Vec<Address>, Problem> {
    let address = |(place, text): (usize, &String)| {
        // Nobody is mailed by this list, so any address will do.
        let wrong = |fault| {
            let detail = format!("address {place} of email is none: {fault}");
            Problem::unanswerable(detail, "correct it, or leave it out")
        };
        Address::parse(text, LocalParts::Utf8).map_err(wrong)
    };
    (1..).zip(texts).map(address).collect()
}

fn event_name(name: &str) -> Result<String, Problem> {
    match name.trim().to_lowercase().as_str() {
        "blocked" => Err(Problem::unanswerable(
            "there is no event `blocked`: SendGrid sends a bounce of type blocked",
            "ask for the status blocked",
        )),
        "spam_report" | "spam report" => Ok("spamreport".to_owned()),
        name => Ok(name.to_owned()),
    }
}

fn status(name: &str) -> Result<Status, Problem> {
    Status::parse_of_event(name).ok_or_else(|| {
        let all = Status::OF_EVENTS.map(Status::as_str);
        Problem::malformed(format!("a status is none of {}", all.join(", ")))
    })
}
