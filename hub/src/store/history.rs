//! Ticks of one website in bounded pieces, in order of slot, region and attempt: those that are raw and those that are packed
//! with their day are one history. What is read is what is there at one instant, wherever it is moved meanwhile; cost is that
//! of the ticks that are asked for and the blocks they are in, however long the history.

use std::ops::RangeInclusive;

use super::ingest::Transaction;
use super::jobs::on;
use super::row::{TICK, TickRow};
use super::sealed::{self, Unpacked, Window, key_of};
use super::{Pool, Store, StoreError};
use crate::clock;
use crate::model::{AccountId, StoredTick, UtcMs, WebsiteId};

/// Ticks read at once, at most.
const MOST: i64 = 1_000;

/// Ticks of one of the account's websites, oldest first, for whoever reads all of a time: the blocks of a day are unpacked once
/// and kept until the next day, however many pages it has.
#[derive(Debug)]
pub struct TickWalk {
    account: AccountId,
    website: WebsiteId,
    slots: RangeInclusive<UtcMs>,
    last: Option<StoredTick>,
    unpacked: Unpacked,
}

impl TickWalk {
    /// From the first with a slot in `slots`.
    #[must_use]
    pub fn new(account: AccountId, website: WebsiteId, slots: RangeInclusive<UtcMs>) -> Self {
        Self { account, website, slots, last: None, unpacked: Unpacked::default() }
    }

    /// How many blocks were unpacked until now.
    #[must_use]
    pub fn unpacked_blocks(&self) -> u64 {
        self.unpacked.opened
    }
}

impl Store {
    /// Ticks of one of the account's websites with a slot in `slots`, oldest first, at most 1,000; those that follow
    /// `after`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ticks_in_order(
        &self,
        account: AccountId,
        id: WebsiteId,
        slots: &RangeInclusive<UtcMs>,
        after: Option<&StoredTick>,
        limit: i64,
    ) -> Result<Vec<StoredTick>, StoreError> {
        self.history(in_order(account, id, slots, after, limit), None).await
    }

    /// The next ticks of a walk, at most 1,000; none at its end.
    ///
    /// # Errors
    /// The database is away; the same call goes on where the walk was.
    pub async fn next_ticks(&self, walk: &mut TickWalk, limit: i64) -> Result<Vec<StoredTick>, StoreError> {
        let TickWalk { account, website, slots, last, unpacked } = walk;
        let window = in_order(*account, *website, slots, last.as_ref(), limit);
        let ticks = self.history(window, Some(unpacked)).await?;
        if let Some(newest) = ticks.last() {
            walk.last = Some(newest.clone());
        }
        Ok(ticks)
    }

    /// Ticks of one of the account's websites with a slot before `before`, newest first, at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ticks(
        &self,
        account: AccountId,
        id: WebsiteId,
        before: Option<UtcMs>,
        limit: i64,
    ) -> Result<Vec<StoredTick>, StoreError> {
        let window = Window {
            account,
            website: id,
            from_at: UtcMs::MIN,
            to_at: before.map_or(UtcMs::MAX, |before| before.saturating_sub(1)),
            after: None,
            newest_first: true,
            limit: most(limit),
        };
        self.history(window, None).await
    }

    /// Ticks of one of the account's websites with a slot in `slots`, newest first, at most 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ticks_within(
        &self,
        account: AccountId,
        id: WebsiteId,
        slots: &RangeInclusive<UtcMs>,
        limit: i64,
    ) -> Result<Vec<StoredTick>, StoreError> {
        let window = Window { newest_first: true, ..in_order(account, id, slots, None, limit) };
        self.history(window, None).await
    }

    async fn history(
        &self,
        mut window: Window<'_>,
        unpacked: Option<&mut Unpacked>,
    ) -> Result<Vec<StoredTick>, StoreError> {
        let (ticks, damaged) = self
            .answered(async {
                let mut tx = self.snapshot().await?;
                let mut ticks = raw(&mut tx, &window).await?;
                // Beyond a whole page of raw ticks nothing packed is wanted.
                if let Some(last) = ticks.last().filter(|_| ticks.len() >= window.limit) {
                    let bound = if window.newest_first { &mut window.from_at } else { &mut window.to_at };
                    *bound = last.tick.slot_at;
                }
                let found = match unpacked {
                    Some(unpacked) => sealed::read_on(&mut tx, &window, unpacked).await?,
                    None => sealed::read(&mut tx, &window).await?,
                };
                tx.commit().await?;
                // Packed ones first: of a tick that came again, the other is not shown.
                ticks.splice(0..0, found.ticks);
                ticks.sort_by(|a, b| {
                    let rising = key_of(a).cmp(&key_of(b));
                    if window.newest_first { rising.reverse() } else { rising }
                });
                ticks.dedup_by(|next, kept| key_of(next) == key_of(kept));
                ticks.truncate(window.limit);
                Ok((ticks, found.damaged))
            })
            .await?;
        if !damaged.is_empty()
            && let Err(error) = self.note_damage(&damaged, clock::now()).await
        {
            tracing::warn!(%error, blocks = damaged.len(), "Damaged blocks of history could not be marked.");
        }
        Ok(ticks)
    }

    /// A transaction that sees what was there when it began.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        Ok(match &self.pool {
            Pool::Postgres(pools) => {
                pools.get().begin_with("begin isolation level repeatable read read only").await?.into()
            }
            Pool::Sqlite { read, .. } => read.begin().await?.into(),
        })
    }
}

/// Oldest first, those that follow `after`.
fn in_order<'a>(
    account: AccountId,
    website: WebsiteId,
    slots: &RangeInclusive<UtcMs>,
    after: Option<&'a StoredTick>,
    limit: i64,
) -> Window<'a> {
    let from_at = after.map_or(*slots.start(), |tick| tick.tick.slot_at.max(*slots.start()));
    Window { account, website, from_at, to_at: *slots.end(), after, newest_first: false, limit: most(limit) }
}

fn most(limit: i64) -> usize {
    usize::try_from(limit.clamp(1, MOST)).unwrap_or(1)
}

async fn raw(tx: &mut Transaction, window: &Window<'_>) -> Result<Vec<StoredTick>, StoreError> {
    // Regions in the order of their bytes, whatever the database's language: that of packed ticks.
    let region = match tx {
        Transaction::Postgres(_) => "region_id collate \"C\"",
        Transaction::Sqlite(_) => "region_id",
    };
    let order = if window.newest_first { "desc" } else { "asc" };
    // The first comparison is of the key, the second of the few rows in one slot with the one to follow.
    let sql = format!(
        "select {TICK} from tick where website_id = $2 and slot_at >= $3 and slot_at <= $4 \
         and ($5 or (slot_at, {region}, attempt) > ($6, $7, $8)) \
         and exists (select 1 from website where account_id = $1 and website_id = $2) \
         order by website_id {order}, slot_at {order}, {region} {order}, attempt {order} limit $9"
    );
    let after = window.after.map(key_of);
    let (at, of_region, attempt) = after.unwrap_or((UtcMs::MIN, "", 0));
    let rows: Vec<TickRow> = on!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
        .bind(window.account.0).bind(window.website.0).bind(window.from_at).bind(window.to_at)
        .bind(after.is_none()).bind(at).bind(of_region).bind(i64::from(attempt))
        .bind(window.limit as i64).fetch_all(connection).await?);
    rows.into_iter().map(StoredTick::try_from).collect()
}
