//! Hashes of addresses, for who has a list and not the key.
//!
//! Whoever may search for an address learns its hash anyway, from the rows; with many at once a store that leaked could be
//! matched against a list, so many are for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::body::Body;
use super::caller::Caller;
use super::problem::Problem;
use super::rows::answer;
use super::which::addresses_of_list;
use crate::show::Cell;
use crate::store::remote::wire::{About, Addresses, MOST_HASHED};
use crate::web::page::App;

/// Addresses that are no list.
const NO_LIST: usize = 20;

/// A row for each address, in their order: its hashes, under the current key first.
pub(super) async fn hashes(State(app): State<Arc<App>>, caller: Caller, body: Body) -> Result<Response, Problem> {
    let Addresses { email: addresses } = body.read()?;
    if addresses.len() > MOST_HASHED {
        return Err(Problem::malformed(format!("email has more than {MOST_HASHED} addresses")));
    }
    if addresses.len() > NO_LIST {
        caller.may_take("hashes")?;
    }
    caller.charge_addresses(&app, addresses.len())?;
    let mut rows = Vec::with_capacity(addresses.len());
    for address in addresses_of_list(&addresses)? {
        let hashes = app.keys.lookup_hashes(address.expose());
        rows.push(vec![Cell::List(hashes.iter().map(ToString::to_string).collect())]);
    }
    Ok(answer(&["email_hash"], rows, &About::default()))
}
