//! The clock of one hop. At every instant exactly one phase is running, so the phases add up by construction.

use std::time::{Duration, Instant};

use crate::wire::{Phase, Phases};

/// Runs one phase at a time.
#[derive(Debug)]
pub(super) struct Stopwatch {
    phase: Phase,
    since: Instant,
    phases: Phases,
}

impl Stopwatch {
    /// Starts in `phase`.
    pub(super) fn start(phase: Phase) -> Self {
        Self { phase, since: Instant::now(), phases: Phases::default() }
    }

    /// The phase that is running.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Ends the running phase and starts `phase`.
    pub(super) fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        self.book(now.duration_since(self.since));
        self.phase = phase;
        self.since = now;
    }

    /// Starts `phase` and counts what has passed so far to it: the running phase did not take place.
    pub(super) fn rename(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Ends the running phase and gives all of them.
    pub(super) fn stop(mut self) -> Phases {
        self.book(self.since.elapsed());
        self.phases
    }

    fn book(&mut self, elapsed: Duration) {
        let slot = match self.phase {
            Phase::Dns => &mut self.phases.dns_us,
            Phase::Connect => &mut self.phases.connect_us,
            Phase::Tls => &mut self.phases.tls_us,
            Phase::Send => &mut self.phases.send_us,
            Phase::Wait => &mut self.phases.wait_us,
            Phase::Receive | Phase::Judge => &mut self.phases.receive_us,
        };
        let us = u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX);
        *slot = Some(slot.unwrap_or(0).saturating_add(us));
    }
}
