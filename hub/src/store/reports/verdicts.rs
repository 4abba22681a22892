//! Changes of verdict of several websites, in one statement.

use uuid::Uuid;

use crate::model::{AccountId, Span};
use crate::store::ids::Ids;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::uptime::changes::{ChangeRow, Changes};
use crate::store::{Store, StoreError};

/// Changes read in one statement. A website that changes every minute has as many in a month; usually what is read is a day.
const MOST: i64 = 50_000;

/// What was decided since the begin of a span, up to the first change that holds from its end or later: all that
/// [`crate::model::uptime::over`] wants to know of any part of it.
pub(super) async fn changes(
    store: &Store,
    tx: &mut Transaction,
    account: AccountId,
    ids: &[Uuid],
    span: Span,
) -> Result<Changes, StoreError> {
    // What holds from the end or later was decided no earlier than that, and all decided after it holds from no earlier.
    let select = format!(
        "select t.website_id, t.at, t.decided_at, t.from_verdict, t.to_verdict from website w join transition t \
         on t.website_id = w.website_id and t.decided_at >= $3 and t.decided_at <= coalesce((select n.decided_at \
         from transition n where n.website_id = w.website_id and n.decided_at >= $4 and n.at >= $4 \
         order by n.website_id, n.decided_at, n.number limit 1), $5) where w.account_id = $2 and w.website_id {} \
         order by t.website_id, t.decided_at, t.number limit $6",
        store.one_of(1)
    );
    let rows: Vec<ChangeRow> = on!(tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
        .bind(Ids(ids.to_vec())).bind(account.0).bind(span.from_at).bind(span.to_at).bind(i64::MAX).bind(MOST)
        .fetch_all(connection).await?);
    Ok(Changes::of_rows(rows, MOST))
}
