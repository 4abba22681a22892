//! What there is to count: ticks, requests, dead letters, changes of verdicts, and what was done to the world meanwhile.

use crate::fault::Outage;
use crate::target::Request;
use crate::world::{Place, Website};

/// A stored tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Number of the place.
    pub place: usize,
    /// The slot's name.
    pub slot_at: i64,
    /// Of the schedule; others are first and second looks, and those somebody asked for.
    pub is_scheduled: bool,
    /// When its check began, by the worker.
    pub started_at: i64,
    /// When Redis got it, by the hub.
    pub received_at: i64,
    /// Whether the website answered as it should.
    pub is_up: bool,
    /// Came to the database since the last count.
    pub is_new: bool,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The word before the first colon of its reason.
    pub kind: String,
    /// Number of the place it is about; `None`: it does not say.
    pub place: Option<usize>,
    /// What it names of the check.
    pub about: About,
    /// Came to the database since the last count.
    pub is_new: bool,
}

/// How a dead letter names its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A result, by its slot.
    Tick(i64),
    /// A check, by when Redis got it.
    Check(i64),
    /// Neither.
    Unknown,
}

/// A change of verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Number of the website.
    pub website: usize,
    /// When it was decided.
    pub decided_at: i64,
    /// To what.
    pub to: String,
    /// Came to the database since the last count.
    pub is_new: bool,
}

/// Everything known.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// All ticks there are.
    pub rows: Vec<Row>,
    /// Requests at the websites, also some from before the span.
    pub requests: Vec<Request>,
    /// All dead letters.
    pub letters: Vec<Letter>,
    /// All changes of verdicts, in their order for each website.
    pub changes: Vec<Change>,
    /// After a clock was set back the hubs give slots other names: by so many milliseconds later at most, so far.
    pub shift_ms: i64,
}

/// What was watched, and what was done to it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What is watched.
    pub websites: &'a [Website],
    /// From where.
    pub places: &'a [Place],
    /// The slots from this instant to before that one are counted.
    pub span: (i64, i64),
    /// The faults so far.
    pub outages: &'a [Outage],
    /// Spans in which the scripted websites were down; the last may not have ended.
    pub script: &'a [(i64, i64)],
}

impl Case<'_> {
    /// Whether an instant is in the span.
    #[must_use]
    pub fn has(&self, at: i64) -> bool {
        (self.span.0..self.span.1).contains(&at)
    }
}
