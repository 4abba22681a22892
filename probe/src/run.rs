//! Everything a worker starts and stops: a reader, the pool, a reporter.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::{Client, Connection};

use crate::config::Config;
use crate::engine::{Engine, EngineConfig, EngineError};
use crate::pool::Pool;
use crate::report::Stopping;
use crate::wire::{self, Heartbeat, RegionId, UtcMs, WorkerId};
use crate::{consume, report};

/// Time to finish what is in flight after SIGTERM.
const DRAIN: Duration = Duration::from_secs(15);

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
}

/// What the reader, the checks and the reporter share.
pub(crate) struct Shared {
    client: Client,
    pub region: RegionId,
    pub worker: WorkerId,
    pub check_key: String,
    pub tick_key: String,
    pub counters: Counters,
    concurrency: u16,
    started_at: UtcMs,
    running: Mutex<HashSet<String>>,
    /// Redis' clock minus ours.
    clock_offset_ms: AtomicI64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub checks: AtomicU64,
    pub expired: AtomicU64,
    pub refused: AtomicU64,
    pub dropped: AtomicU64,
    pub lost: AtomicU64,
    pub buffered: AtomicU32,
}

impl Shared {
    /// Entries read and not yet acknowledged.
    pub(crate) fn in_flight(&self) -> MutexGuard<'_, HashSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of one's own.
    pub(crate) fn connect(&self, wait: Duration) -> redis::RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(Duration::from_secs(4))?;
        connection.set_read_timeout(Some(wait))?;
        connection.set_write_timeout(Some(wait))?;
        Ok(connection)
    }

    /// Learns the offset between the clocks from an entry id that Redis just made.
    pub(crate) fn note_redis_time(&self, id: &str) {
        if let Some(at) = id.split('-').next().and_then(|t| t.parse::<i64>().ok()) {
            let offset = at - now();
            let before = self.clock_offset_ms.swap(offset, Ordering::Relaxed);
            if offset.abs() > 2_000 && before.abs() <= 2_000 {
                log::warn!(
                    "This machine's clock is {offset} ms behind that of Redis; slots are judged by Redis' clock."
                );
            }
        }
    }

    /// Now, by Redis' clock: slots and deadlines are in it.
    pub(crate) fn redis_now(&self) -> UtcMs {
        now() + self.clock_offset_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn heartbeat(&self, stopping: bool) -> Heartbeat {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            sent_at: now(),
            concurrency: self.concurrency,
            in_flight: u16::try_from(self.in_flight().len()).unwrap_or(u16::MAX),
            checks: count(&self.counters.checks),
            expired: count(&self.counters.expired),
            refused: count(&self.counters.refused),
            buffered: self.counters.buffered.load(Ordering::Relaxed),
            dropped: count(&self.counters.dropped),
            lost: count(&self.counters.lost),
            stopping,
        }
    }
}

/// Runs a worker until SIGTERM or SIGINT; a second signal changes nothing.
///
/// # Errors
/// It could not start. Redis being away is not an error: it is waited for.
pub fn run(config: &Config) -> Result<(), RunError> {
    let engine = Engine::new(EngineConfig { policy: config.policy(), ..EngineConfig::default() })?;
    let shared = Arc::new(Shared {
        client: Client::open(config.redis_url.expose()).map_err(|_| RunError::Url)?,
        region: config.region.clone(),
        worker: config.worker.clone(),
        check_key: wire::check_key(&config.region),
        tick_key: wire::tick_key(&config.region, &config.worker),
        counters: Counters::default(),
        concurrency: config.concurrency,
        started_at: now(),
        running: Mutex::default(),
        clock_offset_ms: AtomicI64::new(0),
    });
    let stopping: Stopping = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, stopping.clone())?;
    }
    let pool = Pool::start(Arc::new(engine), config.concurrency);
    let (finished, results) = mpsc::sync_channel(usize::from(config.concurrency) * 2);
    log::info!(
        "Worker {} of region {} runs up to {} checks at once.",
        config.worker,
        config.region,
        config.concurrency
    );
    let reporter = {
        let shared = shared.clone();
        std::thread::Builder::new().name("report".into()).spawn(move || report::run(&shared, &results, DRAIN / 3))?
    };
    consume::run(&shared, &pool, &finished, &stopping);

    log::info!("Stopping: {} checks in flight.", pool.in_flight());
    let left = pool.stop(DRAIN);
    if left > 0 {
        log::warn!("{left} checks were not finished; a neighbour takes them over.");
    }
    drop(finished); // the reporter sends what it has, says goodbye and ends
    if reporter.join().is_err() {
        log::error!("The reporter failed.");
    }
    Ok(())
}

/// Waits that grow to 30 s, with full jitter, so that a region does not come back in one breath (D27).
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.tries == 0
    }

    pub(crate) fn next(&mut self) -> Duration {
        let most = 30_000_u64.min(200 << self.tries.min(8));
        self.tries += 1;
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::from(d.subsec_nanos()));
        Duration::from_millis(50 + nanos / 1_000 % most)
    }

    pub(crate) fn next_within(&mut self, most: Duration, stopping: &AtomicBool) {
        pause(self.next().min(most), stopping);
    }
}

/// A wait that a stop cuts short.
pub(crate) fn pause(wait: Duration, stopping: &AtomicBool) {
    let until = Instant::now() + wait;
    while Instant::now() < until && !stopping.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20).min(until.saturating_duration_since(Instant::now())));
    }
}

fn now() -> UtcMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
