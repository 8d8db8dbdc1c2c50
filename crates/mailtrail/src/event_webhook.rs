//! SendGrid's Event Webhook, set up by its API: what is set, whether it fits this receiver, and how keys and credentials are
//! replaced with no gap.

mod post_url;
mod receiver;
mod rotate;
mod settings;

pub use post_url::{PostUrl, PostUrlError};
pub use receiver::{Receiver, ReceiverError};
pub use rotate::{Next, RotateError, Rotation, Step};
pub use settings::{All, Settings, Webhook};
