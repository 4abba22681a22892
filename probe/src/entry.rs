//! Entries of a region's stream of checks: the commands that fetch them, and what their ids tell.

use std::time::Duration;

use redis::{Connection, RedisResult, Value};

use crate::shared::Shared;
use crate::wire::UtcMs;

/// How long Redis may keep a reader waiting; also bounds how long a stop takes.
pub(crate) const BLOCK: Duration = Duration::from_secs(2);
/// P6.
pub(crate) const CLAIM_IDLE: Duration = Duration::from_secs(30);
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

/// The highest id below `id`: a history read after it begins with `id`.
pub(crate) fn before(id: &str) -> Option<String> {
    let (ms, number) = id.split_once('-')?;
    let (ms, number): (u64, u64) = (ms.parse().ok()?, number.parse().ok()?);
    match number.checked_sub(1) {
        Some(number) => Some(format!("{ms}-{number}")),
        None => ms.checked_sub(1).map(|ms| format!("{ms}-{}", u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_when_they_were_made_and_which_comes_before() {
        assert_eq!(made_at("1700000000000-3"), Some(1_700_000_000_000));
        assert_eq!(made_at("x-3"), None);
        assert_eq!(before("5-3").as_deref(), Some("5-2"));
        assert_eq!(before("5-0").as_deref(), Some("4-18446744073709551615"));
        assert_eq!((before("0-0"), before("5")), (None, None));
    }
}
