//! Rows as they come, and what they become: the one place where stored texts turn into types.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::FromRow;
use uuid::Uuid;

use super::StoreError;
use crate::model::certificate::NearEnd;
use crate::model::issuer::Certificates;
use crate::model::late::Marks;
use crate::model::{
    AccountId, Blame, Certificate, CheckKind, Class, Delays, Failure, Note, Options, Outcome, Phase, Phases, RegionId,
    RegionState, StoredTick, Tick, Website, WebsiteId, WebsiteKind, WebsiteSettings, WebsiteState, recent,
};

/// A stored text back to its type.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| StoreError::Corrupt(e.to_string()))
}

/// A stored number back to its narrower type.
pub(super) fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::Corrupt(format!("{number} is out of range")))
}

fn narrow_some<T: TryFrom<i64>>(number: Option<i64>) -> Result<Option<T>, StoreError> {
    number.map(narrow).transpose()
}

pub(super) const WEBSITE: &str = "website_id, account_id, kind, url, interval_ms, timeout_ms, regions, request, expect, paused, created_at, revision";

// Columns are named one by one in every statement: those that a running hub prepared survive a migration that adds some.

/// Of [`StateFields`].
pub(super) const STATE: &str = "verdict, since_at, reason, fresh_until_at, recent_changes, flapping_since_at, failing_regions, \
    certificate_near, certificates";

pub(super) const REGION_STATE: &str = "website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, class, \
    phase, blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, failing_streak, \
    failing_since_at, good_streak, certificate_not_after_at, recent";

pub(super) const TICK: &str = "website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, \
    outcome, class, phase, blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, \
    remote, body_bytes, truncated, certificate_not_after_at, certificate_issuer, certificate_subject, tls_version, \
    answer, notes, publish_ms, queue_ms, thread_us, report_us, late, clamped";

#[derive(FromRow)]
pub(super) struct WebsiteRow {
    pub website_id: Uuid,
    account_id: Uuid,
    kind: String,
    url: String,
    interval_ms: i64,
    timeout_ms: i64,
    regions: String,
    request: String,
    expect: String,
    paused: bool,
    pub(super) created_at: i64,
    revision: i64,
}

/// Without the rest: `request` holds passwords, and the query of an address may.
impl std::fmt::Debug for WebsiteRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebsiteRow").field("website_id", &self.website_id).finish_non_exhaustive()
    }
}

impl TryFrom<WebsiteRow> for Website {
    type Error = StoreError;

    fn try_from(row: WebsiteRow) -> Result<Self, StoreError> {
        // Somebody may have edited the row: a name that is none costs this website, not the page it is read with.
        let names = row.regions.split(',').filter(|r| !r.is_empty());
        let regions: Option<Vec<RegionId>> = names.map(|name| name.parse().ok()).collect();
        let options = read_options(&row.request, &row.expect);
        // One of a newer version is shown, and never checked.
        let kind = row.kind.parse::<WebsiteKind>().ok();
        Ok(Self {
            website_id: WebsiteId(row.website_id),
            account_id: AccountId(row.account_id),
            is_unreadable: options.is_none() || regions.is_none() || kind.is_none(),
            kind: kind.unwrap_or(WebsiteKind::Http),
            settings: WebsiteSettings {
                url: row.url,
                interval_ms: row.interval_ms,
                timeout_ms: row.timeout_ms,
                regions: regions.unwrap_or_default(),
                options: options.unwrap_or_else(Options::standard),
            },
            paused: row.paused,
            created_at: row.created_at,
            revision: row.revision,
        })
    }
}

/// Regions as one column.
pub(super) fn regions_text(settings: &WebsiteSettings) -> String {
    settings.regions.iter().map(crate::model::RegionId::as_str).collect::<Vec<_>>().join(",")
}

/// `None`: a newer version wrote them, or somebody edited them. What is wrong is not said, for the words of the error may
/// repeat a secret.
fn read_options(request: &str, expect: &str) -> Option<Arc<Options>> {
    if request == "{}" && expect == "{}" {
        return Some(Options::standard());
    }
    let options = Options { request: serde_json::from_str(request).ok()?, expect: serde_json::from_str(expect).ok()? };
    Some(options.shared())
}

/// Options as two columns.
pub(super) fn options_text(options: &Options) -> Result<(String, String), StoreError> {
    let text = |is_default: bool, json: Result<String, serde_json::Error>| {
        if is_default {
            return Ok("{}".to_owned());
        }
        json.map_err(|e| StoreError::Corrupt(e.to_string()))
    };
    let (request, expect) = (&options.request, &options.expect);
    Ok((
        text(request.is_default(), serde_json::to_string(request))?,
        text(expect.is_default(), serde_json::to_string(expect))?,
    ))
}

/// Notes as one column.
pub(super) fn notes_text(notes: &[Note]) -> String {
    notes.iter().map(|note| note.as_str()).collect::<Vec<_>>().join(",")
}

/// What ticks and region states share: how it ended, and the phases.
#[derive(Debug, FromRow)]
pub(super) struct ResultRow {
    pub(super) outcome: String,
    pub(super) class: Option<String>,
    pub(super) phase: Option<String>,
    pub(super) blame: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) dns_us: Option<i64>,
    pub(super) connect_us: Option<i64>,
    pub(super) tls_us: Option<i64>,
    pub(super) send_us: Option<i64>,
    pub(super) wait_us: Option<i64>,
    pub(super) receive_us: Option<i64>,
    pub(super) total_us: i64,
    pub(super) status: Option<i64>,
}

impl ResultRow {
    /// Words of a newer version (a hub of it ran on this database) cost no more than themselves: one that is not known says
    /// nothing about the website.
    fn outcome(&self) -> Outcome {
        self.outcome.parse().unwrap_or(Outcome::Unknown)
    }

    /// As of [`ResultRow::outcome`]: a class or phase is only shown, a blame that is not known counts against nobody.
    fn failure(&self) -> Option<Failure> {
        let (class, phase, blame) = (self.class.as_ref()?, self.phase.as_ref()?, self.blame.as_ref()?);
        let mut detail = self.detail.clone().unwrap_or_default();
        let known = class.parse();
        if known.is_err() {
            let word: String = class.chars().take(80).collect();
            detail = if detail.is_empty() { word } else { format!("{word}: {detail}") };
        }
        Some(Failure {
            class: known.unwrap_or(Class::Unsupported),
            phase: phase.parse().unwrap_or(Phase::Judge),
            blame: blame.parse().unwrap_or(Blame::Probe),
            detail,
        })
    }

    fn phases(&self) -> Result<Phases, StoreError> {
        Ok(Phases {
            dns_us: narrow_some(self.dns_us)?,
            connect_us: narrow_some(self.connect_us)?,
            tls_us: narrow_some(self.tls_us)?,
            send_us: narrow_some(self.send_us)?,
            wait_us: narrow_some(self.wait_us)?,
            receive_us: narrow_some(self.receive_us)?,
        })
    }
}

/// A verdict without its website.
#[derive(Debug, FromRow)]
pub(super) struct StateFields {
    verdict: String,
    since_at: i64,
    reason: String,
    fresh_until_at: Option<i64>,
    recent_changes: String,
    flapping_since_at: Option<i64>,
    failing_regions: String,
    certificate_near: String,
    certificates: String,
}

impl StateFields {
    pub(super) fn of(self, website_id: WebsiteId) -> Result<WebsiteState, StoreError> {
        let verdict = parse(&self.verdict)?;
        Ok(self.with(website_id, verdict))
    }

    /// A word of a newer version costs this website its verdict, not the list.
    pub(super) fn shown(self, website_id: WebsiteId) -> WebsiteState {
        let verdict = self.verdict.parse().unwrap_or(Outcome::Unknown);
        self.with(website_id, verdict)
    }

    fn with(self, website_id: WebsiteId, verdict: Outcome) -> WebsiteState {
        WebsiteState {
            fresh_until_at: self.fresh_until_at,
            recent_changes: listed(&self.recent_changes),
            flapping_since_at: self.flapping_since_at,
            failing_regions: listed(&self.failing_regions),
            near_end: near_end(&self.certificate_near),
            certificates: Certificates::stored(self.certificates),
            ..WebsiteState::new(website_id, verdict, self.since_at, self.reason)
        }
    }
}

/// The certificate near its end: JSON, and mostly nothing. What is not understood counts as that, and is found again.
fn near_end(json: &str) -> Option<NearEnd> {
    if json.is_empty() { None } else { serde_json::from_str(json).ok() }
}

/// The other way round.
pub(super) fn near_text(near: Option<&NearEnd>) -> String {
    near.and_then(|near| serde_json::to_string(near).ok()).unwrap_or_default()
}

/// A list in one column, by commas. What is no such value, since somebody edited it, is left out.
fn listed<T: FromStr>(text: &str) -> Vec<T> {
    text.split(',').filter_map(|one| one.parse().ok()).collect()
}

/// The other way round.
pub(super) fn list_text<T: std::fmt::Display>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[derive(Debug, FromRow)]
pub(super) struct StateRow {
    pub website_id: Uuid,
    #[sqlx(flatten)]
    fields: StateFields,
}

impl TryFrom<StateRow> for WebsiteState {
    type Error = StoreError;

    fn try_from(row: StateRow) -> Result<Self, StoreError> {
        row.fields.of(WebsiteId(row.website_id))
    }
}

#[derive(Debug, FromRow)]
pub(super) struct RegionStateRow {
    pub website_id: Uuid,
    region_id: String,
    worker_id: String,
    slot_at: i64,
    attempt: i64,
    received_at: i64,
    #[sqlx(flatten)]
    result: ResultRow,
    failing_streak: i64,
    failing_since_at: Option<i64>,
    good_streak: i64,
    certificate_not_after_at: Option<i64>,
    recent: Vec<u8>,
}

impl TryFrom<RegionStateRow> for RegionState {
    type Error = StoreError;

    fn try_from(row: RegionStateRow) -> Result<Self, StoreError> {
        Ok(Self {
            region_id: parse(&row.region_id)?,
            worker_id: parse(&row.worker_id)?,
            slot_at: row.slot_at,
            attempt: narrow(row.attempt)?,
            received_at: row.received_at,
            outcome: row.result.outcome(),
            failure: row.result.failure(),
            phases: row.result.phases()?,
            total_us: narrow(row.result.total_us)?,
            status: narrow_some(row.result.status)?,
            failing_streak: narrow(row.failing_streak)?,
            failing_since_at: row.failing_since_at,
            good_streak: narrow(row.good_streak)?,
            certificate_not_after_at: row.certificate_not_after_at,
            recent: recent::unpack(&row.recent),
        })
    }
}

#[derive(Debug, FromRow)]
pub(super) struct TickRow {
    pub(super) website_id: Uuid,
    pub(super) slot_at: i64,
    pub(super) region_id: String,
    pub(super) attempt: i64,
    pub(super) worker_id: String,
    pub(super) received_at: i64,
    pub(super) kind: String,
    pub(super) started_at: i64,
    #[sqlx(flatten)]
    pub(super) result: ResultRow,
    pub(super) remote: Option<String>,
    pub(super) body_bytes: i64,
    pub(super) truncated: bool,
    pub(super) certificate_not_after_at: Option<i64>,
    pub(super) certificate_issuer: Option<String>,
    pub(super) certificate_subject: Option<String>,
    pub(super) tls_version: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) notes: String,
    pub(super) publish_ms: Option<i64>,
    pub(super) queue_ms: Option<i64>,
    pub(super) thread_us: Option<i64>,
    pub(super) report_us: Option<i64>,
    pub(super) late: bool,
    pub(super) clamped: bool,
}

impl TryFrom<TickRow> for StoredTick {
    type Error = StoreError;

    fn try_from(row: TickRow) -> Result<Self, StoreError> {
        let certificate = row.certificate_not_after_at.map(|not_after_at| Certificate {
            not_after_at,
            not_before_at: 0,
            issuer: row.certificate_issuer.unwrap_or_default(),
            subject: row.certificate_subject.unwrap_or_default(),
            tls_version: row.tls_version,
            ..Certificate::default()
        });
        Ok(Self {
            region_id: parse(&row.region_id)?,
            worker_id: parse(&row.worker_id)?,
            received_at: row.received_at,
            marks: Marks { late: row.late, clamped: row.clamped },
            tick: Tick {
                website_id: WebsiteId(row.website_id),
                slot_at: row.slot_at,
                attempt: narrow(row.attempt)?,
                kind: row.kind.parse().unwrap_or(CheckKind::Scheduled),
                started_at: row.started_at,
                outcome: row.result.outcome(),
                failure: row.result.failure(),
                phases: row.result.phases()?,
                total_us: narrow(row.result.total_us)?,
                status: narrow_some(row.result.status)?,
                remote: row.remote.as_deref().map(parse).transpose()?,
                body_bytes: narrow(row.body_bytes)?,
                truncated: row.truncated,
                hops: Vec::new(),
                certificate,
                answer: row.answer,
                // One that only a newer version knows takes nothing from the tick.
                notes: row.notes.split(',').filter_map(|note| note.parse().ok()).collect(),
                delays: Delays {
                    publish_ms: narrow_some(row.publish_ms)?,
                    queue_ms: narrow_some(row.queue_ms)?,
                    thread_us: narrow_some(row.thread_us)?,
                    report_us: narrow_some(row.report_us)?,
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_a_row_that_is_printed_tells_no_secret() {
        let row = WebsiteRow {
            website_id: Uuid::nil(),
            account_id: Uuid::nil(),
            kind: "http".to_owned(),
            url: "https://a.example/?token=hunter2".to_owned(),
            interval_ms: 60_000,
            timeout_ms: 10_000,
            regions: String::new(),
            request: "{\"credentials\": \"hunter2\"}".to_owned(),
            expect: "{}".to_owned(),
            paused: false,
            created_at: 1,
            revision: 1,
        };
        let text = format!("{row:?}");
        assert!(!text.contains("hunter2") && text.contains("website_id"), "{text}");
    }
}
