//! A fixed number of threads with small stacks, started when first needed; each runs one check at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::wire::{Blame, Check, Class, Failure, Outcome, Phase, Phases, Tick};

/// Enough for TLS and the exchange with their buffers; the default of 2 MiB is for programs with deep stacks.
const STACK_BYTES: usize = 256 * 1024;

type Done = Box<dyn FnOnce(Tick) + Send>;

/// The threads. Dropping it does not wait; [`Pool::stop`] does.
pub struct Pool {
    shared: Arc<Shared>,
    concurrency: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    engine: Arc<Engine>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Check, Done)>,
    /// Checks handed over and not finished.
    busy: usize,
    threads: usize,
    idle: usize,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// A pool that runs at most `concurrency` checks at once.
    #[must_use]
    pub fn start(engine: Arc<Engine>, concurrency: u16) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), engine });
        Self { shared, concurrency: usize::from(concurrency.max(1)) }
    }

    /// How many more checks it takes now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.concurrency.saturating_sub(self.shared.lock().busy)
    }

    /// Checks handed over and not finished.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.lock().busy
    }

    /// Waits until a check can be taken, at most `wait`; returns how many can.
    #[must_use]
    pub fn wait_free(&self, wait: Duration) -> usize {
        let until = Instant::now() + wait;
        let mut state = self.shared.lock();
        while state.busy >= self.concurrency {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return 0;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.concurrency - state.busy
    }

    /// Runs a check and hands its tick to `done`, on the thread that ran it. A check beyond [`Pool::free`] waits.
    pub fn submit(&self, check: Check, done: impl FnOnce(Tick) + Send + 'static) {
        let mut state = self.shared.lock();
        state.busy += 1;
        state.waiting.push_back((check, Box::new(done)));
        if state.idle < state.waiting.len() && state.threads < self.concurrency {
            let shared = self.shared.clone();
            let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).name("check".into());
            match spawned.spawn(move || work(&shared)) {
                Ok(_) => state.threads += 1,
                // The threads there are will come to it; with none at all the check waits for the next submit.
                Err(error) => log::error!("A thread for checks cannot be started: {error}."),
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Takes nothing new and waits for what is in flight, at most `wait`. Returns what was left over.
    pub fn stop(&self, wait: Duration) -> usize {
        let until = Instant::now() + wait;
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.changed.notify_all();
        while state.busy > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.busy
    }
}

fn work(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        let Some((check, done)) = state.waiting.pop_front() else {
            if state.stopping {
                state.threads -= 1;
                return;
            }
            state.idle += 1;
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            continue;
        };
        drop(state);
        // A panic is our bug; it costs this check, not the worker (D29).
        let tick = catch_unwind(AssertUnwindSafe(|| shared.engine.run(&check))).unwrap_or_else(|_| panicked(&check));
        let _ = catch_unwind(AssertUnwindSafe(|| done(tick)));
        state = shared.lock();
        state.busy -= 1;
        shared.changed.notify_all();
    }
}

/// The tick of a check that ended in a bug of ours: it says nothing about the website.
fn panicked(check: &Check) -> Tick {
    let detail = "The probe failed in the middle of the check.".to_owned();
    Tick {
        website_id: check.website_id,
        slot_at: check.slot_at,
        attempt: check.attempt,
        kind: check.kind,
        started_at: check.slot_at,
        outcome: Outcome::Unknown,
        failure: Some(Failure { class: Class::ProbeError, phase: Phase::Judge, blame: Blame::Probe, detail }),
        phases: Phases::default(),
        total_us: 0,
        status: None,
        remote: None,
        body_bytes: 0,
        truncated: false,
        hops: Vec::new(),
        certificate: None,
    }
}
