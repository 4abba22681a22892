//! What this hub counts of its own work ([`Counts`]), which series there are ([`families`]) and the text in which they
//! are read ([`Page`]). Knows neither database nor queue: who reads those and answers is [`crate::http::metrics`].
//!
//! A module of our own rather than a crate: most series are read from tables when they are asked for, which is what the
//! registries of crates are made against, and what is left is a few atomics and a hundred lines of text format.

mod counts;
pub mod families;
mod page;
mod process;

pub use counts::{Answered, Counter, Counts, Gauge, Missed, Times};
pub use families::{Family, Kind};
pub use page::{Format, Page, seconds};
pub use process::write as write_process;
