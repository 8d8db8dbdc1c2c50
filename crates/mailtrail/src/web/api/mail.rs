//! Who did not get some mail, and who already got it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::body::Body;
use super::caller::Caller;
use super::problem::Problem;
use super::query::Query;
use super::rows::{about, answer};
use super::which::{addresses_of_list, hash, when};
use crate::clock;
use crate::config::Language;
use crate::outcome::{self, OutcomeError, Selector, UNREACHED_COLUMNS, Watched, columns};
use crate::protect::{EmailHash, KeyRing};
use crate::show::{Cell, time};
use crate::store::keys::Keys;
use crate::store::query::Scope;
use crate::store::remote::wire::{About, Mail};
use crate::web::failure::Failure;
use crate::web::page::App;
use crate::web::runs::RunInPath;

/// Recipients of a list.
const MOST: usize = 200_000;

/// A list as it was given: everybody's hashes, and the addresses where it has some.
struct List {
    hashes: Vec<Vec<EmailHash>>,
    addresses: Option<Vec<String>>,
}

impl List {
    fn of(mail: &mut Mail, keys: &KeyRing) -> Result<Option<Self>, Problem> {
        let list = match (mail.email.take(), mail.email_hash.take()) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Problem::malformed("give email or email_hash, not both")),
            (Some(addresses), None) => {
                let each = addresses_of_list(&addresses)?.into_iter();
                let hashes = each.map(|address| keys.lookup_hashes(address.expose())).collect();
                Self { hashes, addresses: Some(addresses) }
            }
            (None, Some(hashes)) => {
                let each = |hashes: &Vec<String>| hashes.iter().map(|text| hash(text)).collect::<Result<_, Problem>>();
                Self { hashes: hashes.iter().map(each).collect::<Result<_, _>>()?, addresses: None }
            }
        };
        if list.hashes.len() > MOST {
            return Err(Problem::malformed(format!("the list has more than {MOST} recipients")));
        }
        Ok(Some(list))
    }

    /// Addresses by every hash they may have.
    fn by_hash(&self) -> HashMap<EmailHash, &String> {
        let addresses = self.addresses.iter().flatten();
        let each = self.hashes.iter().zip(addresses);
        each.flat_map(|(hashes, address)| hashes.iter().map(move |hash| (*hash, address))).collect()
    }
}

pub(super) async fn unreached_of_run(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(query): RawQuery,
    RunInPath(name): RunInPath,
) -> Result<Response, Problem> {
    let mut query = Query::parse(query.as_deref());
    let include_pending = query.switch("include_pending")?;
    query.end()?;
    caller.may_take("unreached")?;
    look(&app, Selector::of_run(&name), None, (include_pending, Language::English)).await
}

pub(super) async fn unreached(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let mut mail: Mail = body.read()?;
    let (scope, since) = (scope(&mail)?, since(&mail)?);
    let language = match mail.language.as_deref() {
        None | Some("en") => Language::English,
        Some("ja") => Language::Japanese,
        Some(_) => return Err(Problem::malformed("language is neither en nor ja")),
    };
    let list = List::of(&mut mail, &app.keys)?;
    if matches!(scope, Scope::Category(_)) && since.is_none() {
        let detail = "a category is used again and again, so an answer about all time would mix sends";
        return Err(Problem::unanswerable(detail, "say from when by since"));
    }
    caller.may_take("unreached")?;
    let hashes = list.as_ref().map(|list| list.hashes.clone());
    let selector = Selector { scope, since, list: hashes, expect: None };
    look(&app, selector, list, (mail.include_pending, language)).await
}

async fn look(
    app: &App,
    selector: Selector,
    list: Option<List>,
    (pending, language): (bool, Language),
) -> Result<Response, Problem> {
    caught_up(app).await?;
    let now = clock::now_micros();
    let (rows, recipients, left, not_asked) = app
        .runs
        .blocking(move |held| {
            let watched = Watched::begin(held.sends(), selector)?;
            let addresses = list.as_ref().map(List::by_hash).unwrap_or_default();
            let rows = outcome::unreached(&watched, pending, now).into_iter().map(|row| {
                let mut cells = row.cells(None, language).to_vec();
                if let (Some(cell), Some(address)) = (cells.first_mut(), addresses.get(&row.hash)) {
                    *cell = Cell::Text((*address).clone());
                }
                cells
            });
            let rows: Vec<Vec<Cell>> = rows.collect();
            let report = watched.report();
            Ok::<_, OutcomeError>((rows, report.recipients, report.pending(), watched.not_asked()))
        })
        .await?;
    let (recipients, pending, not_asked) = (Some(recipients), Some(left), Some(not_asked).filter(|count| *count > 0));
    let about = About { recipients, pending, not_asked, ..about(app, None).await };
    Ok(answer(&UNREACHED_COLUMNS, rows, &about))
}

/// Who already got it: those of the list in its order, else everybody, by hash.
pub(super) async fn sent(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let mut mail: Mail = body.read()?;
    if mail.include_pending || mail.language.is_some() {
        return Err(Problem::malformed("sent takes run or category, since, email or email_hash, and nothing else"));
    }
    let (scope, since) = (scope(&mail)?, since(&mail)?);
    let list = List::of(&mut mail, &app.keys)?;
    caller.may_take("sent")?;
    caught_up(&app).await?;
    let (rows, not_mailed, up_to, blind) = app
        .runs
        .blocking(move |held| {
            let sends = held.sends();
            let hashes = list.as_ref().map(|list| list.hashes.clone());
            let selector = Selector { scope: scope.clone(), since, list: hashes, expect: None };
            let found = outcome::standings(sends, &selector)?;
            if found.is_empty()
                && let Scope::Run(run) = &scope
            {
                outcome::known(sends, run)?;
            }
            let (mut rows, mut not_mailed) = (Vec::new(), BTreeMap::new());
            let mut add = |address: Option<String>, hash: Option<EmailHash>, earlier: &outcome::Earlier| {
                if earlier.mailed {
                    let row: Vec<Cell> =
                        [Cell::text(address)].into_iter().chain(columns::of_sent(hash, earlier)).collect();
                    rows.push(row);
                } else {
                    *not_mailed.entry(earlier.why_not().to_owned()).or_default() += 1;
                }
            };
            match &list {
                Some(list) => {
                    let mut addresses = list.addresses.iter().flatten();
                    for hashes in &list.hashes {
                        let address = addresses.next().cloned();
                        if let Some(earlier) = outcome::latest_of(&found, hashes) {
                            add(address, hashes.first().copied(), earlier);
                        }
                    }
                }
                None => {
                    let mut all: Vec<_> = found.iter().collect();
                    all.sort_unstable_by_key(|(hash, _)| **hash);
                    all.into_iter().for_each(|(hash, earlier)| add(None, Some(*hash), earlier));
                }
            }
            let blind = outcome::blind(sends, &scope, since)?;
            Ok::<_, OutcomeError>((rows, not_mailed, outcome::events_up_to(sends)?, blind))
        })
        .await?;
    let (nobody, left_out) = (Some(blind.nobody), Some(blind.left_out));
    let not_mailed = Some(not_mailed);
    let about =
        About { events_up_to: up_to.map(time::rfc3339), nobody, left_out, not_mailed, ..about(&app, None).await };
    Ok(answer(&columns::SENT, rows, &about))
}

/// The mail that is asked about.
pub(super) fn scope(mail: &Mail) -> Result<Scope, Problem> {
    match (&mail.run, &mail.category) {
        (Some(run), None) => Ok(Scope::Run(run.clone())),
        (None, Some(category)) => Ok(Scope::Category(category.clone())),
        _ => Err(Problem::malformed("name a run or a category, and not both")),
    }
}

/// SendGrid's times have whole seconds.
fn since(mail: &Mail) -> Result<Option<i64>, Problem> {
    if mail.until.is_some() {
        return Err(Problem::malformed("until is for latest alone"));
    }
    let since = when(mail.since.as_deref(), clock::now_micros(), mail.time_zone.as_deref())?;
    Ok(since.map(|since| since - since.rem_euclid(1_000_000)))
}

/// A verdict needs what had come in before it was asked for.
async fn caught_up(app: &App) -> Result<(), Problem> {
    let (sends, keys): (_, Arc<dyn Keys>) = (app.runs.sends().share(), app.keys.clone());
    // Apart from the turns of questions: it waits for the drain, not for the disk.
    let caught = tokio::task::spawn_blocking(move || sends.catch_up(keys, true)).await;
    caught.map_err(|_| Failure::Broken)?.map_err(|error| Problem::from(Failure::from(error)))
}
