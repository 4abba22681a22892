//! What has just happened, read for those who listen. By keys alone: of each website what was decided since, and the newest
//! lines of timelines, whose ids begin with the time they were written at.

use sqlx::FromRow;
use uuid::Uuid;

use super::ids::Ids;
use super::row::parse;
use super::{Pool, Store, StoreError, read};
use crate::model::{AccountId, IncidentId, LiveEvent, LiveWhat, UtcMs, WebsiteId};

#[derive(FromRow)]
struct VerdictRow {
    account_id: Uuid,
    website_id: Uuid,
    number: i64,
    decided_at: i64,
    at: i64,
    from_verdict: String,
    to_verdict: String,
}

#[derive(FromRow)]
struct LineRow {
    account_id: Uuid,
    incident_id: Uuid,
    event_id: Uuid,
    kind: String,
    website_id: Option<Uuid>,
    at: i64,
}

/// Milliseconds of a version 7 UUID (RFC 9562 section 5.7).
fn written_at(id: Uuid) -> UtcMs {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}

/// The first version 7 UUID of a millisecond.
fn first_id(at: UtcMs) -> Uuid {
    Uuid::from_u128(u128::try_from(at).unwrap_or(0) << 80)
}

impl Store {
    /// Verdicts of the accounts' websites that changed at `since` or later, by the clock of the hubs, in the order in which
    /// that was decided; at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn live_verdicts(
        &self,
        accounts: &[AccountId],
        since: UtcMs,
        limit: i64,
    ) -> Result<Vec<LiveEvent>, StoreError> {
        let since_then = "t.website_id = w.website_id and t.decided_at >= $2";
        let joined = match &self.pool {
            // Looked up website by website: what a plan for any parameters knows of `$2` makes it read the whole table. Of one
            // website a hundred say enough.
            Pool::Postgres(_) => format!(
                "cross join lateral (select * from transition t where {since_then} order by t.decided_at, t.number limit 100) t"
            ),
            Pool::Sqlite { .. } => format!("join transition t on {since_then}"),
        };
        let select = format!(
            "select w.account_id, t.website_id, t.number, t.decided_at, t.at, t.from_verdict, t.to_verdict from website w \
             {joined} where w.account_id {} order by t.decided_at, t.number limit $3",
            self.one_of(1)
        );
        let rows: Vec<VerdictRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(ids(accounts)).bind(since).bind(limit).fetch_all(pool).await?);
        let event = |row: VerdictRow| {
            Ok(LiveEvent {
                account_id: AccountId(row.account_id),
                written_at: row.decided_at,
                what: LiveWhat::Verdict {
                    website_id: WebsiteId(row.website_id),
                    number: row.number,
                    at: row.at,
                    from: parse(&row.from_verdict)?,
                    to: parse(&row.to_verdict)?,
                },
            })
        };
        rows.into_iter().map(event).collect()
    }

    /// Lines of the timelines of the accounts' incidents that were written at `since` or later, by the clocks of the machines
    /// that wrote them; at most `limit`. Not of the installation's own incidents: those are for operators.
    ///
    /// # Errors
    /// The database is away.
    pub async fn live_incidents(
        &self,
        accounts: &[AccountId],
        since: UtcMs,
        limit: i64,
    ) -> Result<Vec<LiveEvent>, StoreError> {
        let select = format!(
            "select i.account_id, e.incident_id, e.event_id, e.kind, e.website_id, e.at from incident_event e \
             join incident i on i.incident_id = e.incident_id where e.event_id >= $2 and i.kind <> 'operator' \
             and i.account_id {} order by e.event_id limit $3",
            self.one_of(1)
        );
        let rows: Vec<LineRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(ids(accounts)).bind(first_id(since)).bind(limit).fetch_all(pool).await?);
        let event = |row: LineRow| {
            Ok(LiveEvent {
                account_id: AccountId(row.account_id),
                written_at: written_at(row.event_id),
                what: LiveWhat::Incident {
                    incident_id: IncidentId(row.incident_id),
                    event_id: row.event_id,
                    kind: parse(&row.kind)?,
                    website_id: row.website_id.map(WebsiteId),
                    at: row.at,
                },
            })
        };
        rows.into_iter().map(event).collect()
    }
}

fn ids(accounts: &[AccountId]) -> Ids {
    Ids(accounts.iter().map(|account| account.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_written() {
        let now = crate::clock::wall();
        let id = Uuid::now_v7();
        assert!((now..now + 10_000).contains(&written_at(id)));
        assert!(first_id(written_at(id)) <= id && first_id(written_at(id) + 1) > id);
        assert_eq!(written_at(first_id(1_795_000_000_123)), 1_795_000_000_123);
        assert_eq!(first_id(-1), Uuid::nil());
    }
}
