//! `mailtrail backup`

use std::io::Write as _;
use std::path::PathBuf;

use super::Global;
use super::exit::Exit;
use super::question::Question;
use crate::protect::KeyRing;
use crate::store::backup::backup;
use crate::store::keys::Keys as _;
use crate::store::sqlite::Reader;

/// Copy the store to a folder, while `serve` goes on
///
/// Everything that was acknowledged before the backup began is in it. Each copy is read back and written down with its
/// checksum. The configuration and the key file are not in it: keep the key apart, since whoever has both can find out
/// addresses by trying.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A new or an empty folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Copy the key file too: then guard the folder as you would the addresses
    #[arg(long)]
    with_key: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command is called alike")]
pub(super) fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let question = Question::new(global)?;
    // Says where there is no trail, rather than making one.
    drop(Reader::open(&question.paths)?);
    let privacy = &question.config.privacy;
    let keys = KeyRing::load(privacy)?;
    let key_file = args.with_key.then_some(privacy.key_file.as_path());
    let manifest = backup(&question.paths, &keys.identity(), &args.dir, key_file)?;
    let mut out = std::io::stdout().lock();
    for file in &manifest.files {
        let rows = ["event", "quarantine", "batch", "claim", "place"].into_iter();
        let rows: Vec<String> = rows.filter_map(|table| Some(format!("{} {table}", file.rows.get(table)?))).collect();
        writeln!(out, "{:<12} {:>12} bytes  {}", file.name, file.bytes, rows.join(", "))?;
    }
    writeln!(out, "backed up and read back: {}", args.dir.display())?;
    if args.with_key {
        writeln!(out, "the key file is in it: whoever has this folder can find out addresses by trying")?;
    } else {
        writeln!(out, "the key file {} is not in it: it needs a backup of its own", privacy.key_file.display())?;
    }
    Ok(Exit::Done)
}
