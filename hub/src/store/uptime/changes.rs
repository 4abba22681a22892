//! Changes of verdict of several websites, as they are read in one statement.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::{Outcome, Transition, WebsiteId};

/// As it is read, ordered by website, then by decision.
#[derive(FromRow)]
pub(in crate::store) struct ChangeRow {
    website_id: Uuid,
    at: i64,
    decided_at: i64,
    from_verdict: String,
    to_verdict: String,
}

/// By website, in order; complete for websites before `until`, where there is such a limit.
#[derive(Default)]
pub(in crate::store) struct Changes {
    by_website: HashMap<WebsiteId, Vec<Transition>>,
    until: Option<WebsiteId>,
}

impl Changes {
    /// Of rows of which at most so many were asked for: where that is how many came, those of the last website, and of all
    /// after it, may be missing.
    pub(in crate::store) fn of_rows(rows: Vec<ChangeRow>, most: i64) -> Self {
        let is_cut = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= most;
        let until = rows.last().map(|row| WebsiteId(row.website_id)).filter(|_| is_cut);
        let word = |word: &str| word.parse().unwrap_or(Outcome::Unknown);
        let mut by_website: HashMap<WebsiteId, Vec<Transition>> = HashMap::new();
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
        Self { by_website, until }
    }

    /// Those of a website, in order of decision; `None`: not all could be read.
    pub(in crate::store) fn of(&self, id: WebsiteId) -> Option<&[Transition]> {
        if self.until.is_some_and(|until| id.0 >= until.0) {
            return None;
        }
        Some(self.by_website.get(&id).map_or(&[], Vec::as_slice))
    }
}
