//! Entries of a region's stream of checks: the commands that fetch them, and what their ids tell.

use std::time::Duration;

use redis::{Connection, RedisResult, Value};

use crate::shared::Shared;
use crate::wire::{SENT_FIELD, UtcMs};

/// How long Redis may keep a reader waiting; also bounds how long a stop takes.
pub(crate) const BLOCK: Duration = Duration::from_secs(2);
/// P6: entries that nobody has touched for this long are taken over. Who has them and lives renews them three times as
/// often ([`renew`]).
pub(crate) const CLAIM_IDLE: Duration = Duration::from_secs(30);
/// Entries younger than this need no renewal: XAUTOCLAIM would pass them over and take the next one, a neighbour's, or one
/// that a dead one left, which would then wait for 30 s more.
pub(crate) const RENEW_IDLE: Duration = Duration::from_secs(5);
/// Entries renewed at once.
const RENEW_COUNT: usize = 500;
/// Entries claimed at once.
const CLAIM_COUNT: usize = 10;
/// New entries read at once: of the largest checks there are, less than 1 MiB.
const NEW_COUNT: usize = 100;
/// Own entries read at once. Few: what ended this worker may be among them, and it must get past entries that are far
/// larger than any check (T160).
const OWN_COUNT: usize = 16;
/// Where a history or a round of claims begins, and what Redis says when the latter is through.
pub(crate) const START: &str = "0-0";

/// An entry.
pub(crate) struct Entry {
    pub id: String,
    /// As they came; `None` when the entry was deleted while it was pending.
    pub fields: Option<Fields>,
}

pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Entries nobody was given yet. Waits for the first as long as [`BLOCK`].
pub(crate) fn read_new(shared: &Shared, connection: &mut Connection, count: usize) -> RedisResult<Vec<Entry>> {
    read(shared, connection, count.min(NEW_COUNT), ">")
}

/// Entries this worker was given and has not acknowledged, beginning after `after`.
pub(crate) fn read_own(
    shared: &Shared,
    connection: &mut Connection,
    count: usize,
    after: &str,
) -> RedisResult<Vec<Entry>> {
    read(shared, connection, count.min(OWN_COUNT), after)
}

fn read(shared: &Shared, connection: &mut Connection, count: usize, from: &str) -> RedisResult<Vec<Entry>> {
    let mut command = redis::cmd("XREADGROUP");
    command.arg("GROUP").arg(shared.region.as_str()).arg(shared.worker.as_str()).arg("COUNT").arg(count);
    if from == ">" {
        command.arg("BLOCK").arg(BLOCK.as_millis() as u64);
    }
    let reply: Value = command.arg("STREAMS").arg(&shared.check_key).arg(from).query(connection)?;
    // Nil, or an array (RESP2) or map (RESP3) of one stream.
    let entries = match reply {
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut pair)) => pair.pop(),
            Some(_) | None => None,
        },
        Value::Map(mut streams) => streams.pop().map(|(_, entries)| entries),
        _ => None,
    };
    entries.map_or(Ok(Vec::new()), parse)
}

/// What a round of claims brought.
pub(crate) struct Claimed {
    /// Where the next round goes on; [`START`] when all were looked at.
    pub next: String,
    pub entries: Vec<Entry>,
    /// Entries that had vanished while they were pending.
    pub lost: usize,
}

/// Takes over at most `count` entries that nobody has touched for 30 s, from whomever, oneself included.
pub(crate) fn claim(shared: &Shared, connection: &mut Connection, count: usize, from: &str) -> RedisResult<Claimed> {
    let (next, entries, lost): (String, Value, Vec<String>) = redis::cmd("XAUTOCLAIM")
        .arg(&shared.check_key)
        .arg(shared.region.as_str())
        .arg(shared.worker.as_str())
        .arg(CLAIM_IDLE.as_millis() as u64)
        .arg(from)
        .arg("COUNT")
        .arg(count.min(CLAIM_COUNT))
        .query(connection)?;
    Ok(Claimed { next, entries: parse(entries)?, lost: lost.len() })
}

/// Says that this worker still has these entries: nobody takes them over for another 30 s. With `JUSTID` that is no
/// delivery, so that the count of deliveries tells how many workers have tried an entry, and nothing else.
///
/// Of the commands a worker may use, only XAUTOCLAIM can do it, and only from an id on: where an entry was acknowledged
/// meanwhile the next one becomes this worker's by name. Who runs that one acknowledges it all the same, and who died with
/// it is found out 30 s later.
pub(crate) fn renew(shared: &Shared, connection: &mut Connection, ids: &[String]) -> RedisResult<()> {
    for some in ids.chunks(RENEW_COUNT) {
        let mut pipe = redis::pipe();
        for id in some {
            pipe.cmd("XAUTOCLAIM").arg(&shared.check_key).arg(shared.region.as_str()).arg(shared.worker.as_str());
            pipe.arg(RENEW_IDLE.as_millis() as u64).arg(id).arg("COUNT").arg(1).arg("JUSTID").ignore();
        }
        let _: () = pipe.query(connection)?;
    }
    Ok(())
}

/// Done with: nobody is given these again.
pub(crate) fn acknowledge(shared: &Shared, connection: &mut Connection, ids: &[&str]) -> RedisResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    redis::cmd("XACK").arg(&shared.check_key).arg(shared.region.as_str()).arg(ids).query(connection)
}

fn parse(entries: Value) -> RedisResult<Vec<Entry>> {
    let raw: Vec<(String, Option<Fields>)> = redis::from_redis_value(entries)?;
    Ok(raw.into_iter().map(|(id, fields)| Entry { id, fields }).collect())
}

/// When Redis made the entry, by its clock.
pub(crate) fn made_at(id: &str) -> Option<UtcMs> {
    id.split('-').next()?.parse().ok()
}

/// When a check was sent, where its hub says so.
pub(crate) fn sent_at(fields: &[(Vec<u8>, Vec<u8>)]) -> Option<UtcMs> {
    let (_, at) = fields.iter().find(|(name, _)| name == SENT_FIELD.as_bytes())?;
    std::str::from_utf8(at).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_when_they_were_made() {
        assert_eq!(made_at("1700000000000-3"), Some(1_700_000_000_000));
        assert_eq!(made_at("x-3"), None);
    }

    #[test]
    fn a_hub_may_say_when_a_check_was_sent() {
        let sent = |at: &str| vec![(b"v".to_vec(), b"1".to_vec()), (b"sent".to_vec(), at.as_bytes().to_vec())];
        assert_eq!(sent_at(&sent("1700000000000")), Some(1_700_000_000_000));
        assert_eq!((sent_at(&sent("soon")), sent_at(&[])), (None, None));
    }
}
