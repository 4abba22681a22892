//! The rounds of one set of canaries: one at a time, no more than one a second, shared by all who wait.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::ask::{Found, Tell};
use super::evidence::{Evidence, Failed, Families, Ignorance, Round, evidence};
use super::websites::{Doubts, Websites};

/// From the beginning of one round to that of the next.
const SPACING: Duration = Duration::from_secs(1);
/// The same while nobody waits for one but things have failed lately.
const EVERY: Duration = Duration::from_secs(10);
/// How long things have failed lately.
const LATELY: Duration = Duration::from_secs(60);
/// The same while the network is cut off, so that its return is seen although no check is due.
const LATELY_CUT_OFF: Duration = Duration::from_secs(600);
/// What a round says about now lasts this long.
const FRESH: Duration = Duration::from_secs(30);
/// For threads to be scheduled.
const SLACK: Duration = Duration::from_millis(500);
/// Rounds remembered: as many as a check of 60 s may overlap, and more.
const REMEMBERED: usize = 128;
const STACK_BYTES: usize = 128 * 1024;

type Ask = Box<dyn Fn(&Tell<'_>) + Send + Sync>;

/// Told from the outside, so that the log reads well.
pub(super) struct Words {
    /// When nobody answers any more.
    pub(super) cut_off: String,
    /// When somebody does again.
    pub(super) back: String,
}

pub(super) struct Track {
    state: Mutex<State>,
    /// For the thread: a round is wanted sooner than it knows, or it is to end.
    work: Condvar,
    /// For those who wait for a word: there may be one. Told only when that is so, since it wakes all of them.
    word: Condvar,
    ask: Ask,
    words: Words,
    /// Who else may know whether the network works.
    websites: Option<Arc<Websites>>,
    /// Longest wait of a check for a word.
    patience: Duration,
    stack_bytes: usize,
}

#[derive(Default)]
struct State {
    rounds: VecDeque<Round>,
    /// A round begun at or after this instant is waited for.
    wanted: Option<Instant>,
    /// When something failed last that makes this worth watching.
    trouble_at: Option<Instant>,
    cut_off_since: Option<Instant>,
    doubts: Doubts,
    running: bool,
    stopping: bool,
    /// How often somebody was woken, the thread included.
    #[cfg(test)]
    woken: u64,
}

impl State {
    /// When the next round is to begin; `None` when nobody needs one.
    fn due(&self, now: Instant) -> Option<Instant> {
        let last = self.rounds.back().map(|round| round.begun);
        if let Some(wanted) = self.wanted
            && last.is_none_or(|last| last < wanted)
        {
            return Some(last.map_or(now, |last| last + SPACING));
        }
        let lately = if self.cut_off_since.is_some() { LATELY_CUT_OFF } else { LATELY };
        let needed = self.trouble_at.is_some_and(|at| now.saturating_duration_since(at) < lately);
        needed.then(|| last.map_or(now, |last| last + EVERY))
    }

    fn works(&self, now: Instant) -> Option<bool> {
        let fresh = |round: &&Round| round.ended.is_none_or(|ended| now.saturating_duration_since(ended) < FRESH);
        self.rounds.iter().rev().filter(fresh).find_map(|round| match round.says(Families::default())? {
            Evidence::Works => Some(true),
            Evidence::CutOff => Some(false),
            Evidence::Nobody(_) => None,
        })
    }
}

impl Track {
    /// A track whose rounds last `round` at most.
    pub(super) fn new(words: Words, round: Duration, ask: impl Fn(&Tell<'_>) + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            word: Condvar::new(),
            ask: Box::new(ask),
            words,
            websites: None,
            // The end of a round begun before, and one of its own.
            patience: SPACING.max(round) + round + SLACK,
            stack_bytes: STACK_BYTES,
        }
    }

    /// Its rounds are also weighed against what websites say.
    pub(super) fn with(self, websites: Arc<Websites>) -> Self {
        Self { websites: Some(websites), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about a failure, asking when need be.
    pub(super) fn judge(self: &Arc<Self>, failed: &Failed) -> Evidence {
        let until = Instant::now() + self.patience;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if let Some(evidence) = evidence(state.rounds.iter(), failed, now) {
                return evidence;
            }
            let left = until.saturating_duration_since(now);
            if state.stopping {
                return Evidence::Nobody(Ignorance::Stopping);
            }
            if left.is_zero() {
                return Evidence::Nobody(Ignorance::TooLate);
            }
            self.wanted(&mut state, failed.ended);
            if !self.start(&mut state) {
                return Evidence::Nobody(Ignorance::NoThread);
            }
            state = Self::wait(&self.word, state, left);
        }
    }

    fn wait<'a>(on: &Condvar, state: MutexGuard<'a, State>, left: Duration) -> MutexGuard<'a, State> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "only tests count"))]
        let mut state = on.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        #[cfg(test)]
        {
            state.woken += 1;
        }
        state
    }

    /// Something failed that the network may have to do with: from now on it is watched for a while.
    pub(super) fn watch(self: &Arc<Self>) {
        let mut state = self.lock();
        state.trouble_at = Some(Instant::now());
        self.start(&mut state);
    }

    /// Wants a round that begins after `at`, without waiting for it.
    pub(super) fn want(self: &Arc<Self>, at: Instant) {
        let mut state = self.lock();
        self.wanted(&mut state, at);
        self.start(&mut state);
    }

    fn wanted(&self, state: &mut State, at: Instant) {
        if state.wanted < Some(at) {
            state.wanted = Some(at);
            self.work.notify_one();
        }
    }

    /// Whether somebody answers now; `None` when nobody was asked lately.
    pub(super) fn works(&self) -> Option<bool> {
        self.lock().works(Instant::now())
    }

    /// Sees to it that the thread runs. False when it cannot.
    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        if state.stopping {
            return false;
        }
        if state.running {
            return true;
        }
        let track = Arc::clone(self);
        let spawned = Builder::new().name("canaries".into()).stack_size(self.stack_bytes).spawn(move || track.work());
        match spawned {
            Ok(_) => {
                state.running = true;
                true
            }
            Err(error) => {
                log::error!("A thread to ask canaries cannot be started: {error}.");
                false
            }
        }
    }

    /// Rounds as long as they are needed.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = if state.stopping { None } else { state.due(now) };
            let Some(due) = due else {
                state.running = false;
                return;
            };
            if due > now {
                state = Self::wait(&self.work, state, due - now);
                continue;
            }
            if state.rounds.len() >= REMEMBERED {
                state.rounds.pop_front();
            }
            state.rounds.push_back(Round::begin(now));
            drop(state);
            let asked = catch_unwind(AssertUnwindSafe(|| (self.ask)(&|found| self.note(found))));
            state = self.lock();
            self.end(&mut state, asked.is_ok());
            self.word.notify_all();
        }
    }

    fn note(&self, found: Found) {
        let mut state = self.lock();
        let Some(round) = state.rounds.back_mut() else { return };
        let before = round.answered;
        match found {
            Found::Answered(families) => {
                round.asked = round.asked.or(families);
                round.answered = round.answered.or(families);
            }
            Found::Silent(families) => round.asked = round.asked.or(families),
            Found::Prevented => round.prevented = true,
        }
        if round.answered != before {
            self.word.notify_all();
        }
    }

    fn end(&self, state: &mut State, asked: bool) {
        let now = Instant::now();
        let State { rounds, doubts, cut_off_since, .. } = state;
        let Some(round) = rounds.back_mut() else { return };
        round.ended = Some(now);
        if !asked {
            // A bug of ours excuses nobody.
            round.answered = Families { v4: true, v6: true };
        }
        if let Some(websites) = &self.websites {
            let witness = doubts.weigh(round, now, websites.last());
            round.answered = round.answered.or(witness.works);
            if !witness.blocked.is_none() {
                log::warn!(
                    "No canary answers{}, but websites do: the canaries are blocked, perhaps by a firewall. Name others in \
                     CANARIES. Until then the websites tell whether the network works.",
                    witness.blocked.over()
                );
            }
        }
        match (round.says(Families::default()), *cut_off_since) {
            (Some(Evidence::CutOff), None) => {
                *cut_off_since = Some(now);
                log::warn!("{}", self.words.cut_off);
            }
            (Some(Evidence::Works), Some(since)) => {
                *cut_off_since = None;
                log::info!("{} ({} s).", self.words.back, now.saturating_duration_since(since).as_secs());
            }
            (Some(Evidence::Works), None)
            | (Some(Evidence::CutOff), Some(_))
            | (Some(Evidence::Nobody(_)) | None, _) => {}
        }
    }

    /// Begins no more rounds; the thread ends with the one it is in.
    pub(super) fn end_soon(&self) {
        self.lock().stopping = true;
        self.work.notify_one();
        self.word.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        Words { cut_off: "Cut off.".to_owned(), back: "Back".to_owned() }
    }

    fn track(round: Duration, ask: impl Fn(&Tell<'_>) + Send + Sync + 'static) -> Arc<Track> {
        Arc::new(Track::new(words(), round, ask))
    }

    fn failed_now() -> Failed {
        let now = Instant::now();
        Failed { started: now, ended: now, families: Families { v4: true, v6: false } }
    }

    #[test]
    fn fifty_that_wait_for_a_silent_round_are_woken_by_its_end_only() {
        const WAITING: u64 = 50;
        let track = track(Duration::from_secs(2), |tell| {
            std::thread::sleep(Duration::from_millis(500));
            tell(Found::Silent(Families { v4: true, v6: false }));
        });
        std::thread::scope(|scope| {
            let judge = || assert_eq!(track.judge(&failed_now()), Evidence::CutOff);
            for _ in 0..WAITING {
                scope.spawn(judge);
            }
        });
        // Late ones may want a second round; some systems wake for nothing now and then.
        let woken = track.lock().woken;
        assert!(woken <= WAITING * 4, "{woken}");
        track.end_soon();
    }

    #[test]
    fn who_hears_nothing_is_told_that_nobody_knows_and_why() {
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        // A round that outlasts its promise.
        let slow = track(Duration::from_millis(1), move |_| {
            begun.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
        });
        assert_eq!(slow.judge(&failed_now()), Evidence::Nobody(Ignorance::TooLate));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slow.judge(&failed_now()));
            has_begun.recv().unwrap();
            slow.end_soon();
            assert_eq!(waiting.join().unwrap(), Evidence::Nobody(Ignorance::Stopping));
        });
        drop(release);
        assert_eq!(slow.judge(&failed_now()), Evidence::Nobody(Ignorance::Stopping));
        // No address space holds such a stack.
        let poor = Track { stack_bytes: 1 << 60, ..Track::new(words(), Duration::from_secs(1), |_| {}) };
        assert_eq!(Arc::new(poor).judge(&failed_now()), Evidence::Nobody(Ignorance::NoThread));
    }
}
