//! Packing: what one website has of one day, or the beginning of it, in one transaction that writes the blocks and deletes what
//! went into them. Whatever happens, a tick is in one place; who comes after goes on where this ended. Several hubs take
//! websites by a lock that ends with the transaction.

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::is_news;
use super::late::{joins_now, new_of_regions};
use super::row::packed;
use super::work::{Left, Work};
use crate::model::sealed::{self, Block, DAY_MS, Known, RawTick};
use crate::model::{RegionId, UtcMs};
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::row::{TICK, TickRow, narrow, parse};
use crate::store::{Pool, Store, StoreError, read};

/// Ticks in one transaction: a day of seven regions that look every minute, in tenths of a second.
const AT_ONCE: i64 = 10_080;
/// On SQLite, where all who write wait for it.
const AT_ONCE_ALONE: i64 = 4_000;
/// Fewer than four times as many are not divided for a slow database.
const LEAST: i64 = 400;
/// Of the lock on a website that is being sealed; a word of this product's own.
const LOCKS: i32 = 0x5EA1;

/// What is stored of a tick.
const COLUMNS: &str =
    "select attname::text from pg_attribute where attrelid = 'tick'::regclass and attnum > 0 and not attisdropped";
const COLUMNS_OF_SQLITE: &str = "select name from pragma_table_info('tick')";

/// How far packing has come: everything before it was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SealPosition {
    website: Uuid,
    slot_at: Option<UtcMs>,
    /// Ticks that the database had time for at once; `None`: as many as one takes. What took too long for one day takes too long
    /// for the next: until the next look nobody tries more.
    at_once: Option<i64>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Ticks that are packed now.
    pub ticks: u64,
    /// Blocks written.
    pub blocks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Days of a website that were left as they are: a block of theirs is damaged, what they hold is not understood, or another
    /// hub is at work on them.
    pub left: u64,
    /// Where to go on; `None`: all was looked at.
    pub next: Option<SealPosition>,
}

#[derive(Debug, FromRow)]
struct KnownRow {
    region_id: String,
    from_at: i64,
    to_at: i64,
    ticks: i64,
    damaged_at: Option<i64>,
}

impl Store {
    /// Packs some of what is settled, that is of slots before `before`.
    ///
    /// # Errors
    /// The database is away: nothing was done.
    pub async fn seal_some(&self, from: SealPosition, before: UtcMs, now: UtcMs) -> Result<Sealed, StoreError> {
        let Some((website, slot_at)) = self.oldest_raw(from, before).await? else { return Ok(Sealed::default()) };
        if slot_at >= before {
            // SQLite tells of the next website whatever it has.
            let next = SealPosition { website, slot_at: Some(UtcMs::MAX), ..from };
            return Ok(Sealed { next: Some(next), ..Sealed::default() });
        }
        let day = sealed::day_of(slot_at);
        let next_day = SealPosition { website, slot_at: Some(day.saturating_add(DAY_MS)), ..from };
        let mut at_once = from.at_once.unwrap_or(if self.is_sqlite() { AT_ONCE_ALONE } else { AT_ONCE });
        let left = loop {
            // Not as `answered`: what takes long may be our own work, for which nobody else's connections are to be given up.
            // Whoever waits for an answer that never comes is this loop alone.
            let left = match self.seal_part(website, slot_at, at_once, now).await {
                Ok(done) => return Ok(done),
                Err(left) => left,
            };
            let Left::Away(error) = &left else { break left };
            // A slow disk, on which the ticks of a day are far apart.
            if !error.is_statement_timeout() {
                break left;
            }
            if at_once <= LEAST {
                break Left::NotUnderstood(error.to_string());
            }
            at_once /= 4;
            tracing::info!(%error, ticks = at_once, "Packing takes the database too long; it takes fewer ticks at once.");
        };
        match left {
            Left::Away(error) => return Err(error),
            Left::Busy => {}
            Left::Damaged(found) => self.note_damage(&found, now).await?,
            // The next look says so, and does not begin.
            Left::Newer => return Ok(Sealed { left: 1, ..Sealed::default() }),
            Left::NotUnderstood(what) => {
                if is_news(website, day, &what) {
                    tracing::warn!(website.id = %website, day, what, "Ticks of a day cannot be packed; they are kept as they \
                        are.");
                }
            }
        }
        Ok(Sealed { left: 1, next: Some(next_day), ..Sealed::default() })
    }

    /// Whether this version knows all that is stored of a tick. While a newer one runs beside it, or has, a block would lose what
    /// only that one knows.
    ///
    /// # Errors
    /// The database is away.
    pub async fn may_seal(&self) -> Result<bool, StoreError> {
        let sql = match &self.pool {
            Pool::Postgres(_) => COLUMNS,
            Pool::Sqlite { .. } => COLUMNS_OF_SQLITE,
        };
        let columns: Vec<String> = read!(self, pool => sqlx::query_scalar(sql).fetch_all(pool).await?);
        let unknown = unknown(&columns);
        if let Some(column) = unknown
            && is_news(Uuid::nil(), 0, column)
        {
            tracing::warn!(
                column,
                "Ticks have a column that this version does not know; days are packed by a newer one."
            );
        }
        Ok(unknown.is_none())
    }

    /// The first raw tick at or after a position, in order of website and slot.
    async fn oldest_raw(&self, from: SealPosition, before: UtcMs) -> Result<Option<(Uuid, UtcMs)>, StoreError> {
        // Postgres looks only into partitions that have such slots. SQLite has one table, of which a website without such slots
        // would be read whole.
        let settled = if self.is_sqlite() { "$3 = $3" } else { "slot_at < $3" };
        let sql = format!(
            "select website_id, slot_at from tick where (website_id, slot_at) >= ($1, $2) and {settled} \
             order by website_id, slot_at limit 1"
        );
        Ok(read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
            .bind(from.website).bind(from.slot_at.unwrap_or(UtcMs::MIN)).bind(before).fetch_optional(pool).await?))
    }

    async fn seal_part(&self, website: Uuid, first_at: UtcMs, at_once: i64, now: UtcMs) -> Result<Sealed, Left> {
        let mut tx = match &self.pool {
            Pool::Postgres(_) => Transaction::begin(&self.pool).await?,
            // It reads first: whoever wrote in between (a command beside the hub) would end it.
            Pool::Sqlite { write, .. } => write.begin_with("begin immediate").await?.into(),
        };
        let done = seal_in(&mut tx, website, first_at, at_once, now).await;
        if done.is_err() {
            if let Err(error) = tx.rollback().await {
                tracing::debug!(%error, "A transaction was not rolled back; its connection ends.");
            }
            return done;
        }
        probe::fail_point!("seal.packed");
        tx.commit().await?;
        probe::fail_point!("seal.sealed");
        done
    }
}

/// A column of a tick that this version does not know.
fn unknown(columns: &[String]) -> Option<&String> {
    columns.iter().find(|column| !TICK.split(", ").any(|known| known == column.as_str()))
}

async fn seal_in(
    tx: &mut Transaction,
    website: Uuid,
    first_at: UtcMs,
    at_once: i64,
    now: UtcMs,
) -> Result<Sealed, Left> {
    if !is_ours(tx, website).await? {
        return Err(Left::Busy);
    }
    let (day, end) = (sealed::day_of(first_at), sealed::day_of(first_at).saturating_add(DAY_MS));
    let cut: Option<i64> = on!(tx, connection => sqlx::query_scalar(
        "select slot_at from tick where website_id = $1 and slot_at >= $2 and slot_at < $3 order by slot_at limit 1 offset $4")
        .bind(website).bind(first_at).bind(end).bind(at_once).fetch_optional(connection).await?);
    // A slot is not divided.
    let cut = cut.map_or(end, |cut| cut.max(first_at.saturating_add(1)));
    let at = |slot_at| Some(SealPosition { website, slot_at: Some(slot_at), at_once: Some(at_once) });
    let mut next = at(cut);
    let known = known_blocks(tx, website, day, end).await?;
    let mut only = Vec::new();
    if !known.is_empty() {
        if !joins_now(tx, website, day, end, now).await? {
            return Ok(Sealed { next: at(end), ..Sealed::default() });
        }
        let regions = new_of_regions(tx, website, first_at, cut).await?;
        let most = usize::try_from(at_once).unwrap_or(1).saturating_mul(2);
        let blocks = |region: &str| known.get(region).map_or(&[][..], Vec::as_slice);
        let count = sealed::regions_at_once(regions.iter().map(|(region, new)| (*new, blocks(region))), most);
        if count < regions.len() {
            only.extend(regions.into_iter().take(count).map(|(region, _)| region));
            next = at(first_at);
        }
    }
    // Read by deleting: no tick that is stored meanwhile goes unread.
    let places: Vec<String> = (4..only.len() + 4).map(|n| format!("${n}")).collect();
    let these = if only.is_empty() { String::new() } else { format!("and region_id in ({})", places.join(", ")) };
    let delete =
        format!("delete from tick where website_id = $1 and slot_at >= $2 and slot_at < $3 {these} returning {TICK}");
    let rows: Vec<TickRow> = on!(tx, connection => {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(delete.as_str())).bind(website).bind(first_at).bind(cut);
        only.iter().fold(query, |query, region| query.bind(region)).fetch_all(connection).await?
    });
    // A look takes hours where there is much, and a newer hub may start meanwhile. Asked only now: whoever deletes holds the
    // table, and nobody gives it another column until the end.
    let columns: Vec<String> = match tx {
        Transaction::Postgres(tx) => sqlx::query_scalar(COLUMNS).fetch_all(&mut **tx).await?,
        Transaction::Sqlite(tx) => sqlx::query_scalar(COLUMNS_OF_SQLITE).fetch_all(&mut **tx).await?,
    };
    if unknown(&columns).is_some() {
        return Err(Left::Newer);
    }
    let ticks = rows.len() as u64;
    let mut by_region: BTreeMap<String, Vec<RawTick>> = BTreeMap::new();
    for row in rows {
        let (region, tick) = packed(row);
        by_region.entry(region).or_default().push(tick);
    }
    let mut works = Vec::new();
    for (region, mut new) in by_region {
        let region: RegionId = parse(&region)?;
        new.sort_by_key(RawTick::key);
        let blocks = known.get(region.as_str()).map_or(&[][..], Vec::as_slice);
        for group in sealed::groups(new, blocks) {
            let replaced = match group.replaces {
                Some(from_at) => Some(take_block(tx, website, &region, from_at).await?),
                None => None,
            };
            works.push(Work { region: region.clone(), group, replaced });
        }
    }
    // A tenth of a second of work, which is nobody's turn but its own.
    let packed =
        tokio::task::spawn_blocking(move || works.into_iter().map(|work| work.done(website)).collect::<Vec<_>>());
    let packed = packed.await.map_err(|panic| Left::NotUnderstood(panic.to_string()))?;
    let mut done = Sealed { ticks, next, ..Sealed::default() };
    for result in packed {
        let (region, blocks) = result?;
        for block in blocks {
            done.blocks += 1;
            done.bytes += (block.keys.len() + block.columns.len()) as u64;
            write_block(tx, website, &region, &block, now).await?;
        }
    }
    Ok(done)
}

/// Blocks of a day by region, in order.
async fn known_blocks(
    tx: &mut Transaction,
    website: Uuid,
    day: UtcMs,
    end: UtcMs,
) -> Result<BTreeMap<String, Vec<Known>>, Left> {
    let rows: Vec<KnownRow> = on!(tx, connection => sqlx::query_as(
        "select region_id, from_at, to_at, ticks, damaged_at from sealed_tick \
         where website_id = $1 and from_at >= $2 and from_at < $3 order by from_at")
        .bind(website).bind(day).bind(end).fetch_all(connection).await?);
    if rows.iter().any(|row| row.damaged_at.is_some()) {
        return Err(Left::Damaged(Vec::new()));
    }
    let mut known: BTreeMap<String, Vec<Known>> = BTreeMap::new();
    for row in rows {
        let block = Known { from_at: row.from_at, to_at: row.to_at, ticks: narrow(row.ticks)? };
        known.entry(row.region_id).or_default().push(block);
    }
    Ok(known)
}

/// A block that others join: out of the table, for what comes of it takes its place.
async fn take_block(
    tx: &mut Transaction,
    website: Uuid,
    region: &RegionId,
    from_at: UtcMs,
) -> Result<(Vec<u8>, Vec<u8>), Left> {
    let taken: Option<(Vec<u8>, Vec<u8>)> = on!(tx, connection => sqlx::query_as(
        "delete from sealed_tick where website_id = $1 and from_at = $2 and region_id = $3 returning keys, packed")
        .bind(website).bind(from_at).bind(region.as_str()).fetch_optional(connection).await?);
    // Another hub forgot it, a moment ago.
    taken.ok_or(Left::Busy)
}

async fn write_block(
    tx: &mut Transaction,
    website: Uuid,
    region: &RegionId,
    block: &Block,
    now: UtcMs,
) -> Result<(), StoreError> {
    on!(tx, connection => sqlx::query(
        "insert into sealed_tick (website_id, from_at, region_id, to_at, ticks, sealed_at, keys, packed) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(website).bind(block.from_at).bind(region.as_str()).bind(block.to_at).bind(block.ticks as i64).bind(now)
        .bind(block.keys.as_slice()).bind(block.columns.as_slice()).execute(connection).await.map(|_| ())?);
    Ok(())
}

/// Whether no other hub is at work on the history of this website, nor will be until the end of the transaction.
async fn is_ours(tx: &mut Transaction, website: Uuid) -> Result<bool, StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            // Packing is work between two statements.
            sqlx::query("set local idle_in_transaction_session_timeout = '60s'").execute(&mut **tx).await?;
            let lock = sqlx::query_scalar("select pg_try_advisory_xact_lock($1, hashtext($2))");
            Ok(lock.bind(LOCKS).bind(website.to_string()).fetch_one(&mut **tx).await?)
        }
        Transaction::Sqlite(_) => Ok(true), // one writer
    }
}
