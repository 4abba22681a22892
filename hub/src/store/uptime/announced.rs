//! The maintenance of an account, as its rules say and as they said.

use std::collections::HashMap;

use crate::model::maintenance::united;
use crate::model::{AccountId, Maintenance, PastMaintenance, Scope, Span, Tag, UtcMs, WebsiteId};
use crate::store::{Store, StoreError};

/// Windows that took place under rules that were changed since, at most.
const PAST: i64 = 20_000;

/// Of all accounts together, each kind.
const OF_ALL: i64 = 100_000;

/// A window that took place, and what it covered.
pub(super) type Covering = (Scope, Span);

/// All that may cover an instant of a span.
#[derive(Debug, Default)]
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

    /// Until when maintenance of a website goes on.
    pub(in crate::store) fn until(&self, id: WebsiteId, tags: &[Tag], now: UtcMs) -> Option<UtcMs> {
        let windows = self.windows.iter().filter(|window| window.plan.scope.covers(id, tags));
        windows.filter_map(|window| window.running(now)).map(|span| span.to_at).max()
    }
}

impl Announced {
    /// What of it took place within a span, for [`covering`].
    pub(super) fn within(&self, span: Span) -> Vec<Covering> {
        let of = |window: &Maintenance| {
            let scope = window.plan.scope.clone();
            window.spans(span.from_at, span.to_at).into_iter().map(move |part| (scope.clone(), part))
        };
        let past = self
            .past
            .iter()
            .filter_map(|past| past.span.within(span.from_at, span.to_at).map(|part| (past.scope.clone(), part)));
        self.windows.iter().flat_map(of).chain(past).collect()
    }
}

/// What of it is maintenance of a website, in order, without overlaps.
pub(super) fn covering(within: &[Covering], id: WebsiteId, tags: &[Tag]) -> Vec<Span> {
    united(within.iter().filter(|(scope, _)| scope.covers(id, tags)).map(|(_, span)| *span).collect())
}

impl Store {
    /// The same of all accounts. Where there is more than can be read, it is an error rather than wrong figures.
    pub(super) async fn announced_of_all(&self, since: UtcMs) -> Result<HashMap<AccountId, Announced>, StoreError> {
        let (windows, past) = self.maintenance_of_all(since, OF_ALL).await?;
        if windows.len() as i64 >= OF_ALL || past.len() as i64 >= OF_ALL {
            return Err(StoreError::Corrupt(format!("more than {OF_ALL} maintenance windows")));
        }
        let mut all: HashMap<AccountId, Announced> = HashMap::new();
        for window in windows {
            all.entry(window.account_id).or_default().windows.push(window);
        }
        for (account, past) in past {
            all.entry(account).or_default().past.push(past);
        }
        Ok(all)
    }

    /// All that may cover an instant after `since`.
    pub(in crate::store) async fn announced(&self, account: AccountId, since: UtcMs) -> Result<Announced, StoreError> {
        let windows = self.maintenance(account).await?;
        Ok(Announced { windows, past: self.past_maintenance(account, since, PAST).await? })
    }
}
