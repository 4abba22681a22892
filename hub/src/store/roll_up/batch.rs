//! What a batch comes to, read and counted before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use sqlx::postgres::PgBindIterExt as _;
use uuid::Uuid;

use super::rows::{ROLL_UP, RollUpRow, understood};
use super::{Batch, Due, Key};
use crate::model::roll_up::{Grain, Progress, RollUp, Task, Work};
use crate::model::{AccountId, RegionId, Tag, UtcMs, WebsiteId};
use crate::store::ties::ties_of;
use crate::store::{Pool, Store, StoreError, asked, read};

/// A website whose history is counted.
#[derive(Debug, Clone)]
pub(in crate::store) struct Subject {
    pub website_id: WebsiteId,
    pub account_id: AccountId,
    pub created_at: UtcMs,
    pub tags: Vec<Tag>,
}

#[derive(FromRow)]
struct SubjectRow {
    website_id: Uuid,
    account_id: Uuid,
    created_at: i64,
    tags: String,
}

impl From<SubjectRow> for Subject {
    fn from(row: SubjectRow) -> Self {
        Self {
            website_id: WebsiteId(row.website_id),
            account_id: AccountId(row.account_id),
            created_at: row.created_at,
            tags: ties_of(&row.tags, None).tags,
        }
    }
}

impl Store {
    /// What a batch of ended hours or days comes to, and the last of its websites, unless it was the last of all.
    pub(super) async fn count_work(
        &self,
        work: &Work,
        progress: &Progress,
        at_once: usize,
    ) -> Result<(Batch, Option<WebsiteId>), StoreError> {
        let subjects = self.subjects_after(work.after, at_once).await?;
        let last = subjects.last().map(|s| s.website_id).filter(|_| subjects.len() >= at_once);
        let Work { task, starts_at, .. } = *work;
        let ends_at = starts_at.saturating_add(task.grain().ms());
        let there: Vec<Subject> = subjects.into_iter().filter(|subject| subject.created_at < work.ends_at()).collect();
        let ids: Vec<WebsiteId> = there.iter().map(|subject| subject.website_id).collect();
        let mut batch = match task {
            Task::Hours | Task::HoursBack => {
                let hours: Vec<_> = there.iter().map(|subject| (subject.website_id, starts_at)).collect();
                let is_over = Grain::Day.end_of(starts_at) <= progress.hours.at.max(ends_at);
                let days: BTreeSet<_> = if work.completes_day() && is_over {
                    hours.iter().map(|(id, at)| (*id, Grain::Day.start_of(*at))).collect()
                } else {
                    BTreeSet::new()
                };
                self.count_hours(&hours, &days).await?
            }
            Task::Days | Task::DaysBack => {
                let mut batch = Batch::default();
                let spans: Vec<_> = there.into_iter().map(|subject| (subject, starts_at, ends_at)).collect();
                batch.uptime = self.uptime_days(&spans).await?;
                batch
            }
        };
        batch.forgotten = progress.forgets_hours_of(work).map(|day| (ids, day));
        Ok((batch, last))
    }

    /// What the hours and days come to of which something came to be known.
    pub(super) async fn count_due(&self, due: &BTreeSet<Due>, progress: &Progress) -> Result<Batch, StoreError> {
        let (mut hours, mut days, mut spans) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
        let mut old_days: BTreeSet<(WebsiteId, UtcMs)> = BTreeSet::new();
        for one in due {
            match one {
                // What else its day had is not known by the hour any more.
                Due::Ticks(id, at) if *at < progress.hours_kept_since() => {
                    old_days.insert((*id, Grain::Day.start_of(*at)));
                }
                Due::Ticks(id, at) => {
                    hours.push((*id, Grain::Hour.start_of(*at)));
                    if Grain::Day.end_of(*at) <= progress.counted_until(*id, Grain::Hour) {
                        days.insert((*id, Grain::Day.start_of(*at)));
                    }
                }
                // In order: the first is the earliest.
                Due::Verdicts(id, at) => drop(spans.entry(*id).or_insert(Grain::Day.start_of(*at))),
            }
        }
        // What is about a website that is gone comes to nothing.
        let of_ticks = hours.iter().chain(&old_days).map(|(id, _)| *id);
        let wanted: BTreeSet<WebsiteId> = of_ticks.chain(spans.keys().copied()).collect();
        let mut subjects = BTreeMap::new();
        for id in wanted {
            if let Some(subject) = self.subject(id).await? {
                subjects.insert(id, subject);
            }
        }
        hours.retain(|(id, _)| subjects.contains_key(id));
        days.retain(|(id, _)| subjects.contains_key(id));
        let mut batch = self.count_hours(&hours, &days).await?;
        for (id, day_at) in old_days.into_iter().filter(|(id, _)| subjects.contains_key(id)) {
            self.count_old_day(id, day_at, &mut batch).await?;
        }
        let spans: Vec<_> = spans
            .into_iter()
            .filter_map(|(id, from)| Some((subjects.get(&id)?.clone(), from, progress.counted_until(id, Grain::Day))))
            .collect();
        batch.uptime = self.uptime_days(&spans).await?;
        Ok(batch)
    }

    /// What a day comes to by all its ticks, where its hours are not kept any more; they are not kept now either.
    async fn count_old_day(&self, id: WebsiteId, day_at: UtcMs, batch: &mut Batch) -> Result<(), StoreError> {
        let begins = (0..).map(|n| day_at.saturating_add(n * Grain::Hour.ms()));
        let hours: Vec<_> = begins.take_while(|at| *at < Grain::Day.end_of(day_at)).map(|at| (id, at)).collect();
        let counted = self.count_hours(&hours, &BTreeSet::new()).await?;
        batch.ticks += counted.ticks;
        let mut regions: BTreeMap<RegionId, RollUp> = BTreeMap::new();
        for ((_, _, region), hour) in counted.hours {
            regions.entry(region).or_default().merge(&hour);
        }
        batch.days.extend(regions.into_iter().map(|(region, day)| ((id, day_at, region), day)));
        Ok(())
    }

    /// What these hours come to by their ticks, and these days by their hours.
    async fn count_hours(
        &self,
        hours: &[(WebsiteId, UtcMs)],
        days: &BTreeSet<(WebsiteId, UtcMs)>,
    ) -> Result<Batch, StoreError> {
        let ticks = self.ticks_of_hours(hours).await?;
        let mut batch = Batch { ticks: ticks.len(), ..Batch::default() };
        let mut counted: BTreeMap<Key, RollUp> = BTreeMap::new();
        for (key, tick) in ticks {
            counted.entry(key).or_default().count(&tick);
        }
        if !days.is_empty() {
            let days: Vec<_> = days.iter().copied().collect();
            let mut all: BTreeMap<Key, RollUp> = self.hours_of_days(&days).await?.into_iter().collect();
            for (key, roll_up) in
                counted.iter().filter(|((id, at, _), _)| days.contains(&(*id, Grain::Day.start_of(*at))))
            {
                // As it will be written.
                let known = all.entry(key.clone()).or_default();
                if roll_up.ticks >= known.ticks {
                    known.clone_from(roll_up);
                }
            }
            let mut merged: BTreeMap<Key, RollUp> = BTreeMap::new();
            for ((id, at, region), roll_up) in all {
                merged.entry((id, Grain::Day.start_of(at), region)).or_default().merge(&roll_up);
            }
            batch.days = merged.into_iter().collect();
        }
        batch.hours = counted.into_iter().collect();
        Ok(batch)
    }

    /// The stored hours of these days.
    async fn hours_of_days(&self, days: &[(WebsiteId, UtcMs)]) -> Result<Vec<(Key, RollUp)>, StoreError> {
        let day_ms = Grain::Day.ms();
        let rows: Vec<RollUpRow> = match &self.pool {
            Pool::Postgres(pools) => asked!(self, pools, pool => sqlx::query_as(sqlx::AssertSqlSafe(format!(
                "select r.* from unnest($1, $2) as d (id, day_at) cross join lateral (select {ROLL_UP} from roll_up \
                 where website_id = d.id and grain = 'hour' and starts_at >= d.day_at and starts_at < d.day_at + $3 \
                 offset 0) as r")))
                .bind(days.iter().map(|d| d.0.0).bind_iter())
                .bind(days.iter().map(|d| d.1).bind_iter())
                .bind(day_ms).fetch_all(pool).await?),
            Pool::Sqlite { read: pool, .. } => {
                let mut all = Vec::new();
                let sql = format!(
                    "select {ROLL_UP} from roll_up where website_id = $1 and grain = 'hour' and starts_at >= $2 \
                     and starts_at < $3"
                );
                for (id, at) in days {
                    let of_day: Vec<RollUpRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str()))
                        .bind(id.0)
                        .bind(at)
                        .bind(at.saturating_add(day_ms))
                        .fetch_all(pool)
                        .await?;
                    all.extend(of_day);
                }
                all
            }
        };
        Ok(understood(rows))
    }

    async fn subjects_after(&self, after: WebsiteId, at_once: usize) -> Result<Vec<Subject>, StoreError> {
        let limit = i64::try_from(at_once).unwrap_or(i64::MAX);
        let rows: Vec<SubjectRow> = read!(self, pool => sqlx::query_as(
            "select website_id, account_id, created_at, tags from website where website_id > $1 \
             order by website_id limit $2")
            .bind(after.0).bind(limit).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Subject::from).collect())
    }

    async fn subject(&self, id: WebsiteId) -> Result<Option<Subject>, StoreError> {
        let row: Option<SubjectRow> = read!(self, pool => sqlx::query_as(
            "select website_id, account_id, created_at, tags from website where website_id = $1")
            .bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(Subject::from))
    }
}
