//! How time was spent. A day that is over is kept as a row, so that a window of any length is read as its whole days and,
//! from the verdicts themselves, the rest before and after.

mod all;
mod announced;
pub(super) mod changes;
mod days;
mod windows;

pub(super) use self::announced::Announced;
pub use self::days::SELECT_UPTIME_DAYS;
pub(super) use self::days::{UptimeDay, write_days};
pub(super) use self::windows::Asked;
pub use self::windows::UptimeOver;
use super::ticks::TransitionRow;
use super::{Store, StoreError, read};
use crate::model::{Outcome, Span, Transition, UtcMs, WebsiteId, uptime};

/// Changes of verdict read in one statement.
const AT_ONCE: i64 = 1_000;
/// Changes of verdict that one figure is made of, at most; a website that changes every minute has as many in a month. Of
/// days that are counted none are read.
const MOST: usize = 50_000;

/// Changes of verdict that are read of each of several spans at once: of most there are less.
const AT_FIRST: usize = 100;
/// Spans that are read in one statement.
const SPANS: usize = 8;

/// What one has to know of verdicts to tell how a span was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdicts {
    changes: Vec<Transition>,
    /// What holds now. Not what the last of them says: by a clock that was set back, another may have come after it.
    last: Outcome,
}

/// Changes of verdict of one website.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The newest, newest first, with their reasons.
    pub newest: Vec<Transition>,
    /// What one has to know of each of the spans; `None`: there are too many.
    spans: Vec<Option<Verdicts>>,
}

#[derive(Debug, sqlx::FromRow)]
struct ChangeRow {
    number: i64,
    at: i64,
    decided_at: i64,
    from_verdict: String,
    to_verdict: String,
}

/// One of several reads in one statement.
#[derive(Debug, sqlx::FromRow)]
struct PartRow {
    part: i64,
    number: i64,
    #[sqlx(flatten)]
    change: TransitionRow,
}

/// The newest changes, where they are wanted, and the first of so many spans: a statement for each number of spans.
/// `$1` is the website, `$2` how many of the newest, and from `$3` on where spans begin.
fn select_changes(spans: usize) -> String {
    let columns = "number, website_id, at, decided_at, from_verdict, to_verdict";
    let mut select = format!(
        "select * from (select cast(-1 as bigint) as part, {columns}, reason from transition where website_id = $1 \
         order by website_id desc, decided_at desc, number desc limit $2) newest"
    );
    for n in 0..spans {
        select.push_str(&format!(
            " union all select * from (select cast({n} as bigint) as part, {columns}, '' as reason from transition \
             where website_id = $1 and decided_at >= ${} order by website_id, decided_at, number limit {AT_FIRST}) span{n}",
            n + 3
        ));
    }
    select
}

impl Store {
    /// The verdicts of `[from, to)`: what was decided since, up to the first change after it. `None`: there are too many.
    async fn verdicts(&self, id: WebsiteId, from: UtcMs, to: UtcMs) -> Result<Option<Verdicts>, StoreError> {
        // First what holds: a change meanwhile is among those that are read then, and is of now. The other way round it would
        // be taken for what held all the time.
        let now_verdict: Option<String> = read!(self, pool => sqlx::query_scalar(
            "select verdict from website_state where website_id = $1").bind(id.0).fetch_optional(pool).await?);
        let last = now_verdict.as_deref().map_or(Outcome::Unknown, word);
        self.more_verdicts(id, Verdicts { changes: Vec::new(), last }, (from, -1), to).await
    }

    /// The same of several spans, and besides the newest `newest` changes. `last` is what held before this was asked.
    pub(super) async fn changes_of(
        &self,
        id: WebsiteId,
        last: Outcome,
        spans: &[Span],
        newest: i64,
    ) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        let none: &[Span] = &[];
        // Without spans the newest alone.
        let pieces = spans.chunks(SPANS).chain(std::iter::once(none).filter(|_| spans.is_empty() && newest > 0));
        for (turn, spans) in pieces.enumerate() {
            let select = select_changes(spans.len());
            let newest = if turn == 0 { newest } else { 0 };
            let mut rows: Vec<PartRow> = read!(self, pool => {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str())).bind(id.0).bind(newest);
                spans.iter().fold(query, |query, span| query.bind(span.from_at)).fetch_all(pool).await?
            });
            let mut found: Vec<(Verdicts, (UtcMs, i64))> =
                spans.iter().map(|span| (Verdicts { changes: Vec::new(), last }, (span.from_at, -1))).collect();
            // Each part is in order, as a rule: the whole is not promised to be.
            rows.sort_by_key(|row| (row.part, row.change.decided_at, row.number));
            for row in rows {
                let change = Transition::from(row.change);
                match usize::try_from(row.part).ok().and_then(|part| found.get_mut(part)) {
                    Some((verdicts, after)) => {
                        *after = (change.decided_at, row.number);
                        verdicts.changes.push(change);
                    }
                    None => changes.newest.push(change),
                }
            }
            for ((mut verdicts, after), span) in found.into_iter().zip(spans) {
                let is_all = verdicts.changes.len() < AT_FIRST;
                let end = verdicts.changes.iter().position(|change| uptime::holds_from(change) >= span.to_at);
                match end {
                    Some(end) => verdicts.changes.truncate(end + 1),
                    None if !is_all => {
                        changes.spans.push(self.more_verdicts(id, verdicts, after, span.to_at).await?);
                        continue;
                    }
                    None => {}
                }
                changes.spans.push(Some(verdicts));
            }
        }
        changes.newest.reverse();
        Ok(changes)
    }

    /// Goes on reading after one, up to the first change that holds from `to` on.
    async fn more_verdicts(
        &self,
        id: WebsiteId,
        mut verdicts: Verdicts,
        mut after: (UtcMs, i64),
        to: UtcMs,
    ) -> Result<Option<Verdicts>, StoreError> {
        loop {
            let rows: Vec<ChangeRow> = read!(self, pool => sqlx::query_as(
                "select number, at, decided_at, from_verdict, to_verdict from transition where website_id = $1 \
                 and decided_at >= $2 and (decided_at, number) > ($2, $3) order by website_id, decided_at, number limit $4")
                .bind(id.0).bind(after.0).bind(after.1).bind(AT_ONCE).fetch_all(pool).await?);
            let is_last = rows.len() < AT_ONCE as usize;
            for row in rows {
                after = (row.decided_at, row.number);
                let change = Transition {
                    website_id: id,
                    at: row.at,
                    decided_at: row.decided_at,
                    from: word(&row.from_verdict),
                    to: word(&row.to_verdict),
                    reason: String::new(),
                };
                let holds_from = uptime::holds_from(&change);
                verdicts.changes.push(change);
                // Whatever was decided later holds from no earlier.
                if holds_from >= to {
                    return Ok(Some(verdicts));
                }
            }
            if is_last {
                return Ok(Some(verdicts));
            }
            if verdicts.changes.len() >= MOST {
                return Ok(None);
            }
        }
    }
}

/// A word of a newer version is time of which this one knows nothing.
fn word(word: &str) -> Outcome {
    word.parse().unwrap_or(Outcome::Unknown)
}
