//! The probe's tests against real sockets: one binary, one module per subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod dns;
mod doctor;
mod http;
mod policy;
mod put_away;
mod redis_worker;
mod server;
mod tls;
mod worker;
