//! From one schema to the next: whether a program and a database go together, what migrations lock and how much they write.
//! Read from their text, so that it is known before; where the text does not say, that is the answer.

mod alter;
mod fit;
mod plan;
mod sql;
mod step;

#[cfg(test)]
mod tests;

pub use fit::{Applied, Known, Misfit, fits};
pub use plan::{Migration, Pending, Plan, Table, TableSize, plan};
pub use step::{Dialect, Lock, Step, Touch, Work, steps};
