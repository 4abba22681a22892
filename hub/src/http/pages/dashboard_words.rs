//! How the dashboard says things.

use super::words::Mark;
use crate::model::{BoardOrder, STANDINGS};

/// Answers "is everything fine?".
pub(super) fn summary(counts: &[i64; STANDINGS]) -> String {
    let count = |mark: Mark| counts.get(mark as usize).copied().unwrap_or(0);
    let watched = counts.iter().sum::<i64>() - count(Mark::Paused);
    let mut said = Vec::new();
    for mark in [Mark::Down, Mark::Degraded, Mark::Unknown, Mark::Pending] {
        let n = count(mark);
        let verb = if n == 1 { "is" } else { "are" };
        match n {
            0 => {}
            _ if said.is_empty() && watched == 1 => said.push(format!("The website {verb} {}", mark.class())),
            n if said.is_empty() => said.push(format!("{n} of {watched} {verb} {}", mark.class())),
            n => said.push(format!("{n} {verb} {}", mark.class())),
        }
    }
    if said.is_empty() {
        said.push(match watched {
            0 => "Nothing is being checked".to_owned(),
            1 => "The website is up".to_owned(),
            2 => "Both websites are up".to_owned(),
            n => format!("All {n} websites are up"),
        });
    }
    match count(Mark::Paused) {
        0 => {}
        1 => said.push("1 is paused".to_owned()),
        n => said.push(format!("{n} are paused")),
    }
    said.join(", ")
}

/// Why there is nothing where something was asked for.
pub(super) fn nothing(has_text: bool, has_tag: bool, state: Option<Mark>) -> String {
    match (has_text, has_tag, state) {
        (true, ..) => "No website fits the search".to_owned(),
        (false, true, None) => "No website has this tag".to_owned(),
        (false, _, Some(mark)) => format!("No website is {}", mark.class()),
        (false, false, None) => String::new(),
    }
}

/// What it may be sorted by.
pub(super) fn order(order: BoardOrder) -> &'static str {
    match order {
        BoardOrder::State => "trouble first",
        BoardOrder::Name => "name",
        BoardOrder::Slowest => "slowest first",
        BoardOrder::Tag => "tag",
    }
}

/// The heading of those without a tag.
pub(super) const NO_TAG: &str = "without a tag";

/// What can be done to many websites, as it stands in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Pause,
    Resume,
    Tag,
    Untag,
    Delete,
}

impl Deed {
    const ALL: [Self; 5] = [Self::Pause, Self::Resume, Self::Tag, Self::Untag, Self::Delete];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Delete => "delete",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == name)
    }

    /// What was done to them.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Tag => "tagged",
            Self::Untag => "rid of the tag",
            Self::Delete => "deleted",
        }
    }
}

/// What came of it: `<deed>-<how many>` of an address, or `none`. Nothing but numbers of ours is said.
pub(super) fn said(said: &str) -> Option<String> {
    if said == "none" {
        return Some("Nothing was changed: mark the websites it is about first.".to_owned());
    }
    if said == "tag" {
        return Some("That is no tag: one to 32 characters, no comma.".to_owned());
    }
    let (deed, count) = said.split_once('-')?;
    let (deed, count): (Deed, u16) = (Deed::of(deed)?, count.parse().ok()?);
    let done = deed.done();
    Some(match count {
        0 => format!("None had to be {done}: they were so already."),
        1 => format!("1 website was {done}."),
        n => format!("{n} websites were {done}."),
    })
}

/// The question before many are deleted.
pub(super) fn delete(count: usize) -> String {
    if count == 1 { "Delete this website?".to_owned() } else { format!("Delete these {count} websites?") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_answers_whether_all_is_fine() {
        use Mark::{Degraded, Down, Paused, Pending, Unknown, Up};
        for (marks, said) in [
            (vec![Up; 5], "All 5 websites are up"),
            (vec![Up, Up], "Both websites are up"),
            (vec![Up], "The website is up"),
            (vec![Down, Up, Up, Up, Up], "1 of 5 is down"),
            (vec![Down, Down, Degraded, Up], "2 of 4 are down, 1 is degraded"),
            (vec![Unknown, Pending, Up, Paused], "1 of 3 is unknown, 1 is pending, 1 is paused"),
            (vec![Pending], "The website is pending"),
            (vec![Up, Up, Up, Paused], "All 3 websites are up, 1 is paused"),
            (vec![Paused, Paused], "Nothing is being checked, 2 are paused"),
        ] {
            let counts = Mark::ALL.map(|mark| marks.iter().filter(|m| **m == mark).count() as i64);
            assert_eq!(summary(&counts), said);
        }
    }

    #[test]
    fn what_was_done_is_told_in_our_words_alone() {
        assert_eq!(said("pause-12").as_deref(), Some("12 websites were paused."));
        assert_eq!(said("untag-1").as_deref(), Some("1 website was rid of the tag."));
        for odd in ["", "pause", "pause-", "pause-x", "give-3", "pause--1", "<b>-1"] {
            assert_eq!(said(odd), None, "{odd}");
        }
    }
}
