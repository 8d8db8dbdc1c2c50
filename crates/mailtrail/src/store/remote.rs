//! A store on another host, asked through the API of its page.

mod client;
mod error;
mod events;
mod lines;
mod mail;
mod row;
pub mod wire;

pub use client::Remote;
pub use error::RemoteError;
pub use row::Row;
