//! Verdicts that nothing fresh holds up any more.

use uuid::Uuid;

use super::transaction::{Locked, Stale, Transaction};
use crate::model::{Change, Transition, UtcMs, WebsiteId};
use crate::store::{Store, StoreError, incidents, read, write};

/// Verdicts that expire in one transaction: its locks are held for milliseconds, also when a million go stale at once.
const AT_ONCE: usize = 500;
/// Verdicts looked at in one statement when a clock was set back, for a million at once take longer than a statement may.
const LOOKED_AT: i64 = 10_000;

/// What became of verdicts that ran out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Those that turned to unknown.
    pub transitions: Vec<Transition>,
    /// Websites whose look at once has not come, told to one hub once; at most 1,000.
    pub unlooked: Vec<WebsiteId>,
}

/// More looks at once are not asked for again at a time: nobody looks then, or all of them have slots by now.
const UNLOOKED: usize = 1_000;

impl Store {
    /// Verdicts whose last fresh tick is too old turn to unknown, backdated to when they went stale (P5). Where the
    /// stored end of freshness lags behind what the regions say, it is brought up to date instead. Websites nobody has
    /// looked at within [`crate::model::verdict::FIRST_LOOK_WITHIN_MS`] run out the same way, whichever hub was to look.
    ///
    /// # Errors
    /// The database is away.
    pub async fn expire_verdicts(&self, now: UtcMs) -> Result<Expired, StoreError> {
        let mut all = Expired::default();
        let mut after = Some((i64::MIN, WebsiteId(Uuid::nil())));
        while let Some(from) = after {
            let mut done = self.answered(self.expire_some(now, from, Locked::Wait, &mut all)).await;
            if done.as_ref().is_err_and(StoreError::is_lock_timeout) {
                // Somebody holds what belongs to an account: the others do not wait for it (T210).
                done = self.answered(self.expire_some(now, from, Locked::Leave, &mut all)).await;
            }
            after = match done {
                Ok(next) => next,
                // What was done before is told once; the rest is there at the next turn.
                Err(error) if all != Expired::default() => {
                    tracing::warn!(%error, "Not all stale verdicts could be looked for.");
                    None
                }
                Err(error) => return Err(error),
            };
        }
        Ok(all)
    }

    /// Those after `from`, some at most; tells where the next ones begin.
    async fn expire_some(
        &self,
        now: UtcMs,
        from: Stale,
        locked: Locked,
        all: &mut Expired,
    ) -> Result<Option<Stale>, StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        let (next, done, alerts_are_due) = match self.expire_in(&mut tx, now, from, locked).await {
            Ok(done) => done,
            Err(error) => {
                // Now, as of `ingest_whole`: whoever tries again at once would meet our locks.
                if let Err(error) = tx.rollback().await {
                    tracing::debug!(%error, "A transaction was not rolled back; its connection ends.");
                }
                return Err(error);
            }
        };
        tx.commit().await?;
        if alerts_are_due {
            self.ring();
        }
        all.transitions.extend(done.transitions);
        all.unlooked.extend(done.unlooked);
        all.unlooked.truncate(UNLOOKED);
        Ok(next)
    }

    /// Returns also whether alerts are due.
    async fn expire_in(
        &self,
        tx: &mut Transaction,
        now: UtcMs,
        from: Stale,
        locked: Locked,
    ) -> Result<(Option<Stale>, Expired, bool), StoreError> {
        let stale = tx.stale(now, from, AT_ONCE as i64).await?;
        let mut ids: Vec<_> = stale.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        // What another hub or ingest is at work on is left for the next turn, and so is what is not understood.
        let standings = tx.load(&ids, Locked::Leave, &self.shares, now).await?.standings;
        let unlooked: Vec<_> =
            standings.iter().filter(|s| s.lacks_first_look()).map(|s| s.website().website_id).collect();
        let mut moved = Vec::with_capacity(standings.len());
        for mut standing in standings {
            let counted = standing.expire(now);
            let changes = Change::of(standing.website(), standing.regions(), standing.verdict(), &counted);
            moved.push((standing, counted.transitions, changes));
        }
        if locked == Locked::Leave {
            let wanted: Vec<(Uuid, Uuid)> =
                moved.iter().flat_map(|(.., changes)| changes).map(|c| (c.website_id.0, c.account_id.0)).collect();
            let free = incidents::free_accounts(tx, &wanted).await?;
            moved.retain(|(.., changes)| changes.iter().all(|change| free.contains(&change.account_id.0)));
        }
        let (mut transitions, mut changes) = (Vec::new(), Vec::new());
        for (_, these, those) in &mut moved {
            transitions.append(these);
            changes.append(those);
        }
        let states: Vec<_> = moved.iter().filter_map(|(standing, ..)| standing.exact_state()).collect();
        tx.write_states(&states).await?;
        tx.write_transitions(&transitions).await?;
        let alerts_are_due = incidents::apply(tx, changes, Locked::Wait, now).await?;
        // Those that cannot be moved do not stand before the others.
        let next = stale.last().copied().filter(|_| stale.len() >= AT_ONCE);
        Ok((next, Expired { transitions, unlooked }, alerts_are_due))
    }

    /// After a clock was set back: no verdict may stand longer from now than a fresh one would (I6, T201).
    ///
    /// # Errors
    /// The database is away.
    pub async fn shorten_verdicts(&self, now: UtcMs) -> Result<u64, StoreError> {
        // The sum is model::verdict::stale_after_ms. A minute is left to hubs whose clocks differ: in quiet times nothing
        // is touched.
        // What is down may be checked less often (model::backoff): up to four times the interval, or every 15 minutes. On a
        // crowded host this is too early, which costs a look at the regions: they tell the truth.
        const LATEST: &str = "(select $1 + 2 * (case when verdict <> 'down' or interval_ms >= 900000 then interval_ms \
            when interval_ms > 225000 then 900000 else 4 * interval_ms end) + timeout_ms + 15000 from website \
            where website.website_id = website_state.website_id)";
        let sql = format!(
            "update website_state set fresh_until_at = {LATEST} where fresh_until_at > {LATEST} + 60000 \
             and website_id >= $2 and ($3 or website_id < $4)"
        );
        let (mut shortened, mut from, mut is_last) = (0, Uuid::nil(), false);
        while !is_last {
            let next: Option<Uuid> = read!(self, pool => sqlx::query_scalar(
                "select website_id from website_state where website_id >= $1 order by website_id limit 1 offset $2")
                .bind(from).bind(LOOKED_AT).fetch_optional(pool).await?);
            is_last = next.is_none();
            let until = next.unwrap_or_default();
            shortened += write!(self, pool => sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                .bind(now).bind(from).bind(is_last).bind(until).execute(pool).await?.rows_affected());
            from = until;
        }
        Ok(shortened)
    }
}
