//! Messages that were given up, each kept with its reason: putting them there, and old ones away.

mod desk;

pub use desk::LetterWebsite;

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{StoredTick, UtcMs};

pub(super) const INSERT_DEAD_LETTER: &str = "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
    values ($1, $2, $3, $4, $5) on conflict (dead_letter_id) do update set reason = excluded.reason";

/// A message that was given up. Its id is made from what it is, so that a redelivery does not keep it twice.
pub(super) struct DeadLetter {
    pub id: Uuid,
    pub stream: String,
    pub reason: String,
    pub raw: Vec<u8>,
}

impl DeadLetter {
    pub(super) fn new(stream: &str, reason: &str, raw: &[u8]) -> Self {
        let raw = raw[..raw.len().min(64 * 1024)].to_vec();
        let reason: String = reason.chars().filter(|c| *c != '\0').take(512).collect();
        let id = Uuid::new_v5(&Uuid::new_v5(&Uuid::NAMESPACE_OID, stream.as_bytes()), &raw);
        Self { id, stream: stream.to_owned(), reason, raw }
    }

    pub(super) fn of(tick: &StoredTick, reason: &str) -> Self {
        let stream = probe::wire::tick_key(&tick.region_id, &tick.worker_id);
        Self::new(&stream, reason, &serde_json::to_vec(&tick.tick).unwrap_or_default())
    }
}

impl Store {
    /// Keeps a message that was given up.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dead_letter(&self, stream: &str, reason: &str, raw: &[u8], at: UtcMs) -> Result<(), StoreError> {
        let letter = DeadLetter::new(stream, reason, raw);
        write!(self, pool => sqlx::query(INSERT_DEAD_LETTER)
            .bind(letter.id).bind(&letter.stream).bind(&letter.reason).bind(&letter.raw).bind(at)
            .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Deletes dead letters older than 30 days, and the oldest of each stream that has more than 10,000; at most 5,000 of
    /// each kind a stream, so that no call takes long. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn trim_dead_letters(&self, now: UtcMs) -> Result<u64, StoreError> {
        // One look at the index per stream, however many letters there are.
        let streams: Vec<String> = read!(self, pool => sqlx::query_scalar(
            "with recursive s (stream) as (select min(stream) from dead_letter union all \
             select (select min(stream) from dead_letter where stream > s.stream) from s where s.stream is not null) \
             select stream from s where stream is not null")
            .fetch_all(pool).await?);
        let old = format!("stream = $1 and created_at < $2 order by created_at limit {LETTERS_AT_ONCE}");
        let many = format!(
            "stream = $1 and created_at >= $2 order by created_at desc, dead_letter_id desc \
             limit {LETTERS_AT_ONCE} offset {LETTERS_KEPT}"
        );
        let mut gone = 0;
        for which in [old, many] {
            let delete = format!(
                "delete from dead_letter where dead_letter_id in (select dead_letter_id from dead_letter where {which})"
            );
            for stream in &streams {
                gone += write!(self, pool => sqlx::query(sqlx::AssertSqlSafe(delete.as_str()))
                    .bind(stream).bind(now - LETTERS_KEPT_MS).execute(pool).await?.rows_affected());
            }
        }
        Ok(gone)
    }
}

const LETTERS_KEPT_MS: i64 = 30 * 86_400_000;
const LETTERS_KEPT: u32 = 10_000;
const LETTERS_AT_ONCE: u32 = 5_000;
