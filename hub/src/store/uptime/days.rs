//! Days that are over.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sqlx::FromRow;

use crate::model::roll_up::Grain;
use crate::model::{AccountId, Uptime, UtcMs, WebsiteId, uptime};
use crate::store::incidents::write_rows;
use crate::store::ingest::Transaction;
use crate::store::roll_up::Subject;
use crate::store::{Store, StoreError, read};

/// All that windows read of days: an account, a website of its own, from when, until when. Its plan is tested.
pub const SELECT_UPTIME_DAYS: &str = "select day_at, up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms \
    from uptime_day where website_id = $2 and day_at >= $3 and day_at < $4 \
    and exists (select 1 from website where account_id = $1 and website_id = $2)";

/// How a website spent a day, from when it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct UptimeDay {
    pub website_id: WebsiteId,
    pub day_at: UtcMs,
    pub uptime: Uptime,
    /// Changes of verdict that it was counted from.
    pub changes: i64,
}

#[derive(FromRow)]
struct DayRow {
    day_at: i64,
    up_ms: i64,
    degraded_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    maintenance_ms: i64,
}

impl Store {
    /// How these websites spent the whole days of these spans, each read by itself. Of a day with more changes of verdict than
    /// can be read there is nothing: its windows say so.
    pub(in crate::store) async fn uptime_days(
        &self,
        spans: &[(Subject, UtcMs, UtcMs)],
    ) -> Result<Vec<UptimeDay>, StoreError> {
        let (mut days, mut known) = (Vec::new(), BTreeMap::new());
        let since = spans.iter().map(|(_, from, _)| *from).min().unwrap_or(0);
        for (subject, from, to) in spans {
            let (id, account) = (subject.website_id, subject.account_id);
            let mut day_at = Grain::Day.start_of((*from).max(subject.created_at));
            while day_at < *to {
                let (begin, end) = (day_at.max(subject.created_at), Grain::Day.end_of(day_at));
                let announced = match known.entry(account) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(self.announced(account, since).await?),
                };
                match self.verdicts(id, begin, end).await? {
                    Some(verdicts) => {
                        let quiet = announced.spans(id, &subject.tags, begin, end);
                        let uptime = uptime::over(&verdicts.changes, verdicts.last, begin, end, &quiet);
                        let of_day = verdicts.changes.iter().filter(|change| uptime::holds_from(change) < end);
                        let changes = of_day.count() as i64;
                        days.push(UptimeDay { website_id: id, day_at, uptime, changes });
                    }
                    None => {
                        tracing::warn!(website.id = %id, day_at, "It changed too often for this day to be counted.")
                    }
                }
                day_at = end;
            }
        }
        Ok(days)
    }

    /// Days of one of the account's websites that begin in `[from, to)`, by their begin: one range of the key.
    pub(super) async fn stored_days(
        &self,
        account: AccountId,
        id: WebsiteId,
        from: UtcMs,
        to: UtcMs,
    ) -> Result<BTreeMap<UtcMs, Uptime>, StoreError> {
        let rows: Vec<DayRow> = read!(self, pool => sqlx::query_as(
SELECT_UPTIME_DAYS)
            .bind(account.0).bind(id.0).bind(from).bind(to).fetch_all(pool).await?);
        let uptime = |row: DayRow| {
            let uptime = Uptime {
                up_ms: row.up_ms,
                degraded_ms: row.degraded_ms,
                down_ms: row.down_ms,
                unknown_ms: row.unknown_ms,
                maintenance_ms: row.maintenance_ms,
            };
            (row.day_at, uptime)
        };
        Ok(rows.into_iter().map(uptime).collect())
    }
}

/// Written in the place of those that know no more: a day counted from fewer changes of verdict (somebody has removed the others
/// since), or from as many and with more of it unknown, replaces nothing.
pub(in crate::store) async fn write_days(tx: &mut Transaction, days: &[UptimeDay]) -> Result<(), StoreError> {
    write_rows!(tx, days, "uptime_day", d {
        website_id => d.website_id.0,
        day_at => d.day_at,
        up_ms => d.uptime.up_ms,
        degraded_ms => d.uptime.degraded_ms,
        down_ms => d.uptime.down_ms,
        unknown_ms => d.uptime.unknown_ms,
        maintenance_ms => d.uptime.maintenance_ms,
        changes => d.changes,
    }, "on conflict (website_id, day_at) do update set up_ms = excluded.up_ms, degraded_ms = excluded.degraded_ms, \
        down_ms = excluded.down_ms, unknown_ms = excluded.unknown_ms, maintenance_ms = excluded.maintenance_ms, \
        changes = excluded.changes where excluded.changes > uptime_day.changes \
        or (excluded.changes = uptime_day.changes and excluded.unknown_ms <= uptime_day.unknown_ms)");
    Ok(())
}
