//! Who reads the trail from a saved place, in order and at least once, and hands it on.

pub mod forward;
