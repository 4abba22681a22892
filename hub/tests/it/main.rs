//! The hub's tests against real databases, Redis, sockets and browsers: one binary, one module per subject.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panicking, also in its helpers; nothing here is reached from outside"
)]

mod alerts;
mod api;
mod audit;
mod backup;
mod browser;
mod channel_pages;
mod client;
mod courtesy;
mod dashboard_browser;
mod dead_letters;
mod demo;
mod distributed;
mod doctor;
mod embedded;
mod enrol;
mod events;
mod factor;
mod forms;
mod front;
mod history;
mod hubs;
mod incident_browser;
mod incident_pages;
mod ingest;
mod jobs;
mod keeping;
mod keyboard;
mod keys;
mod maintenance;
mod manifest;
mod markers;
mod metrics;
mod options;
mod payloads;
mod process;
mod queue;
mod queue_faults;
mod queue_limits;
mod reads;
mod replay;
mod reports;
mod roll_ups;
mod service_manager;
mod services;
mod sessions;
mod status;
mod store;
mod teams;
mod tenants;
mod upgrades;
