//! The page for people: the same questions as on the command line, asked of the trail.
//!
//! A request passes [`admit`] (is it meant for us, does it come from our own page), then a handler that asks who it is
//! ([`visitor`], [`guard`]), reads the view out of the URL ([`asked`]), asks the trail on a thread of its own
//! ([`readers`]) and fills a template. An address that somebody types becomes a hash in the handler of the form; it is
//! never in a URL.

mod activity;
mod admit;
mod api;
mod asked;
mod assets;
mod connection;
mod event_view;
mod export;
mod failure;
mod frame;
mod guard;
mod listener;
mod login;
mod overview;
mod page;
mod password;
mod plain_words;
mod preferences;
mod readers;
mod router;
mod runs;
mod search;
mod source;
mod spot;
mod texts;
mod timeline;
mod visitor;
mod zone;

pub use connection::Timeouts;
pub use listener::{Invitations, Page, Store, WebError};
pub use password::{HashError, hash_password, new_token};
