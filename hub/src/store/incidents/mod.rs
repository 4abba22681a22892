//! Incidents: written in the transaction that writes the verdicts they follow from, together with the alerts about them;
//! read by pages, the API and whoever composes messages.

mod alerts;
mod apply;
mod below;
mod desk;
mod evidence;
mod load;
mod operator;
mod read;
mod review;
mod row;
mod rows;
mod save;

pub(super) use apply::apply;
pub use operator::OperatorReviewed;
pub use read::IncidentStory;
pub use review::Reviewed;
pub(super) use review::free_accounts;
pub(super) use rows::write_rows;
