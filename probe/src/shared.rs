//! What the reader, the checks and the reporter of a worker share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use redis::{Client, Connection};

use crate::canary::Keeper;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::connect;
use crate::engine::OwnEndpoints;
use crate::entry;
use crate::stop::Stop;
use crate::turns::Turns;
use crate::wire::{self, Heartbeat, RegionId, UtcMs, WorkerId};

/// For the TCP handshake with one address of Redis, and for each command of setting up.
const CONNECT: Duration = Duration::from_secs(4);
/// Of the time a stop leaves, what connecting may not use: the disk comes after it.
const SPARE: Duration = Duration::from_secs(2);
/// How late a stop is noticed by who waits for a connection.
const LOOK: Duration = Duration::from_millis(100);
/// A clock further off is worth a line (T198).
const SKEW_WARNING_MS: u64 = 2_000;

pub(crate) struct Shared {
    /// Tried in this order.
    clients: Vec<Client>,
    /// Where Redis is: no check goes there (T091).
    own: OwnEndpoints,
    pub region: RegionId,
    pub worker: WorkerId,
    pub check_key: String,
    pub tick_key: String,
    pub counters: Counters,
    /// Redis' clock, once that is known: entry ids are in it, and the age of a check is told by it.
    pub clock: Clock,
    pub stop: Stop,
    pub canaries: Arc<Keeper>,
    concurrency: u16,
    started_at: UtcMs,
    running: Mutex<HashMap<String, Instant>>,
    skewed: AtomicBool,
    /// Connections that nobody waits for any more and that may come yet.
    left_alone: AtomicU32,
    /// When the reader and the reporter last began a turn of what they do.
    pub turns: Turns,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub checks: AtomicU64,
    pub expired: AtomicU64,
    pub refused: AtomicU64,
    pub dropped: AtomicU64,
    pub lost: AtomicU64,
    pub forbidden: AtomicU64,
    pub buffered: AtomicU32,
    pub spooled: AtomicU64,
    pub damaged: AtomicU64,
}

impl Shared {
    /// # Errors
    /// `REDIS_URL` is not one.
    pub(crate) fn new(
        config: &Config,
        clock: Clock,
        own: OwnEndpoints,
        canaries: Arc<Keeper>,
    ) -> redis::RedisResult<Self> {
        Ok(Self {
            clients: connect::clients(config.redis_url.expose(), config.ca_file.as_deref())?,
            own,
            region: config.region.clone(),
            worker: config.worker.clone(),
            check_key: wire::check_key(&config.region),
            tick_key: wire::tick_key(&config.region, &config.worker),
            counters: Counters::default(),
            clock,
            stop: Stop::default(),
            canaries,
            concurrency: config.concurrency,
            started_at: clock::wall(),
            running: Mutex::default(),
            skewed: AtomicBool::new(false),
            left_alone: AtomicU32::new(0),
            turns: Turns::default(),
        })
    }

    /// Entries read and not yet acknowledged, and since when.
    pub(crate) fn in_flight(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of one's own, on which a command may take `wait`. All of it within the time a stop leaves, although
    /// the system's look-up of a name knows no bound: it has a thread of its own, which is left alone then.
    pub(crate) fn connect(self: &Arc<Self>, wait: Duration) -> redis::RedisResult<Connection> {
        if self.left_alone.load(Ordering::Relaxed) > 0 {
            return Err(std::io::Error::other("its name is still being looked up").into());
        }
        // Without room: what is told was taken, or nobody waits for it any more.
        let (tell, told) = mpsc::sync_channel(0);
        let shared = self.clone();
        Builder::new().name("connect".into()).spawn(move || {
            if tell.send(shared.connect_here(wait)).is_err() {
                shared.left_alone.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        let mut asked_at = None;
        loop {
            match told.recv_timeout(LOOK) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if !self.stop.asked() => {}
                Err(RecvTimeoutError::Timeout) => {
                    let since = asked_at.get_or_insert_with(Instant::now);
                    if since.elapsed() >= CONNECT || self.stop.left().is_some_and(|left| left <= SPARE) {
                        break;
                    }
                }
                // It panicked, and is no more.
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(std::io::Error::other("connecting failed in a way that is a bug").into());
                }
            }
        }
        self.left_alone.fetch_add(1, Ordering::Relaxed);
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "it was not reached before the end").into())
    }

    fn connect_here(&self, wait: Duration) -> redis::RedisResult<Connection> {
        let mut distrust = None;
        for client in &self.clients {
            match self.connect_by(client, wait) {
                Err(error) if connect::is_distrust(&error) => distrust = distrust.or(Some(error)),
                result => return result,
            }
        }
        Err(distrust.unwrap_or_else(|| std::io::Error::other("there is no client").into()))
    }

    fn connect_by(&self, client: &Client, wait: Duration) -> redis::RedisResult<Connection> {
        // Where Redis is becomes known before the first check is read: none may be faster.
        let mut connection = connect::connect(client, &self.own, || self.stop.bound(CONNECT))?;
        let wait = Some(self.stop.bound(wait));
        connection.set_read_timeout(wait)?;
        connection.set_write_timeout(wait)?;
        connect::greet(&mut connection)?;
        Ok(connection)
    }

    /// Learns the time from an entry id that Redis just made.
    pub(crate) fn note_redis_time(&self, id: &str) {
        let Some(at) = entry::made_at(id) else { return };
        self.clock.learn(at);
        let behind = at.saturating_sub(clock::wall());
        let skewed = behind.unsigned_abs() > SKEW_WARNING_MS;
        if !self.skewed.swap(skewed, Ordering::Relaxed) && skewed {
            log::warn!("This machine's clock is {behind} ms behind that of Redis, which counts; set it.");
        }
    }

    pub(crate) fn heartbeat(&self, stopping: bool) -> Heartbeat {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Heartbeat {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            sent_at: clock::wall(),
            concurrency: self.concurrency,
            in_flight: u16::try_from(self.in_flight().len()).unwrap_or(u16::MAX),
            checks: count(&self.counters.checks),
            expired: count(&self.counters.expired),
            refused: count(&self.counters.refused),
            buffered: self.counters.buffered.load(Ordering::Relaxed),
            dropped: count(&self.counters.dropped),
            spooled: count(&self.counters.spooled),
            damaged: count(&self.counters.damaged),
            lost: count(&self.counters.lost),
            clock_offset_ms: self.clock.learnt().map(|_| clock::wall().saturating_sub(self.clock.now())),
            network: self.canaries.network(),
            finds_no_names: self.canaries.finds_no_names(),
            excused: self.canaries.excused(),
            forbidden: count(&self.counters.forbidden),
            stopping,
        }
    }
}
