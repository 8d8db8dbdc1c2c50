//! The recipients: a list, or addresses given one by one.

use std::io;

use anyhow::Context as _;

use super::Args;
use crate::cli::list_file::plural;
use crate::cli::output::note;
use crate::config::{SendGrid, without_bom};
use crate::list::{List, LocalParts};

/// How many rows a warning names.
const NAMED_ROWS: usize = 20;

/// Reads the recipients.
pub(super) fn read(args: &Args, config: &SendGrid) -> anyhow::Result<List> {
    let local_parts = LocalParts::utf8_if(config.utf8_addresses);
    let list = match &args.list {
        Some(path) => args.list_format.read(path, local_parts)?,
        None => List::of_addresses(addresses(&args.to)?, local_parts),
    };
    warn_others_addresses(&list);
    Ok(list)
}

/// One recipient's address in another one's row is a sign that rows were put together.
fn warn_others_addresses(list: &List) {
    let rows = list.rows_with_others_addresses();
    if rows.is_empty() {
        return;
    }
    let mut named: Vec<String> = rows.iter().take(NAMED_ROWS).map(u64::to_string).collect();
    if rows.len() > NAMED_ROWS {
        named.push("…".to_owned());
    }
    note(&format!(
        "warning: {} of the list contain another recipient's address outside the column of addresses (row {})",
        plural(rows.len()),
        named.join(", ")
    ));
}

fn addresses(given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut addresses = Vec::new();
    for one in given {
        if one == "-" {
            let text = io::read_to_string(io::stdin().lock()).context("reading addresses from standard input")?;
            addresses.extend(without_bom(&text).lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        } else {
            addresses.push(one.clone());
        }
    }
    Ok(addresses)
}
