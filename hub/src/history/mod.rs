//! What becomes of history: hours that have passed are rolled up, days that have passed are packed, what is past retention goes.

pub mod roll_up;
pub mod seal;

pub use seal::run;
