//! Counts.

use std::cell::Cell;

use jiff::tz::TimeZone;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::select::{Needs, Selection, Source, named};
use super::{ReadError, Reader};
use crate::clock::calendar::Period;
use crate::store::query::{Answer, Counted, Dimension, Filter, Group};

/// Most lines of counts that an answer has.
pub(super) const MAX_GROUPS: usize = 100_000;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

impl Reader {
    /// How many, by each combination of the dimensions' values; the largest counts first.
    ///
    /// # Errors
    /// When the trail cannot be read, or the answer has more lines than anybody reads.
    pub fn stats(&self, filter: &Filter, by: &[Dimension], counted: Counted) -> Result<Answer<Vec<Group>>, ReadError> {
        let mut selection = Selection::new(filter, None, self.knows_tests()?);
        if let (None, Source::Time) = (&selection.scanned, selection.source) {
            selection.scanned = Some(crate::store::query::Scanned {
                bytes: None,
                since: filter.since,
                why: "every event of that time was counted".into(),
            });
        }
        if let Some(zone) = &filter.zone {
            know_clock(&self.sql, zone)?;
        }
        let statement = statement(&selection, by, counted, filter.zone.is_some());
        let mut prepared = self.prepare(&statement)?;
        let mut rows = prepared.query(&named(&selection.parameters)[..])?;
        let mut groups = Vec::new();
        while let Some(row) = rows.next()? {
            if groups.len() == MAX_GROUPS {
                return Err(ReadError::TooManyGroups { limit: MAX_GROUPS });
            }
            let keys = by
                .iter()
                .enumerate()
                .map(|(at, dimension)| Ok(key(*dimension, row.get_ref(at)?, filter.zone.as_ref())));
            let keys = keys.collect::<rusqlite::Result<_>>()?;
            groups.push(Group { keys, count: number(row, by.len())? });
        }
        Group::sort(&mut groups, by, filter.zone.as_ref());
        Ok(Answer { value: groups, scanned: selection.scanned })
    }

    /// How many events say the same at the same moment as another one, but under another id: SendGrid's repeats with new
    /// ids, which are stored and shown.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn repeats(&self, filter: &Filter) -> Result<u64, ReadError> {
        let selection = Selection::new(filter, None, self.knows_tests()?);
        let found = selection.source_and_conditions(Needs { event: true, ..Needs::default() });
        let statement = format!(
            "SELECT ifnull(sum(n - 1), 0) FROM
                 (SELECT count(*) AS n {found} GROUP BY e.timestamp, e.fingerprint HAVING count(*) > 1)"
        );
        Ok(self.prepare(&statement)?.query_row(&named(&selection.parameters)[..], |row| number(row, 0))?)
    }

    /// How many items are in quarantine, by why.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn quarantined(&self) -> Result<Vec<(String, u64)>, ReadError> {
        let mut statement = self.prepare("SELECT why, count(*) FROM quarantine GROUP BY why ORDER BY 2 DESC, 1")?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, number(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether there are events of tests, which nearly every question leaves out.
    pub(super) fn knows_tests(&self) -> Result<bool, ReadError> {
        let mut statement =
            self.prepare("SELECT EXISTS (SELECT 1 FROM proof WHERE ifnull(verified_by, '') = 'test')")?;
        Ok(statement.query_row((), |row| row.get(0))?)
    }
}

/// Lists of categories are counted first, then spread over their members: there are few lists and many events.
fn statement(selection: &Selection, by: &[Dimension], counted: Counted, local: bool) -> String {
    let spread = by.contains(&Dimension::Category);
    let mut needs = Needs::default();
    let mut keys = Vec::new();
    for (at, dimension) in by.iter().enumerate() {
        keys.push(format!("{} AS k{at}", column(*dimension, selection, &mut needs, local)));
    }
    let distinct = counted == Counted::Recipients;
    if distinct && selection.source != Source::Category {
        needs.message = true;
    }
    let address = selection.address();
    let names: Vec<String> = (0..by.len()).map(|at| format!("k{at}")).collect();
    let group = |names: &[String]| match names {
        [] => String::new(),
        names => format!(" GROUP BY {}", names.join(", ")),
    };
    let limit = MAX_GROUPS + 1;
    if !spread {
        keys.push(if distinct { format!("count(DISTINCT {address})") } else { "count(*)".to_owned() });
        return format!(
            "SELECT {} {}{} LIMIT {limit}",
            keys.join(", "),
            selection.source_and_conditions(needs),
            group(&names)
        );
    }
    keys.push(if distinct { format!("{address} AS n") } else { "count(*) AS n".to_owned() });
    let found = selection.source_and_conditions(needs);
    let mut inner_names = names.clone();
    if distinct {
        inner_names.push("n".to_owned());
    }
    let inner = format!("SELECT {} {found}{}", keys.join(", "), group(&inner_names));
    let outer: Vec<String> = by
        .iter()
        .zip(&names)
        .map(|(dimension, name)| {
            if *dimension == Dimension::Category { format!("y.name AS {name}") } else { format!("g.{name} AS {name}") }
        })
        .collect();
    let list = by.iter().position(|dimension| *dimension == Dimension::Category).unwrap_or(0);
    let total = if distinct { "count(DISTINCT g.n)" } else { "sum(g.n)" };
    let outer_group: Vec<String> = (1..=by.len()).map(|at| at.to_string()).collect();
    format!(
        "SELECT {}, {total} FROM ({inner}) AS g
         LEFT JOIN category_member AS c ON c.category_list_id = g.k{list}
         LEFT JOIN category AS y ON y.id = c.category_id{} LIMIT {limit}",
        outer.join(", "),
        group(&outer_group)
    )
}

/// `local`: days and hours by the clock of [`know_clock`].
fn column(dimension: Dimension, selection: &Selection, needs: &mut Needs, local: bool) -> String {
    let side = selection.source == Source::Category;
    let (event, message, address) = match dimension {
        Dimension::Event | Dimension::Day | Dimension::Hour => (false, false, false),
        Dimension::Category => (false, !side, false),
        Dimension::Status | Dimension::Classification | Dimension::Reason | Dimension::VerifiedBy => {
            (true, false, false)
        }
        Dimension::Run | Dimension::Message => (false, true, false),
        Dimension::Domain => (false, false, true),
    };
    needs.event |= event;
    needs.message |= message;
    needs.address |= address;
    let timestamp = selection.shared("timestamp");
    match dimension {
        Dimension::Event => selection.shared("event"),
        Dimension::Status => "mail_status(e.event, e.type)".to_owned(),
        Dimension::Category => selection.category_list().to_owned(),
        Dimension::Domain => "a.email_domain".to_owned(),
        Dimension::Run => "m.run".to_owned(),
        Dimension::Day if local => format!("local_day({timestamp})"),
        Dimension::Hour if local => format!("local_hour({timestamp})"),
        Dimension::Day => format!("{timestamp} / {DAY}"),
        Dimension::Hour => format!("{timestamp} / {HOUR}"),
        Dimension::Classification => "e.bounce_classification".to_owned(),
        Dimension::Reason => "ifnull(e.reason, e.response)".to_owned(),
        Dimension::VerifiedBy => "(SELECT verified_by FROM proof WHERE id = e.proof_id)".to_owned(),
        Dimension::Message => "m.message_id".to_owned(),
    }
}

/// The functions `local_day` and `local_hour`: where the day or hour of a time begins by the clock of a zone, µs since the epoch.
fn know_clock(sql: &Connection, zone: &TimeZone) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    for (name, period) in [("local_day", Period::Day), ("local_hour", Period::Hour)] {
        let zone = zone.clone();
        // Rows come nearly in the order of time, so that the next time is mostly in the same period.
        let last = Cell::new((0, 0));
        sql.create_scalar_function(name, 1, flags, move |call| {
            let time: i64 = call.get(0)?;
            let (start, end) = last.get();
            if !(start..end).contains(&time) {
                last.set(period.bounds(time, &zone));
            }
            Ok(last.get().0)
        })?;
    }
    Ok(())
}

fn key(dimension: Dimension, value: ValueRef<'_>, zone: Option<&TimeZone>) -> Option<String> {
    let time = |number: i64, unit: i64, period: Period| match zone {
        Some(zone) => period.label(number, zone),
        None => period.label(number.checked_mul(unit)?, &TimeZone::UTC),
    };
    match (dimension, value) {
        (Dimension::Day, ValueRef::Integer(number)) => time(number, DAY, Period::Day),
        (Dimension::Hour, ValueRef::Integer(number)) => time(number, HOUR, Period::Hour),
        (_, ValueRef::Text(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// A count, which is never negative.
fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}
