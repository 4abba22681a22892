//! The probe's tests against real sockets: one binary, one module per subject.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod answer;
mod body;
mod canary;
mod checks;
mod content;
mod contract;
mod dial;
mod dns;
mod doctor;
mod end;
mod fuzz;
mod gateway;
mod head;
mod metrics;
mod policy;
mod put_away;
mod redirect;
mod redis_worker;
mod request;
mod spool;
mod ssrf;
mod tls;
mod url;
mod worker;
