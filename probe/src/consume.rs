//! Checks from Redis: own pending ones first, then as many new ones as there are free threads; and what a dead
//! neighbour left. The connection is used for nothing else: it blocks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};

use crate::backlog::{End, Finished};
use crate::backoff::Backoff;
use crate::clock;
use crate::dead_letter;
use crate::entry::{self, BLOCK, Entry, START};
use crate::pool::{Pool, Ran};
use crate::shared::Shared;
use crate::turn::{Round, Turn, turn};
use crate::wire::{self, Blame, Check, DeadLetter, DeadReason, Tick};

const CLAIM_EVERY: Duration = Duration::from_secs(10);
/// Claimed checks remembered until a neighbour that may be alive has had its time. One beyond is claimed again later.
const DEFERRED: usize = 1_000;

/// Reads until asked to stop.
pub(crate) fn run(shared: &Arc<Shared>, pool: &Pool, finished: &SyncSender<Finished>) {
    let mut reader = Reader {
        shared,
        pool,
        finished,
        connection: None,
        history: Some(START.to_owned()),
        claim_at: Instant::now() + CLAIM_EVERY,
        claim_from: START.to_owned(),
        deferred: HashMap::new(),
    };
    let mut backoff = Backoff::default();
    while !shared.stop.asked() {
        // The age of a check cannot be told before the reporter's first heartbeat brought Redis' time.
        if shared.clock.learnt().is_none() {
            shared.stop.pause(Duration::from_millis(100));
            continue;
        }
        let free = pool.wait_free(Duration::from_millis(200));
        if free == 0 {
            continue;
        }
        match reader.round(free) {
            // Anything else may work while this fails, again and again.
            Ok(Round::New) => backoff.reset(),
            Ok(Round::Own | Round::Claimed) => {}
            Err(error) => {
                reader.history = Some(START.to_owned()); // a read that failed here may have succeeded there (CASES 2.3)
                let fresh = backoff.is_fresh();
                let pause = backoff.next();
                if error.code() == Some("NOGROUP") {
                    if fresh {
                        log::info!("Waiting for the hub to open region {}.", shared.region);
                    }
                    shared.stop.pause(pause.min(Duration::from_secs(2)));
                } else {
                    log::warn!("Checks cannot be read ({error}); next try in {} ms.", pause.as_millis());
                    shared.stop.pause(pause);
                }
            }
        }
    }
}

struct Reader<'a> {
    shared: &'a Arc<Shared>,
    pool: &'a Pool,
    finished: &'a SyncSender<Finished>,
    connection: Option<Connection>,
    /// Own pending entries are read from here on; `None` when all were.
    history: Option<String>,
    claim_at: Instant,
    claim_from: String,
    /// Claimed entries that are not to be run before an instant, because who was given them may still do so.
    deferred: HashMap<String, Instant>,
}

impl Reader<'_> {
    /// One read, and its entries handed to the pool.
    fn round(&mut self, free: usize) -> RedisResult<Round> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connect(BLOCK + Duration::from_secs(2))?,
        };
        let round = self.round_on(&mut connection, free)?;
        self.connection = Some(connection);
        Ok(round)
    }

    fn round_on(&mut self, connection: &mut Connection, free: usize) -> RedisResult<Round> {
        if let Some(after) = self.history.take() {
            let entries = entry::read_own(self.shared, connection, free, &after)?;
            self.history = entries.last().map(|entry| entry.id.clone());
            self.start(entries, Round::Own, connection)?;
            return Ok(Round::Own);
        }
        if let Some(id) = due(&self.deferred, Instant::now()) {
            self.deferred.remove(&id);
            // Acknowledged meanwhile, or claimed by yet another: then it is not there.
            let after = entry::before(&id).unwrap_or_else(|| START.to_owned());
            let mut entries = entry::read_own(self.shared, connection, 1, &after)?;
            entries.retain(|entry| entry.id == id);
            self.start(entries, Round::Own, connection)?;
            return Ok(Round::Own);
        }
        if Instant::now() >= self.claim_at {
            // Before the call: one that fails must not come before everything else, again and again.
            self.claim_at = Instant::now() + CLAIM_EVERY;
            let claimed = entry::claim(self.shared, connection, free, &self.claim_from)?;
            if claimed.next != START {
                self.claim_at = Instant::now();
            }
            self.claim_from = claimed.next;
            self.lose(claimed.lost);
            self.start(claimed.entries, Round::Claimed, connection)?;
            return Ok(Round::Claimed);
        }
        let entries = entry::read_new(self.shared, connection, free)?;
        if !entries.is_empty() {
            crate::fail_point!("probe.read");
        }
        self.start(entries, Round::New, connection)?;
        Ok(Round::New)
    }

    fn lose(&self, count: usize) {
        if count > 0 {
            log::warn!("{count} checks vanished from Redis while they were pending.");
            self.shared.counters.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Hands entries to the pool, except those that are known already, and puts away what is not to be run.
    fn start(&mut self, entries: Vec<Entry>, round: Round, connection: &mut Connection) -> RedisResult<()> {
        let counters = &self.shared.counters;
        let mut lost: Vec<String> = Vec::new();
        for Entry { id, fields } in entries {
            if self.shared.in_flight().contains(&id) || self.deferred.contains_key(&id) {
                continue;
            }
            let Some(fields) = fields else {
                lost.push(id);
                continue;
            };
            let check = match wire::decode_check(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))) {
                Ok(check) => check,
                Err(error) => {
                    counters.refused.fetch_add(1, Ordering::Relaxed);
                    self.put_away(dead_letter::not_understood(&id, &fields, &error));
                    continue;
                }
            };
            if let Some(why) = dead_letter::impossible(&check) {
                counters.refused.fetch_add(1, Ordering::Relaxed);
                self.put_away(dead_letter::put_away(&id, check.website_id, DeadReason::NotUnderstood, &why));
                continue;
            }
            let age = self.age(&id);
            match turn(&check, age, round) {
                Turn::Now { may_wait } => self.submit(id, check, age, may_wait),
                Turn::Later(wait) if self.deferred.len() < DEFERRED => {
                    self.deferred.insert(id, Instant::now() + wait);
                }
                Turn::Later(_) => {}
                Turn::Expired => {
                    counters.expired.fetch_add(1, Ordering::Relaxed);
                    self.put_away(expired(&id, &check, age));
                }
            }
        }
        self.lose(lost.len());
        let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
        entry::acknowledge(self.shared, connection, &lost)
    }

    /// Tells the reporter of a check that is not run: its entry is acknowledged once the letter is written.
    fn put_away(&self, letter: DeadLetter) {
        let entry_id = letter.entry_id.clone();
        self.shared.in_flight().insert(entry_id.clone());
        // Waits while the reporter is behind, which bounds how fast a burst of such checks is read.
        let _ = self.finished.send(Finished { entry_id, end: End::Letter(Box::new(letter)) });
    }

    /// How long ago Redis made an entry. Both ends are by its own clock.
    fn age(&self, id: &str) -> Duration {
        let ms = entry::made_at(id).map_or(0, |made_at| self.shared.clock.now().saturating_sub(made_at));
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    fn submit(&self, entry_id: String, check: Check, age: Duration, may_wait: Duration) {
        self.shared.in_flight().insert(entry_id.clone());
        let (shared, finished) = (self.shared.clone(), self.finished.clone());
        let (publish_ms, queue_ms) = (check.scheduled_publish_ms(), clock::millis(age));
        let late = expired(&entry_id, &check, age + may_wait);
        self.pool.submit(check, may_wait, move |ran| {
            let end = match ran {
                Ran::Tick(mut tick) => {
                    crate::fail_point!("probe.ran");
                    tick.delays.publish_ms = publish_ms;
                    tick.delays.queue_ms = Some(queue_ms);
                    count(&shared, &tick);
                    End::Tick { tick, at: Instant::now() }
                }
                Ran::Expired => {
                    shared.counters.expired.fetch_add(1, Ordering::Relaxed);
                    End::Letter(Box::new(late))
                }
            };
            // Waits while the reporter is behind: then no new check is taken either, which is the bound.
            let _ = finished.send(Finished { entry_id, end });
        });
    }
}

fn count(shared: &Shared, tick: &Tick) {
    shared.counters.checks.fetch_add(1, Ordering::Relaxed);
    if tick.failure.as_ref().is_some_and(|failure| failure.blame == Blame::Policy) {
        shared.counters.forbidden.fetch_add(1, Ordering::Relaxed);
    }
}

fn expired(entry_id: &str, check: &Check, age: Duration) -> DeadLetter {
    let (waited, may_wait) = (age.as_secs(), check.may_wait().as_secs());
    let detail = format!("It waited {waited} s for its turn and may wait {may_wait} s.");
    dead_letter::put_away(entry_id, check.website_id, DeadReason::Expired, &detail)
}

/// A deferred entry whose time has come, the longest due first.
fn due(deferred: &HashMap<String, Instant>, now: Instant) -> Option<String> {
    deferred.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_due_comes_first() {
        let now = Instant::now();
        let at = |s| now + Duration::from_secs(s);
        let deferred = HashMap::from([("a".to_owned(), at(3)), ("b".to_owned(), at(1)), ("c".to_owned(), at(9))]);
        assert_eq!(due(&deferred, now), None);
        assert_eq!(due(&deferred, at(5)).as_deref(), Some("b"));
    }
}
