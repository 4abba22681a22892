//! What each region had seen when something was decided, side by side.

use super::incident_matrix::certificate;
use super::waterfall::{Waterfall, of_evidence, scale_us};
use super::words::{Instant, instant, took};
use crate::model::message::words::line;
use crate::model::{Evidence, Phases, Tick, job};

/// A table of regions.
#[derive(Debug)]
pub(super) struct Sight {
    /// It is of a job, which has no phases.
    pub(super) is_job: bool,
    pub(super) scale: String,
    pub(super) phases: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// One region.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) fall: Waterfall,
    pub(super) worker: String,
    pub(super) at: Instant,
    /// What was found beside the sentence; it comes from the other side.
    pub(super) detail: String,
    pub(super) status: String,
    /// "www.example.com, by R11, until 2026-12-18 10:22 UTC"; names are a stranger's.
    pub(super) certificate: String,
    /// How an answer that was not as asked began; from the other side.
    pub(super) answer: String,
}

/// Of one decision; `None` when nothing was kept.
pub(super) fn sight(evidence: &[Evidence]) -> Option<Sight> {
    if evidence.is_empty() {
        return None;
    }
    let scale = scale_us(evidence.iter().map(|seen| &seen.phases));
    let row = |seen: &Evidence| Row {
        fall: of_evidence(seen, scale),
        worker: seen.worker_id.to_string(),
        at: instant(seen.slot_at),
        detail: seen.failure.as_ref().map(|failure| failure.detail.clone()).unwrap_or_default(),
        status: seen.status.map_or_else(|| "–".to_owned(), |status| status.to_string()),
        certificate: seen.certificate.as_ref().map(certificate).unwrap_or_default(),
        answer: line(seen.answer.as_deref().unwrap_or_default(), Tick::ANSWER_CHARS),
    };
    Some(Sight {
        is_job: evidence.iter().all(|seen| job::is_reporter(&seen.region_id, &seen.worker_id)),
        scale: took(scale),
        phases: Phases::default().named().map(|(phase, _)| phase).to_vec(),
        rows: evidence.iter().map(row).collect(),
    })
}
