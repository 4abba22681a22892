//! The dashboard: which of an account's websites stand on a page of it, those in trouble first, and how many there are in
//! each state. Who stands where is sorted by the database, from a few columns of each of the account's websites; all else is
//! read of those on the page.

use sqlx::FromRow;
use uuid::Uuid;

use super::board::{Row, select_row};
use super::ties::tags_of_row;
use super::{Pool, Store, StoreError, read};
use crate::model::{
    AccountId, BoardCursor, BoardFilter, BoardOrder, BoardPart, BoardPlace, BoardRow, STANDINGS, Tag, UtcMs, WebsiteId,
};

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

/// How far it is from the slowest there can be; a tick's time has 32 bits. Of what regions saw last, by key: a few rows of each
/// website, and only where this is asked for.
const SLOWNESS: &str = "4294967295 - coalesce((select max(total_us) from region_state \
    where region_state.website_id = website.website_id and outcome in ('up', 'degraded')), 0)";
/// Follows every tag, in the order of bytes.
const LAST: char = '\u{10fffd}';

/// A line of the page; what is counted comes with each of them.
#[derive(FromRow)]
struct LineRow {
    place: i64,
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
    /// What stands on a page of the dashboard: at most `limit` of the account's websites that fit, from a place on; how many
    /// there are; and `offered` tags at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn board_part(
        &self,
        account: AccountId,
        asked: &BoardFilter,
        place: BoardPlace,
        limit: i64,
        offered: usize,
        now: UtcMs,
    ) -> Result<BoardPart, StoreError> {
        let mut lines = self.lines(account, asked, place, limit).await?;
        let begin = match place {
            BoardPlace::First => Some(0),
            // Those that stood there are gone, or stand elsewhere now.
            BoardPlace::After(_) => lines.first().map(|line| line.passed),
            // What comes before and is no whole page is no page.
            BoardPlace::Before(_) => lines.first().map(|line| line.passed - limit).filter(|begin| *begin > 0),
        };
        if begin.is_none() {
            lines = self.lines(account, asked, BoardPlace::First, limit).await?;
        }
        let counts = lines.first().map(LineRow::counts).unwrap_or_default();
        let (places, rows): (Vec<i64>, Vec<Row>) = lines.into_iter().map(|line| (line.place, line.row)).unzip();
        let mut rows = rows.into_iter().map(Row::complete).collect::<Result<Vec<BoardRow>, _>>()?;
        self.add_regions(account, &mut rows).await?;
        self.add_day(account, &mut rows, now).await?;
        let tags = self.tags_offered(account, offered).await?;
        let rows = places.into_iter().zip(rows).collect();
        Ok(BoardPart { rows, counts, state: asked.state, passed: begin.unwrap_or(0), tags })
    }

    async fn lines(
        &self,
        account: AccountId,
        asked: &BoardFilter,
        place: BoardPlace,
        limit: i64,
    ) -> Result<Vec<LineRow>, StoreError> {
        let (cursor, follows, passed, way) = match place {
            BoardPlace::First => (NOWHERE, ">", "<=", "asc"),
            BoardPlace::After(cursor) => (bound(cursor), ">", "<=", "asc"),
            BoardPlace::Before(cursor) => (bound(cursor), "<", "<", "desc"),
        };
        let states = ["down", "degraded", "unknown", "pending", "up", "paused"];
        let count = |(rank, state)| format!("(select count(*) from line where rank = {rank}) as {state}_count");
        let counts: Vec<String> = states.iter().enumerate().map(count).collect();
        let order = asked.order;
        let (lines, row, counts, key) = (self.with_lines(order), select_row(), counts.join(", "), self.key(order));
        // By a constant nothing is sorted.
        let (at, by) = match order {
            BoardOrder::State => ("rank", format!("rank {way}, ")),
            BoardOrder::Slowest => ("slowness", format!("slowness {way}, ")),
            BoardOrder::Name | BoardOrder::Tag => ("cast(0 as bigint)", String::new()),
        };
        let fits = "(cast($7 as bigint) is null or rank = $7)";
        let select = format!(
            "{lines} select place, {row}, {counts}, \
             (select count(*) from line where {fits} and ({at}, name, website_id) {passed} ({key})) as passed \
             from (select website_id, {at} as place, name from line where {fits} and ({at}, name, website_id) {follows} ({key}) \
             order by {by}name {way}, website_id {way} limit $5) page \
             join website using (website_id) join website_state using (website_id) order by place, name, website_id"
        );
        Ok(read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(asked.tag.as_ref().map(Tag::as_str)).bind(cursor.0).bind(cursor.1).bind(limit)
            .bind(asked.text.as_deref()).bind(asked.state.map(i64::from)).fetch_all(pool).await?))
    }

    /// Tags of the account's websites, sorted, `limit` at most.
    async fn tags_offered(&self, account: AccountId, limit: usize) -> Result<Vec<Tag>, StoreError> {
        let sets: Vec<String> = read!(self, pool => sqlx::query_scalar(
            "select distinct tags from website where account_id = $1 and tags <> '' order by tags limit $2")
            .bind(account.0).bind(TAG_SETS).fetch_all(pool).await?);
        let tags: std::collections::BTreeSet<Tag> = sets.iter().flat_map(|tags| tags_of_row(tags)).collect();
        Ok(tags.into_iter().take(limit).collect())
    }

    /// Each of the account's websites (`$1`), with the tag (`$2`) and the text (`$6`): where it stands, and its name.
    fn with_lines(&self, order: BoardOrder) -> String {
        let slowness = match order {
            BoardOrder::Slowest => format!(", cast({SLOWNESS} as bigint) as slowness"),
            BoardOrder::State | BoardOrder::Name | BoardOrder::Tag => String::new(),
        };
        // Made once: as a part of the statement it would be computed again wherever it is compared.
        format!(
            "with line as materialized (select website_id, cast({RANK} as bigint) as rank{slowness}, {} as name from website \
             where account_id = $1 and (cast($2 as text) is null \
             or replace(',' || tags || ',', ',' || $2 || ',', '') <> ',' || tags || ',') \
             and (cast($6 as text) is null or replace(lower(url), $6, '') <> lower(url)))",
            self.name(order)
        )
    }

    /// In the order of bytes, whatever the database's language. By tag its state and name follow the tag, and a comma, which
    /// no tag has.
    fn name(&self, order: BoardOrder) -> String {
        let name = match (order, &self.pool) {
            (BoardOrder::State | BoardOrder::Name | BoardOrder::Slowest, _) => NAME.to_owned(),
            (BoardOrder::Tag, pool) => {
                let first = match pool {
                    Pool::Postgres(_) => "split_part(tags, ',', 1)",
                    Pool::Sqlite { .. } => "substr(tags, 1, instr(tags || ',', ',') - 1)",
                };
                let tag = format!("case when tags = '' then '{LAST}' else {first} end");
                format!("({tag} || ',' || cast({RANK} as text) || ',' || {NAME})")
            }
        };
        match &self.pool {
            Pool::Postgres(_) => format!("{name} collate \"C\""),
            Pool::Sqlite { .. } => name,
        }
    }

    /// The key of the place `$3`, `$4`. Of a website that is gone it is the begin of its state, or of all.
    fn key(&self, order: BoardOrder) -> String {
        format!(
            "cast($3 as bigint), coalesce((select {} from website where account_id = $1 and website_id = $4), ''), $4",
            self.name(order)
        )
    }
}

/// Before all there are.
const NOWHERE: (i64, Uuid) = (-1, Uuid::nil());

fn bound(BoardCursor { rank, id: WebsiteId(id) }: BoardCursor) -> (i64, Uuid) {
    (rank, id)
}
