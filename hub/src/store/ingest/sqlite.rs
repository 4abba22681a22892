//! SQLite: row by row. It runs in this process, where a prepared statement costs less than an array would to unpack.

use std::sync::LazyLock;

use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;

use super::columns::{self, Row, bind_region, bind_tick};
use super::transaction::{Loaded, Stale};
use super::{Entry, storable};
use crate::model::shares::Shares;
use crate::model::{RegionState, Standing, Transition, UtcMs, Website, WebsiteId, WebsiteState, recent};
use crate::store::StoreError;
use crate::store::dead_letters::{DeadLetter, INSERT_DEAD_LETTER};
use crate::store::row::{
    REGION_STATE, RegionStateRow, STATE, StateFields, WEBSITE, WebsiteRow, list_text, near_text, notes_text,
};

#[derive(FromRow)]
struct KnownRow {
    #[sqlx(flatten)]
    website: WebsiteRow,
    watched_since_at: i64,
    #[sqlx(flatten)]
    state: StateFields,
}

static SELECT_KNOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select {WEBSITE}, watched_since_at, {STATE} from website \
         join website_state using (website_id) where website_id = $1"
    )
});
static SELECT_REGIONS: LazyLock<String> =
    LazyLock::new(|| format!("select {REGION_STATE} from region_state where website_id = $1"));

pub(super) async fn load(
    tx: &mut SqliteConnection,
    ids: &[WebsiteId],
    shares: &Shares,
    now: UtcMs,
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for id in ids {
        let row: Option<KnownRow> = sqlx::query_as(SELECT_KNOWN.as_str()).bind(id.0).fetch_optional(&mut *tx).await?;
        let Some(KnownRow { website, watched_since_at, state }) = row else { continue };
        let rows: Vec<RegionStateRow> = sqlx::query_as(SELECT_REGIONS.as_str()).bind(id.0).fetch_all(&mut *tx).await?;
        let read = || {
            let regions = rows.into_iter().map(RegionState::try_from).collect::<Result<_, _>>()?;
            let website = shares.paced(Website::try_from(website)?, now);
            Ok(Standing::new(website, watched_since_at, state.of(*id)?, regions, now))
        };
        loaded.add(*id, read())?;
    }
    Ok(loaded)
}

pub(super) async fn stale(
    tx: &mut SqliteConnection,
    now: UtcMs,
    (at, id): Stale,
    limit: i64,
) -> Result<Vec<(i64, Uuid)>, StoreError> {
    Ok(sqlx::query_as(
        "select fresh_until_at, website_id from website_state \
         where fresh_until_at < $1 and (fresh_until_at, website_id) > ($2, $3) \
         order by fresh_until_at, website_id limit $4",
    )
    .bind(now)
    .bind(at)
    .bind(id.0)
    .bind(limit)
    .fetch_all(tx)
    .await?)
}

static INSERT_TICK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "insert into tick ({}) values ({}) on conflict do nothing",
        columns::TICK.join(", "),
        columns::parameters(&columns::TICK)
    )
});

pub(super) async fn insert_ticks(tx: &mut SqliteConnection, entries: &[Entry<'_>]) -> Result<Vec<bool>, StoreError> {
    let mut is_new = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut query = sqlx::query(INSERT_TICK.as_str());
        macro_rules! column {
            ($e:ident => $value:expr) => {
                let $e = entry;
                query = query.bind($value);
            };
        }
        bind_tick!(column);
        is_new.push(query.execute(&mut *tx).await?.rows_affected() == 1);
    }
    Ok(is_new)
}

static UPSERT_REGION: LazyLock<String> =
    LazyLock::new(|| columns::upsert_region(&format!("values ({})", columns::parameters(&columns::REGION))));

pub(super) async fn write_regions(tx: &mut SqliteConnection, standings: &[Standing]) -> Result<(), StoreError> {
    for standing in standings {
        for state in standing.changed_regions() {
            let row = Row { website_id: standing.website().website_id, state };
            let mut query = sqlx::query(UPSERT_REGION.as_str());
            macro_rules! column {
                ($r:ident => $value:expr) => {
                    let $r = row;
                    query = query.bind($value);
                };
            }
            bind_region!(column);
            query.execute(&mut *tx).await?;
        }
    }
    Ok(())
}

pub(super) async fn write_states(tx: &mut SqliteConnection, states: &[&WebsiteState]) -> Result<(), StoreError> {
    for state in states {
        sqlx::query(
            "update website_state set verdict = $2, since_at = $3, reason = $4, fresh_until_at = $5, recent_changes = $6, \
             flapping_since_at = $7, failing_regions = $8, certificate_near = $9, certificates = $10 where website_id = $1",
        )
        .bind(state.website_id.0)
        .bind(state.verdict.as_str())
        .bind(state.since_at)
        .bind(storable(&state.reason))
        .bind(state.fresh_until_at)
        .bind(list_text(&state.recent_changes))
        .bind(state.flapping_since_at)
        .bind(list_text(&state.failing_regions))
        .bind(near_text(state.near_end.as_ref()))
        .bind(state.certificates.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn write_transitions(tx: &mut SqliteConnection, transitions: &[Transition]) -> Result<(), StoreError> {
    for t in transitions {
        sqlx::query(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
             select $1, $2, coalesce(max(number) + 1, 0), $3, $4, $5, $6 from transition \
             where website_id = $1 and decided_at = $2",
        )
        .bind(t.website_id.0)
        .bind(t.decided_at)
        .bind(t.at)
        .bind(t.from.as_str())
        .bind(t.to.as_str())
        .bind(storable(&t.reason))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn write_dead_letters(
    tx: &mut SqliteConnection,
    letters: &[DeadLetter],
    at: UtcMs,
) -> Result<(), StoreError> {
    for letter in letters {
        sqlx::query(INSERT_DEAD_LETTER)
            .bind(letter.id)
            .bind(&letter.stream)
            .bind(&letter.reason)
            .bind(&letter.raw)
            .bind(at)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}
