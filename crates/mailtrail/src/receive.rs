//! The public listener: who is it? Nothing of a body is parsed here.

mod authentic;

pub use authentic::{Authentic, VerifiedBy};
