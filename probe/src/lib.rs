//! BetterUptime's probe, as a library: the wire types both binaries agree on, and the engine that turns a check into
//! a tick. The hub uses it for its embedded probe, so that a Pi on a shelf and the hub's own region measure alike.
//!
//! Order of the modules is the order of a check's life: it is read ([`wire`]), run ([`engine`]) and reported.

pub mod check_command;
pub mod config;
pub mod consume;
pub mod engine;
pub mod logger;
pub mod pool;
pub mod report;
pub mod run;
pub mod wire;
