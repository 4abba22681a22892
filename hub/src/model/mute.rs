//! Why nobody is told of a website now: its owner has work going on, or what it depends on is down, which is told.

use std::collections::BTreeMap;

use super::{FieldError, Maintenance, MutedBy, Outcome, Tag, UtcMs, WebsiteId};

/// Websites above one another at most, not counting the lowest.
pub const LEVELS: usize = 8;

/// Why nobody is told of a website with these tags at `now`: `windows` are its account's, `above` the verdicts of what it
/// depends on, as of [`above`]. What its owner does counts for more than what its parents have.
#[must_use]
pub fn by(
    website: WebsiteId,
    tags: &[Tag],
    windows: &[Maintenance],
    above: impl IntoIterator<Item = Outcome>,
    now: UtcMs,
) -> Option<MutedBy> {
    let is_running = |window: &Maintenance| window.plan.scope.covers(website, tags) && window.running(now).is_some();
    if windows.iter().any(is_running) {
        return Some(MutedBy::Maintenance);
    }
    above.into_iter().any(|verdict| verdict == Outcome::Down).then_some(MutedBy::Parent)
}

/// The websites above `website`, the nearest first, at most [`LEVELS`]. `None`: it comes back on itself or has no end
/// within that. Both are refused when they are saved, and explain nothing where they are found all the same: otherwise
/// two websites, each said to depend on the other, would be down together and nobody be told of either.
#[must_use]
pub fn above(website: WebsiteId, parent_of: impl Fn(WebsiteId) -> Option<WebsiteId>) -> Option<Vec<WebsiteId>> {
    let mut chain = Vec::new();
    let mut at = website;
    while let Some(parent) = parent_of(at) {
        if parent == website || chain.contains(&parent) || chain.len() == LEVELS {
            return None;
        }
        chain.push(parent);
        at = parent;
    }
    Some(chain)
}

/// What is wrong with `parent` as what `child` depends on. `parents` are those of the account's websites as saved; the
/// two are the account's.
#[must_use]
pub fn refusal(child: WebsiteId, parent: WebsiteId, parents: &BTreeMap<WebsiteId, WebsiteId>) -> Option<FieldError> {
    let wrong = |remedy: String| Some(FieldError::new("parent", "", remedy));
    if parent == child {
        return wrong("A website cannot depend on itself.".to_owned());
    }
    let saved = |id: WebsiteId| parents.get(&id).copied();
    // Steps from a website up to the child, when it is within reach.
    let steps = |mut at: WebsiteId| {
        (0..=LEVELS).find(|_| {
            let is_child = at == child;
            at = saved(at).unwrap_or(at);
            is_child
        })
    };
    if steps(parent).is_some() {
        return wrong("That one depends on this website already; choose another, or none.".to_owned());
    }
    let higher = above(child, |id| if id == child { Some(parent) } else { saved(id) }).map(|chain| chain.len());
    let lower = parents.keys().filter_map(|id| steps(*id)).max().unwrap_or(0);
    if higher.is_none_or(|higher| higher + lower > LEVELS) {
        return wrong(format!("At most {LEVELS} websites may depend on one another in a row."));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> WebsiteId {
        WebsiteId(uuid::Uuid::from_u128(n))
    }

    /// Each pair is a website and what it depends on.
    fn parents(pairs: &[(u128, u128)]) -> BTreeMap<WebsiteId, WebsiteId> {
        pairs.iter().map(|(child, parent)| (id(*child), id(*parent))).collect()
    }

    #[test]
    fn one_is_muted_by_whatever_is_down_above_it() {
        use Outcome::{Degraded, Down, Unknown, Up};
        let muted = |above: &[Outcome]| by(id(1), &[], &[], above.iter().copied(), 0);
        assert_eq!([muted(&[]), muted(&[Up]), muted(&[Unknown, Degraded])], [None; 3]);
        assert_eq!([muted(&[Down]), muted(&[Up, Up, Down])], [Some(MutedBy::Parent); 2]);
    }

    #[test]
    fn a_chain_that_comes_back_explains_nothing() {
        let chain = |pairs: &[(u128, u128)], from| above(id(from), |id| parents(pairs).get(&id).copied());
        assert_eq!(chain(&[(1, 2), (2, 3)], 1), Some(vec![id(2), id(3)]));
        assert_eq!(chain(&[(1, 2), (2, 3)], 3), Some(vec![]));
        assert_eq!(chain(&[(1, 1)], 1), None);
        assert_eq!([chain(&[(1, 2), (2, 1)], 1), chain(&[(1, 2), (2, 3), (3, 2)], 1)], [None, None]);
        let row: Vec<(u128, u128)> = (0..9).map(|n| (n, n + 1)).collect();
        assert_eq!(chain(&row, 1).map(|c| c.len()), Some(8));
        assert_eq!(chain(&row, 0), None, "nine above it");
    }

    #[test]
    fn what_would_come_back_or_be_too_long_is_refused() {
        let refused = |child, parent, pairs: &[(u128, u128)]| {
            refusal(id(child), id(parent), &parents(pairs)).map(|error| error.remedy)
        };
        assert_eq!(refused(1, 2, &[]), None);
        assert_eq!(refused(1, 3, &[(1, 2)]), None, "another in its place");
        assert!(refused(1, 1, &[]).is_some_and(|r| r.contains("itself")));
        for pairs in [&[(2, 1)][..], &[(2, 3), (3, 1)], &[(1, 9), (2, 3), (3, 4), (4, 1)]] {
            assert!(refused(1, 2, pairs).is_some_and(|r| r.contains("already")), "{pairs:?}");
        }
        // 1 to 5 in a row, 6 to 10 in another: five above 5 are too many for 1, four are not.
        let rows = [(1, 2), (2, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (9, 10)];
        assert!(refused(5, 6, &rows).is_some_and(|r| r.contains("At most 8")));
        assert_eq!(refused(5, 7, &rows), None);
        assert_eq!(refused(4, 6, &rows), None);
        // A ring that is there all the same does not hang, and is no parent.
        assert!(refused(1, 2, &[(2, 3), (3, 2)]).is_some());
    }
}
