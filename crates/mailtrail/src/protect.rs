//! The last room that sees an address: an event goes in, a row without plain addresses comes out.
//!
//! [`Protector`] makes the rows, [`KeyRing`] the hashes and seals. What is never written, exactly: an address in one of the
//! forms that `redact` knows. Names, phone and customer numbers are not recognised.

mod address;
mod backup_key;
mod batch;
mod forgotten;
mod ids;
mod ip;
mod key_file;
mod key_ring;
mod post;
mod protector;
mod redact;
pub mod row;
mod stored;
mod url;
mod values;
mod wanted;

pub use address::{EmailHash, normalise, on_the_wire, spellings};
pub use backup_key::BackupKey;
pub use batch::{BATCH_FORMAT, Counts, ProtectedBatch};
pub use forgotten::ForgottenKey;
pub use key_file::{KeyError, KeyFile};
pub use key_ring::{KeyRing, OpenError};
pub use post::{Post, SealedPost};
pub use protector::{Imported, Protector, Recipient, Vouching};
pub use redact::{without_address, without_addresses};
pub use row::{AddressRow, BatchRow, EventRow, SealedRow};
pub use stored::StoredEvent;
pub use wanted::Wanted;
