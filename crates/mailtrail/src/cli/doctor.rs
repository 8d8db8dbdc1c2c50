//! `mailtrail doctor`: pass, warn or fail, each with what to do.

mod bigquery;
mod certificate;
mod check;
mod configuration;
mod disk;
mod notices;
mod relay;
mod running;
mod store;

use std::io::Write as _;

use super::Global;
use super::exit::Exit;
use crate::clock;
use crate::config::{self, StoreKind};
use check::{Check, Verdict};

/// Say whether all is well, and what to do where it is not
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// A line a check, for people
    Text,
    /// An object a line
    Json,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let checks = examine(global);
    let mut stdout = std::io::stdout().lock();
    for check in &checks {
        match args.format {
            Format::Text => check.write_text(&mut stdout)?,
            Format::Json => writeln!(stdout, "{}", check.to_json())?,
        }
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn examine(global: &Global) -> Vec<Check> {
    let now = clock::now_micros();
    let explicit = global.config.as_deref();
    // Where only the listener's part is wrong, the store can still be examined.
    let (loaded, usable) = (config::load(explicit), config::load_for_questions(explicit));
    let mut checks = configuration::checks(loaded.as_ref());
    let Ok(config) = usable else { return checks };
    checks.extend(configuration::key_file(&config.privacy));
    checks.extend(certificate::checks(config.receive.tls.as_ref(), &config.watch, now));
    checks.extend(bigquery::checks(&config));
    checks.extend(notices::checks(&config));
    if config.store.kind == StoreKind::Sqlite {
        checks.extend(disk::checks(&config.store, &config.watch, now));
        checks.extend(store::checks(&config, now));
        checks.extend(relay::checks(&config, now));
        checks.extend(running::checks(&config));
    }
    checks
}
