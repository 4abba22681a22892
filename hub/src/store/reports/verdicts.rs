//! Changes of verdict of several websites, in one statement.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::{AccountId, Outcome, Span, Transition, WebsiteId};
use crate::store::StoreError;
use crate::store::incidents::read_rows;
use crate::store::ingest::Transaction;

/// Changes read in one statement: of all websites on Postgres, of each on SQLite. A website that changes every minute has
/// as many in a month; usually what is read is a day.
const MOST: i64 = 50_000;

#[derive(FromRow)]
struct Row {
    website_id: Uuid,
    at: i64,
    decided_at: i64,
    from_verdict: String,
    to_verdict: String,
}

/// What was read.
pub(super) struct Changes {
    by_website: BTreeMap<WebsiteId, Vec<Transition>>,
    /// Of these not all could be read.
    cut: BTreeSet<WebsiteId>,
}

impl Changes {
    /// Those of a website, in order of decision; `None`: there are too many.
    pub(super) fn of(&self, id: WebsiteId) -> Option<&[Transition]> {
        (!self.cut.contains(&id)).then(|| self.by_website.get(&id).map_or(&[][..], Vec::as_slice))
    }
}

/// What was decided since the begin of a span, up to the first change that holds from its end or later: all that
/// [`crate::model::uptime::over`] wants to know of any part of it.
pub(super) async fn changes(
    tx: &mut Transaction,
    account: AccountId,
    ids: &[Uuid],
    span: Span,
) -> Result<Changes, StoreError> {
    // What holds from the end or later was decided no earlier than that, and all decided after it holds from no earlier.
    let select = "select t.website_id, t.at, t.decided_at, t.from_verdict, t.to_verdict from website w join transition t \
        on t.website_id = w.website_id and t.decided_at >= $3 and t.decided_at <= coalesce((select n.decided_at \
        from transition n where n.website_id = w.website_id and n.decided_at >= $4 and n.at >= $4 \
        order by n.website_id, n.decided_at, n.number limit 1), $5) where w.account_id = $2 and w.website_id";
    let (account, from, to) = (account.0, span.from_at, span.to_at);
    let rows = read_rows!(
        tx,
        Row,
        ids,
        select,
        "order by t.website_id, t.decided_at, t.number limit $6",
        account,
        from,
        to,
        i64::MAX,
        MOST
    );
    let mut cut = BTreeSet::new();
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    if let (Transaction::Postgres(_), true, Some(last)) = (&*tx, rows.len() >= most, rows.last()) {
        // In order of their ids: nothing was read of those after the last.
        cut.extend(ids.iter().copied().filter(|id| *id >= last.website_id).map(WebsiteId));
    }
    let word = |word: &str| word.parse().unwrap_or(Outcome::Unknown);
    let mut by_website: BTreeMap<WebsiteId, Vec<Transition>> = BTreeMap::new();
    for row in rows {
        let website_id = WebsiteId(row.website_id);
        by_website.entry(website_id).or_default().push(Transition {
            website_id,
            at: row.at,
            decided_at: row.decided_at,
            from: word(&row.from_verdict),
            to: word(&row.to_verdict),
            reason: String::new(),
        });
    }
    if let Transaction::Sqlite(_) = &*tx {
        cut.extend(by_website.iter().filter(|(_, changes)| changes.len() >= most).map(|(id, _)| *id));
    }
    Ok(Changes { by_website, cut })
}
