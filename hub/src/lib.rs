//! BetterUptime's hub. Arrows point one way (docs/ARCHITECTURE.md): `model` <- `store`, `queue` <- `schedule`,
//! `ingest`, `replay`, `history` <- `http` <- `run`.

pub mod alert;
pub mod clock;
pub mod command;
pub mod config;
pub mod ending;
pub mod enrolment;
pub mod history;
pub mod http;
pub mod ingest;
pub mod listen;
pub mod metrics;
pub mod model;
pub mod new_id;
pub mod operator;
pub mod queue;
pub mod replay;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod state_directory;
pub mod store;
pub mod vital;
