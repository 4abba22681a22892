//! How any window was spent.

use std::collections::BTreeMap;

use sqlx::FromRow;

use crate::model::uptime::{self, pieces};
use crate::model::{AccountId, Span, Uptime, WebsiteId};
use crate::store::ties::ties_of;
use crate::store::{Store, StoreError, read};

/// How a window was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UptimeOver {
    /// The window, from when the website was added.
    pub span: Span,
    /// `None`: it changed so often that only days that are counted can tell, and they are not yet.
    pub uptime: Option<Uptime>,
}

#[derive(FromRow)]
struct AskedRow {
    created_at: i64,
    tags: String,
}

impl Store {
    /// How the windows were spent, of one of the account's websites; `None`: not theirs. The time before it was added is no
    /// part of a window. Windows end now at the latest: whoever asks sees to that.
    ///
    /// # Errors
    /// The database is away.
    pub async fn uptimes(
        &self,
        account: AccountId,
        id: WebsiteId,
        windows: &[Span],
    ) -> Result<Option<Vec<UptimeOver>>, StoreError> {
        let asked: Option<AskedRow> = read!(self, pool => sqlx::query_as(
            "select created_at, tags from website where account_id = $1 and website_id = $2")
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        let Some(AskedRow { created_at, tags }) = asked else { return Ok(None) };
        let tags = ties_of(&tags, None).tags;
        let from_creation =
            |window: &Span| Span { from_at: window.from_at.max(created_at).min(window.to_at), ..*window };
        let windows: Vec<Span> = windows.iter().map(from_creation).collect();
        let (Some(from), Some(to)) = (windows.iter().map(|w| w.from_at).min(), windows.iter().map(|w| w.to_at).max())
        else {
            return Ok(Some(Vec::new()));
        };
        // A clock that was ahead has counted days before they were over: until they are counted again, verdicts tell of them.
        let counted_until = self.roll_up_progress().await?.map_or(0, |progress| progress.days.at);
        let days = self.stored_days(account, id, from.saturating_sub(uptime::DAY_MS), to.min(counted_until)).await?;
        let announced = self.announced(account, from).await?;
        // Windows that end together have their last piece in common.
        let mut known: BTreeMap<Span, Option<Uptime>> = BTreeMap::new();
        let mut all = Vec::with_capacity(windows.len());
        for span in windows {
            let (mut sum, rests) = pieces(span, created_at, &days);
            let mut is_known = true;
            for rest in rests {
                let found = match known.get(&rest) {
                    Some(found) => *found,
                    None => {
                        let quiet = announced.spans(id, &tags, rest.from_at, rest.to_at);
                        let verdicts = self.verdicts(id, rest.from_at, rest.to_at).await?;
                        let found =
                            verdicts.map(|v| uptime::over(&v.changes, v.last, rest.from_at, rest.to_at, &quiet));
                        known.insert(rest, found);
                        found
                    }
                };
                match found {
                    Some(found) => sum.merge(&found),
                    None => is_known = false,
                }
            }
            all.push(UptimeOver { span, uptime: is_known.then_some(sum) });
        }
        Ok(Some(all))
    }
}
