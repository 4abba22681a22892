//! How any window was spent.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::Verdicts;
use super::announced::Announced;
use crate::model::uptime::{self, pieces};
use crate::model::{AccountId, Outcome, Span, Tag, Transition, Uptime, UtcMs, WebsiteId};
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

/// What is known of several windows.
#[derive(Debug, Default)]
pub(in crate::store) struct Spent {
    /// Of each, how it was spent.
    pub windows: Vec<UptimeOver>,
    /// The days that were read, by their begin: those that are counted, from before the first window on.
    pub days: BTreeMap<UtcMs, Uptime>,
    /// The newest changes, newest first.
    pub newest: Vec<Transition>,
}

#[derive(FromRow)]
struct AskedRow {
    created_at: i64,
    tags: String,
    verdict: String,
}

/// What is known of a website before its windows are read.
#[derive(Debug)]
pub(in crate::store) struct Asked<'a> {
    pub account: AccountId,
    pub id: WebsiteId,
    pub created_at: UtcMs,
    pub tags: &'a [Tag],
    /// What held before anything of the windows was read.
    pub verdict: Outcome,
    /// Days before this are counted.
    pub counted_until: UtcMs,
    /// So many of the newest changes are wanted besides.
    pub newest: i64,
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
            "select created_at, tags, verdict from website join website_state using (website_id) \
             where account_id = $1 and website_id = $2")
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        let Some(AskedRow { created_at, tags, verdict }) = asked else { return Ok(None) };
        let tags = ties_of(&tags, None).tags;
        let counted_until = self.roll_up_progress().await?.map_or(0, |progress| progress.days.at);
        let verdict = super::word(&verdict);
        let asked = Asked { account, id, created_at, tags: &tags, verdict, counted_until, newest: 0 };
        let since = windows.iter().map(|window| window.from_at.max(created_at)).min().unwrap_or(0);
        let announced = self.announced(account, since).await?;
        Ok(Some(self.uptimes_of(&asked, &announced, windows).await?.windows))
    }

    /// The same, of a website of which something is known, and the newest of its changes: the days in one statement, the
    /// changes in another, whatever the number of windows.
    pub(in crate::store) async fn uptimes_of(
        &self,
        asked: &Asked<'_>,
        announced: &Announced,
        windows: &[Span],
    ) -> Result<Spent, StoreError> {
        let Asked { account, id, created_at, tags, counted_until, .. } = *asked;
        let from_creation =
            |window: &Span| Span { from_at: window.from_at.max(created_at).min(window.to_at), ..*window };
        let windows: Vec<Span> = windows.iter().map(from_creation).collect();
        let (Some(from), Some(to)) = (windows.iter().map(|w| w.from_at).min(), windows.iter().map(|w| w.to_at).max())
        else {
            let newest = self.changes_of(id, asked.verdict, &[], asked.newest).await?.newest;
            return Ok(Spent { newest, ..Spent::default() });
        };
        // A clock that was ahead has counted days before they were over: until they are counted again, verdicts tell of them.
        let days = self.stored_days(account, id, from.saturating_sub(uptime::DAY_MS), to.min(counted_until)).await?;
        let parts: Vec<_> = windows.iter().map(|span| pieces(*span, created_at, &days)).collect();
        // Windows that end together have their last piece in common.
        let rests: BTreeSet<Span> = parts.iter().flat_map(|(_, rests)| rests.iter().copied()).collect();
        let rests: Vec<Span> = rests.into_iter().collect();
        let changes = self.changes_of(id, asked.verdict, &rests, asked.newest).await?;
        let over = |rest: &Span, verdicts: &Verdicts| {
            let quiet = announced.spans(id, tags, rest.from_at, rest.to_at);
            uptime::over(&verdicts.changes, verdicts.last, rest.from_at, rest.to_at, &quiet)
        };
        let found = rests.iter().zip(&changes.spans);
        let known: BTreeMap<Span, Option<Uptime>> =
            found.map(|(rest, verdicts)| (*rest, verdicts.as_ref().map(|v| over(rest, v)))).collect();
        let all = windows.into_iter().zip(parts).map(|(span, (sum, rests))| {
            let add = |sum: Uptime, rest: &Span| {
                let mut sum = sum;
                sum.merge(known.get(rest)?.as_ref()?);
                Some(sum)
            };
            UptimeOver { span, uptime: rests.iter().try_fold(sum, add) }
        });
        Ok(Spent { windows: all.collect(), newest: changes.newest, days })
    }
}
