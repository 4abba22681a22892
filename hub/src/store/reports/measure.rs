//! What one window was for some websites: time, outages, durations. The time is that of [`Store::uptimes`](super::Store):
//! whole days by their rows, the rest by verdicts, by the same rules of `model::uptime`.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use super::Known;
use super::verdicts::changes;
use crate::model::maintenance::united;
use crate::model::report::{Measured, Outage};
use crate::model::roll_up::Progress;
use crate::model::uptime::{self, DAY_MS};
use crate::model::{AccountId, IncidentId, Span, Uptime, UtcMs, WebsiteId};
use crate::store::ids::Ids;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::roll_up::latencies_of;
use crate::store::uptime::Announced;
use crate::store::{Store, StoreError};

/// Outages that are read of one window. A website of which not all are has no figures rather than some that are too good.
const MOST_OUTAGES: i64 = 20_000;
/// Spans of verdicts that are read one by one: usually the two ends of a window and the day that is not counted yet. Of
/// more, all between them is read.
const SPANS: usize = 6;

/// What measuring takes.
pub(super) struct Measuring<'a> {
    pub(super) store: &'a Store,
    pub(super) account: AccountId,
    pub(super) ids: &'a [Uuid],
    pub(super) known: &'a [Known],
    pub(super) announced: &'a Announced,
    pub(super) progress: Option<&'a Progress>,
    pub(super) now: UtcMs,
}

#[derive(FromRow)]
struct DayRow {
    website_id: Uuid,
    day_at: i64,
    up_ms: i64,
    degraded_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    maintenance_ms: i64,
}

#[derive(FromRow)]
struct OutageRow {
    website_id: Uuid,
    incident_id: Uuid,
    began_at: i64,
    ended_at: Option<i64>,
    decided_at: Option<i64>,
}

/// Outages as they were read.
#[derive(Default)]
struct Outages {
    by_website: BTreeMap<WebsiteId, Vec<Outage>>,
    /// Of these not all could be read.
    cut: BTreeSet<WebsiteId>,
}

impl Measuring<'_> {
    /// What was measured of those that were there before the end of the window.
    pub(super) async fn over(
        &self,
        tx: &mut Transaction,
        window: Span,
    ) -> Result<BTreeMap<WebsiteId, Measured>, StoreError> {
        let there: Vec<(&Known, Span)> = self
            .known
            .iter()
            .filter(|one| one.subject.created_at < window.to_at)
            .map(|one| (one, Span { from_at: window.from_at.max(one.subject.created_at), ..window }))
            .collect();
        if there.is_empty() || window.from_at >= window.to_at {
            return Ok(BTreeMap::new());
        }
        let store = self.store;
        let mut uptimes = store.answered(self.uptimes(tx, &there, window)).await?;
        let Outages { mut by_website, cut } = store.answered(self.outages(tx, window)).await?;
        let (counted, mut latencies) = latencies_of(store, tx, self.account, self.ids, window, self.progress).await?;
        let measured = there.into_iter().map(|(one, span)| {
            let id = one.subject.website_id;
            let quiet = self.announced.spans(id, &one.tags, span.from_at, span.to_at);
            let mut outages = by_website.remove(&id).unwrap_or_default();
            outages.retain(|outage| !outage.is_announced(&quiet, span, self.now));
            // After an update older hours are still being counted: what there is of them does not stand for the window.
            let latency = latencies.remove(&id).filter(|_| counted.from_at <= span.from_at).unwrap_or_default();
            let mut uptime = uptimes.remove(&id).flatten();
            if cut.contains(&id) {
                (uptime, outages) = (None, Vec::new());
            }
            (id, Measured { span, uptime, latency, outages })
        });
        Ok(measured.collect())
    }

    async fn uptimes(
        &self,
        tx: &mut Transaction,
        there: &[(&Known, Span)],
        window: Span,
    ) -> Result<BTreeMap<WebsiteId, Option<Uptime>>, StoreError> {
        // A clock that was ahead has counted days before they were over.
        let counted_until = self.progress.map_or(0, |progress| progress.days.at);
        let select = format!(
            "select website_id, day_at, up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms from uptime_day \
             where day_at >= $3 and day_at < $4 and {}",
            self.store.theirs("website_id")
        );
        let (from, to) = (window.from_at.saturating_sub(DAY_MS), window.to_at.min(counted_until));
        let rows: Vec<DayRow> = on!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(Ids(self.ids.to_vec())).bind(self.account.0).bind(from).bind(to).fetch_all(connection).await?);
        let mut days: BTreeMap<WebsiteId, BTreeMap<UtcMs, Uptime>> = BTreeMap::new();
        for row in rows {
            let uptime = Uptime {
                up_ms: row.up_ms,
                degraded_ms: row.degraded_ms,
                down_ms: row.down_ms,
                unknown_ms: row.unknown_ms,
                maintenance_ms: row.maintenance_ms,
            };
            days.entry(WebsiteId(row.website_id)).or_default().insert(row.day_at, uptime);
        }
        let none = BTreeMap::new();
        let mut sums = BTreeMap::new();
        let mut rests: Vec<(&Known, Span)> = Vec::new();
        for (one, span) in there {
            let days = days.get(&one.subject.website_id).unwrap_or(&none);
            let (sum, missing) = uptime::pieces(*span, one.subject.created_at, days);
            sums.insert(one.subject.website_id, Some(sum));
            rests.extend(missing.into_iter().map(|rest| (*one, rest)));
        }
        let mut spans = united(rests.iter().map(|(_, rest)| *rest).collect());
        if let (Some(first), Some(last), true) = (spans.first().copied(), spans.last().copied(), spans.len() > SPANS) {
            spans = vec![Span { from_at: first.from_at, to_at: last.to_at }];
        }
        for span in spans {
            let read = changes(self.store, tx, self.account, self.ids, span).await?;
            for (one, rest) in rests.iter().filter(|(_, rest)| span.from_at <= rest.from_at && rest.to_at <= span.to_at)
            {
                let id = one.subject.website_id;
                let found = read.of(id).map(|changes| {
                    let quiet = self.announced.spans(id, &one.tags, rest.from_at, rest.to_at);
                    uptime::over(changes, one.last, rest.from_at, rest.to_at, &quiet)
                });
                if let Some(sum) = sums.get_mut(&id) {
                    match (sum.as_mut(), found) {
                        (Some(sum), Some(found)) => sum.merge(&found),
                        (None, _) | (_, None) => *sum = None,
                    }
                }
            }
        }
        Ok(sums)
    }

    async fn outages(&self, tx: &mut Transaction, window: Span) -> Result<Outages, StoreError> {
        // That it is down was decided by the first change to down since the first failing tick.
        let select = format!(
            "select p.website_id, p.incident_id, p.began_at, p.ended_at, (select t.decided_at from transition t \
             where t.website_id = p.website_id and t.decided_at >= p.began_at and t.to_verdict = 'down' \
             order by t.website_id, t.decided_at, t.number limit 1) as decided_at from incident_website p \
             join incident i using (incident_id) where i.account_id = $2 and i.kind = 'outage' and p.began_at < $4 \
             and (p.ended_at is null or p.ended_at > $3) and p.website_id {} \
             order by p.website_id, p.began_at, p.incident_id limit $5",
            self.store.one_of(1)
        );
        let rows: Vec<OutageRow> = on!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(Ids(self.ids.to_vec())).bind(self.account.0).bind(window.from_at).bind(window.to_at).bind(MOST_OUTAGES)
            .fetch_all(connection).await?);
        let most = usize::try_from(MOST_OUTAGES).unwrap_or(usize::MAX);
        let Outages { mut by_website, mut cut } = Outages::default();
        if let (true, Some(last)) = (rows.len() >= most, rows.last()) {
            // In order of their ids: nothing was read of those after the last.
            cut.extend(self.ids.iter().copied().filter(|id| *id >= last.website_id).map(WebsiteId));
        }
        for row in rows {
            by_website.entry(WebsiteId(row.website_id)).or_default().push(Outage {
                incident_id: IncidentId(row.incident_id),
                began_at: row.began_at,
                decided_at: row.decided_at,
                ended_at: row.ended_at,
            });
        }
        Ok(Outages { by_website, cut })
    }
}
