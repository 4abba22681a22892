//! What things are and the rules over them. No I/O, no clock: instants and inputs are arguments.

mod account;
mod confirm;
mod field;
pub mod recent;
mod region;
pub mod slots;
mod state;
pub mod uptime;
pub mod url;
pub mod verdict;
mod website;

pub use account::{Account, AccountId, Session, SessionKey};
pub use confirm::Confirm;
pub use field::{FieldError, FieldErrors};
pub use region::{Region, Worker};
pub use state::{BoardRow, RecentTick, RegionState, StoredTick, Transition, Uptime, WebsiteState};
pub use website::{INTERVALS_OFFERED_S, Website, WebsiteSettings};

pub use probe::wire::{
    Blame, Certificate, Check, CheckKind, Class, DeadLetter, Delays, Failure, Heartbeat, Outcome, Phase, Phases,
    RegionId, Report, Tick, UtcMs, WebsiteId, WorkerId,
};
