//! Ticks and heartbeats from the workers' streams: read, claimed from hubs that died, acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use probe::wire::{self, Report};
use redis::{RedisResult, Value};

use super::behind::Behind;
use super::link::{Link, is_too_large};
use super::parse;
use super::{BATCH, GROUP, RedisQueue};
use crate::clock;
use crate::model::UtcMs;
use crate::queue::{Delivery, QueueError, Receipt, Reports};

const DISCOVER_EVERY: Duration = Duration::from_secs(2);
const CLAIM_EVERY: Duration = Duration::from_secs(30);
const CLAIM_IDLE_MS: u64 = 60_000;
/// A call that was given up may be done later, by a Redis that stood still: it waits there for as long as it may block.
/// What it was given is looked for once more after that.
const LATE: Duration = Duration::from_secs(5);
/// Reports in one reply: a few megabytes. COUNT is per stream, so each stream is asked for its part of it.
pub(super) const REPLY: usize = 4_000;

pub(super) struct Reading {
    pub(super) connection: Option<Link>,
    /// Streams of which what this hub was given before is read again, and how far that is.
    pub(super) own: Own,
    pub(super) behind: Behind,
    claim_at: Instant,
    discover_at: Instant,
    /// What this hub was given before is read once more then.
    late_at: Option<Instant>,
    /// The stream of large entries read last.
    pub(super) last_large: String,
}

/// What was given out and not acknowledged.
pub(super) enum Own {
    /// Of all streams there are.
    All,
    /// Of these, from that entry on.
    Of(VecDeque<(String, String)>),
}

impl Reading {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            connection: None,
            own: Own::All,
            behind: Behind::default(),
            claim_at: now + CLAIM_EVERY,
            discover_at: now,
            late_at: None,
            last_large: String::new(),
        }
    }

    fn again(&mut self) {
        self.own = Own::All;
        self.behind.forget();
    }
}

impl RedisQueue {
    pub(in crate::queue) async fn next_reports(&self) -> Result<Reports, QueueError> {
        let mut reading = self.reading.lock().await;
        let result = self.read_round(&mut reading).await;
        if let Err(error) = &result {
            reading.connection = None;
            reading.again();
            reading.discover_at = Instant::now();
            reading.late_at = Some(Instant::now() + LATE);
            if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) {
                // Redis forgot: groups are made again as the streams are found again.
                self.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
                tracing::info!("Streams of workers, or their groups, are gone; those that are there are opened again.");
                tokio::time::sleep(Duration::from_millis(100 + clock::now().unsigned_abs() % 400)).await;
                return Ok(Reports { deliveries: Vec::new(), read_until_at: Some(0) });
            }
        }
        if let Ok(reports) = &result {
            self.watch_names(&reports.deliveries);
        }
        Ok(result?)
    }

    /// T170.
    fn watch_names(&self, deliveries: &[Delivery]) {
        let mut twins = self.twins.lock().unwrap_or_else(PoisonError::into_inner);
        for delivery in deliveries {
            if let Ok(Report::Heartbeat(beat)) = &delivery.report {
                let stream = wire::tick_key(&delivery.region, &delivery.worker);
                if twins.note(&stream, beat.started_at, clock::now()) {
                    tracing::warn!(stream, "Two workers run under one name; give one of them another WORKER_ID.");
                }
            }
        }
    }

    pub(in crate::queue) async fn again(&self) {
        self.reading.lock().await.again();
    }

    async fn read_round(&self, reading: &mut Reading) -> RedisResult<Reports> {
        if Instant::now() >= reading.discover_at {
            self.discover().await?;
            reading.discover_at = Instant::now() + DISCOVER_EVERY;
        }
        let streams: Vec<String> =
            self.streams.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        if streams.is_empty() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            return Ok(Reports::default());
        }
        let mut deliveries = Vec::new();
        if Instant::now() >= reading.claim_at {
            reading.claim_at = Instant::now() + CLAIM_EVERY;
            self.forget_gone(reading, &streams);
            self.claim(reading, &streams, &mut deliveries).await?;
        }
        let is_late = reading.late_at.take_if(|at| Instant::now() >= *at).is_some();
        if is_late || matches!(reading.own, Own::All) {
            reading.own = Own::Of(streams.iter().map(|key| (key.clone(), "0".to_owned())).collect());
            reading.behind.forget();
            // What is new is still to be read.
            streams.iter().for_each(|key| reading.behind.more(key, 0, 0));
        }
        if !self.read_own(reading, &mut deliveries).await? {
            self.read_new(reading, &streams, &mut deliveries).await?;
        }
        Ok(Reports { deliveries, read_until_at: reading.behind.written_after() })
    }

    /// Streams that are gone since.
    fn forget_gone(&self, reading: &mut Reading, streams: &[String]) {
        // Both are sorted.
        let is_there = |key: &str| streams.binary_search_by(|stream| stream.as_str().cmp(key)).is_ok();
        reading.behind.retain(is_there);
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).retain(is_there);
    }

    /// [`parse::received_at`] as of now.
    pub(super) fn receiver(&self) -> impl Fn(&str) -> UtcMs + Copy {
        let (offset_ms, now) = (self.clock_offset(), clock::now());
        move |id| offset_ms.map_or(now, |offset_ms| parse::received_at(id, offset_ms, now))
    }

    /// Reports that another hub read and never acknowledged.
    async fn claim(
        &self,
        reading: &mut Reading,
        streams: &[String],
        deliveries: &mut Vec<Delivery>,
    ) -> RedisResult<()> {
        for key in streams {
            if deliveries.len() >= REPLY {
                reading.claim_at = Instant::now();
                break;
            }
            let count = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).count(key, BATCH);
            let mut command = redis::cmd("XAUTOCLAIM");
            command.arg(key).arg(GROUP).arg(&self.consumer).arg(CLAIM_IDLE_MS).arg("0-0").arg("COUNT").arg(count);
            let (_, entries, lost): (String, Value, Vec<String>) = match self.ask(command).await {
                Ok(claimed) => claimed,
                // They are this hub's now, and to be had in smaller pieces.
                Err(error) if is_too_large(&error) => {
                    self.sizes.lock().unwrap_or_else(PoisonError::into_inner).overran(key, count);
                    match &mut reading.own {
                        Own::Of(own) => own.push_back((key.clone(), "0".to_owned())),
                        Own::All => {}
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !lost.is_empty() {
                tracing::error!(
                    stream = key,
                    lost = lost.len(),
                    "Reports vanished from Redis while they were pending."
                );
            }
            parse::entries(key, entries, self.receiver(), deliveries)?;
        }
        Ok(())
    }

    pub(in crate::queue) async fn acknowledge(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let mut by_stream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for Receipt { stream, entry_id } in receipts {
            by_stream.entry(stream).or_default().push(entry_id);
        }
        if by_stream.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        pipe.atomic();
        for (key, ids) in &by_stream {
            pipe.cmd("XACK").arg(*key).arg(GROUP).arg(ids).ignore();
            pipe.cmd("XDEL").arg(*key).arg(ids).ignore();
        }
        Ok(self.command::<()>(&pipe).await?)
    }
}
