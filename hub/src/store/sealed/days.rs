//! Daily partitions of raw ticks, on Postgres: made ahead, and dropped whole when all that was in them is packed.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use crate::model::UtcMs;
use crate::model::sealed::{self, DAY_MS};
use crate::store::{Pool, Store, StoreError, asked};

/// Whoever stores ticks waits so long at most for a day that is being dropped, and so does the drop for them.
const LOCK: &str = "set local lock_timeout = '200ms'";
/// Reading what is left of a day over what was deleted.
const LOOK: &str = "set local statement_timeout = '2s'";
/// The same, while readers of all days wait for it: it was looked into a moment ago.
const LOOK_AGAIN: &str = "set local statement_timeout = '500ms'";
/// By its key: where much was deleted and cleaned up, the table may still be as long as it was, of empty pages. A key has none.
const BY_KEY: &str = "set local enable_seqscan = off";
/// Days are made so far ahead.
const AHEAD: i64 = 7;
/// A clean-up of one day takes no longer, or is left to the database's own.
const VACUUM_WITHIN: Duration = Duration::from_secs(600);

/// A day of ticks that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedDay {
    /// Its partition.
    name: String,
}

/// What one look did with a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayFate {
    /// It is dropped.
    Gone,
    /// Something is left in it, or others are at work on it.
    Stays,
    /// Much was deleted in it and is in the way: it is to be cleaned up first.
    Unclean,
}

impl Store {
    /// Makes the daily partitions of ticks, from the first day that is not settled to a week ahead. Nothing to do on SQLite.
    ///
    /// # Errors
    /// The database refused.
    pub async fn ensure_partitions(&self, now: UtcMs) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        let pool = &pools.get();
        for day in sealed::settled_before(now).div_euclid(DAY_MS)..=now.div_euclid(DAY_MS) + AHEAD {
            let name = jiff::Timestamp::from_millisecond(day * DAY_MS)
                .map(|t| t.to_string()[..10].replace('-', ""))
                .map_err(|e| StoreError::Corrupt(e.to_string()))?;
            let sql = format!(
                "create table if not exists tick_{name} partition of tick for values from ({}) to ({})",
                day * DAY_MS,
                (day + 1) * DAY_MS
            );
            if let Err(error) = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await {
                // Another hub made it at the same moment, or the default partition holds rows of that day: they stay there,
                // until they are packed.
                tracing::warn!(%error, partition = name, "A partition of ticks was not made; its ticks go to the default one.");
            }
        }
        Ok(())
    }

    /// Days that ended by `before`, the oldest first. None on SQLite.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ended_days(&self, before: UtcMs) -> Result<Vec<EndedDay>, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(Vec::new()) };
        let names: Vec<String> = asked!(self, pools, pool => sqlx::query_scalar(
            "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid \
             where i.inhparent = 'tick'::regclass order by c.relname")
            .fetch_all(pool).await?);
        let has_ended = |name: &String| ends_at(name).is_some_and(|end| end <= before);
        Ok(names.into_iter().filter(has_ended).map(|name| EndedDay { name }).collect())
    }

    /// Drops a day that has nothing in it any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn drop_day(&self, day: &EndedDay) -> Result<DayFate, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(DayFate::Stays) };
        self.answered(async {
            let mut connection = pools.get().acquire().await?;
            drop_day(&mut connection, &day.name).await
        })
        .await
    }

    /// Cleans a day up, which stops nobody and may take minutes: whoever is told to stop gives it up.
    ///
    /// # Errors
    /// The database is away.
    pub async fn clean_up_day(&self, day: &EndedDay) -> Result<(), StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(()) };
        // Its own connection, which ends with it: nobody else gets one with half an answer on it (D18).
        let mut connection = pools.get().acquire().await?.detach();
        clean_up(&mut connection, &day.name).await
    }
}

/// When the day of a partition ends; `None`: it is none of a day.
fn ends_at(partition: &str) -> Option<UtcMs> {
    let day = jiff::civil::Date::strptime("%Y%m%d", partition.strip_prefix("tick_")?).ok()?;
    let begin = jiff::tz::TimeZone::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok()?;
    Some(begin.as_millisecond().saturating_add(DAY_MS))
}

async fn drop_day(connection: &mut PgConnection, name: &str) -> Result<DayFate, StoreError> {
    match is_empty(connection, name).await {
        Ok(true) => {}
        Ok(false) => return Ok(DayFate::Stays),
        Err(error) if error.is_statement_timeout() => return Ok(DayFate::Unclean),
        Err(error) if error.is_lock_timeout() || is_gone(&error) => return Ok(DayFate::Stays),
        Err(error) => return Err(error),
    }
    match drop_now(connection, name).await {
        Err(error) if error.is_lock_timeout() || error.is_statement_timeout() || error.is_collision() => {
            tracing::info!(%error, partition = name, "A day of ticks is in use; it is dropped later.");
            Ok(DayFate::Stays)
        }
        Err(error) if is_gone(&error) => Ok(DayFate::Stays),
        done => Ok(if done? { DayFate::Gone } else { DayFate::Stays }),
    }
}

/// Whether another hub has dropped it.
fn is_gone(error: &StoreError) -> bool {
    // undefined_table
    error.sqlstate().is_some_and(|code| code == "42P01")
}

async fn is_empty(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let mut tx = connection.begin().await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    sqlx::query(LOOK).execute(&mut *tx).await?;
    sqlx::query(BY_KEY).execute(&mut *tx).await?;
    let sql = format!("select not exists (select 1 from {name})");
    let is_empty = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await;
    tx.rollback().await?;
    Ok(is_empty?)
}

/// Ticks of other days go on being stored but for the moment of the drop itself; a tick of this day that comes meanwhile waits,
/// and goes to the default partition.
async fn drop_now(connection: &mut PgConnection, name: &str) -> Result<bool, StoreError> {
    let mut tx = connection.begin().await?;
    let done = async {
        sqlx::query(LOCK).execute(&mut *tx).await?;
        sqlx::query(LOOK_AGAIN).execute(&mut *tx).await?;
        sqlx::query(BY_KEY).execute(&mut *tx).await?;
        // Its own first: nobody but late ticks and readers waits while it is looked into.
        sqlx::query(sqlx::AssertSqlSafe(format!("lock table {name} in access exclusive mode")))
            .execute(&mut *tx)
            .await?;
        let sql = format!("select not exists (select 1 from {name})");
        if !sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await? {
            return Ok(false);
        }
        sqlx::query(sqlx::AssertSqlSafe(format!("drop table {name}"))).execute(&mut *tx).await?;
        Ok::<_, sqlx::Error>(true)
    }
    .await;
    match done {
        Ok(true) => {
            probe::fail_point!("seal.dropped");
            tx.commit().await?;
            Ok(true)
        }
        Ok(false) => {
            tx.rollback().await?;
            Ok(false)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error.into())
        }
    }
}

async fn clean_up(connection: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    let limit = format!("set statement_timeout = {}", VACUUM_WITHIN.as_millis());
    sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&mut *connection).await?;
    let cleaned = sqlx::query(sqlx::AssertSqlSafe(format!("vacuum {name}"))).execute(&mut *connection).await;
    match cleaned.map_err(StoreError::from) {
        Ok(_) => Ok(()),
        // The database's own clean-up is at work there, or it takes longer than that: it is looked into again later.
        Err(error) if error.is_lock_timeout() || error.is_statement_timeout() || is_gone(&error) => {
            tracing::info!(%error, partition = name, "A day of ticks was not cleaned up; it is dropped later.");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_of_days_have_an_end() {
        assert_eq!(ends_at("tick_19700101"), Some(DAY_MS));
        assert_eq!(ends_at("tick_20261127"), Some(1_795_737_600_000 + DAY_MS));
        for other in ["tick_default", "tick_2026", "tick_20261301", "website", "tick_20261127x", "tick_"] {
            assert_eq!(ends_at(other), None, "{other}");
        }
    }
}
