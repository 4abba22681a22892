//! BetterUptime's probe, as a library: the wire types both binaries agree on, and the engine that turns a check into
//! a tick. The hub uses it for its embedded probe, so that a Pi on a shelf and the hub's own region measure alike.
//!
//! Order of a check's life: it is read ([`wire`], `entry`, `consume`), run ([`pool`], [`engine`]), reviewed when it
//! failed ([`canary`]) and reported
//! (`backlog`, `spool`, `report`); [`run`] starts and stops all of it.

mod backlog;
mod backoff;
pub mod canary;
pub mod check_command;
pub mod clock;
mod complaint;
pub mod config;
mod connect;
mod consume;
mod dead_letter;
pub mod doctor;
pub mod engine;
mod entry;
pub mod fail_point;
mod keep;
pub mod logger;
mod metrics;
pub mod notify;
pub mod pool;
mod quota;
mod report;
pub mod run;
mod shared;
mod spool;
mod stop;
mod turn;
mod turns;
pub mod wire;
