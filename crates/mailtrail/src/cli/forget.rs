//! `mailtrail forget`

mod at_sendgrid;
mod dataset;
mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use at_sendgrid::AtSendGrid;
use told::Done;

use super::Global;
use super::exit::{Exit, UsageError};
use super::list_file::ListFormatArgs;
use super::question::Question;
use super::{subject, time};
use crate::archive;
use crate::config::StoreKind;
use crate::list::Person;
use crate::protect::{KeyRing, Wanted};
use crate::store::forget;
use crate::store::keys::Keys as _;
use crate::store::sqlite::{Reader, Unproven};

/// Remove everything that is kept of an address
///
/// From spool, trail and quarantine, beside a running `serve` or without one, and so that nothing is left in the bytes of the
/// files. A mark that only the key file can read keeps late events of the address from being stored again; --lift takes it
/// back. The ledger of sends keeps its hashes, so that nobody is mailed again who was mailed already.
///
/// In BigQuery, where events go or are forwarded, rows are deleted, too. It may not let go of what came in within the last ninety
/// minutes: then it is said what remains, and --wait tries again. Its receivers keep no marks.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An address or a hash; - reads one from standard input
    #[arg(value_name = "ADDRESS", required_unless_present_any = ["list", "unverified", "test"])]
    address: Vec<String>,
    /// A list of addresses or hashes, one a line, or CSV with a heading; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    list: Option<PathBuf>,
    #[command(flatten)]
    list_format: ListFormatArgs,
    /// Instead, remove events that no signature vouches for, since the first public key was configured
    #[arg(long, conflicts_with_all = ["address", "list", "lift"])]
    unverified: bool,
    /// Instead, remove events of test keys and SendGrid's samples
    #[arg(long, conflicts_with_all = ["address", "list", "lift", "unverified"])]
    test: bool,
    /// Also an archive that `mailtrail archive` wrote: its files that speak of them are written anew; may be repeated
    #[arg(long, value_name = "DIR", conflicts_with_all = ["unverified", "test", "lift"])]
    archive: Vec<PathBuf>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Instead, store the events of a forgotten address again from now on
    #[arg(long, conflicts_with = "dry_run")]
    lift: bool,
    /// Try again for so long at rows in BigQuery that just came in, such as 2h
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["dry_run", "lift"])]
    wait: Option<String>,
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
    let question = Question::new(global)?;
    let patience = args.wait.as_deref().map(time::duration).transpose()?.unwrap_or_default();
    let keys = Arc::new(KeyRing::load(&question.config.privacy)?);
    let remote = dataset::Remote::of(&question.config, &question.paths, patience)?;
    let paths = &question.paths;
    let has_trail = question.config.store.kind == StoreKind::Sqlite;
    if has_trail {
        // Says where there is no trail, rather than making one.
        drop(Reader::open(paths)?);
    }
    if args.unverified || args.test {
        let which = if args.test { Unproven::Test } else { Unproven::Unverified };
        let local = match (has_trail, args.dry_run) {
            (false, _) => 0,
            (true, true) => forget::count_unproven(paths, which)?,
            (true, false) => forget::forget_unproven(paths, &keys, which)?.events,
        };
        let there = remote.map(|remote| remote.unproven(which, args.dry_run)).transpose()?;
        return told::unproven(args.format, args.dry_run, has_trail.then_some(local), there.as_ref());
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
        for person in args.list_format.read_people(list)? {
            match person {
                Person::Hash(hash) => {
                    by_hash += 1;
                    who.add_hash(hash);
                }
                Person::Address(address) => who.add_address(address.expose(), &keys),
            }
        }
    }
    if who.is_empty() {
        return Err(UsageError("the list names nobody".to_owned()).into());
    }
    if args.lift {
        if !has_trail {
            let why = "nobody is marked as forgotten in BigQuery: whoever writes again is stored again";
            return Err(UsageError(why.to_owned()).into());
        }
        return told::lifted(args.format, forget::lift(paths, &keys, &who)?);
    }
    // First whether it can be done at all, and is wanted.
    let input_is_taken = args.address.iter().any(|given| given == "-") || args.list.as_deref() == Some(Path::new("-"));
    let sendgrid = match args.at_sendgrid && !args.dry_run {
        true => Some(AtSendGrid::prepare(&question.config.sendgrid, &who, by_hash, input_is_taken, args.yes)?),
        false => None,
    };
    let local = match (has_trail, args.dry_run) {
        (false, _) => None,
        (true, true) => Some(forget::preview(paths, &keys, &who)?),
        (true, false) => Some(forget::forget(paths, &keys, &who)?),
    };
    let archived = in_archives(&args.archive, &keys, &who, args.dry_run)?;
    let done = Done { local: local.as_ref(), archived: archived.as_ref(), ..Done::default() };
    // After the trail, from where rows are forwarded.
    let there = match remote.map(|remote| remote.people(&keys, &who, args.dry_run)).transpose() {
        Ok(there) => there,
        Err(error) => {
            // What was done on this machine is said in any case.
            told::people(args.format, args.dry_run, done)?;
            return Err(error.context("BigQuery is not done, and SendGrid was not asked: repeat this"));
        }
    };
    let asked = match sendgrid {
        Some(sendgrid) => Some(sendgrid.ask(&who)?),
        None => args.at_sendgrid.then(|| at_sendgrid::preview(&who)),
    };
    told::people(args.format, args.dry_run, Done { there: there.as_ref(), asked: asked.as_ref(), ..done })
}

/// What all the archives that are named held of them; `None` where none is named.
fn in_archives(
    folders: &[PathBuf],
    keys: &KeyRing,
    who: &Wanted,
    dry_run: bool,
) -> anyhow::Result<Option<archive::Forgotten>> {
    let mut all = None;
    for path in folders {
        let done = archive::Folder::existing(path, &keys.identity())
            .and_then(|mut folder| archive::forget(&mut folder, who, dry_run))
            .context("the store is done; the archive is not, so repeat this")?;
        *all.get_or_insert_with(archive::Forgotten::default) += done;
    }
    Ok(all)
}
