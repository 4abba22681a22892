//! How often the websites of a crowded host are looked at in fact. The schedule leaves out slots of such a host
//! ([`super::courtesy`]); whoever asks whether a website is known (P5) has to count in the slots that are used.
//!
//! The share follows from the websites, their intervals and the regions, which every hub has in memory: hubs agree without
//! a word in the database, and a hub that starts knows it before it takes anything in.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::courtesy::HostKey;
use super::verdict::stale_ms;
use super::{UtcMs, Website, WebsiteSettings};

/// Shares that held before and are remembered, at most. With more, neighbours count as one.
const REMEMBERED: usize = 8;
/// Nothing is remembered for longer: two of the longest intervals.
const KEPT_MS: i64 = 2 * 86_400_000;

/// So many slots lie, at most, between two that are used, of a host that gets this share of them (see
/// [`super::courtesy::is_used`]).
#[must_use]
pub fn every(share: f64) -> i64 {
    // A cast of what is too large is the largest there is; nobody gets less than a millionth.
    ((1.0 / share).ceil() as i64).clamp(1, 1_000_000)
}

/// The share of a host, and those that held a while ago.
#[derive(Debug, Clone, PartialEq)]
struct Host {
    share: f64,
    /// Those that held before and were smaller, the smallest and oldest first, with when they ended.
    before: Vec<(f64, UtcMs)>,
}

impl Host {
    fn turn_to(&mut self, share: f64, now: UtcMs) {
        if self.share == share {
            return;
        }
        let ended = std::mem::replace(&mut self.share, share);
        // What ended now outlasts all that was not slower.
        self.before.retain(|(before, at)| *before < ended.min(share) && now - at < KEPT_MS);
        if ended < share {
            self.before.push((ended, now));
        }
        if self.before.len() > REMEMBERED
            && let [(slowest, _), (_, ended_at), ..] = *self.before
        {
            self.before.splice(..2, [(slowest, ended_at)]);
        }
    }

    /// A share that ended counts until what was seen under it has run out: otherwise a host that is suddenly asked for
    /// less would have its websites unknown until their next look.
    fn every(&self, settings: &WebsiteSettings, now: UtcMs) -> i64 {
        let outlasts = |(share, ended_at): &&(f64, UtcMs)| {
            now - ended_at < stale_ms(settings.interval_ms.saturating_mul(every(*share)), settings.timeout_ms)
        };
        every(self.before.iter().find(outlasts).map_or(self.share, |(share, _)| share.min(self.share)))
    }
}

/// What is known of all hosts: told by the schedule, asked by ingest and the pages. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    hosts: Arc<RwLock<HashMap<HostKey, Host>>>,
}

impl Shares {
    /// These hosts are crowded now, with the share of their slots that is used; all others are not.
    pub fn tell(&self, crowded: &HashMap<HostKey, f64>, now: UtcMs) {
        let is_told = {
            let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
            let told = hosts.values().filter(|host| host.share < 1.0).count();
            told == crowded.len()
                && crowded.iter().all(|(key, share)| hosts.get(key).is_some_and(|h| h.share == *share))
        };
        if is_told {
            return;
        }
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.iter_mut().for_each(|(key, host)| host.turn_to(crowded.get(key).copied().unwrap_or(1.0), now));
        hosts.retain(|_, host| host.share < 1.0 || host.before.iter().any(|(_, at)| now - at < KEPT_MS));
        for (key, share) in crowded {
            hosts.entry(*key).or_insert_with(|| Host { share: *share, before: Vec::new() });
        }
    }

    /// The share of its slots that is used of a website at this URL; 1 unless its host is asked for more than it may get.
    #[must_use]
    pub fn of(&self, url: &str) -> f64 {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        if hosts.is_empty() { 1.0 } else { hosts.get(&HostKey::of(url)).map_or(1.0, |host| host.share) }
    }

    /// The website with the longest interval that lies between two of its looks, as far as its host is concerned.
    #[must_use]
    pub fn paced(&self, mut website: Website, now: UtcMs) -> Website {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        if !hosts.is_empty()
            && let Some(host) = hosts.get(&HostKey::of(&website.settings.url))
        {
            let settings = &mut website.settings;
            settings.interval_ms = settings.interval_ms.saturating_mul(host.every(settings, now));
        }
        website
    }
}

#[cfg(test)]
mod tests;
