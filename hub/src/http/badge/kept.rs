//! Badges that were asked for a moment ago: a README with a million readers costs a statement now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::What;
use super::words::Badge;
use crate::model::WebsiteId;

/// A figure is shown for so long; whoever asks meanwhile is told the same.
const FRESH_MS: i64 = 30_000;
/// While one asks the database, others are shown what was known; no longer than this.
const ASKING_MS: i64 = 5_000;
/// What is older is shown to nobody.
const OLD_MS: i64 = 60_000;
/// Badges in memory, some hundred bytes each.
const MOST: usize = 10_000;

#[derive(Debug)]
struct Kept {
    badge: Badge,
    /// Of a clock that does not jump.
    made_at_ms: i64,
    fresh_until_ms: i64,
}

/// Public ones only: whoever may see others is asked for each time.
#[derive(Debug, Default)]
pub struct KeptBadges(Mutex<HashMap<(WebsiteId, What), Kept>>);

impl KeptBadges {
    /// What was found a moment ago. `None`: it is to be found.
    pub(super) fn get(&self, key: (WebsiteId, What), now_ms: i64) -> Option<Badge> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get_mut(&key)?;
        if now_ms < kept.fresh_until_ms {
            return Some(kept.badge.clone());
        }
        if now_ms - kept.made_at_ms < OLD_MS {
            // This one asks; the others need not.
            kept.fresh_until_ms = now_ms + ASKING_MS;
        } else {
            all.remove(&key);
        }
        None
    }

    /// Found.
    pub(super) fn put(&self, key: (WebsiteId, What), badge: &Badge, now_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&key) {
            all.retain(|_, kept| now_ms < kept.fresh_until_ms);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let fresh_until_ms = now_ms + FRESH_MS;
        all.insert(key, Kept { badge: badge.clone(), made_at_ms: now_ms, fresh_until_ms });
    }

    /// It is there for everybody no more.
    pub(super) fn forget(&self, key: (WebsiteId, What)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::Tone;
    use super::*;

    fn key(n: u128) -> (WebsiteId, What) {
        (WebsiteId(uuid::Uuid::from_u128(n)), What::Status)
    }

    #[test]
    fn one_asks_again_and_the_others_are_told_what_was_known() {
        let (kept, badge) = (KeptBadges::default(), Badge { label: "a".into(), message: "b".into(), tone: Tone::Good });
        assert_eq!(kept.get(key(1), 0), None);
        kept.put(key(1), &badge, 0);
        assert_eq!(kept.get(key(1), FRESH_MS - 1), Some(badge.clone()));
        assert_eq!(kept.get(key(1), FRESH_MS), None);
        assert_eq!(kept.get(key(1), FRESH_MS + 1), Some(badge.clone()), "somebody asks already");
        assert_eq!(kept.get(key(1), OLD_MS + ASKING_MS), None);
        assert_eq!(kept.get(key(1), OLD_MS + ASKING_MS + 1), None, "nobody is shown what is old");
        kept.put(key(1), &badge, 0);
        kept.forget(key(1));
        assert_eq!(kept.get(key(1), 1), None);
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let (kept, badge) = (KeptBadges::default(), Badge { label: "a".into(), message: "b".into(), tone: Tone::Good });
        (0..25_000).for_each(|n| kept.put(key(n), &badge, 0));
        assert!(kept.0.lock().unwrap().len() <= MOST && kept.get(key(24_999), 1).is_some());
    }
}
