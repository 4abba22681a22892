//! Reports: what is read for one, in few statements also for a group; and which are sent.

mod measure;
mod schedules;
mod verdicts;

use std::collections::BTreeMap;

use sqlx::FromRow;
use uuid::Uuid;

pub use self::schedules::ScheduleAdded;
use super::ingest::Transaction;
use super::jobs::on;
use super::ties::tags_of_row;
use super::{Store, StoreError};
use crate::model::message::words;
use crate::model::report::{self, Goal, MOST_WEBSITES, Report, Subject, Window};
use crate::model::{AccountId, FieldError, FieldErrors, Outcome, Scope, Tag, UtcMs, WebsiteId, WebsiteKind};

/// What came of the wish for a report.
#[derive(Debug)]
pub enum Reported {
    /// It.
    Report(Box<Report>),
    /// There is none of this: what would work.
    Refused(FieldErrors),
}

#[derive(FromRow)]
struct SubjectRow {
    website_id: Uuid,
    url: String,
    kind: String,
    created_at: i64,
    tags: String,
    goal_ppm: Option<i64>,
    verdict: Option<String>,
}

/// A website with what else its figures take.
struct Known {
    subject: Subject,
    tags: Vec<Tag>,
    /// What holds now.
    last: Outcome,
}

impl From<SubjectRow> for Known {
    fn from(row: SubjectRow) -> Self {
        Self {
            subject: Subject {
                website_id: WebsiteId(row.website_id),
                url: row.url,
                kind: row.kind.parse().unwrap_or(WebsiteKind::Http),
                created_at: row.created_at,
                goal: row.goal_ppm.and_then(Goal::of_ppm),
            },
            tags: tags_of_row(&row.tags),
            last: row.verdict.and_then(|word| word.parse().ok()).unwrap_or(Outcome::Unknown),
        }
    }
}

impl Store {
    /// The report on the account's websites of a scope. `None`: it is about one website, which is not theirs. All of it is
    /// read as of one instant, in few statements: only roll-ups are read in pieces.
    ///
    /// # Errors
    /// The database is away.
    pub async fn report(
        &self,
        account: AccountId,
        scope: &Scope,
        window: &Window,
        goal: Option<Goal>,
        now: UtcMs,
    ) -> Result<Option<Reported>, StoreError> {
        let progress = self.roll_up_progress().await?;
        let announced = self.announced(account, window.before.from_at).await?;
        // Each piece has its own time, so that a long report is not taken for a database that does not answer.
        let mut tx = self.answered(self.snapshot()).await?;
        let (known, added_later) = self.answered(subjects(&mut tx, account, scope, window.span.to_at)).await?;
        if let Err(refused) = report::fits(known.len(), window) {
            return Ok(Some(Reported::Refused(refused)));
        }
        let ids: Vec<Uuid> = known.iter().map(|one| one.subject.website_id.0).collect();
        let past = measure::Measuring {
            store: self,
            account,
            ids: &ids,
            known: &known,
            announced: &announced,
            progress: progress.as_ref(),
            now,
        };
        let mut found: BTreeMap<WebsiteId, _> = past.over(&mut tx, window.span).await?;
        let mut before: BTreeMap<WebsiteId, _> = past.over(&mut tx, window.before).await?;
        self.answered(tx.commit()).await?;
        let whole = known.into_iter().filter_map(|one| {
            let id = one.subject.website_id;
            Some((one.subject, found.remove(&id)?, before.remove(&id)))
        });
        let measured: Vec<_> = whole.collect();
        if let (Scope::Website(id), true) = (scope, measured.is_empty()) {
            // Either it is not theirs, or it came later.
            let Some(website) = self.website(account, *id).await? else { return Ok(None) };
            let remedy =
                format!("The website was added on {}; choose a window after that.", words::instant(website.created_at));
            let error = FieldError::new("from", &words::instant(window.span.from_at), remedy);
            return Ok(Some(Reported::Refused(FieldErrors(vec![error]))));
        }
        let report = Report::new(scope.clone(), window.clone(), goal, measured, added_later, now);
        Ok(Some(Reported::Report(Box::new(report))))
    }
}

/// Those there were before `until`, one more than a report holds at most; and how many were added later.
async fn subjects(
    tx: &mut Transaction,
    account: AccountId,
    scope: &Scope,
    until: UtcMs,
) -> Result<(Vec<Known>, usize), StoreError> {
    let website = scope.website().map(|id| id.0);
    let pattern = match scope {
        Scope::All | Scope::Website(_) => None,
        Scope::Tag(tag) => {
            let plain = tag.as_str().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            Some(format!("%,{plain},%"))
        }
    };
    const OF_SCOPE: &str = "account_id = $1 and ($2 is null or website_id = $2) \
        and ($3 is null or ',' || tags || ',' like $3 escape '\\')";
    let select = format!(
        "select website_id, url, kind, created_at, tags, uptime_goal_ppm as goal_ppm, verdict from website \
         left join website_state using (website_id) where {OF_SCOPE} and created_at < $4 \
         order by created_at, website_id limit $5"
    );
    let count = format!("select count(*) from website where {OF_SCOPE} and created_at >= $4");
    let limit = i64::try_from(MOST_WEBSITES).unwrap_or(i64::MAX).saturating_add(1);
    let (rows, later): (Vec<SubjectRow>, i64) = on!(tx, connection => {
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(website).bind(pattern.as_deref()).bind(until).bind(limit)
            .fetch_all(&mut *connection).await?;
        let later = sqlx::query_scalar(sqlx::AssertSqlSafe(count.as_str()))
            .bind(account.0).bind(website).bind(pattern.as_deref()).bind(until)
            .fetch_one(connection).await?;
        (rows, later)
    });
    Ok((rows.into_iter().map(Known::from).collect(), usize::try_from(later).unwrap_or(0)))
}
