//! JSON for programs.

pub mod ancestor;
pub mod dead_letters;
pub mod health;
pub mod maintenance;
