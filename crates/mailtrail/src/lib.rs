//! mailtrail keeps every event that SendGrid tells about your mail, and answers questions about it.
//!
//! The modules stand in the order an event travels; each may use the ones above it, never the ones below
//! (`tests/architecture.rs` holds that). ARCHITECTURE.md tells the whole way.

pub mod files;
pub mod retry_after;
pub mod visible;

pub mod clock;
pub mod config;
pub mod database;
pub mod log;
pub mod run;
pub mod stop;

pub mod receive;

pub mod decode;

pub mod protect;

pub mod spool;

pub mod settle;

pub mod store;

pub mod list;

pub mod show;

pub mod archive;

pub mod sendgrid;

pub mod event_webhook;

pub mod reconcile;

pub mod import;

pub mod compose;

pub mod send;

pub mod outcome;

pub mod notify;

pub mod follow;

pub mod relay;

pub mod web;

pub mod serve;

pub mod cli;
