//! What other programs watch, as a file of ours ([`super::manifest`]), and what of it could not be carried, each with the
//! reason. Pure: their files come in as text or JSON, a file of ours goes out as text, and secrets beside it.
//!
//! Nothing is smuggled in: each object is read back by the rules of every other file before it is taken, and what they refuse
//! is left out and told (T153).

mod carry;
mod gatus;
mod gatus_alerting;
mod gatus_conditions;
mod kuma;
mod kuma_channel;
mod pointer;
mod span;

pub use carry::{Import, NotCarried};
pub use gatus::gatus;
pub use kuma::kuma;

#[cfg(test)]
mod tests;
