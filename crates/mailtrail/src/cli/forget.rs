//! `mailtrail forget`

mod at_sendgrid;
mod told;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use zeroize::Zeroizing;

use at_sendgrid::AtSendGrid;

use super::Global;
use super::exit::{Exit, UsageError};
use super::question::Question;
use super::subject;
use crate::list::original;
use crate::protect::{EmailHash, KeyRing, Wanted};
use crate::store::forget;
use crate::store::sqlite::{Reader, Unproven};

/// Remove everything that is kept of an address
///
/// From spool, trail and quarantine, beside a running `serve` or without one, and so that nothing is left in the bytes of the
/// files. A mark that only the key file can read keeps late events of the address from being stored again; --lift takes it
/// back. The ledger of sends keeps its hashes, so that nobody is mailed again who was mailed already.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An address or a hash; - reads one from standard input
    #[arg(value_name = "ADDRESS", required_unless_present_any = ["list", "unverified", "test"])]
    address: Vec<String>,
    /// A file with an address or hash a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    list: Option<PathBuf>,
    /// Instead, remove events that no signature vouches for, since the first public key was configured
    #[arg(long, conflicts_with_all = ["address", "list", "lift"])]
    unverified: bool,
    /// Instead, remove events of test keys and SendGrid's samples
    #[arg(long, conflicts_with_all = ["address", "list", "lift", "unverified"])]
    test: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Instead, store the events of a forgotten address again from now on
    #[arg(long, conflicts_with = "dry_run")]
    lift: bool,
    /// Also have SendGrid erase what it holds of them, for good
    #[arg(long, conflicts_with_all = ["unverified", "test", "lift"])]
    at_sendgrid: bool,
    /// With --at-sendgrid: do not ask
    #[arg(long, requires = "at_sendgrid")]
    yes: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = told::Format::Text)]
    format: told::Format,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::of_trail(global)?;
    // Says where there is no trail, rather than making one.
    drop(Reader::open(&question.paths)?);
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let paths = &question.paths;
    if args.unverified || args.test {
        let which = if args.test { Unproven::Test } else { Unproven::Unverified };
        return if args.dry_run {
            told::unproven(args.format, true, forget::count_unproven(paths, which)?)
        } else {
            told::unproven(args.format, false, forget::forget_unproven(paths, &keys, which)?.events)
        };
    }
    let (mut who, mut by_hash) = (Wanted::default(), 0);
    for given in &args.address {
        match subject::read(given)? {
            subject::Given::Hash(hash) => {
                by_hash += 1;
                who.add_hash(hash);
            }
            subject::Given::Address(address) => who.add_address(&address, &keys),
        }
    }
    if let Some(list) = &args.list {
        by_hash += add_list(list, &mut who, &keys)?;
    }
    if who.is_empty() {
        return Err(UsageError("the list names nobody".to_owned()).into());
    }
    if args.lift {
        return told::lifted(args.format, forget::lift(paths, &keys, &who)?);
    }
    if args.dry_run {
        let report = forget::preview(paths, &keys, &who)?;
        let asked = args.at_sendgrid.then(|| at_sendgrid::preview(&who));
        return told::people(args.format, true, &report, asked.as_ref());
    }
    // First whether it can be done at all, and is wanted.
    let input_is_taken = args.address.iter().any(|given| given == "-") || args.list.as_deref() == Some(Path::new("-"));
    let at_sendgrid = match args.at_sendgrid {
        true => Some(AtSendGrid::prepare(&question.config.sendgrid, &who, by_hash, input_is_taken, args.yes)?),
        false => None,
    };
    let report = forget::forget(paths, &keys, &who)?;
    let asked = at_sendgrid.map(|sendgrid| sendgrid.ask(&who)).transpose()?;
    told::people(args.format, false, &report, asked.as_ref())
}

/// An address or a hash a line; says how many hashes. What is wrong is told by line, never by what stands there.
fn add_list(path: &Path, who: &mut Wanted, keys: &KeyRing) -> anyhow::Result<usize> {
    let lines: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).with_context(|| format!("opening {}", path.display()))?))
    };
    let mut by_hash = 0;
    for (number, line) in (1..).zip(lines.lines()) {
        let line = Zeroizing::new(line.with_context(|| format!("reading line {number} of the list"))?);
        let given = original(line.trim().trim_start_matches('\u{feff}'));
        if given.is_empty() {
            continue;
        }
        if let Some(hash) = EmailHash::parse(given) {
            by_hash += 1;
            who.add_hash(hash);
        } else if given.contains('@') && !given.contains(char::is_whitespace) {
            who.add_address(given, keys);
        } else {
            return Err(UsageError(format!("line {number} of the list is neither an address nor a hash")).into());
        }
    }
    Ok(by_hash)
}
