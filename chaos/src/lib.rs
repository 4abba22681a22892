//! The chaos suite: two hubs, four workers in two regions, a Redis, a Postgres and the websites they watch, as processes
//! on this machine; faults, one after the other; and a checker that counts what came of every check that was due.
//!
//! [`world`] starts everything, [`fault`] breaks it, [`watch`] looks on, [`judge`] counts, [`campaign`] puts them
//! together; [`ramp`] asks how much one machine can take, [`alarm`] how soon people are told. `docs/ARCHITECTURE.md` has the words, CASES the invariants.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a test that cannot set itself up has failed"
)]

pub mod alarm;
pub mod campaign;
pub mod fault;
pub mod judge;
pub mod postgres;
pub mod process;
pub mod ramp;
pub mod table;
pub mod target;
pub mod watch;
pub mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Now, in UTC milliseconds; hub, workers and targets share this machine's clock.
#[must_use]
pub fn now() -> i64 {
    hub::clock::now()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
