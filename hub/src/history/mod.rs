//! What becomes of history: days that have passed are packed, what is past retention goes.

pub mod seal;

pub use seal::run;
