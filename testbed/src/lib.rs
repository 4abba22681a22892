//! Test support for all crates: the other side of every connection, as bad as a test wants it.
//!
//! Nothing here outlives the value that started it: servers end their threads when they are dropped. Nothing here dials
//! an address that a test did not give it. It depends on no crate of ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a test that cannot set itself up has failed"
)]

pub mod fault_proxy;
pub mod gzip;
pub mod measure;
pub mod name_server;
pub mod namespace;
pub mod pki;
pub mod port;
pub mod server;
mod threads;
