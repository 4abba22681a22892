//! What an account watches, kept in a file: websites, jobs, channels, maintenance windows and status pages as YAML, and what would have to
//! be done for the account to be as the file says ([`Plan`]).
//!
//! Pure: text and what is stored come in ([`State`]), secrets through a function ([`Secrets`]), and a plan comes out. Each
//! value goes through the same rules as one that is typed into a form (`SettingsInput`, `ChannelInput`, ...), so that no
//! file brings in what a form would refuse. What is wrong is told all at once, with its line ([`Problem`]).
//!
//! An object is known again by its *key*. One whose key is not given has one made of its address or name; what is stored
//! bears the key and the name of the file that keeps it ([`Managed`]), so that a new name or address is a change and not
//! another object. What no file keeps is left alone; it is taken over by the first file that says the same of it.

mod about;
mod channel;
mod export;
mod fields;
mod key;
mod maintenance;
mod plan;
mod problem;
mod read;
mod render;
mod secret;
mod spec;
mod status_page;
mod website;
mod website_out;
mod write;
mod yaml;

pub use export::export;
pub use key::{Managed, NAME_CHARACTERS};
pub use plan::{Action, FieldChange, Item, Plan, Write};
pub use problem::{Problem, Problems};
pub use read::{Context, Manifest};
pub use render::{as_json, as_text};
pub use secret::{Reference, Secrets};
pub use spec::{About, ChannelSpec, JobSpec, Kind, Known, Space, Spec, State, WebsiteSpec};
pub(in crate::model) use write::{Out, to_yaml};
pub(in crate::model) use yaml::{Node, Value, parse};

/// Bytes of a file.
pub const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Objects of a file: all of them are one transaction.
pub const MOST_OBJECTS: usize = 10_000;

#[cfg(test)]
mod tests;
