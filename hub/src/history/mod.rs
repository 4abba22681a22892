//! What becomes of ticks as they grow old.

pub mod roll_up;
