//! One reading of the workers' streams: what this hub was given before, then what nobody was given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

use redis::{RedisResult, Value};

use super::link::is_too_large;
use super::parse::{self, Given};
use super::reports::{Own, REPLY, Reading};
use super::{BLOCK, GROUP, RedisQueue};
use crate::clock;
use crate::queue::Delivery;

/// Reports of one stream in one reply.
const PER_STREAM: usize = 1_000;
/// Streams of large entries read in one round, one by one; and how long the others are waited for then.
const LARGE_AT_ONCE: usize = 16;
const SHORT_BLOCK: Duration = Duration::from_millis(200);

impl RedisQueue {
    /// What this hub was given before, one stream after the other; of those of large entries some at a time. True when
    /// what is new has to wait, which it does for all but them.
    pub(super) async fn read_own(&self, reading: &mut Reading, deliveries: &mut Vec<Delivery>) -> RedisResult<bool> {
        let (before, mut later) = (deliveries.len(), VecDeque::new());
        while deliveries.len() < REPLY
            && later.len() < LARGE_AT_ONCE
            && let Own::Of(own) = &mut reading.own
            && let Some((key, after)) = own.pop_front()
        {
            let count = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).count(&key, PER_STREAM);
            let asked = std::slice::from_ref(&key);
            let last = match self.read(reading, asked, count, &after, None, deliveries).await {
                Ok(given) => given.into_iter().next().map(|given| given.last),
                Err(error) if is_too_large(&error) && count > 1 => Some(after),
                Err(error) if is_too_large(&error) => self.pass_over(&key, &after, deliveries).await?,
                Err(error) => return Err(error),
            };
            if let (Some(last), Own::Of(own)) = (last, &mut reading.own) {
                let is_large = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).is_large(&key);
                if is_large { later.push_back((key, last)) } else { own.push_front((key, last)) }
            }
        }
        let Own::Of(own) = &mut reading.own else { return Ok(true) };
        let is_large = |key: &str| self.sizes.lock().unwrap_or_else(PoisonError::into_inner).is_large(key);
        let waits = own.iter().any(|(key, _)| !is_large(key));
        let is_first = deliveries.len() > before && later.is_empty();
        own.extend(later);
        Ok(waits || is_first)
    }

    /// The next entry of this hub's after `after` is too large for any answer: it is put away unread.
    async fn pass_over(&self, key: &str, after: &str, deliveries: &mut Vec<Delivery>) -> RedisResult<Option<String>> {
        let mut command = redis::cmd("XPENDING");
        let from = if after == "0" { "-".to_owned() } else { format!("({after}") };
        command.arg(key).arg(GROUP).arg(from).arg("+").arg(1).arg(&self.consumer);
        let pending: Vec<(String, Value, Value, Value)> = self.ask(command).await?;
        let Some((entry_id, ..)) = pending.into_iter().next() else { return Ok(None) };
        deliveries.extend(parse::unread(key, &entry_id, self.receiver()(&entry_id)));
        Ok(Some(entry_id))
    }

    /// What nobody was given: of all streams at once, then of those of large entries, some of them and one by one.
    pub(super) async fn read_new(
        &self,
        reading: &mut Reading,
        streams: &[String],
        deliveries: &mut Vec<Delivery>,
    ) -> RedisResult<()> {
        let (large, plain): (Vec<String>, Vec<String>) = {
            let sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
            let own: BTreeSet<&str> = match &reading.own {
                Own::Of(own) => own.iter().map(|(key, _)| key.as_str()).collect(),
                Own::All => BTreeSet::new(),
            };
            // Of each stream in its order: what was given out before comes first.
            let streams = streams.iter().filter(|key| !own.contains(key.as_str()));
            streams.cloned().partition(|key| sizes.is_large(key))
        };
        let has_more = !deliveries.is_empty();
        if !plain.is_empty() {
            let count = (REPLY / plain.len()).clamp(1, PER_STREAM);
            let wait = match (has_more, large.is_empty()) {
                (true, _) => Duration::ZERO,
                (false, true) => BLOCK,
                (false, false) => SHORT_BLOCK,
            };
            self.read_some(reading, &plain, count, wait, deliveries).await?;
        }
        let next = large.partition_point(|key| *key <= reading.last_large);
        for key in large[next..].iter().chain(&large[..next]).take(LARGE_AT_ONCE) {
            reading.last_large.clone_from(key);
            let count = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).count(key, PER_STREAM);
            // Where there are no others it is waited for.
            let wait = if plain.is_empty() && !has_more { SHORT_BLOCK } else { Duration::ZERO };
            self.read_some(reading, std::slice::from_ref(key), count, wait, deliveries).await?;
        }
        for key in reading.behind.unmarked() {
            let mut command = redis::cmd("XLEN");
            command.arg(&key);
            let at = clock::now();
            reading.behind.length(&key, self.ask(command).await?, at);
        }
        Ok(())
    }

    async fn read_some(
        &self,
        reading: &mut Reading,
        streams: &[String],
        count: usize,
        wait: Duration,
        deliveries: &mut Vec<Delivery>,
    ) -> RedisResult<()> {
        let at = clock::now();
        match self.read(reading, streams, count, ">", Some(wait), deliveries).await {
            Ok(given) => {
                let given: BTreeMap<&str, &Given> = given.iter().map(|given| (given.key.as_str(), given)).collect();
                for key in streams {
                    match given.get(key.as_str()) {
                        Some(given) if given.count >= count => reading.behind.more(key, count, given.said_at),
                        Some(_) | None => reading.behind.all(key, at),
                    }
                }
                Ok(())
            }
            // Given out all the same, and to be had in smaller pieces.
            Err(error) if is_too_large(&error) => {
                // Of one stream it was one entry at the least: else its mark would never be reached.
                let given = usize::from(streams.len() == 1);
                streams.iter().for_each(|key| reading.behind.more(key, given, 0));
                // Beside those that wait already: the others of this round are not among them.
                if let Own::Of(own) = &mut reading.own {
                    own.extend(streams.iter().map(|key| (key.clone(), "0".to_owned())));
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// One XREADGROUP. Too large an answer costs the connection, and is noted when the stream is known whose it is.
    async fn read(
        &self,
        reading: &mut Reading,
        streams: &[String],
        count: usize,
        from: &str,
        wait: Option<Duration>,
        deliveries: &mut Vec<Delivery>,
    ) -> RedisResult<Vec<Given>> {
        let mut link = match reading.connection.take() {
            Some(link) => link,
            None => self.connect(BLOCK + Duration::from_secs(2)).await?,
        };
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.consumer).arg("COUNT").arg(count);
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            command.arg("BLOCK").arg(wait.as_millis() as u64);
        }
        command.arg("STREAMS").arg(streams);
        streams.iter().for_each(|_| {
            command.arg(from);
        });
        let reply = command.query_async::<Value>(&mut link.connection).await;
        let reply = link.judge(reply);
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        match reply {
            Ok(reply) => {
                reading.connection = Some(link);
                let given = parse::streams(reply, self.receiver(), deliveries)?;
                for Given { key, count, largest, .. } in &given {
                    if sizes.note(key, *count, *largest) {
                        tell_large(key);
                    }
                }
                Ok(given)
            }
            Err(error) => {
                if is_too_large(&error)
                    && let [key] = streams
                    && sizes.overran(key, count)
                {
                    tell_large(key);
                }
                Err(error)
            }
        }
    }
}

fn tell_large(stream: &str) {
    tracing::error!(
        stream,
        "A worker writes entries larger than any report: they are put away without their content, and its stream is \
        read apart from the others. Somebody else may have its password: see probe revoke."
    );
}
