//! Checks nobody survives.

use probe::wire::{self, DeadLetter, DeadReason, RegionId, WebsiteId};
use redis::RedisResult;

use super::link::is_too_large;
use super::parse::Fields;
use super::{RedisQueue, is_answer};
use crate::queue::QueueError;

/// Pending entries looked at per region, and in one go.
const PENDING: usize = 10_000;
const PAGE: usize = 1_000;
/// Workers that ended with an entry, and how long the last has not been heard of, until the entry is given up (T164).
const DELIVERIES: u64 = 3;
const IDLE_MS: u64 = 30_000;
/// A worker that is started again each time it dies of an entry never lets it rest.
const DELIVERIES_AT_ALL: u64 = 10;

/// A check that is given up, until that is stored and [`crate::queue::Queue::give_up`] was told so.
#[derive(Debug, Clone)]
pub struct GivenUp {
    /// Whose check it was.
    pub region: RegionId,
    /// For the dead letters.
    pub letter: DeadLetter,
}

impl GivenUp {
    /// The stream it was on.
    #[must_use]
    pub fn stream(&self) -> String {
        wire::check_key(&self.region)
    }
}

fn is_given_up(idle_ms: u64, deliveries: u64) -> bool {
    deliveries >= DELIVERIES_AT_ALL || (deliveries >= DELIVERIES && idle_ms >= IDLE_MS)
}

impl RedisQueue {
    /// T164: checks that workers were given again and again, and never finished.
    pub(in crate::queue) async fn given_up(&self, regions: &[RegionId]) -> Result<Vec<GivenUp>, QueueError> {
        let mut given_up = Vec::new();
        for region in regions {
            let key = wire::check_key(region);
            let mut from = "-".to_owned();
            for _ in 0..PENDING / PAGE {
                let mut command = redis::cmd("XPENDING");
                command.arg(&key).arg(region.as_str()).arg(&from).arg("+").arg(PAGE);
                // A worker chooses the name it reads under: any bytes, of any length.
                let page: Vec<(String, Vec<u8>, u64, u64)> = match self.ask(command).await {
                    Ok(page) => page,
                    Err(error) if error.code() == Some("NOGROUP") => break,
                    Err(error) if is_too_large(&error) => {
                        tracing::error!(%region, %error, "Checks that nobody finishes cannot be looked for.");
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                for (id, worker, idle_ms, deliveries) in &page {
                    if is_given_up(*idle_ms, *deliveries) {
                        let letter = self.letter(&key, id, worker, *deliveries).await?;
                        given_up.push(GivenUp { region: region.clone(), letter });
                    }
                }
                match page.last() {
                    Some((last, ..)) if page.len() == PAGE => from = format!("({last}"),
                    Some(_) | None => break,
                }
            }
        }
        Ok(given_up)
    }

    async fn letter(&self, key: &str, id: &str, worker: &[u8], deliveries: u64) -> RedisResult<DeadLetter> {
        let mut command = redis::cmd("XRANGE");
        command.arg(key).arg(id).arg(id);
        let entries: Vec<(String, Fields)> = match self.ask(command).await {
            Ok(entries) => entries,
            Err(error) if is_answer(&error) => Vec::new(), // a right that is missing
            Err(error) => return Err(error),
        };
        let website_id: Option<WebsiteId> = entries.first().and_then(|(_, fields)| {
            let fields = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            wire::decode_check(fields).ok().map(|check| check.website_id)
        });
        let worker = worker.iter().copied().filter(u8::is_ascii_graphic).take(64).map(char::from);
        let worker: String = worker.collect();
        let detail = format!("Workers were given it {deliveries} times and never finished it, the last was {worker}.");
        let reason = DeadReason::MaxDeliveries;
        Ok(DeadLetter { entry_id: id.to_owned(), reason, detail, website_id, raw: String::new() })
    }

    /// Their dead letters are stored: nobody is given them again.
    pub(in crate::queue) async fn give_up(&self, given_up: &[GivenUp]) -> Result<(), QueueError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for GivenUp { region, letter } in given_up {
            let key = wire::check_key(region);
            pipe.cmd("XACK").arg(&key).arg(region.as_str()).arg(&letter.entry_id).ignore();
            pipe.cmd("XDEL").arg(&key).arg(&letter.entry_id).ignore();
        }
        if !given_up.is_empty() {
            self.command::<()>(&pipe).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t164_an_entry_is_given_up_when_three_workers_ended_with_it_or_one_does_again_and_again() {
        for (idle_ms, deliveries, expected) in
            [(0, 1, false), (3_600_000, 2, false), (29_000, 3, false), (30_000, 3, true), (0, 9, false), (0, 10, true)]
        {
            assert_eq!(is_given_up(idle_ms, deliveries), expected, "{idle_ms} {deliveries}");
        }
    }
}
