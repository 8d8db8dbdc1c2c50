//! How far an import is, and what it came to.

use std::io::{self, IsTerminal as _, Stdout};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output::{Cell, Format, OutputArgs, Sheet, note};
use crate::import::{Counts, Unknown};
use crate::show::visible;

const COLUMNS: [&str; 7] = ["source", "read", "stored", "duplicate", "quarantined", "forgotten", "unmatched"];

/// The counts, a row a source.
pub(super) struct Told {
    sheet: Option<Sheet<Stdout>>,
    total: Counts,
    dry_run: bool,
}

impl Told {
    pub(super) fn begin(format: Format, dry_run: bool) -> io::Result<Self> {
        let sheet = Sheet::begin(io::stdout(), OutputArgs { format, ..OutputArgs::default() }, &COLUMNS)?;
        Ok(Self { sheet: Some(sheet), total: Counts::default(), dry_run })
    }

    pub(super) fn source(&mut self, shown: &str, counts: &Counts) -> io::Result<()> {
        let Counts { read, stored, duplicate, quarantined, forgotten, unmatched } = *counts;
        let numbers = [read, stored, duplicate, quarantined, forgotten, unmatched];
        let numbers = numbers.map(|number| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
        if let Some(sheet) = &mut self.sheet {
            sheet.row([Cell::Text(shown.to_owned())].into_iter().chain(numbers).collect())?;
        }
        self.total.quarantined += quarantined;
        self.total.unmatched += unmatched;
        self.total.stored += stored;
        Ok(())
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        let Some(sheet) = self.sheet.take() else { return Ok(()) };
        sheet.end()?;
        if self.dry_run {
            note("note: this was a dry run; nothing is stored");
        }
        if self.total.quarantined > 0 {
            note(&format!(
                "warning: {} could not be read as events and are in quarantine, sealed",
                self.total.quarantined
            ));
        }
        if self.total.unmatched > 0 {
            note(&format!(
                "warning: {} events are not stored: their hashes were made by another key, and nobody knows whose they are. Until \
                 then `sent` may say no where it should say yes. Name the other key file in [privacy] previous_key_files, or import \
                 again with --rehash LIST, a list that has the addresses; --hash none stores them without whom they are about",
                self.total.unmatched
            ));
        }
        Ok(())
    }
}

/// What came about since.
pub(super) fn since(now: &Counts, before: &Counts) -> Counts {
    Counts {
        read: now.read - before.read,
        stored: now.stored - before.stored,
        duplicate: now.duplicate - before.duplicate,
        quarantined: now.quarantined - before.quarantined,
        forgotten: now.forgotten - before.forgotten,
        unmatched: now.unmatched - before.unmatched,
    }
}

/// Columns that were left out.
pub(super) fn unknown(shown: &str, unknown: &Unknown) {
    let names: Vec<String> = unknown.names().map(|name| visible(name).into_owned()).collect();
    if !names.is_empty() {
        note(&format!("note: {shown}: columns that events do not have are left out: {}", names.join(", ")));
    }
}

/// Columns with values that could not be read, and the forms that can be.
pub(super) fn unreadable(shown: &str, unknown: &Unknown) {
    for (column, rows) in unknown.unreadable() {
        let forms = match column {
            "timestamp" | "received_at" => {
                "times are RFC 3339 with their offset (2026-11-24T10:00:00Z), 2026-11-24 10:00:00 UTC, or seconds since 1970"
            }
            _ => "keys are 32 hex digits",
        };
        note(&format!("warning: {shown}: column {column} could not be read in {rows} rows: {forms}"));
    }
}

/// How far it is, on a terminal.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(shown: &str, total: Option<u64>) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        if let Ok(style) =
            ProgressStyle::with_template(if total.is_some() { "{bar:20} {wide_msg}" } else { "{wide_msg}" })
        {
            bar.set_style(style);
        }
        bar.set_message(shown.to_owned());
        Self(bar)
    }

    pub(super) fn at(&self, counts: &Counts, before: &Counts, read: u64) {
        let Counts { read: events, stored, .. } = since(counts, before);
        self.0.set_position(read);
        self.0.set_message(format!("{events} events read, {stored} new"));
    }

    pub(super) fn gone(&self) {
        self.0.finish_and_clear();
    }
}
