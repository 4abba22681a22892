//! Certificates near their end, told in steps. Pure, and judged with the tick that shows the certificate: while none is near,
//! that is a comparison of a few integers.
//!
//! A step is a time left at which people are told: 21, 14, 7 and 1 days, as far as they are no more than a third of the
//! certificate's life. Renewal comes with a third left, and whoever is told before it is told for nothing. The rule by which a
//! look is degraded for it ([`Class::CertificateEnding`]) is among the steps, so that whatever is degraded for its certificate
//! has an incident that says why.

use serde::{Deserialize, Serialize};

use super::{Certificate, Class, Note, Notice, Outcome, Phase, RegionState, StoredTick, Tick, UtcMs, Website};
use super::{WebsiteState, flapping, incident_cause, verdict};

const DAY_MS: i64 = 86_400_000;
/// The longest first.
const STEPS_MS: [i64; 4] = [21 * DAY_MS, 14 * DAY_MS, 7 * DAY_MS, DAY_MS];
/// The probe's rule of thumb has a week, or a third of the life.
const WEEK_MS: i64 = 7 * DAY_MS;
/// What a region saw of a certificate stands for so long without a look: none gets better by not being looked at, but a region
/// that is gone holds nothing open.
const STANDS_MS: i64 = DAY_MS;

/// A certificate that is near its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearEnd {
    /// Its end, by which it is known again.
    pub ends_at: UtcMs,
    /// The last step that it has reached; people were told of it.
    pub step_ms: i64,
    /// Since when all regions see another one: slot of the tick that made them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub better_at: Option<UtcMs>,
    /// It was taken for renewed, and shown again: some servers of the website have it still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_back: bool,
}

/// The certificate that a look says is the website's: one that was accepted, or refused for its end alone.
#[must_use]
pub fn of_website(tick: &Tick) -> Option<&Certificate> {
    let is_refused = tick.failure.as_ref().is_some_and(|failure| match failure.phase {
        Phase::Dns | Phase::Connect | Phase::Tls => failure.class != Class::TlsExpired || tick.outcome != Outcome::Down,
        Phase::Send | Phase::Wait | Phase::Receive | Phase::Judge => false,
    });
    tick.certificate.as_ref().filter(|_| !is_refused)
}

/// Time left with which the first step begins; `None`: its owner wants no warning. What an owner asks for is at most half of
/// the life, or it would be near its end from its first day on.
fn first_ms(certificate: &Certificate, days: Option<u16>) -> Option<i64> {
    let life_ms = certificate.not_after_at.saturating_sub(certificate.not_before_at);
    let first_ms = match days {
        Some(days) => (i64::from(days) * DAY_MS).min(life_ms / 2),
        None => {
            let third_ms = life_ms / 3;
            let longest = STEPS_MS.into_iter().find(|step_ms| *step_ms <= third_ms);
            longest.unwrap_or(third_ms).max(third_ms.min(WEEK_MS))
        }
    };
    (first_ms > 0).then_some(first_ms)
}

/// The step that a certificate has reached at `now`, of those that begin with `first_ms`.
fn step_ms(ends_at: UtcMs, first_ms: i64, now: UtcMs) -> Option<i64> {
    let left_ms = ends_at.saturating_sub(now);
    let later = STEPS_MS.into_iter().filter(|step_ms| *step_ms < first_ms);
    std::iter::once(first_ms).chain(later).take_while(|step_ms| left_ms < *step_ms).last()
}

/// What one look says of the website's certificate, with `state` as it was just judged and `regions` as they stand with it, as
/// of `now`: a notice when a step is reached, or the certificate is renewed.
///
/// The look itself begins and tells; only what all regions see ends it. One interval later, so that each has said so more
/// than once; and where the old one is shown again after that (one server of several was forgotten), only when nobody has
/// seen it for as long as it takes to be no longer called unstable.
pub fn judge(
    website: &Website,
    watched_since_at: UtcMs,
    state: &mut WebsiteState,
    regions: &[RegionState],
    tick: &StoredTick,
    now: UtcMs,
) -> Option<Notice> {
    let seen = of_website(&tick.tick);
    let days = website.settings.options.expect.certificate_days;
    let reached = seen.and_then(|certificate| {
        let first_ms = first_ms(certificate, days)?;
        Some((certificate, first_ms, step_ms(certificate.not_after_at, first_ms, now)))
    });
    let near = reached.and_then(|(certificate, first_ms, step_ms)| Some((certificate, first_ms, step_ms?)));
    let Some(before) = state.near_end else {
        let (certificate, first_ms, step_ms) = near?;
        let ends_at = certificate.not_after_at;
        // What is refused for its end is down, which says it.
        if ends_at <= now && !tick.tick.notes.contains(&Note::TlsUnverified) {
            return None;
        }
        let is_back = state.certificates.read().over == Some(ends_at);
        state.near_end = Some(NearEnd { ends_at, step_ms, better_at: None, is_back });
        let since_at = if is_back { tick.tick.slot_at } else { ends_at.saturating_sub(first_ms).max(watched_since_at) };
        return Some(nears(website, regions, ends_at, step_ms, since_at.min(now), is_back));
    };
    let is_same = |certificate: &Certificate| certificate.not_after_at == before.ends_at;
    // By a clock that was set back it may have long to go, and never was near its end.
    let has_time = |first_ms: i64| before.ends_at.saturating_sub(now) >= first_ms.saturating_add(DAY_MS);
    match (reached, near) {
        (_, Some((certificate, _, step_ms))) if certificate.not_after_at <= before.ends_at => {
            let is_back = before.is_back || before.better_at.is_some();
            let after = NearEnd { ends_at: certificate.not_after_at, better_at: None, is_back, ..before };
            let is_nearer = step_ms < before.step_ms;
            state.near_end = Some(NearEnd { step_ms: step_ms.min(before.step_ms), ..after });
            let at = certificate.not_after_at.saturating_sub(step_ms).max(watched_since_at);
            is_nearer.then(|| nears(website, regions, certificate.not_after_at, step_ms, at.min(now), false))
        }
        (Some((certificate, first_ms, None)), _) if is_same(certificate) && !has_time(first_ms) => None,
        // A look that failed before it came to a certificate says nothing; one that got its answer without any does.
        (None, _) if seen.is_none() && !is_answered(tick) => None,
        (Some(_) | None, _) => {
            // Who sees the same one at the same time goes by the same clock.
            let is_clocks = seen.is_some_and(is_same);
            let others = standing(website, regions, now).filter(|region| region.region_id != tick.region_id);
            let is_seen = others.clone().any(|other| other.certificate_not_after_at == Some(before.ends_at));
            let until = others.filter_map(|other| other.certificate_not_after_at);
            let until = until.chain(seen.map(|certificate| certificate.not_after_at)).min();
            let slot_at = tick.tick.slot_at;
            if is_seen && !is_clocks { None } else { better(website, state, before, until, slot_at) }
        }
    }
}

fn is_answered(tick: &StoredTick) -> bool {
    match tick.tick.outcome {
        Outcome::Up | Outcome::Degraded => true,
        Outcome::Down | Outcome::Unknown => false,
    }
}

/// All regions see another certificate than the one that is near its end: what ends first of theirs does so at `until`.
fn better(
    website: &Website,
    state: &mut WebsiteState,
    before: NearEnd,
    until: Option<UtcMs>,
    slot_at: UtcMs,
) -> Option<Notice> {
    let since_at = before.better_at.filter(|at| *at <= slot_at).unwrap_or(slot_at);
    let interval_ms = website.settings.interval_ms;
    let calm_ms = if before.is_back { flapping::window_ms(interval_ms) } else { interval_ms };
    if slot_at.saturating_sub(since_at) < calm_ms {
        state.near_end = Some(NearEnd { better_at: Some(since_at), ..before });
        return None;
    }
    state.near_end = None;
    let mut book = state.certificates.read();
    book.over = Some(before.ends_at);
    state.certificates.write(&book);
    Some(Notice::CertificateRenewed { website_id: website.website_id, at: since_at, until })
}

/// Regions whose word on the certificate stands. Of a backlog the one of another region may be newer than `now`.
fn standing<'a>(
    website: &'a Website,
    regions: &'a [RegionState],
    now: UtcMs,
) -> impl Iterator<Item = &'a RegionState> + Clone {
    let stands_ms = verdict::stale_after_ms(&website.settings).max(STANDS_MS);
    regions.iter().filter(move |region| {
        website.settings.watches_from(&region.region_id) && now.saturating_sub(region.received_at) <= stands_ms
    })
}

fn nears(website: &Website, regions: &[RegionState], ends_at: UtcMs, step_ms: i64, at: UtcMs, is_back: bool) -> Notice {
    let seeing = regions.iter().filter(|region| region.certificate_not_after_at == Some(ends_at));
    let mut names: Vec<&str> = seeing.map(|region| region.region_id.as_str()).collect();
    names.sort_unstable();
    let back = if is_back { "It had been renewed, and is shown again: not all servers have the new one. " } else { "" };
    let reason = format!("{back}It is seen from {}.", incident_cause::listed(&names));
    Notice::CertificateNears { website_id: website.website_id, at, ends_at, step_ms, reason }
}

#[cfg(test)]
mod tests;
