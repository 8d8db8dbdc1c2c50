//! Readers of the trail with a saved place: each misses nothing, may tell something twice after a kill, and never slows the
//! receiver down.

pub mod alert;
pub mod forward;
