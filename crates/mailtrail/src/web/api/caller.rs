//! Who asks: a program with a token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::config::Role;
use crate::web::guard::{Denied, QuotaKind};
use crate::web::page::App;
use crate::web::visitor::Peer;

/// A program that may ask.
pub(super) struct Caller {
    name: String,
    pub(super) role: Role,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let token = token(parts).ok_or_else(Problem::no_token)?;
        let Some(Peer(peer)) = parts.extensions.get::<Peer>() else { return Err(Problem::no_token()) };
        let client = app.guard.client(*peer, &parts.headers);
        app.guard.by_token(client, token).map(|(name, role)| Self { name, role }).map_err(|denied| match denied {
            Denied::Wrong => Problem::no_token(),
            Denied::TooOften | Denied::Busy => {
                crate::log::limited("token", || tracing::warn!("tokens of the API are being tried"));
                Problem::too_many_tokens()
            }
        })
    }
}

impl Caller {
    /// Lists of people are for operators, and who took which is in the log.
    pub(super) fn may_take(&self, list: &'static str) -> Result<(), Problem> {
        if self.role < Role::Operator {
            return Err(Problem::not_allowed("its role is viewer, and lists of people are for operators"));
        }
        tracing::info!(token = %self.name, "a list was asked of the API: {list}");
        Ok(())
    }
}

impl Caller {
    /// Counts events that the answer will have. A viewer whose quota is used up gets none, and is told when to ask again.
    pub(super) fn charge_events(&self, app: &App, count: usize) -> Result<(), Problem> {
        self.charge(app, QuotaKind::Rows, count)
    }

    /// Counts addresses that are asked about, because answers pair them with their hashes.
    pub(super) fn charge_addresses(&self, app: &App, count: usize) -> Result<(), Problem> {
        if count == 0 { Ok(()) } else { self.charge(app, QuotaKind::Addresses, count) }
    }

    fn charge(&self, app: &App, counted: QuotaKind, count: usize) -> Result<(), Problem> {
        app.guard.charge((&self.name, self.role), counted, count).map_err(|exceeded| Problem::quota(&exceeded))
    }
}

/// The token of the one header `Authorization`; of two, one may be from outside.
fn token(parts: &Parts) -> Option<&str> {
    let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
