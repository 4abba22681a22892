//! The dashboard: which of an account's websites stand on a page of it, those in trouble first, and how many there are in
//! each state. Who stands where is sorted by the database, from a few columns of each of the account's websites; all else is
//! read of those on the page.

use sqlx::FromRow;
use uuid::Uuid;

use super::board::{Row, select_row};
use super::ties::tags_of_row;
use super::{Pool, Store, StoreError, read};
use crate::model::{AccountId, BoardCursor, BoardPart, BoardPlace, BoardRow, STANDINGS, Tag, UtcMs, WebsiteId};

/// Sets of tags that are looked through for those that are offered.
const TAG_SETS: i64 = 1_000;

/// Where a website stands: `Mark::of`, in SQL. Its words are those the verdict has; one of a newer version is unknown. What
/// is looked up of it is so by key: a join may be made over all websites there are.
const RANK: &str = "case when paused then 5 else coalesce((select case \
    when verdict = 'down' then 0 when verdict = 'degraded' then 1 when verdict = 'up' then 4 \
    when kind = 'job' and (select pinged_at from job where job.website_id = website.website_id) is null then 3 \
    when fresh_until_at is not null and (select 1 from region_state where region_state.website_id = website.website_id limit 1) \
    is null then 3 else 2 end from website_state where website_state.website_id = website.website_id), 2) end";
/// As it is called on the page, as far as that decides the order.
const NAME: &str = "rtrim(case when substr(url, 1, 8) = 'https://' then substr(url, 9) else url end, '/')";

/// A line of the page; what is counted comes with each of them.
#[derive(FromRow)]
struct LineRow {
    rank: i64,
    down_count: i64,
    degraded_count: i64,
    unknown_count: i64,
    pending_count: i64,
    up_count: i64,
    paused_count: i64,
    passed: i64,
    #[sqlx(flatten)]
    row: Row,
}

impl LineRow {
    fn counts(&self) -> [i64; STANDINGS] {
        [self.down_count, self.degraded_count, self.unknown_count, self.pending_count, self.up_count, self.paused_count]
    }
}

impl Store {
    /// What stands on a page of the dashboard: at most `limit` of the account's websites, those with a tag where one is given,
    /// from a place on; how many there are; and `offered` tags at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board_part(
        &self,
        account: AccountId,
        tag: Option<&Tag>,
        place: BoardPlace,
        limit: i64,
        offered: usize,
        now: UtcMs,
    ) -> Result<BoardPart, StoreError> {
        let mut lines = self.lines(account, tag, place, limit).await?;
        let begin = match place {
            BoardPlace::First => Some(0),
            // Those that stood there are gone, or stand elsewhere now.
            BoardPlace::After(_) => lines.first().map(|line| line.passed),
            // What comes before and is no whole page is no page.
            BoardPlace::Before(_) => lines.first().map(|line| line.passed - limit).filter(|begin| *begin > 0),
        };
        if begin.is_none() {
            lines = self.lines(account, tag, BoardPlace::First, limit).await?;
        }
        let counts = lines.first().map(LineRow::counts).unwrap_or_default();
        let (ranks, rows): (Vec<i64>, Vec<Row>) = lines.into_iter().map(|line| (line.rank, line.row)).unzip();
        let mut rows = rows.into_iter().map(Row::complete).collect::<Result<Vec<BoardRow>, _>>()?;
        self.add_regions(account, &mut rows).await?;
        self.add_day(account, &mut rows, now).await?;
        let ranks = ranks.into_iter().map(|rank| u8::try_from(rank).unwrap_or(u8::MAX));
        let tags = self.tags_offered(account, offered).await?;
        Ok(BoardPart { rows: ranks.zip(rows).collect(), counts, passed: begin.unwrap_or(0), tags })
    }

    async fn lines(
        &self,
        account: AccountId,
        tag: Option<&Tag>,
        place: BoardPlace,
        limit: i64,
    ) -> Result<Vec<LineRow>, StoreError> {
        let (cursor, follows, passed, order) = match place {
            BoardPlace::First => (NOWHERE, ">", "<=", "asc"),
            BoardPlace::After(cursor) => (bound(cursor), ">", "<=", "asc"),
            BoardPlace::Before(cursor) => (bound(cursor), "<", "<", "desc"),
        };
        let states = ["down", "degraded", "unknown", "pending", "up", "paused"];
        let count = |(rank, state)| format!("(select count(*) from line where rank = {rank}) as {state}_count");
        let counts: Vec<String> = states.iter().enumerate().map(count).collect();
        let (lines, row, counts, key) = (self.with_lines(), select_row(), counts.join(", "), self.key());
        let select = format!(
            "{lines} select rank, {row}, {counts}, \
             (select count(*) from line where (rank, name, website_id) {passed} ({key})) as passed \
             from (select website_id, rank, name from line where (rank, name, website_id) {follows} ({key}) \
             order by rank {order}, name {order}, website_id {order} limit $5) page \
             join website using (website_id) join website_state using (website_id) order by rank, name, website_id"
        );
        Ok(read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(tag.map(Tag::as_str)).bind(cursor.0).bind(cursor.1).bind(limit)
            .fetch_all(pool).await?))
    }

    /// Tags of the account's websites, sorted, `limit` at most.
    async fn tags_offered(&self, account: AccountId, limit: usize) -> Result<Vec<Tag>, StoreError> {
        let sets: Vec<String> = read!(self, pool => sqlx::query_scalar(
            "select distinct tags from website where account_id = $1 and tags <> '' order by tags limit $2")
            .bind(account.0).bind(TAG_SETS).fetch_all(pool).await?);
        let tags: std::collections::BTreeSet<Tag> = sets.iter().flat_map(|tags| tags_of_row(tags)).collect();
        Ok(tags.into_iter().take(limit).collect())
    }

    /// Each of the account's websites (`$1`), with the tag (`$2`): where it stands, and its name.
    fn with_lines(&self) -> String {
        // Made once: as a part of the statement it would be computed again wherever it is compared.
        format!(
            "with line as materialized (select website_id, cast({RANK} as bigint) as rank, {} as name from website \
             where account_id = $1 and (cast($2 as text) is null \
             or replace(',' || tags || ',', ',' || $2 || ',', '') <> ',' || tags || ','))",
            self.name()
        )
    }

    /// In the order of bytes, whatever the database's language.
    fn name(&self) -> String {
        match &self.pool {
            Pool::Postgres(_) => format!("{NAME} collate \"C\""),
            Pool::Sqlite { .. } => NAME.to_owned(),
        }
    }

    /// The key of the place `$3`, `$4`. Of a website that is gone it is the begin of its state.
    fn key(&self) -> String {
        format!(
            "cast($3 as bigint), coalesce((select {} from website where account_id = $1 and website_id = $4), ''), $4",
            self.name()
        )
    }
}

/// Before all there are.
const NOWHERE: (i64, Uuid) = (-1, Uuid::nil());

fn bound(BoardCursor { rank, id: WebsiteId(id) }: BoardCursor) -> (i64, Uuid) {
    (i64::from(rank), id)
}
