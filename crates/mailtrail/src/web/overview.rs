//! The Overview: how events come in, how well mail arrives, how the receiver is.
//!
//! The page itself is there at once; its figures come after it, since counting months takes longer.

mod chart;
mod range;
mod rates;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use jiff::tz::TimeZone;

use super::failure::Failure;
use super::frame::{Frame, Section};
use super::page::App;
use super::source::Source;
use super::texts::{Texts, grouped, percent};
use super::visitor::Visitor;
use crate::clock::{self, calendar};
use crate::show::time;
use crate::store::query::{Counted, Dimension, Filter, Group};
use chart::Chart;
use range::{PRESETS, Range};
use rates::Rate;

/// Domains and categories that are listed.
const LISTED: usize = 10;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    f: Frame,
    presets: Vec<(&'static str, &'static str, bool)>,
    query: String,
    is_zoomed: bool,
    from: String,
    until: String,
    /// Of the receiver and trail on this machine.
    health: Option<Health>,
}

struct Health {
    receiver_ok: bool,
    waiting: String,
    last_event: Option<String>,
    last_event_ago: String,
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let now = clock::now_micros();
    let range = Range::parse(query.as_deref().unwrap_or_default(), now, &visitor.zone);
    let health = match &app.keeper {
        None => None,
        Some(keeper) => {
            let last = app.readers.ask(|reader| reader.last_received(0)).await?;
            let state = keeper.state();
            Some(Health {
                receiver_ok: state.not_writable.is_none() && state.not_draining.is_none(),
                waiting: grouped(state.backlog.items),
                last_event: last.map(|at| visitor.zone.minute(at)),
                last_event_ago: last.map(|at| time::age(now.saturating_sub(at))).unwrap_or_default(),
            })
        }
    };
    let t = visitor.preferences.texts();
    let label = |name| match name {
        "24h" => t.last_day,
        "7d" => t.last_week,
        "30d" => t.last_month,
        _ => t.last_quarter,
    };
    let page = OverviewPage {
        f: Frame::new(&visitor, Section::Overview),
        presets: PRESETS.iter().map(|(name, _)| (*name, label(name), range.preset == Some(name))).collect(),
        query: range.query(),
        is_zoomed: range.preset.is_none(),
        from: visitor.zone.minute(range.since),
        until: visitor.zone.minute(range.until),
        health,
    };
    Ok(Html(page.render()?).into_response())
}

#[derive(Template)]
#[template(path = "figures.html")]
struct Figures {
    t: &'static Texts,
    /// The name of the clock.
    zone: String,
    total: u64,
    total_text: String,
    delivery_rate: String,
    bounce_rate: String,
    bounced: String,
    delivered: String,
    opens: String,
    machine_opens: String,
    clicks: String,
    quarantined: Option<String>,
    chart: Chart,
    tables: Vec<RateTable>,
    took: String,
}

struct RateTable {
    title: &'static str,
    heading: &'static str,
    rates: Vec<Rate>,
}

pub(super) async fn figures(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let began = std::time::Instant::now();
    let range = Range::parse(query.as_deref().unwrap_or_default(), clock::now_micros(), &visitor.zone);
    let t = visitor.preferences.texts();
    let asked = range.clone();
    // Hours that begin elsewhere than UTC's are counted by their own clock, which takes longer.
    let has_hours_of_utc = calendar::has_hours_of_utc(range.since, range.until, visitor.zone.inner());
    let own_hours = (!has_hours_of_utc).then(|| visitor.zone.inner().clone());
    let hours_of = own_hours.clone().unwrap_or(TimeZone::UTC);
    let found = app
        .source
        .ask(move |store| {
            let filter = asked.filter();
            let outcomes =
                Filter { events: ["delivered", "bounce", "dropped"].map(str::to_owned).to_vec(), ..filter.clone() };
            let by =
                |filter: &Filter, by: &[Dimension]| store.stats(filter, by, Counted::Rows).map(|answer| answer.value);
            Ok(Found {
                over_time: by(
                    &Filter { zone: own_hours, ..filter.clone() },
                    &[Dimension::Hour, Dimension::Status, Dimension::Event],
                )?,
                by_domain: by(&outcomes, &[Dimension::Domain, Dimension::Event])?,
                by_category: by(&outcomes, &[Dimension::Category, Dimension::Event])?,
            })
        })
        .await?;
    let machine_opens = app.source.machine_opens(range.filter()).await?;
    let quarantined: Option<u64> = match &app.source {
        Source::Trail(readers) => {
            Some(readers.ask(|reader| Ok(reader.quarantined()?.into_iter().map(|(_, count)| count).sum())).await?)
        }
        Source::BigQuery(..) => None,
    };
    let count = |name: &str| -> u64 {
        let named = found.over_time.iter().filter(|group| group.keys.get(2) == Some(&Some(name.to_owned())));
        named.map(|group| group.count).sum()
    };
    let (delivered, bounced, dropped) = (count("delivered"), count("bounce"), count("dropped"));
    let outcomes = delivered + bounced + dropped;
    let tables = [
        (t.by_domain, t.domain, "domain", &found.by_domain),
        (t.by_category, t.category, "category", &found.by_category),
    ];
    let total: u64 = found.over_time.iter().map(|group| group.count).sum();
    let page = Figures {
        t,
        zone: visitor.zone.name(),
        total,
        total_text: (t.n_events)(&grouped(total), total),
        delivery_rate: percent(delivered, outcomes),
        bounce_rate: percent(bounced, outcomes),
        bounced: grouped(bounced),
        delivered: grouped(delivered),
        opens: grouped(count("open").saturating_sub(machine_opens)),
        machine_opens: grouped(machine_opens),
        clicks: grouped(count("click")),
        quarantined: quarantined.map(grouped),
        chart: Chart::new(&found.over_time, &hours_of, &range, t, &visitor.zone),
        tables: tables
            .into_iter()
            .map(|(title, heading, name, groups)| RateTable {
                title,
                heading,
                rates: rates::of(groups, name, &range, LISTED),
            })
            .collect(),
        took: time::took(began.elapsed()),
    };
    Ok(Html(page.render()?).into_response())
}

struct Found {
    over_time: Vec<Group>,
    by_domain: Vec<Group>,
    by_category: Vec<Group>,
}
