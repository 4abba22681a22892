//! A fixed number of threads with small stacks, started when first needed; each runs one check at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::canary::Keeper;
use crate::clock;
use crate::engine::Engine;
use crate::wire::{Blame, Check, Class, Failure, Phase, Tick};

/// Enough for TLS and the exchange with their buffers; the default of 2 MiB is for programs with deep stacks.
const STACK_BYTES: usize = 256 * 1024;

/// What became of a check that was handed over.
#[derive(Debug)]
pub enum Ran {
    /// It was run, or a bug or lack of threads here kept it from being run, which its tick says. Boxed: it is large.
    Tick(Box<Tick>),
    /// It had waited too long when its turn came, and was not run (invariant I8).
    Expired,
}

type Done = Box<dyn FnOnce(Ran) + Send>;

/// The threads. Dropping it does not wait; [`Pool::stop`] does.
pub struct Pool {
    shared: Arc<Shared>,
    concurrency: usize,
    stack_bytes: usize,
}

struct Shared {
    state: Mutex<State>,
    /// A check waits, for one thread; or all are to end.
    work: Condvar,
    /// A check is finished. Only told when somebody waits for it, since telling is a system call.
    finished: Condvar,
    engine: Arc<Engine>,
    canaries: Arc<Keeper>,
}

struct Waiting {
    check: Check,
    since: Instant,
    /// `None`: never.
    void_at: Option<Instant>,
    done: Done,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Checks handed over and not finished.
    busy: usize,
    threads: usize,
    idle: usize,
    /// Callers that wait for a check to be finished.
    watching: usize,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what became of a check, and that it is finished.
    fn finish(&self, done: Done, ran: Ran) {
        let _ = catch_unwind(AssertUnwindSafe(|| done(ran)));
        let mut state = self.lock();
        state.busy -= 1;
        let watched = state.watching > 0;
        drop(state);
        if watched {
            self.finished.notify_all();
        }
    }

    /// Waits until a check is finished, or `left` is over.
    fn watch<'a>(&self, mut state: MutexGuard<'a, State>, left: Duration) -> MutexGuard<'a, State> {
        state.watching += 1;
        let mut state = self.finished.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        state.watching -= 1;
        state
    }
}

impl Pool {
    /// A pool that runs at most `concurrency` checks at once, and asks `canaries` about those that fail.
    #[must_use]
    pub fn start(engine: Arc<Engine>, canaries: Arc<Keeper>, concurrency: u16) -> Self {
        let (work, finished) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { state: Mutex::default(), work, finished, engine, canaries });
        Self { shared, concurrency: usize::from(concurrency.max(1)), stack_bytes: STACK_BYTES }
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

    /// How long the first check that no thread has begun has waited; `None`: none waits.
    #[must_use]
    pub fn oldest_wait(&self) -> Option<Duration> {
        self.shared.lock().waiting.front().map(|first| first.since.elapsed())
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
            state = self.shared.watch(state, left);
        }
        self.concurrency - state.busy
    }

    /// Runs a check and tells `done` what became of it. A check beyond [`Pool::free`] waits for a thread, but no longer
    /// than `may_wait`: for one that comes straight from the hub that is [`Check::may_wait`].
    ///
    /// `done` is called once, on the thread that ran the check; on the caller's, before this returns, when no thread can
    /// be had; and not at all after [`Pool::stop`], when the check is left to whoever still has it.
    pub fn submit(&self, check: Check, may_wait: Duration, done: impl FnOnce(Ran) + Send + 'static) {
        let void_at = Instant::now().checked_add(may_wait);
        let mut state = self.shared.lock();
        if state.stopping {
            return;
        }
        state.busy += 1;
        state.waiting.push_back(Waiting { check, since: Instant::now(), void_at, done: Box::new(done) });
        let mut stranded = None;
        if state.idle < state.waiting.len() && state.threads < self.concurrency {
            let shared = self.shared.clone();
            let spawned = std::thread::Builder::new().stack_size(self.stack_bytes).name("check".into());
            match spawned.spawn(move || work(&shared)) {
                Ok(_) => state.threads += 1,
                Err(error) => {
                    log::error!("A thread for checks cannot be started: {error}.");
                    // The threads there are will come to it; with none at all nobody would.
                    if state.threads == 0 {
                        stranded = state.waiting.pop_back();
                    }
                }
            }
        }
        let idle = state.idle > 0;
        drop(state);
        // One check is for one thread: waking all of them costs more than the check.
        if idle {
            self.shared.work.notify_one();
        }
        if let Some(Waiting { check, done, .. }) = stranded {
            let tick = not_run(&check, "The probe could not start a thread for the check.");
            self.shared.finish(done, Ran::Tick(Box::new(tick)));
        }
    }

    /// Takes nothing new and waits for what is in flight, at most `wait`. Returns what was left over.
    pub fn stop(&self, wait: Duration) -> usize {
        let until = Instant::now() + wait;
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.work.notify_all();
        while state.busy > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.watch(state, left);
        }
        state.busy
    }
}

fn work(shared: &Shared) {
    let mut state = shared.lock();
    loop {
        let Some(Waiting { check, since, void_at, done }) = state.waiting.pop_front() else {
            if state.stopping {
                state.threads -= 1;
                return;
            }
            state.idle += 1;
            state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            continue;
        };
        drop(state);
        let ran = if void_at.is_some_and(|at| Instant::now() > at) {
            Ran::Expired
        } else {
            let thread_us = clock::micros(since.elapsed());
            // A panic is our bug; it costs this check, not the worker (D29).
            let tick = catch_unwind(AssertUnwindSafe(|| run(shared, &check)));
            let mut tick = tick.unwrap_or_else(|_| not_run(&check, "The probe failed in the middle of the check."));
            tick.delays.thread_us = Some(thread_us);
            Ran::Tick(Box::new(tick))
        };
        shared.finish(done, ran);
        state = shared.lock();
    }
}

/// The check, and a word of the canaries about it when it failed.
fn run(shared: &Shared, check: &Check) -> Tick {
    let started = Instant::now();
    let (tick, seen) = shared.engine.run_seen(check);
    let ended = Instant::now();
    let mut tick = shared.canaries.review(tick, &seen, started, ended);
    // Whoever writes the tick adds the rest.
    tick.delays.report_us = Some(clock::micros(ended.elapsed()));
    tick
}

/// The tick of a check that trouble of ours kept from an end: it says nothing about the website.
pub(crate) fn not_run(check: &Check, why: &str) -> Tick {
    let failure =
        Failure { class: Class::ProbeError, phase: Phase::Judge, blame: Blame::Probe, detail: why.to_owned() };
    Tick { failure: Some(failure), ..Tick::blank(check, clock::wall()) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;
    use crate::engine::{AddressPolicy, EngineConfig};
    use crate::wire::{CheckKind, Target, WebsiteId};

    const BOUND: Duration = Duration::from_secs(10);

    fn pool() -> Pool {
        let config = EngineConfig { policy: AddressPolicy::owner(), ..EngineConfig::default() };
        Pool::start(Arc::new(Engine::new(config).unwrap()), Arc::new(Keeper::off()), 1)
    }

    fn check(url: &str) -> Check {
        Check {
            website_id: WebsiteId(uuid::Uuid::nil()),
            slot_at: 1_000,
            attempt: 0,
            kind: CheckKind::Scheduled,
            deadline_at: 2_000,
            published_at: 1_000,
            target: Target { timeout_ms: 1_000, ..Target::get(url) },
        }
    }

    #[test]
    fn t165_a_check_that_waited_past_its_time_for_a_thread_is_not_run() {
        // The kernel accepts, and nobody ever answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let check = check(&format!("http://{}/", silent.local_addr().unwrap()));
        let pool = pool();
        let (tell, told) = mpsc::channel();
        for may_wait in [BOUND, Duration::from_millis(50), BOUND] {
            let tell = tell.clone();
            pool.submit(check.clone(), may_wait, move |ran| tell.send(ran).unwrap());
        }
        assert!(pool.oldest_wait().is_some(), "two wait for the one thread");
        assert!(matches!(told.recv_timeout(BOUND), Ok(Ran::Tick(_))));
        assert!(matches!(told.recv_timeout(BOUND), Ok(Ran::Expired)));
        match told.recv_timeout(BOUND) {
            // It waited while the first had its second, or what was left of that when it came.
            Ok(Ran::Tick(tick)) => assert!(tick.delays.thread_us >= Some(500_000), "{:?}", tick.delays),
            other => panic!("{other:?}"),
        }
        assert_eq!((pool.stop(BOUND), pool.oldest_wait()), (0, None));
        pool.submit(check, BOUND, move |ran| tell.send(ran).unwrap());
        assert!(told.recv().is_err(), "a stopped pool runs nothing");
    }

    #[test]
    fn a_check_for_which_no_thread_can_be_had_is_nobodys_outage() {
        // No address space holds such a stack.
        let pool = Pool { stack_bytes: 1 << 60, ..pool() };
        let (tell, told) = mpsc::channel();
        pool.submit(check("http://127.0.0.1:9/"), BOUND, move |ran| tell.send(ran).unwrap());
        match told.try_recv() {
            Ok(Ran::Tick(tick)) => assert_eq!(tick.failure.map(|f| f.blame), Some(Blame::Probe)),
            other => panic!("{other:?}"),
        }
        assert_eq!(pool.in_flight(), 0);
    }
}
