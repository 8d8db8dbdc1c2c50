//! The public listener: who is it? Nothing of a body is parsed here.
//!
//! One POST passes, in this order: [`head`] (form of the request, before any body byte is read), [`access`] (Basic
//! credentials, form and freshness of the signature headers), [`body`] (bounded in size, time and shared memory),
//! `access` again (the signature over the raw bytes), and is handed on as an [`Authentic`] body to a [`Keep`], which
//! answers only when it is durable. [`answer`] says with which status each outcome is told to SendGrid.

mod access;
mod answer;
mod authentic;
mod body;
mod certificate;
mod connections;
mod fault;
mod head;
mod head_guard;
mod hops;
mod listener;
pub(crate) mod peer;
mod post;
pub mod skew;
mod threads;
mod tls;
pub mod wrong_path;

pub use access::{Access, AccessSummary};
pub use answer::Refusal;
pub use authentic::{Authentic, ProofHeaders, VerifiedBy};
#[cfg(test)]
pub(crate) use certificate::testing as certificate_testing;
pub use certificate::{CertificateError, CertificateWarning, ServerCertificate};
pub(crate) use connections::{Connections, Place};
pub use fault::ConnectionFault;
pub(crate) use head_guard::HeadGuard;
pub use hops::{HOP_HEADER, with_own as with_own_hop};
pub use listener::{Listener, ListenerError, serve};
pub(crate) use post::status_label;
pub use post::{Keep, Kept, Shared};
pub use tls::{CertificatePoll, Tls, TlsStanding};
