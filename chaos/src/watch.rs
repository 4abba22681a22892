//! Looks on while things break: since when every place is up to date, and the most that each process and stream took.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hub::model::slots;

use crate::postgres::{DATABASE, Session, open};
use crate::process::{Usage, usage};
use crate::world::{Place, QUICK_MS, REGIONS, World};
use crate::{lock, now};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long after its slot a tick may come until the place counts as behind.
const ON_ITS_WAY_MS: i64 = 5_000;
/// So much ahead of now may the name of a slot be.
const AHEAD_MS: i64 = 1_000;

/// The most that was seen.
#[derive(Debug, Clone, Default)]
pub struct Peaks {
    /// By the name of the process.
    pub processes: BTreeMap<String, Usage>,
    /// Entries in each stream.
    pub streams: BTreeMap<String, u64>,
}

/// Looks on until dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    places: Vec<Place>,
    by_name: HashMap<(uuid::Uuid, String), usize>,
    postgres_port: u16,
    redis_port: u16,
    /// Ids of processes, by name; told anew when they change.
    ids: Mutex<Vec<(String, u32)>>,
    peaks: Mutex<Peaks>,
    /// When some place was behind, or the database did not answer: every look at which it was so.
    behind_at: Mutex<Vec<i64>>,
    stopping: AtomicBool,
}

impl Watch {
    /// Begins to look on.
    #[must_use]
    pub fn start(world: &World) -> Self {
        let places = world.places.clone();
        let name = |place: &Place| (world.websites[place.website].id.0, REGIONS[place.region].to_owned());
        let shared = Arc::new(Shared {
            by_name: places.iter().enumerate().map(|(n, place)| (name(place), n)).collect(),
            places,
            postgres_port: world.postgres.port,
            redis_port: world.redis_port,
            ids: Mutex::default(),
            peaks: Mutex::default(),
            behind_at: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let state = Arc::clone(&shared);
        let watch = Self { shared, thread: Some(std::thread::spawn(move || state.run())) };
        watch.note_processes(world);
        watch
    }

    /// Learns which processes run now.
    pub fn note_processes(&self, world: &World) {
        let running = world.processes().filter_map(|p| Some((p.name.clone(), p.id()?)));
        *lock(&self.shared.ids) = running.collect();
    }

    /// The last look at which some place was behind, from an instant on.
    #[must_use]
    pub fn behind_since(&self, from: i64) -> Option<i64> {
        lock(&self.shared.behind_at).iter().copied().filter(|at| *at >= from).max()
    }

    /// The look after the last at which some place was behind, from an instant on.
    #[must_use]
    pub fn steady_at(&self, from: i64) -> Option<i64> {
        // What a look itself takes is in it.
        self.behind_since(from).map(|at| at + 2 * i64::try_from(LOOK_EVERY.as_millis()).unwrap_or(0))
    }

    /// The most seen so far.
    #[must_use]
    pub fn peaks(&self) -> Peaks {
        lock(&self.shared.peaks).clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let (mut session, mut redis) = (None, None);
        let mut measure_at = Instant::now();
        while !self.stopping.load(Ordering::SeqCst) {
            let at = now();
            if session.is_none() {
                session = open(self.postgres_port, DATABASE);
            }
            let newest = session.as_mut().map(|session| self.newest(session));
            match newest {
                Some(Ok(newest)) => {
                    if self.places.iter().zip(&newest).any(|(place, newest)| is_behind(place, *newest, at)) {
                        lock(&self.behind_at).push(at);
                    }
                }
                Some(Err(_)) | None => {
                    session = None;
                    lock(&self.behind_at).push(at);
                }
            }
            if Instant::now() >= measure_at {
                measure_at = Instant::now() + Duration::from_secs(1);
                self.measure();
                if self.measure_streams(&mut redis).is_err() {
                    redis = None;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The newest slot stored of each place.
    fn newest(&self, session: &mut Session) -> Result<Vec<i64>, String> {
        let rows: Vec<(uuid::Uuid, String, i64)> =
            session.try_rows("select website_id, region_id, slot_at from region_state")?;
        let mut newest = vec![0; self.places.len()];
        for (website, region, slot_at) in rows {
            if let Some(n) = self.by_name.get(&(website, region)) {
                newest[*n] = slot_at;
            }
        }
        Ok(newest)
    }

    fn measure(&self) {
        for (name, id) in lock(&self.ids).iter() {
            let Some(now) = usage(*id) else { continue };
            let mut peaks = lock(&self.peaks);
            let peak = peaks.processes.entry(name.clone()).or_default();
            peak.resident_kib = peak.resident_kib.max(now.resident_kib);
            peak.threads = peak.threads.max(now.threads);
            peak.descriptors = peak.descriptors.max(now.descriptors);
            peak.cpu_s = peak.cpu_s.max(now.cpu_s);
        }
    }

    fn measure_streams(&self, redis: &mut Option<redis::Connection>) -> redis::RedisResult<()> {
        let connection = match redis {
            Some(connection) => connection,
            None => redis.insert(connect(self.redis_port, Duration::from_secs(1))?),
        };
        let keys: Vec<String> = redis::cmd("KEYS").arg("betteruptime:*").query(connection)?;
        for key in keys {
            // Not everything with our prefix is a stream.
            let length: redis::RedisResult<u64> = redis::cmd("XLEN").arg(&key).query(connection);
            let Ok(length) = length else { continue };
            let mut peaks = lock(&self.peaks);
            let peak = peaks.streams.entry(key).or_default();
            *peak = (*peak).max(length);
        }
        Ok(())
    }
}

/// A connection to Redis on a port of this machine.
///
/// # Errors
/// It does not answer.
pub fn connect(port: u16, within: Duration) -> redis::RedisResult<redis::Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(within)?;
    connection.set_read_timeout(Some(within))?;
    connection.set_write_timeout(Some(within))?;
    Ok(connection)
}

/// Whether the tick of a slot that came a while ago is not there.
fn is_behind(place: &Place, newest: i64, at: i64) -> bool {
    let next = slots::next_slot_at(place.phase_ms, place.interval_ms, at - ON_ITS_WAY_MS);
    // Only quick places tell how fast things recover. One of the future would hide for a while that nothing comes.
    place.interval_ms <= QUICK_MS && !(next - place.interval_ms..=at + AHEAD_MS).contains(&newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_behind_when_the_tick_of_a_slot_is_not_there_5_s_later() {
        let place = Place { website: 0, region: 0, interval_ms: 10_000, phase_ms: 2_000 };
        assert!(!is_behind(&place, 92_000, 102_000 + 4_999));
        assert!(is_behind(&place, 92_000, 102_000 + 5_001));
        assert!(!is_behind(&place, 102_000, 102_000 + 5_001));
        assert!(is_behind(&place, 402_000, 102_000 + 5_001), "of a hub whose clock is ahead");
        assert!(!is_behind(&place, 102_001, 102_000 + 5_001), "after a clock set back");
    }
}
