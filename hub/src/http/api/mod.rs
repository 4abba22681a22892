//! JSON for programs.

pub mod ancestor;
pub mod health;
