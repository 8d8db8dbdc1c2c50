//! Whose keys made a source's hashes: what is said on the command line.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::exit::UsageError;
use crate::cli::list_file::{self, ListFormatArgs};
use crate::import::{Hashes, Recipients, Rehash};
use crate::list::LocalParts;
use crate::protect::KeyRing;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RecipientArgs {
    /// What made email_hash in rows that do not say it by key_id
    #[arg(long, value_enum, value_name = "KIND")]
    hash: Option<Kind>,
    /// A CSV list of addresses that tells whose the old hashes are; the others are counted and left out
    #[arg(long, value_name = "LIST")]
    rehash: Option<PathBuf>,
    /// The list's column with the old hashes [default: email_hash, where there is one; else they are taken to be SHA-256]
    #[arg(long, value_name = "NAME", requires = "rehash")]
    rehash_column: Option<String>,
    #[command(flatten)]
    list_format: ListFormatArgs,
    /// Skip rows of the list of --rehash that have no address, instead of ending with an error
    #[arg(long, requires = "rehash")]
    skip_invalid: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// The key of [privacy] here
    Same,
    /// SHA-256 of the address, without a key
    Sha256,
    /// Something unknown: the events are kept, and whom they are about is not
    None,
}

impl RecipientArgs {
    pub(super) fn read(&self, keys: &Arc<KeyRing>) -> anyhow::Result<Recipients> {
        let hashes = self.hash.map(|kind| match kind {
            Kind::Same => Hashes::Same,
            Kind::Sha256 => Hashes::Sha256,
            Kind::None => Hashes::None,
        });
        if hashes == Some(Hashes::Sha256) && keys.hash_mode() != "sha256" && self.rehash.is_none() {
            return Err(UsageError(
                "here hashes are made with a key ([privacy] hash), so SHA-256 hashes need --rehash LIST, a list of the addresses to \
                 make them anew"
                    .to_owned(),
            )
            .into());
        }
        let rehash = self.rehash.as_ref().map(|path| {
            let list = self.list_format.read(path, LocalParts::Utf8)?;
            if self.skip_invalid {
                list_file::print_problems(list.problems(), "skipped");
            } else {
                list_file::refuse(list.problems(), ", or skip them with --skip-invalid")?;
            }
            let column = match &self.rehash_column {
                Some(name) => {
                    let missing = || UsageError(format!("the list of --rehash has no column {name:?}"));
                    Some(list.column(name).ok_or_else(missing)?)
                }
                None => list.column("email_hash"),
            };
            anyhow::Ok(Rehash::new(list, column))
        });
        Ok(Recipients::new(Arc::clone(keys), hashes, rehash.transpose()?))
    }
}
