//! What people do with incidents.

use super::{alerts, load, save};
use crate::model::{
    AccountId, Course, IncidentEvent, IncidentEventKind, IncidentId, TakenOn, UtcMs, incident_words as words,
};
use crate::store::ingest::{Locked, Transaction, storable};
use crate::store::{Store, StoreError, write};

/// Characters of a note that are kept.
const NOTE_CHARS: usize = 2_000;

impl Store {
    /// Somebody takes one of the account's incidents on: those who wait before they are told are told no more, the others
    /// are told of it. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn acknowledge_incident(
        &self,
        account: AccountId,
        id: IncidentId,
        by: &str,
        now: UtcMs,
    ) -> Result<Option<TakenOn>, StoreError> {
        self.answered(async {
            let mut tx = Transaction::begin(&self.pool).await?;
            load::lock_accounts(&mut tx, &[account].into(), Locked::Wait).await?;
            let course = load::of_ids(&mut tx, &[id.0]).await?.pop().filter(|c| c.incident.account_id == account);
            let Some(Course { incident, .. }) = course else {
                tx.commit().await?;
                return Ok(self.incident(account, id).await?.map(|_| TakenOn::Over));
            };
            if incident.acknowledged_at.is_some() {
                tx.commit().await?;
                return Ok(Some(TakenOn::Before));
            }
            let sql =
                "update incident set acknowledged_at = $3, acknowledged_by = $4 where account_id = $1 and incident_id = $2";
            let by = storable(by).into_owned();
            match &mut tx {
                Transaction::Postgres(tx) => {
                    sqlx::query(sql).bind(account.0).bind(id.0).bind(now).bind(&by).execute(&mut **tx).await.map(|_| ())?
                }
                Transaction::Sqlite(tx) => {
                    sqlx::query(sql).bind(account.0).bind(id.0).bind(now).bind(&by).execute(&mut **tx).await.map(|_| ())?
                }
            }
            let event = line(IncidentEventKind::Acknowledged, words::ACKNOWLEDGED, &by, now);
            save::save_events(&mut tx, &[(id, &event)], now).await?;
            // Of what is muted nobody was told, or those who were before are.
            let due = alerts::acknowledged(&mut tx, &incident, now).await?;
            tx.commit().await?;
            if due > 0 {
                self.ring();
            }
            Ok(Some(TakenOn::Now))
        })
        .await
    }

    /// Somebody writes something down about one of the account's incidents; of the text 2,000 characters are kept.
    /// `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_incident(
        &self,
        account: AccountId,
        id: IncidentId,
        by: &str,
        text: &str,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        let known: Option<i64> = write!(self, pool => sqlx::query_scalar(
            "select opened_at from incident where account_id = $1 and incident_id = $2")
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        if known.is_none() {
            return Ok(false);
        }
        let text: String = text.trim().chars().take(NOTE_CHARS).collect();
        self.answered(async {
            let mut tx = Transaction::begin(&self.pool).await?;
            save::save_events(&mut tx, &[(id, &line(IncidentEventKind::Note, &text, by, now))], now).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

fn line(kind: IncidentEventKind, said: &str, by: &str, at: UtcMs) -> IncidentEvent {
    let (said, said_by) = (said.to_owned(), Some(by.to_owned()));
    IncidentEvent { at, kind, website_id: None, said, said_by, evidence: Vec::new() }
}
