//! Postgres: every statement takes arrays, so that a batch costs a handful of round trips.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use sqlx::postgres::PgBindIterExt as _;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::columns::{self, Row, bind_region, bind_tick};
use super::transaction::{Loaded, Locked, Stale};
use super::{Entry, key_of, storable};
use crate::model::shares::Shares;
use crate::model::{RegionState, Standing, Transition, UtcMs, Website, WebsiteId, WebsiteState, recent};
use crate::store::StoreError;
use crate::store::dead_letters::DeadLetter;
use crate::store::row::{
    REGION_STATE, RegionStateRow, STATE, StateRow, WEBSITE, WebsiteRow, list_text, near_text, notes_text,
};

#[derive(FromRow)]
struct WatchedRow {
    #[sqlx(flatten)]
    website: WebsiteRow,
    watched_since_at: i64,
}

/// Hubs that ingest at once take turns per website, in order of id. The weaker lock, since a transition's foreign key locks
/// the website too, and must not wait for this. Edits lock the website before its state, so its lock is the state's, too.
/// What the lock waited for was committed after this statement began: the rest is read by the next.
static LOCK_WEBSITES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "select {WEBSITE}, watched_since_at from website where website_id = any($1) order by website_id \
         for no key update"
    )
});
static LOCK_FREE_WEBSITES: LazyLock<String> = LazyLock::new(|| format!("{} skip locked", &*LOCK_WEBSITES));
static SELECT_STATES: LazyLock<String> =
    LazyLock::new(|| format!("select website_id, {STATE} from website_state where website_id = any($1)"));
static SELECT_REGIONS: LazyLock<String> =
    LazyLock::new(|| format!("select {REGION_STATE} from region_state where website_id = any($1)"));

pub(super) async fn load(
    tx: &mut PgConnection,
    ids: &[WebsiteId],
    locked: Locked,
    shares: &Shares,
    now: UtcMs,
) -> Result<Loaded, StoreError> {
    let lock: &'static str = match locked {
        Locked::Wait => &LOCK_WEBSITES,
        Locked::Leave => &LOCK_FREE_WEBSITES,
    };
    let websites: Vec<WatchedRow> =
        sqlx::query_as(lock).bind(ids.iter().map(|id| id.0).bind_iter()).fetch_all(&mut *tx).await?;
    let ids: Vec<Uuid> = websites.iter().map(|row| row.website.website_id).collect();
    let states: Vec<StateRow> = sqlx::query_as(SELECT_STATES.as_str()).bind(&ids).fetch_all(&mut *tx).await?;
    let rows: Vec<RegionStateRow> = sqlx::query_as(SELECT_REGIONS.as_str()).bind(&ids).fetch_all(&mut *tx).await?;
    let mut states: HashMap<Uuid, StateRow> = states.into_iter().map(|row| (row.website_id, row)).collect();
    let mut regions: HashMap<Uuid, Vec<RegionStateRow>> = HashMap::with_capacity(ids.len());
    for row in rows {
        regions.entry(row.website_id).or_default().push(row);
    }
    let mut loaded = Loaded::default();
    for WatchedRow { website, watched_since_at } in websites {
        let id = website.website_id;
        let read = || {
            let state = states.remove(&id).ok_or_else(|| StoreError::Corrupt("it has no state".to_owned()))?;
            let regions = regions.remove(&id).unwrap_or_default().into_iter().map(RegionState::try_from);
            let (website, regions) = (Website::try_from(website)?, regions.collect::<Result<_, _>>()?);
            let website = shares.paced(website, now);
            Ok(Standing::new(website, watched_since_at, state.try_into()?, regions, now))
        };
        loaded.add(WebsiteId(id), read())?;
    }
    Ok(loaded)
}

pub(super) async fn existing(tx: &mut PgConnection, ids: &[WebsiteId]) -> Result<BTreeSet<WebsiteId>, StoreError> {
    let found: Vec<Uuid> = sqlx::query_scalar("select website_id from website where website_id = any($1)")
        .bind(ids.iter().map(|id| id.0).bind_iter())
        .fetch_all(tx)
        .await?;
    Ok(found.into_iter().map(WebsiteId).collect())
}

pub(super) async fn stale(
    tx: &mut PgConnection,
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

static INSERT_TICKS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "insert into tick ({}) select * from unnest({}) on conflict do nothing \
         returning website_id, slot_at, region_id, attempt",
        columns::TICK.join(", "),
        columns::parameters(&columns::TICK)
    )
});

pub(super) async fn insert_ticks(tx: &mut PgConnection, entries: &[Entry<'_>]) -> Result<Vec<bool>, StoreError> {
    let mut query = sqlx::query_as(INSERT_TICKS.as_str());
    macro_rules! column {
        ($e:ident => $value:expr) => {
            query = query.bind(entries.iter().map(|$e| $value).bind_iter());
        };
    }
    bind_tick!(column);
    let new: Vec<(Uuid, i64, String, i64)> = query.fetch_all(tx).await?;
    if new.len() == entries.len() {
        return Ok(vec![true; entries.len()]);
    }
    let new: HashSet<(Uuid, i64, &str, i64)> = new.iter().map(|(id, at, r, n)| (*id, *at, r.as_str(), *n)).collect();
    let is_new = |e: &Entry<'_>| {
        let (id, slot_at, region, attempt) = key_of(e.tick);
        new.contains(&(id.0, slot_at, region, i64::from(attempt)))
    };
    Ok(entries.iter().map(is_new).collect())
}

static UPSERT_REGIONS: LazyLock<String> = LazyLock::new(|| {
    columns::upsert_region(&format!("select * from unnest({})", columns::parameters(&columns::REGION)))
});

pub(super) async fn write_regions(tx: &mut PgConnection, standings: &[Standing]) -> Result<(), StoreError> {
    let of = |s| Standing::changed_regions(s).map(|state| Row { website_id: s.website().website_id, state });
    let rows: Vec<Row<'_>> = standings.iter().flat_map(of).collect();
    let mut query = sqlx::query(UPSERT_REGIONS.as_str());
    macro_rules! column {
        ($r:ident => $value:expr) => {
            query = query.bind(rows.iter().map(|$r| $value).bind_iter());
        };
    }
    bind_region!(column);
    query.execute(tx).await?;
    Ok(())
}

pub(super) async fn write_states(tx: &mut PgConnection, states: &[&WebsiteState]) -> Result<(), StoreError> {
    sqlx::query(
        "update website_state set verdict = n.verdict, since_at = n.since_at, reason = n.reason, \
         fresh_until_at = n.fresh_until_at, recent_changes = n.recent_changes, \
         flapping_since_at = n.flapping_since_at, failing_regions = n.failing_regions, \
         certificate_near = n.certificate_near, certificates = n.certificates \
         from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as n (website_id, verdict, since_at, reason, \
         fresh_until_at, recent_changes, flapping_since_at, failing_regions, certificate_near, certificates) where website_state.website_id = n.website_id",
    )
    .bind(states.iter().map(|s| s.website_id.0).bind_iter())
    .bind(states.iter().map(|s| s.verdict.as_str()).bind_iter())
    .bind(states.iter().map(|s| s.since_at).bind_iter())
    .bind(states.iter().map(|s| storable(&s.reason)).bind_iter())
    .bind(states.iter().map(|s| s.fresh_until_at).bind_iter())
    .bind(states.iter().map(|s| list_text(&s.recent_changes)).bind_iter())
    .bind(states.iter().map(|s| s.flapping_since_at).bind_iter())
    .bind(states.iter().map(|s| list_text(&s.failing_regions)).bind_iter())
    .bind(states.iter().map(|s| near_text(s.near_end.as_ref())).bind_iter())
    .bind(states.iter().map(|s| s.certificates.as_str()).bind_iter())
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn write_transitions(tx: &mut PgConnection, transitions: &[Transition]) -> Result<(), StoreError> {
    // Numbers go on where an earlier batch of the same millisecond ended; the order within this one is the array's.
    sqlx::query(
        "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
         select website_id, decided_at, n.number + coalesce((select max(t.number) + 1 from transition t \
         where t.website_id = n.website_id and t.decided_at = n.decided_at), 0), at, from_verdict, to_verdict, reason \
         from unnest($1, $2, $3, $4, $5, $6, $7) \
         as n (website_id, decided_at, number, at, from_verdict, to_verdict, reason)",
    )
    .bind(transitions.iter().map(|t| t.website_id.0).bind_iter())
    .bind(transitions.iter().map(|t| t.decided_at).bind_iter())
    .bind((0_i64..).take(transitions.len()).bind_iter())
    .bind(transitions.iter().map(|t| t.at).bind_iter())
    .bind(transitions.iter().map(|t| t.from.as_str()).bind_iter())
    .bind(transitions.iter().map(|t| t.to.as_str()).bind_iter())
    .bind(transitions.iter().map(|t| storable(&t.reason)).bind_iter())
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn write_dead_letters(
    tx: &mut PgConnection,
    letters: &[DeadLetter],
    at: UtcMs,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
         select distinct on (id) *, $5 from unnest($1, $2, $3, $4) as l (id, stream, reason, raw) \
         on conflict (dead_letter_id) do update set reason = excluded.reason",
    )
    .bind(letters.iter().map(|l| l.id).bind_iter())
    .bind(letters.iter().map(|l| l.stream.as_str()).bind_iter())
    .bind(letters.iter().map(|l| l.reason.as_str()).bind_iter())
    .bind(letters.iter().map(|l| l.raw.as_slice()).bind_iter())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}
