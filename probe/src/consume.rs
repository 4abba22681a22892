//! Checks from Redis: own pending ones first, then as many new ones as there are free threads; and what a dead
//! neighbour left. The connection is used for nothing else: it blocks.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};

use crate::backlog::{End, Finished};
use crate::backoff::Backoff;
use crate::clock;
use crate::complaint::Complaint;
use crate::connect;
use crate::dead_letter;
use crate::entry::{self, BLOCK, Entry, RENEW_IDLE, START};
use crate::pool::{Pool, Ran};
use crate::shared::Shared;
use crate::turn::{Round, Turn, turn};
use crate::turns::Thread;
use crate::wire::{self, Blame, Check, DeadLetter, DeadReason, Tick};

const CLAIM_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for a stream that is not there.
const CLOSED: Duration = Duration::from_secs(2);
/// Own entries are read again after an error, at most this often: each time counts as a delivery of what is read.
const HISTORY_EVERY: Duration = Duration::from_secs(10);

/// Reads until asked to stop.
pub(crate) fn run(shared: &Arc<Shared>, pool: &Pool, finished: &SyncSender<Finished>) {
    let mut reader = Reader {
        shared,
        pool,
        finished,
        connection: None,
        history: Some(START.to_owned()),
        newest: START.to_owned(),
        history_at: Instant::now(),
        claim_at: Instant::now() + CLAIM_EVERY,
        claim_from: START.to_owned(),
        renew_at: Instant::now() + CLAIM_EVERY,
    };
    let mut backoff = Backoff::default();
    let mut complaint = Complaint::default();
    while !shared.stop.asked() {
        shared.turns.begun(Thread::Reader);
        // The age of a check cannot be told before the reporter's first heartbeat brought Redis' time.
        if shared.clock.learnt().is_none() {
            shared.stop.pause(Duration::from_millis(100));
            continue;
        }
        let free = pool.wait_free(Duration::from_millis(200));
        match reader.round(free) {
            // Anything else may work while this fails, again and again.
            Ok(Some(Round::New)) => backoff.reset(),
            Ok(Some(Round::Own | Round::Claimed) | None) => {}
            Err(error) => {
                // A read that failed here may have succeeded there (CASES 2.3): what was given away then is younger than
                // all that was seen. What is running is not read again, each time would be a delivery more (T164); what a
                // claim brought that failed is claimed again, 30 s later.
                reader.history = Some(reader.newest.clone());
                let is_first = backoff.is_fresh();
                let pause = backoff.next();
                // The stream is gone, or its group: Redis lost its data, or the hub has not seen this region yet. The hub
                // makes them again as soon as it hears of this worker.
                // That of a pipeline, which renewals are, has no code.
                let is_closed =
                    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) || error.to_string().contains("NOGROUP");
                let pause = if is_closed { pause.min(CLOSED) } else { pause };
                // A connection that is cut does not say why; a try a moment later does, where it fails.
                if !(is_first && connect::is_cut(&error))
                    && let Some(more) = complaint.due(Instant::now())
                {
                    if is_closed {
                        log::info!("Waiting for the hub to open region {}.{more}", shared.region);
                    } else {
                        let (why, pause) = (connect::said(&error), pause.as_millis());
                        log::warn!("Checks cannot be read ({why}); next try in {pause} ms.{more}");
                    }
                }
                shared.stop.pause(pause);
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
    /// The last entry that was read, beside claims: this worker has seen all it was given up to here.
    newest: String,
    /// Not before this.
    history_at: Instant,
    claim_at: Instant,
    claim_from: String,
    renew_at: Instant,
}

impl Reader<'_> {
    /// One read, and its entries handed to the pool; nothing is read while no check can be run.
    fn round(&mut self, free: usize) -> RedisResult<Option<Round>> {
        let renew = Instant::now() >= self.renew_at;
        if free == 0 && !renew {
            return Ok(None);
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connect(BLOCK + Duration::from_secs(2))?,
        };
        if renew {
            // Before the call: one that fails must not come before everything else, again and again.
            self.renew_at = Instant::now() + CLAIM_EVERY;
            let mut ids: Vec<String> = Vec::new();
            for (id, since) in self.shared.in_flight().iter() {
                if since.elapsed() >= RENEW_IDLE {
                    ids.push(id.clone());
                }
            }
            entry::renew(self.shared, &mut connection, &ids)?;
        }
        let round = if free == 0 { None } else { Some(self.round_on(&mut connection, free)?) };
        self.connection = Some(connection);
        Ok(round)
    }

    fn round_on(&mut self, connection: &mut Connection, free: usize) -> RedisResult<Round> {
        if Instant::now() >= self.history_at
            && let Some(after) = self.history.take()
        {
            let entries = entry::read_own(self.shared, connection, free, &after)?;
            self.history = entries.last().map(|entry| entry.id.clone());
            match &self.history {
                Some(last) => self.newest.clone_from(last),
                None => self.history_at = Instant::now() + HISTORY_EVERY,
            }
            self.start(entries, connection)?;
            return Ok(Round::Own);
        }
        if Instant::now() >= self.claim_at {
            // Before the call, as above.
            self.claim_at = Instant::now() + CLAIM_EVERY;
            let claimed = entry::claim(self.shared, connection, free, &self.claim_from)?;
            if claimed.next != START {
                self.claim_at = Instant::now();
            }
            self.claim_from = claimed.next;
            self.lose(claimed.lost);
            self.start(claimed.entries, connection)?;
            return Ok(Round::Claimed);
        }
        let entries = entry::read_new(self.shared, connection, free)?;
        if let Some(last) = entries.last() {
            crate::fail_point!("probe.read");
            self.newest.clone_from(&last.id);
        }
        self.start(entries, connection)?;
        Ok(Round::New)
    }

    fn lose(&self, count: usize) {
        if count > 0 {
            log::warn!("{count} checks vanished from Redis while they were pending.");
            self.shared.counters.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Hands entries to the pool, except those that are known already, and puts away what is not to be run.
    fn start(&mut self, entries: Vec<Entry>, connection: &mut Connection) -> RedisResult<()> {
        let counters = &self.shared.counters;
        let mut lost: Vec<String> = Vec::new();
        for Entry { id, fields } in entries {
            // Each may wait for a reporter that is behind.
            self.shared.turns.begun(Thread::Reader);
            if self.shared.in_flight().contains_key(&id) {
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
            let age = self.age(&id, &fields);
            match turn(&check, age) {
                Turn::Now { may_wait } => self.submit(id, check, age, may_wait),
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
        self.shared.in_flight().insert(entry_id.clone(), Instant::now());
        // Waits while the reporter is behind, which bounds how fast a burst of such checks is read.
        let _ = self.finished.send(Finished { entry_id, end: End::Letter(Box::new(letter)) });
    }

    /// How long ago an entry was sent, or Redis took it in, whichever is longer. Both ends are by its own clock.
    fn age(&self, id: &str, fields: &[(Vec<u8>, Vec<u8>)]) -> Duration {
        let since = [entry::made_at(id), entry::sent_at(fields)].into_iter().flatten().min();
        let ms = since.map_or(0, |since| self.shared.clock.now().saturating_sub(since));
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }

    fn submit(&self, entry_id: String, check: Check, age: Duration, may_wait: Duration) {
        self.shared.in_flight().insert(entry_id.clone(), Instant::now());
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
