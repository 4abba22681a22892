//! Everything a worker starts and stops: a reader, the pool, a reporter; a listener for metrics where one is asked for.

use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::canary::Keeper;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::{Engine, EngineConfig, EngineError, OwnEndpoints};
use crate::metrics::{self, Metrics};
use crate::notify::Notifier;
use crate::pool::Pool;
use crate::shared::Shared;
use crate::spool::Spool;
use crate::{consume, report};

/// From the signal to the end. DESIGN 8 has 20 s, with the process's own end in them.
const STOP: Duration = Duration::from_secs(18);
/// Of these, at most: the reader, which may wait for Redis.
const STOP_READING: Duration = Duration::from_secs(5);
/// Of these, kept for handing over what came of the checks.
const STOP_REPORTING: Duration = Duration::from_secs(4);
/// A command in progress may end a little late.
const LATE: Duration = Duration::from_secs(1);
/// How late a signal, or the end of a thread, is noticed at most.
const LOOK: Duration = Duration::from_millis(100);

/// Why a worker cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The engine cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// `REDIS_URL` is not one.
    #[error("REDIS_URL is not understood; give redis://user:password@host:6379 or rediss://...")]
    Url,
    /// Signals or threads of the system.
    #[error("the system refused: {0}")]
    System(#[from] std::io::Error),
    /// A thread without which nothing is done: to be up but deaf would be worse than to end.
    #[error("the reader or the reporter ended on its own; start the probe again")]
    Deaf,
}

/// Runs a worker until SIGTERM or SIGINT; a second signal changes nothing.
///
/// # Errors
/// It could not start, or lost one of its threads. Redis being away is not an error: it is waited for.
pub fn run(config: &Config) -> Result<(), RunError> {
    let clock = Clock::default();
    let own = OwnEndpoints::default();
    let policy = config.policy().forbidding(own.clone());
    let engine_config = EngineConfig {
        policy,
        extra_roots: config.extra_roots.clone(),
        clock: clock.clone(),
        ..EngineConfig::default()
    };
    let engine = Engine::new(engine_config)?;
    let canaries = Arc::new(Keeper::new(config.canaries.clone(), engine.clone()));
    let shared = Arc::new(Shared::new(config, clock, own, canaries.clone()).map_err(|_| RunError::Url)?);
    shared.stop.listen()?;
    let engine = Arc::new(engine);
    let pool = Arc::new(Pool::start(engine.clone(), canaries, config.concurrency));
    // The sender that stays here keeps the channel open until the reporter has ended.
    let (finished, results) = mpsc::sync_channel(usize::from(config.concurrency) * 2);
    log::info!(
        "Worker {} of region {} runs up to {} checks at once.",
        config.worker,
        config.region,
        config.concurrency
    );
    let reporter = {
        let (shared, spool) = (shared.clone(), spool(config));
        Builder::new().name("report".into()).spawn(move || report::run(&shared, &results, spool))?
    };
    let reader = {
        let (shared, pool, finished) = (shared.clone(), pool.clone(), finished.clone());
        Builder::new().name("consume".into()).spawn(move || consume::run(&shared, &pool, &finished))?
    };
    if config.metrics_left_to_hub {
        log::info!(
            "METRICS_LISTEN stands among settings of a hub and is left to it; give the probe a file of its own."
        );
    }
    if let Some(listen) = config.metrics_listen {
        metrics::start(listen, Metrics { shared: shared.clone(), engine });
    }
    let notifier = Notifier::from_environment();
    notifier.ready(&format!("Worker {} of region {}.", config.worker, config.region));
    let mut alive_at = Instant::now();
    while !shared.stop.asked() {
        if (reader.is_finished() || reporter.is_finished()) && !shared.stop.asked() {
            return Err(RunError::Deaf);
        }
        // Whoever hangs is not excused by us: without this word the service manager starts another process.
        let hanging = shared.turns.hanging(Instant::now());
        if let Some(every) = notifier.alive_every().filter(|_| Instant::now() >= alive_at && hanging.is_none()) {
            alive_at = Instant::now() + every;
            notifier.alive();
        }
        std::thread::sleep(LOOK);
    }
    notifier.stopping();
    stop(&shared, &pool, &reader, &reporter);
    Ok(())
}

/// Where ticks are kept beside memory, if anywhere. It is opened by the thread that uses it: a disk may be slow.
fn spool(config: &Config) -> Option<Spool> {
    let directory = config.spool_directory.as_deref()?;
    let limit = u64::from(config.spool_mib) * 1024 * 1024;
    Some(Spool::new(directory, &config.region, &config.worker, limit, Instant::now()))
}

/// Ends everything in the order of a check's life. What cannot be ended in time is left to end with the process: its
/// checks are not acknowledged, so that a neighbour takes them over.
fn stop(shared: &Shared, pool: &Pool, reader: &JoinHandle<()>, reporter: &JoinHandle<()>) {
    log::info!("Stopping: {} checks in flight.", pool.in_flight());
    shared.stop.begin(STOP);
    let left = || shared.stop.left().unwrap_or_default();
    wait(reader, STOP_READING);
    let unfinished = pool.stop(left().saturating_sub(STOP_REPORTING));
    if unfinished > 0 {
        log::warn!("{unfinished} checks were not finished; a neighbour takes them over.");
    }
    shared.canaries.end_soon();
    shared.stop.call_last();
    if !wait(reporter, left() + LATE) {
        log::error!("The reporter did not end in time.");
    }
}

/// Whether a thread ends within `time`.
fn wait(thread: &JoinHandle<()>, time: Duration) -> bool {
    let until = Instant::now() + time;
    while !thread.is_finished() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
