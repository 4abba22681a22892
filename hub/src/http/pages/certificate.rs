//! The certificate of a website, on its page.

use super::website_words as say;
use super::words::{Instant, Mark};
use crate::model::message::words::line;
use crate::model::{BoardRow, StoredTick, UtcMs, certificate};

/// What is known of it.
#[derive(Debug)]
pub(super) struct CertificatePart {
    pub(super) mark: Mark,
    pub(super) left: String,
    pub(super) end: Instant,
    /// What else is known.
    pub(super) facts: Vec<(&'static str, String)>,
}

impl CertificatePart {
    /// Of the newest tick that shows one, and of what regions saw; `None`: none was seen.
    pub(super) fn new(row: &BoardRow, ticks: &[StoredTick], now: UtcMs) -> Option<Self> {
        let newest =
            row.regions.iter().filter(|region| region.certificate_not_after_at.is_some()).max_by_key(|r| r.slot_at);
        let end_at = newest?.certificate_not_after_at?;
        let (left, end) = say::ends(end_at, now);
        let mark = match row.state.near_end {
            _ if end_at <= now => Mark::Down,
            Some(_) => Mark::Degraded,
            None => Mark::Up,
        };
        let mut facts = Vec::new();
        let seen = ticks.iter().filter_map(|stored| certificate::of_website(&stored.tick));
        if let Some(seen) = seen.into_iter().find(|seen| seen.not_after_at == end_at) {
            let issuer = match &seen.issuer_organization {
                Some(organization) if *organization != seen.issuer => format!("{organization}, {}", seen.issuer),
                Some(_) | None => seen.issuer.clone(),
            };
            facts.push(("Issued by", line(&issuer, 160)));
            if !seen.names.is_empty() {
                let total = usize::try_from(seen.names_total).unwrap_or(0).max(seen.names.len());
                facts.push(("For", say::names(&seen.names, total)));
            }
            if let Some(version) = &seen.tls_version {
                facts.push(("Version", line(version, 20)));
            }
        }
        if let Some(change) = row.state.certificates.read().changed {
            facts.push(("Issuer", say::issuer_changed(&change)));
        }
        Some(Self { mark, left, end, facts })
    }
}
