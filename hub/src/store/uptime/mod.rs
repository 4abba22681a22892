//! How time was spent. A day that is over is kept as a row, so that a window of any length is read as its whole days and,
//! from the verdicts themselves, the rest before and after.

mod announced;
mod days;
mod windows;

pub(super) use self::announced::Announced;
pub use self::days::SELECT_UPTIME_DAYS;
pub(super) use self::days::{UptimeDay, write_days};
pub use self::windows::UptimeOver;
use super::{Store, StoreError, read};
use crate::model::{Outcome, Transition, UtcMs, WebsiteId, uptime};

/// Changes of verdict read in one statement.
const AT_ONCE: i64 = 1_000;
/// Changes of verdict that one figure is made of, at most; a website that changes every minute has as many in a month. Of
/// days that are counted none are read.
const MOST: usize = 50_000;

/// What one has to know of verdicts to tell how a span was spent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdicts {
    changes: Vec<Transition>,
    /// What holds now. Not what the last of them says: by a clock that was set back, another may have come after it.
    last: Outcome,
}

#[derive(Debug, sqlx::FromRow)]
struct ChangeRow {
    number: i64,
    at: i64,
    decided_at: i64,
    from_verdict: String,
    to_verdict: String,
}

impl Store {
    /// The verdicts of `[from, to)`: what was decided since, up to the first change after it. `None`: there are too many.
    async fn verdicts(&self, id: WebsiteId, from: UtcMs, to: UtcMs) -> Result<Option<Verdicts>, StoreError> {
        // First what holds: a change meanwhile is among those that are read then, and is of now. The other way round it would
        // be taken for what held all the time.
        let now_verdict: Option<String> = read!(self, pool => sqlx::query_scalar(
            "select verdict from website_state where website_id = $1").bind(id.0).fetch_optional(pool).await?);
        let word = |word: &str| word.parse().unwrap_or(Outcome::Unknown);
        let mut verdicts =
            Verdicts { changes: Vec::new(), last: now_verdict.as_deref().map_or(Outcome::Unknown, word) };
        let mut after = (from, -1);
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
