//! Whom to mail: the list, or addresses given one by one.

use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::path::Path;

use anyhow::Context as _;

use super::Args;
use crate::cli::exit::UsageError;
use crate::cli::output::note;
use crate::list::{Encoding, EncodingChoice, List, ListOptions};

/// Reads whom to mail. Rows that cannot be mailed are told, and end the command unless they are to be left out.
pub(super) fn read(args: &Args) -> anyhow::Result<List> {
    let list = match &args.list {
        Some(path) => read_list(path, args.encoding, args.email_column.clone())?,
        None => List::of_addresses(addresses(&args.to)?),
    };
    let problems = list.problems();
    for problem in problems.shown() {
        note(&format!("{}: {problem}", if args.skip_invalid { "left out" } else { "cannot be mailed" }));
    }
    let more = problems.total() - problems.shown().len();
    if more > 0 {
        note(&format!("and {more} more"));
    }
    if problems.total() > 0 && !args.skip_invalid {
        return Err(UsageError(format!(
            "{} of the list cannot be mailed, so nobody was: mend them, or leave them out with --skip-invalid",
            rows(problems.total())
        ))
        .into());
    }
    if list.is_empty() {
        return Err(UsageError("there is nobody to mail".to_owned()).into());
    }
    Ok(list)
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

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}
