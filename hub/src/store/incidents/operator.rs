//! Incidents of the installation, one for each operator's account: written under the lock under which an account's
//! incidents always are, so that two hubs that see the same make one.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{alerts, load, save};
use crate::model::operator::{Condition, Judged, State, count, has_grown};
use crate::model::{AccountId, Course, IncidentId, UtcMs};
use crate::new_id;
use crate::store::ingest::{Locked, Transaction};
use crate::store::{Store, StoreError, read};

/// Operators that are told.
const OPERATORS: i64 = 1_000;
/// Incidents of one that are looked at in one look.
const OPEN: i64 = 10_000;

/// What a look at the installation has brought, over all operators.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperatorReviewed {
    /// Incidents that began.
    pub opened: usize,
    /// Incidents that ended.
    pub closed: usize,
    /// Incidents of which there is more.
    pub grown: usize,
}

impl Store {
    /// Counts what was judged into the incidents of all operators; those of who is an operator no more end.
    ///
    /// # Errors
    /// The database is away.
    pub async fn review_operators(&self, judged: &Judged, now: UtcMs) -> Result<OperatorReviewed, StoreError> {
        let operators: BTreeSet<Uuid> = read!(self, pool => sqlx::query_scalar(
            "select account_id from account where not by_open_sign_up order by account_id limit $1")
            .bind(OPERATORS).fetch_all(pool).await?)
        .into_iter()
        .collect();
        let open: Vec<(Uuid, String, i64)> = read!(self, pool => sqlx::query_as(
            "select account_id, cause_key, coalesce(told_at, opened_at) from incident \
             where closed_at is null and kind = 'operator' order by account_id, cause_key").fetch_all(pool).await?);
        let mut keys: BTreeMap<Uuid, BTreeMap<String, UtcMs>> =
            operators.iter().map(|id| (*id, BTreeMap::new())).collect();
        for (account, key, told_at) in open {
            keys.entry(account).or_default().insert(key, told_at);
        }
        let nobody = Judged::of_nobody(judged.looked_at);
        let mut reviewed = OperatorReviewed::default();
        for (account, keys) in keys {
            let judged = if operators.contains(&account) { judged } else { &nobody };
            // Mostly there is nothing to write, and so nothing to lock.
            if may_change(&keys, judged, now) {
                self.answered(self.review_operator(AccountId(account), judged, now, &mut reviewed)).await?;
            }
        }
        Ok(reviewed)
    }

    async fn review_operator(
        &self,
        account: AccountId,
        judged: &Judged,
        now: UtcMs,
        reviewed: &mut OperatorReviewed,
    ) -> Result<(), StoreError> {
        let mut tx = Transaction::begin(&self.pool).await?;
        if load::lock_accounts(&mut tx, &[account].into(), Locked::Wait).await?.is_empty() {
            return Ok(()); // it was deleted meanwhile
        }
        let open = open_of(&mut tx, account).await?;
        let closed_since = closed_since(&mut tx, account, judged.looked_at).await?;
        let counted = count(account, open, &closed_since, judged, now, || IncidentId(new_id::ordered()));
        save::save(&mut tx, &counted.changed, now).await?;
        save::save(&mut tx, &counted.grown, now).await?;
        let due = alerts::opened(&mut tx, &counted.changed, now).await?
            + alerts::resolved(&mut tx, &counted.changed, now).await?
            + alerts::updated(&mut tx, &counted.grown, now).await?;
        tx.commit().await?;
        let begun = counted.changed.iter().filter(|course| course.is_open()).count();
        reviewed.opened += begun;
        reviewed.closed += counted.changed.len() - begun;
        reviewed.grown += counted.grown.len();
        if due > 0 {
            self.ring();
        }
        Ok(())
    }
}

/// Whether it is worth a lock: something begins, ends or has grown. `open`: keys, and when people were last told.
fn may_change(open: &BTreeMap<String, UtcMs>, judged: &Judged, now: UtcMs) -> bool {
    let may_end = |(key, told_at): (&String, &UtcMs)| match key.parse::<Condition>() {
        Ok(condition) => match judged.states.get(&condition) {
            Some(State::Undecided) => false,
            Some(State::Holds(_)) => has_grown(&condition, *told_at, judged, now),
            Some(State::Well(_)) | None => true,
        },
        Err(_) => false,
    };
    let begins = |(condition, state): (&Condition, &State)| match state {
        State::Holds(finding) => !finding.is_explained && !open.contains_key(&condition.to_string()),
        State::Undecided | State::Well(_) => false,
    };
    open.iter().any(may_end) || judged.states.iter().any(begins)
}

async fn open_of(tx: &mut Transaction, account: AccountId) -> Result<Vec<Course>, StoreError> {
    let sql = "select incident_id from incident where account_id = $1 and kind = 'operator' and closed_at is null \
               order by incident_id limit $2";
    let ids: Vec<Uuid> = match tx {
        Transaction::Postgres(tx) => sqlx::query_scalar(sql).bind(account.0).bind(OPEN).fetch_all(&mut **tx).await?,
        Transaction::Sqlite(tx) => sqlx::query_scalar(sql).bind(account.0).bind(OPEN).fetch_all(&mut **tx).await?,
    };
    load::of_ids(tx, &ids).await
}

/// Keys of those that another hub ended after this one began to look.
async fn closed_since(tx: &mut Transaction, account: AccountId, since: UtcMs) -> Result<BTreeSet<String>, StoreError> {
    let sql = "select cause_key from incident where account_id = $1 and kind = 'operator' and closed_at >= $2";
    let keys: Vec<String> = match tx {
        Transaction::Postgres(tx) => sqlx::query_scalar(sql).bind(account.0).bind(since).fetch_all(&mut **tx).await?,
        Transaction::Sqlite(tx) => sqlx::query_scalar(sql).bind(account.0).bind(since).fetch_all(&mut **tx).await?,
    };
    Ok(keys.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operator::Finding;

    #[test]
    fn dead_letters_that_lie_there_are_no_reason_to_lock_an_account_every_ten_seconds() {
        let hour = 3_600_000;
        let finding = Finding { since_at: 0, said: String::new(), is_explained: false };
        let states = BTreeMap::from([(Condition::DeadLetters, State::Holds(finding))]);
        let judged = Judged { states, newest_letter_at: Some(hour), looked_at: 0 };
        let open = |told_at| BTreeMap::from([("dead_letters".to_owned(), told_at)]);
        assert!(!may_change(&open(2 * hour), &judged, 9 * hour), "there are no more than were told");
        assert!(!may_change(&open(hour - 1), &judged, hour + 1), "not every time");
        assert!(may_change(&open(hour - 1), &judged, 2 * hour));
        let over = Judged {
            states: [(Condition::DeadLetters, State::Well(crate::model::ClosedAs::Recovered))].into(),
            ..judged
        };
        assert!(may_change(&open(2 * hour), &over, 9 * hour));
    }
}
