//! Incidents: written in the transaction that writes the verdicts they follow from, together with the alerts about them;
//! read by pages, the API and whoever composes messages.

mod desk;
mod read;
mod row;

pub use read::IncidentStory;
