//! The recipients: a list, or addresses given one by one.

use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::path::Path;

use anyhow::Context as _;

use super::Args;
use crate::cli::exit::UsageError;
use crate::cli::output::note;
use crate::list::{Encoding, EncodingChoice, List, ListOptions};

/// Reads the recipients.
pub(super) fn read(args: &Args) -> anyhow::Result<List> {
    match &args.list {
        Some(path) => read_list(path, args.encoding, args.email_column.clone()),
        None => Ok(List::of_addresses(addresses(&args.to)?)),
    }
}

/// Reads a list from a file, or standard input for `-`; says where its encoding had to be guessed.
pub(in crate::cli) fn read_list(
    path: &Path,
    encoding: EncodingChoice,
    email_column: Option<String>,
) -> anyhow::Result<List> {
    let options = ListOptions { encoding, email_column };
    let input: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?)
    };
    let list = List::read(input, &options).map_err(|error| UsageError(error.to_string()))?;
    if encoding == EncodingChoice::Auto && list.encoding() == Encoding::Cp932 {
        note("note: the list is read as cp932 (Japanese Excel); --encoding says otherwise");
    }
    Ok(list)
}

fn addresses(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut addresses = Vec::new();
    for one in given {
        if one == "-" {
            for line in io::stdin().lock().lines() {
                let line = line.context("reading addresses from standard input")?;
                if !line.trim().is_empty() {
                    addresses.push(line);
                }
            }
        } else {
            addresses.push(one.clone());
        }
    }
    Ok(addresses)
}
