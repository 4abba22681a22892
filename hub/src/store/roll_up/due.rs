//! What came to be known of hours and days that are counted already: written down by whoever brings it, in his own
//! transaction, and only then.

use std::collections::BTreeSet;

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::roll_up::Grain;
use crate::model::{Transition, UtcMs, WebsiteId};
use crate::store::incidents::write_rows;
use crate::store::ingest::Transaction;
use crate::store::{Store, StoreError, read};

/// Worked off in one batch, at most.
const AT_ONCE: usize = 200;

/// What is to be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum Due {
    /// The hour that begins then.
    Ticks(WebsiteId, UtcMs),
    /// All days from this instant on.
    Verdicts(WebsiteId, UtcMs),
}

impl Due {
    /// Of a tick that is stored at `now`; mostly nothing.
    pub(in crate::store) fn of_tick(id: WebsiteId, slot_at: UtcMs, now: UtcMs) -> Option<Self> {
        Grain::Hour.is_late(slot_at, now).then(|| Self::Ticks(id, Grain::Hour.start_of(slot_at)))
    }

    /// Of a change of verdict; mostly nothing.
    pub(in crate::store) fn of_verdict(transition: &Transition) -> Option<Self> {
        let Transition { website_id, at, decided_at, .. } = transition;
        Grain::Day.is_late(*at, *decided_at).then_some(Self::Verdicts(*website_id, *at))
    }

    fn website(self) -> WebsiteId {
        match self {
            Self::Ticks(id, _) | Self::Verdicts(id, _) => id,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Ticks(..) => "ticks",
            Self::Verdicts(..) => "verdicts",
        }
    }

    fn starts_at(self) -> UtcMs {
        match self {
            Self::Ticks(_, at) | Self::Verdicts(_, at) => at,
        }
    }
}

/// Writes down what is to be counted again.
pub(in crate::store) async fn note(tx: &mut Transaction, due: impl IntoIterator<Item = Due>) -> Result<(), StoreError> {
    let due: BTreeSet<Due> = due.into_iter().collect();
    write_rows!(tx, due, "roll_up_due", d {
        website_id => d.website().0,
        what => d.what(),
        starts_at => d.starts_at(),
    }, "");
    Ok(())
}

#[derive(FromRow)]
struct DueRow {
    number: i64,
    website_id: Uuid,
    what: String,
    starts_at: i64,
}

impl Store {
    /// What is to be counted again, `at_once` of it at most, with the numbers under which it is written down. An hour that
    /// is there twice is one, also where somebody wrote down an instant within it.
    pub(super) async fn due(&self, at_once: usize) -> Result<(BTreeSet<Due>, Vec<i64>), StoreError> {
        let limit = i64::try_from(at_once.clamp(1, AT_ONCE)).unwrap_or(1);
        let rows: Vec<DueRow> = read!(self, pool => sqlx::query_as(
            "select number, website_id, what, starts_at from roll_up_due order by number limit $1")
            .bind(limit).fetch_all(pool).await?);
        let numbers = rows.iter().map(|row| row.number).collect();
        let due = rows.into_iter().map(|row| match row.what.as_str() {
            "ticks" => Due::Ticks(WebsiteId(row.website_id), Grain::Hour.start_of(row.starts_at)),
            _ => Due::Verdicts(WebsiteId(row.website_id), row.starts_at),
        });
        Ok((due.collect(), numbers))
    }
}

/// Takes off what is done.
pub(super) async fn done(tx: &mut Transaction, numbers: &[i64]) -> Result<(), StoreError> {
    match tx {
        Transaction::Postgres(tx) => {
            sqlx::query("delete from roll_up_due where number = any($1)").bind(numbers).execute(&mut **tx).await?;
        }
        Transaction::Sqlite(tx) => {
            for number in numbers {
                sqlx::query("delete from roll_up_due where number = $1").bind(number).execute(&mut **tx).await?;
            }
        }
    }
    Ok(())
}
