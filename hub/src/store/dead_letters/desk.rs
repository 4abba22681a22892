//! What an operator does with dead letters: looks at them, has them replayed, discards them. They belong to the
//! installation, not to an account. Whatever is done to many is done in pieces of bounded size.

use sqlx::FromRow;
use uuid::Uuid;

use super::super::{Store, StoreError, read, write};
use super::DeadLetter;
use crate::model::{AccountId, KeptLetter, LetterCursor, LetterFilter, LetterId, StoredTick, UtcMs, WebsiteId};

const LETTER: &str = "dead_letter_id, stream, kind, reason, raw, created_at, replay_asked_at, replay_note";
/// `$1`, `$2`: a [`LetterFilter`].
const FITS: &str = "($1 is null or kind = $1) and ($2 is null or stream = $2)";

#[derive(Debug, FromRow)]
struct Row {
    dead_letter_id: Uuid,
    stream: String,
    kind: String,
    reason: String,
    raw: Vec<u8>,
    created_at: i64,
    replay_asked_at: Option<i64>,
    replay_note: String,
}

impl From<Row> for KeptLetter {
    fn from(row: Row) -> Self {
        Self {
            letter_id: LetterId(row.dead_letter_id),
            stream: row.stream,
            kind: row.kind,
            reason: row.reason,
            raw: row.raw,
            created_at: row.created_at,
            replay_asked_at: row.replay_asked_at,
            replay_note: row.replay_note,
        }
    }
}

/// What an operator may know of a website that a letter is about.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct LetterWebsite {
    website_id: Uuid,
    account_id: Uuid,
    /// Its address.
    pub url: String,
    /// Nothing is checked at present.
    pub paused: bool,
}

impl LetterWebsite {
    /// Which.
    #[must_use]
    pub fn website_id(&self) -> WebsiteId {
        WebsiteId(self.website_id)
    }

    /// Whether it is this account's: nobody else may look at its page.
    #[must_use]
    pub fn is_of(&self, account: AccountId) -> bool {
        self.account_id == account.0
    }
}

impl Store {
    /// Dead letters that fit, newest first, after `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn kept_letters(
        &self,
        filter: &LetterFilter,
        after: Option<LetterCursor>,
        limit: i64,
    ) -> Result<Vec<KeptLetter>, StoreError> {
        let last = LetterCursor { at: i64::MAX, id: LetterId(Uuid::max()) };
        let after = after.unwrap_or(last);
        let select = format!(
            "select {LETTER} from dead_letter where {FITS} and (created_at, dead_letter_id) < ($3, $4) \
             order by created_at desc, dead_letter_id desc limit $5"
        );
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(&filter.kind).bind(&filter.stream).bind(after.at).bind(after.id.0).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        Ok(rows.into_iter().map(KeptLetter::from).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// The database is away.
    pub async fn kept_letter(&self, id: LetterId) -> Result<Option<KeptLetter>, StoreError> {
        let select = format!("select {LETTER} from dead_letter where dead_letter_id = $1");
        // The pool for writes: what a replay has just left behind must be seen.
        let row: Option<Row> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(KeptLetter::from))
    }

    /// How many fit; no more than `limit` are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_dead_letters(&self, filter: &LetterFilter, limit: i64) -> Result<i64, StoreError> {
        let count = format!("select count(*) from (select 1 from dead_letter where {FITS} limit $3) as counted");
        Ok(read!(self, pool => sqlx::query_scalar(sqlx::AssertSqlSafe(count.as_str()))
            .bind(&filter.kind).bind(&filter.stream).bind(limit).fetch_one(pool).await?))
    }

    /// Kinds of reason there are, by name, each with how many there are of it; no more than `limit` of each are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dead_letter_kinds(&self, limit: i64) -> Result<Vec<(String, i64)>, StoreError> {
        // One look at the index per kind, however many letters there are.
        Ok(read!(self, pool => sqlx::query_as(
            "with recursive k (kind) as (select min(kind) from dead_letter union all \
             select (select min(kind) from dead_letter where kind > k.kind) from k where k.kind is not null) \
             select kind, (select count(*) from (select 1 from dead_letter d where d.kind = k.kind limit $1) as counted) \
             from k where kind is not null order by kind limit 100")
            .bind(limit).fetch_all(pool).await?))
    }

    /// Streams there are letters of, by name, at most 500.
    ///
    /// # Errors
    /// The database is away.
    pub async fn dead_letter_streams(&self) -> Result<Vec<String>, StoreError> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "with recursive s (stream) as (select min(stream) from dead_letter union all \
             select (select min(stream) from dead_letter where stream > s.stream) from s where s.stream is not null) \
             select stream from s where stream is not null limit 500")
            .fetch_all(pool).await?))
    }

    /// The websites of some letters, whoever owns them, as far as they still exist.
    ///
    /// # Errors
    /// The database is away.
    pub async fn websites_of_letters(&self, ids: &[WebsiteId]) -> Result<Vec<LetterWebsite>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
        let select = format!(
            "select website_id, account_id, url, paused from website where website_id in ({})",
            places.join(", ")
        );
        Ok(read!(self, pool => {
            let query = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()));
            ids.iter().fold(query, |query, id| query.bind(id.0)).fetch_all(pool).await?
        }))
    }

    /// Discards one. `false`: it is not there.
    ///
    /// # Errors
    /// The database is away.
    pub async fn discard_dead_letter(&self, id: LetterId) -> Result<bool, StoreError> {
        let gone = write!(self, pool => sqlx::query("delete from dead_letter where dead_letter_id = $1")
            .bind(id.0).execute(pool).await?.rows_affected());
        Ok(gone == 1)
    }

    /// Discards those that fit and were given up at `until` or before, at most `limit`. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn discard_dead_letters(
        &self,
        filter: &LetterFilter,
        until: UtcMs,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let delete = format!(
            "delete from dead_letter where dead_letter_id in (select dead_letter_id from dead_letter \
             where {FITS} and created_at <= $3 limit $4)"
        );
        Ok(write!(self, pool => sqlx::query(sqlx::AssertSqlSafe(delete.as_str()))
            .bind(&filter.kind).bind(&filter.stream).bind(until).bind(limit).execute(pool).await?.rows_affected()))
    }

    /// Asks the hubs to replay those that fit, were given up at `until` or before and are not asked for yet, at most
    /// `limit`. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ask_for_replay(
        &self,
        filter: &LetterFilter,
        until: UtcMs,
        now: UtcMs,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let update = format!(
            "update dead_letter set replay_asked_at = $3 where dead_letter_id in (select dead_letter_id from dead_letter \
             where {FITS} and created_at <= $4 and replay_asked_at is null limit $5)"
        );
        Ok(write!(self, pool => sqlx::query(sqlx::AssertSqlSafe(update.as_str()))
            .bind(&filter.kind).bind(&filter.stream).bind(now).bind(until).bind(limit)
            .execute(pool).await?.rows_affected()))
    }

    /// Asks the hubs to replay one; what is noted of the replay before is forgotten. `false`: it is not there.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ask_for_replay_of(&self, id: LetterId, now: UtcMs) -> Result<bool, StoreError> {
        let asked = write!(self, pool =>
            sqlx::query("update dead_letter set replay_asked_at = $2, replay_note = '' where dead_letter_id = $1")
                .bind(id.0).bind(now).execute(pool).await?.rows_affected());
        Ok(asked == 1)
    }

    /// Letters whose replay was asked for, in the order of asking.
    ///
    /// # Errors
    /// The database is away.
    pub async fn asked_letters(&self, limit: i64) -> Result<Vec<KeptLetter>, StoreError> {
        let select = format!(
            "select {LETTER} from dead_letter where replay_asked_at is not null \
             order by replay_asked_at, dead_letter_id limit $1"
        );
        let rows: Vec<Row> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(limit).fetch_all(pool).await?);
        Ok(rows.into_iter().map(KeptLetter::from).collect())
    }

    /// How many replays are asked for and not done, among those that fit; at most `limit` are counted.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_asked_letters(&self, filter: &LetterFilter, limit: i64) -> Result<i64, StoreError> {
        let count = format!(
            "select count(*) from (select 1 from dead_letter where {FITS} and replay_asked_at is not null limit $3) as counted"
        );
        Ok(read!(self, pool => sqlx::query_scalar(sqlx::AssertSqlSafe(count.as_str()))
            .bind(&filter.kind).bind(&filter.stream).bind(limit).fetch_one(pool).await?))
    }

    /// Takes on a replay that was asked for. `false`: another hub has it, or the letter is gone. Whoever took it and died
    /// leaves the letter as it is; it can be asked for again.
    ///
    /// # Errors
    /// The database is away.
    pub async fn take_replay(&self, id: LetterId) -> Result<bool, StoreError> {
        let taken = write!(self, pool => sqlx::query(
            "update dead_letter set replay_asked_at = null where dead_letter_id = $1 and replay_asked_at is not null")
            .bind(id.0).execute(pool).await?.rows_affected());
        Ok(taken == 1)
    }

    /// Notes why a replay left a letter here, and its new reason where there is one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_replay(&self, id: LetterId, note: &str, reason: Option<&str>) -> Result<(), StoreError> {
        let reason: Option<String> = reason.map(|reason| reason.chars().filter(|c| *c != '\0').take(512).collect());
        write!(self, pool => sqlx::query(
            "update dead_letter set replay_note = $2, reason = coalesce($3, reason), replay_asked_at = null \
             where dead_letter_id = $1")
            .bind(id.0).bind(note).bind(reason).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Puts a worker's word about a check in the place of the letter that held it when it was not understood.
    ///
    /// # Errors
    /// The database is away: nothing has changed.
    pub async fn replace_dead_letter(&self, old: &KeptLetter, reason: &str, raw: &[u8]) -> Result<(), StoreError> {
        let new = DeadLetter::new(&old.stream, reason, raw);
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(super::INSERT_DEAD_LETTER).bind(new.id).bind(&new.stream).bind(&new.reason).bind(&new.raw)
                .bind(old.created_at).execute(&mut *tx).await?;
            sqlx::query("delete from dead_letter where dead_letter_id = $1 and dead_letter_id <> $2")
                .bind(old.letter_id.0).bind(new.id).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(())
    }

    /// The letter that a tick has become when it could not be stored.
    ///
    /// # Errors
    /// The database is away.
    pub async fn letter_of_tick(&self, tick: &StoredTick) -> Result<Option<KeptLetter>, StoreError> {
        self.kept_letter(LetterId(DeadLetter::of(tick, "").id)).await
    }
}
