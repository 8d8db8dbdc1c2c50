//! A notice as signed JSON, as Standard Webhooks describes it (standardwebhooks.com).

mod body;
mod sign;

pub use body::body;
pub use sign::{headers, signature};
