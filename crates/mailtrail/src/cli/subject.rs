//! Addresses on the command line: given plainly, as `-` from standard input (so that none stands in a shell's history), or as a
//! hash.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use zeroize::Zeroizing;

use super::exit::UsageError;
use super::output::note;
use crate::config::{Privacy, without_bom};
use crate::list::Address;
use crate::protect::{EmailHash, KeyRing};

/// Somebody, as given.
pub(super) enum Given {
    Hash(EmailHash),
    Address(Zeroizing<String>),
}

/// The hashes to look somebody up by, under the current key and the earlier ones.
pub(super) fn hashes(given: &str, privacy: &Privacy) -> anyhow::Result<Vec<EmailHash>> {
    match read(given)? {
        Given::Hash(hash) => Ok(vec![hash]),
        Given::Address(address) => Ok(KeyRing::load(privacy)?.lookup_hashes(&address)),
    }
}

/// What was given, `-` read from standard input.
pub(super) fn read(given: &str) -> anyhow::Result<Given> {
    let address = match given {
        "-" => from_stdin()?,
        given => Zeroizing::new(given.to_owned()),
    };
    if let Some(hash) = EmailHash::parse(&address) {
        return Ok(Given::Hash(hash));
    }
    let searched =
        Address::searchable(&address).map_err(|fault| UsageError(format!("that is not an address: {fault}")))?;
    if !searched.contains('@') {
        return Err(UsageError(
            "that is neither an address, nor a hash of 64 hex digits, nor - for standard input".to_owned(),
        )
        .into());
    }
    Ok(Given::Address(Zeroizing::new(searched.to_owned())))
}

fn from_stdin() -> anyhow::Result<Zeroizing<String>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        note("address:");
    }
    let mut line = Zeroizing::new(String::new());
    stdin.lock().read_line(&mut line).context("reading the address from standard input")?;
    let address = Zeroizing::new(without_bom(&line).trim().to_owned());
    if address.is_empty() {
        return Err(UsageError("standard input holds no address".to_owned()).into());
    }
    Ok(address)
}
