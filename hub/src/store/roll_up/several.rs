//! How long answers of several websites took over a window: roll-ups merged, read in pieces of bounded size.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::read::{counted, parts};
use super::rows::{ROLL_UP, RollUpRow, understood};
use crate::model::report::Latency;
use crate::model::roll_up::Progress;
use crate::model::{AccountId, Span, WebsiteId};
use crate::store::ids::Ids;
use crate::store::ingest::Transaction;
use crate::store::jobs::on;
use crate::store::{Store, StoreError};

/// Days (or hours) of websites whose rows are in memory at once: a row a region, a kilobyte or two each with its histogram.
const DAYS_AT_ONCE: i64 = 1_000;

/// By website and region what the ticks of a window took, of those of the websites that are the account's; and the window
/// in whole hours or days, as far as they are counted.
pub(in crate::store) async fn latencies_of(
    store: &Store,
    tx: &mut Transaction,
    account: AccountId,
    ids: &[Uuid],
    window: Span,
    progress: Option<&Progress>,
) -> Result<(Span, BTreeMap<WebsiteId, Latency>), StoreError> {
    let span = counted(window, progress);
    let mut all: BTreeMap<WebsiteId, Latency> = BTreeMap::new();
    for (grain, from, to) in parts(span).into_iter().filter(|(_, from, to)| from < to) {
        let select = format!(
            "select {ROLL_UP} from roll_up where grain = $3 and starts_at >= $4 and starts_at < $5 and {}",
            store.theirs("website_id")
        );
        let rows_each = to.saturating_sub(from) / grain.ms() + 1;
        let at_once = usize::try_from(DAYS_AT_ONCE / rows_each).unwrap_or(1).max(1);
        for some in ids.chunks(at_once) {
            let rows: Vec<RollUpRow> = store
                .answered(async {
                    Ok(on!(&mut *tx, connection => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
                        .bind(Ids(some.to_vec())).bind(account.0).bind(grain.as_str()).bind(from).bind(to)
                        .fetch_all(connection).await?))
                })
                .await?;
            for ((id, _, region), roll_up) in understood(rows) {
                all.entry(id).or_default().entry(region).or_default().merge(&roll_up.latency);
            }
        }
    }
    Ok((span, all))
}
