//! The figures of many websites at once, by the same rules and from the same rows as those of one: whole days summed up by
//! the database, the rest before and after from the verdicts, without maintenance. A fixed number of statements.

use std::collections::{BTreeMap, HashMap};

use sqlx::FromRow;
use uuid::Uuid;

use super::announced::Announced;
use super::changes::{ChangeRow, Changes};
use super::{Store, StoreError, read};
use crate::model::uptime::{self, Outline, outline};
use crate::model::{AccountId, Span, Uptime, UtcMs, WebsiteId};
use crate::store::Watched;

/// Changes of verdict that are read at once; of websites of which not all are, there are no figures.
const CHANGES: i64 = 200_000;

#[derive(FromRow)]
struct SumRow {
    website_id: Uuid,
    days: i64,
    up_ms: i64,
    degraded_ms: i64,
    down_ms: i64,
    unknown_ms: i64,
    maintenance_ms: i64,
}

/// What is read for one window.
struct Read {
    window: Span,
    /// The days of which there are sums.
    days: Span,
    sums: HashMap<WebsiteId, (i64, Uptime)>,
    /// Of the piece of a day at its begin.
    before: Changes,
}

/// Maintenance of accounts within spans that many websites have in common.
struct Quiet<'a> {
    announced: &'a HashMap<AccountId, Announced>,
    known: BTreeMap<(AccountId, Span), Vec<super::announced::Covering>>,
}

impl Quiet<'_> {
    fn of(&mut self, asked: &Watched, span: Span) -> Vec<Span> {
        let account = asked.website.account_id;
        let Some(announced) = self.announced.get(&account) else { return Vec::new() };
        let within = self.known.entry((account, span)).or_insert_with(|| announced.within(span));
        super::announced::covering(within, asked.website.website_id, &asked.tags)
    }
}

impl Store {
    /// How the windows, which all end at the same instant, were spent by each of `websites`: the first `most` there are
    /// ([`Store::all_watched`]). `None` where days are not counted yet, or there is too much to read.
    ///
    /// # Errors
    /// The database is away.
    pub async fn uptimes_of_all(
        &self,
        websites: &[Watched],
        most: i64,
        windows: &[Span],
    ) -> Result<Vec<Vec<Option<Uptime>>>, StoreError> {
        // What was before the first start is counted backwards.
        let progress = self.roll_up_progress().await?;
        let counted = progress.map_or(Span { from_at: 0, to_at: 0 }, |progress| Span {
            from_at: progress.days_back.at,
            to_at: progress.days.at,
        });
        let Some(since) = windows.iter().map(|window| window.from_at).min() else {
            return Ok(vec![Vec::new(); websites.len()]);
        };
        let (mut reads, mut rests_from) = (Vec::with_capacity(windows.len()), UtcMs::MAX);
        for window in windows {
            // As of a website that is older than all windows.
            let whole = outline(*window, UtcMs::MIN, counted);
            rests_from = rests_from.min(whole.after.map_or(window.to_at, |after| after.from_at));
            reads.push(Read {
                window: *window,
                days: whole.days,
                sums: if whole.days.is_empty() { HashMap::new() } else { self.sums(most, whole.days).await? },
                before: match whole.before {
                    Some(before) => self.decided_about(most, before).await?,
                    None => Changes::default(),
                },
            });
        }
        let after = self.decided_since(most, rests_from).await?;
        let announced = self.announced_of_all(since).await?;
        let mut quiet = Quiet { announced: &announced, known: BTreeMap::new() };
        let of_one = |asked: &Watched| reads.iter().map(|read| figure(read, &after, &mut quiet, asked)).collect();
        Ok(websites.iter().map(of_one).collect())
    }

    async fn sums(&self, most: i64, days: Span) -> Result<HashMap<WebsiteId, (i64, Uptime)>, StoreError> {
        let rows: Vec<SumRow> = read!(self, pool => sqlx::query_as(
            "select website_id, count(*) as days, cast(sum(up_ms) as bigint) as up_ms, \
             cast(sum(degraded_ms) as bigint) as degraded_ms, cast(sum(down_ms) as bigint) as down_ms, \
             cast(sum(unknown_ms) as bigint) as unknown_ms, cast(sum(maintenance_ms) as bigint) as maintenance_ms \
             from uptime_day where website_id in (select website_id from website order by website_id limit $1) \
             and day_at >= $2 and day_at < $3 group by website_id")
            .bind(most).bind(days.from_at).bind(days.to_at).fetch_all(pool).await?);
        let sum = |row: SumRow| {
            let uptime = Uptime {
                up_ms: row.up_ms,
                degraded_ms: row.degraded_ms,
                down_ms: row.down_ms,
                unknown_ms: row.unknown_ms,
                maintenance_ms: row.maintenance_ms,
            };
            (WebsiteId(row.website_id), (row.days, uptime))
        };
        Ok(rows.into_iter().map(sum).collect())
    }

    /// All changes decided since.
    async fn decided_since(&self, most: i64, since: UtcMs) -> Result<Changes, StoreError> {
        let rows: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(
            "select website_id, at, decided_at, from_verdict, to_verdict from transition \
             where website_id in (select website_id from website order by website_id limit $1) and decided_at >= $2 \
             order by website_id, decided_at, number limit $3")
            .bind(most).bind(since).bind(CHANGES).fetch_all(pool).await?);
        Ok(Changes::of_rows(rows, CHANGES))
    }

    /// All that was decided since the begin of a span, up to the first that holds from its end on or later.
    async fn decided_about(&self, most: i64, span: Span) -> Result<Changes, StoreError> {
        let rows: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(
            // Where to end is asked once for each website, not for each of its changes since.
            "select t.website_id as website_id, t.at, t.decided_at, t.from_verdict, t.to_verdict \
             from (select website_id from website order by website_id limit $1) w \
             join transition t on t.website_id = w.website_id and t.decided_at >= $2 \
             and t.decided_at <= coalesce((select n.decided_at from transition n where n.website_id = w.website_id \
             and n.decided_at >= $3 and n.at >= $3 order by n.website_id, n.decided_at, n.number limit 1), $4) \
             order by t.website_id, t.decided_at, t.number limit $5")
            .bind(most).bind(span.from_at).bind(span.to_at).bind(i64::MAX).bind(CHANGES).fetch_all(pool).await?);
        Ok(Changes::of_rows(rows, CHANGES))
    }
}

/// How one website spent one window.
fn figure(read: &Read, after: &Changes, quiet: &mut Quiet<'_>, asked: &Watched) -> Option<Uptime> {
    let (id, created_at) = (asked.website.website_id, asked.website.created_at);
    let window = Span { from_at: read.window.from_at.max(created_at).min(read.window.to_at), ..read.window };
    let Outline { before, days, after: rest } = outline(window, created_at, read.days);
    let mut sum = Uptime::default();
    if !days.is_empty() {
        let (known, uptime) = read.sums.get(&id)?;
        // One that is missing is being counted again after a clock was wrong.
        if *known != (days.to_at - days.from_at) / uptime::DAY_MS {
            return None;
        }
        sum.merge(uptime);
    }
    for (rest, changes) in [(before, &read.before), (rest, after)] {
        let Some(rest) = rest else { continue };
        let all = changes.of(id)?;
        let first = all.partition_point(|change| change.decided_at < rest.from_at);
        let spans = quiet.of(asked, rest);
        sum.merge(&uptime::over(all.get(first..)?, asked.state.verdict, rest.from_at, rest.to_at, &spans));
    }
    Some(sum)
}
