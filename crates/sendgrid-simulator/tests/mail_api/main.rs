//! The Mail API as a client meets it, and held against SendGrid's published document.

mod erasure;
mod events;
mod faults;
mod limits;
mod logs;
mod openapi;
mod outbox;
mod support;
mod webhooks;
