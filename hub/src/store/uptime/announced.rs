//! The maintenance of an account, as its rules say and as they said.

use crate::model::maintenance::united;
use crate::model::{AccountId, Maintenance, PastMaintenance, Span, Tag, UtcMs, WebsiteId};
use crate::store::{Store, StoreError};

/// Windows that took place under rules that were changed since, at most.
const PAST: i64 = 20_000;

#[derive(Debug)]
pub(in crate::store) struct Announced {
    windows: Vec<Maintenance>,
    past: Vec<PastMaintenance>,
}

impl Announced {
    /// What of `[from, to)` is maintenance of a website, in order, without overlaps.
    pub(in crate::store) fn spans(&self, id: WebsiteId, tags: &[Tag], from: UtcMs, to: UtcMs) -> Vec<Span> {
        let windows = self.windows.iter().filter(|window| window.plan.scope.covers(id, tags));
        let past = self.past.iter().filter(|past| past.scope.covers(id, tags));
        let spans = windows.flat_map(|window| window.spans(from, to));
        united(spans.chain(past.filter_map(|past| past.span.within(from, to))).collect())
    }
}

impl Store {
    /// All that may cover an instant after `since`.
    pub(in crate::store) async fn announced(&self, account: AccountId, since: UtcMs) -> Result<Announced, StoreError> {
        let windows = self.maintenance(account).await?;
        Ok(Announced { windows, past: self.past_maintenance(account, since, PAST).await? })
    }
}
