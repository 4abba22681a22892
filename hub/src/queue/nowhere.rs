//! A queue that leads nowhere, for measurements of what comes before it: takes every check, and notes how late it was.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use probe::wire::{Check, CheckKind, UtcMs, WebsiteId};

use crate::clock;

/// Lateness up to here is told by the millisecond; all above is one.
const MOST_MS: usize = 20_000;

/// What it took.
#[derive(Debug)]
pub struct Nowhere {
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    /// Checks of the schedule, by milliseconds after their slot.
    late: Vec<u64>,
    /// When a website was last looked at out of turn.
    first: HashMap<WebsiteId, UtcMs>,
}

impl Default for Nowhere {
    fn default() -> Self {
        Self { taken: Mutex::new(Taken { late: vec![0; MOST_MS + 1], first: HashMap::new() }) }
    }
}

impl Nowhere {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, checks: &mut Vec<Check>) {
        let (mut taken, now) = (self.taken(), clock::now());
        for check in checks.drain(..) {
            match check.kind {
                CheckKind::Scheduled => {
                    let late = usize::try_from(now - check.slot_at).unwrap_or(0).min(MOST_MS);
                    if let Some(count) = taken.late.get_mut(late) {
                        *count += 1;
                    }
                }
                CheckKind::First | CheckKind::Manual | CheckKind::Confirm => {
                    taken.first.insert(check.website_id, now);
                }
            }
        }
    }

    /// Checks of the schedule since this was last asked, by milliseconds after their slot.
    pub fn late(&self) -> Vec<u64> {
        std::mem::replace(&mut self.taken().late, vec![0; MOST_MS + 1])
    }

    /// When a website was last looked at out of turn.
    #[must_use]
    pub fn first(&self, website: WebsiteId) -> Option<UtcMs> {
        self.taken().first.get(&website).copied()
    }
}
