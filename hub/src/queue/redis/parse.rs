//! Entries of workers' streams as Redis answers them, and what they report.

use std::sync::Arc;

use probe::wire::{self, WireError};
use redis::{RedisResult, Value};

use super::id_ms;
use super::sizes::{MAX_ENTRY, PER_FIELD};
use crate::model::UtcMs;
use crate::queue::{Delivery, Receipt};

pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What one stream gave.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) key: String,
    /// Entries, and the size of the largest in bytes.
    pub(super) count: usize,
    pub(super) largest: usize,
    /// Id of the last.
    pub(super) last: String,
    /// When Redis got the last, by its id.
    pub(super) said_at: UtcMs,
}

/// When Redis got an entry, by the hub's clock. A worker may choose the id of what it writes, and Redis' clock may have
/// jumped: never later than now, never before 1970 (T206).
pub(super) fn received_at(entry_id: &str, clock_offset_ms: i64, now: UtcMs) -> UtcMs {
    id_ms(entry_id).map_or(now, |at| at.saturating_sub(clock_offset_ms).clamp(0, now.max(0)))
}

/// The answer to XREADGROUP: its reports are added to `deliveries`.
pub(super) fn streams(
    reply: Value,
    received: impl Fn(&str) -> UtcMs + Copy,
    deliveries: &mut Vec<Delivery>,
) -> RedisResult<Vec<Given>> {
    let streams: Vec<(String, Value)> = match reply {
        Value::Nil => Vec::new(),
        other => redis::from_redis_value(other)?,
    };
    let mut given = Vec::new();
    for (key, of) in streams {
        given.extend(entries(&key, of, received, deliveries)?);
    }
    Ok(given)
}

/// Entries of one stream. Nothing when it gave none, or its key is no worker's.
pub(super) fn entries(
    key: &str,
    entries: Value,
    received: impl Fn(&str) -> UtcMs,
    deliveries: &mut Vec<Delivery>,
) -> RedisResult<Option<Given>> {
    let Some((region, worker)) = wire::parse_tick_key(key) else { return Ok(None) };
    let stream: Arc<str> = key.into();
    let entries: Vec<(String, Option<Fields>)> = redis::from_redis_value(entries)?;
    let (count, mut largest, mut end) = (entries.len(), 0, None);
    for (entry_id, fields) in entries {
        let fields = fields.unwrap_or_default();
        let received_at = received(&entry_id);
        largest = largest.max(size(&fields));
        let (report, raw) = read(fields);
        end = Some((entry_id.clone(), received_at));
        deliveries.push(Delivery {
            region: region.clone(),
            worker: worker.clone(),
            received_at,
            report,
            raw,
            receipt: Receipt { stream: stream.clone(), entry_id },
        });
    }
    Ok(end.map(|(last, said_at)| Given { key: key.to_owned(), count, largest, last, said_at }))
}

/// A report that was too much to be read: its entry is all that is known of it.
pub(super) fn unread(key: &str, entry_id: &str, received_at: UtcMs) -> Option<Delivery> {
    let (region, worker) = wire::parse_tick_key(key)?;
    let report = Err(WireError::TooLarge { found: super::link::MOST, limit: MAX_ENTRY });
    let receipt = Receipt { stream: key.into(), entry_id: entry_id.to_owned() };
    Some(Delivery { region, worker, received_at, report, raw: Vec::new(), receipt })
}

fn size(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len() + PER_FIELD).sum()
}

/// What an entry reports, or why it does not, with its bytes. Of one that is far too large nothing is kept.
fn read(fields: Fields) -> (Result<wire::Report, WireError>, Vec<u8>) {
    let bytes = size(&fields);
    if bytes > MAX_ENTRY {
        return (Err(WireError::TooLarge { found: bytes, limit: MAX_ENTRY }), Vec::new());
    }
    let report = wire::decode_report(fields.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
    let raw = match &report {
        Ok(_) => Vec::new(),
        Err(_) => fields.into_iter().flat_map(|(n, v)| [n, b"=".to_vec(), v, b"\n".to_vec()].concat()).collect(),
    };
    (report, raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t206_a_chosen_id_is_no_time_of_receipt() {
        assert_eq!(received_at("1000-3", 0, 5_000), 1_000);
        assert_eq!(received_at("9000-0", 4_000, 5_500), 5_000, "Redis' clock is ahead by 4 s");
        for odd in ["9223372036854775807-0", "18446744073709551615-1", "x", ""] {
            assert_eq!(received_at(odd, 0, 5_000), 5_000, "{odd}");
        }
        assert_eq!(received_at("10-0", i64::MAX, 5_000), 0);
    }

    #[test]
    fn of_an_entry_that_is_far_too_large_nothing_is_kept() {
        let field = |size: usize| vec![(b"x".to_vec(), vec![b'y'; size])];
        let (report, raw) = read(field(MAX_ENTRY));
        assert!(matches!(report, Err(WireError::TooLarge { found, .. }) if found == MAX_ENTRY + 1 + PER_FIELD));
        assert!(raw.is_empty());
        let (report, raw) = read(vec![(Vec::new(), Vec::new()); MAX_ENTRY]);
        assert!(matches!(report, Err(WireError::TooLarge { .. })) && raw.is_empty(), "of nothing very much");
        let (report, raw) = read(field(9));
        assert!(matches!(report, Err(WireError::Missing(_))) && raw == b"x=yyyyyyyyy\n");
    }
}
