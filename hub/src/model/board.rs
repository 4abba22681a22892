//! The order of the dashboard: those in trouble first, then by name; and places in it.

use std::fmt;
use std::str::FromStr;

use super::{BoardRow, Tag, WebsiteId};

/// How many states there are to stand in; the worst first, as `http::pages::Mark` has them.
pub const STANDINGS: usize = 6;

/// A place in the order: where a website stands, or stood when it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardCursor {
    /// Which state it was in, the worst is 0.
    pub rank: u8,
    /// Which website. Its name is looked up: it may be long, and hold what is nobody's business in an address.
    pub id: WebsiteId,
}

impl fmt::Display for BoardCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.rank, self.id.0.simple())
    }
}

impl FromStr for BoardCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rank, id) = text.split_once('_').ok_or(())?;
        let rank = rank.parse().ok().filter(|rank| usize::from(*rank) < STANDINGS).ok_or(())?;
        Ok(Self { rank, id: id.parse().map_err(|_| ())? })
    }
}

/// Which part of the order is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoardPlace {
    /// Its begin.
    #[default]
    First,
    /// What follows.
    After(BoardCursor),
    /// What comes before.
    Before(BoardCursor),
}

/// Some of an account's websites in that order, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoardPart {
    /// In order, with where each stands.
    pub rows: Vec<(u8, BoardRow)>,
    /// How many there are in each state, of those that were asked for.
    pub counts: [i64; STANDINGS],
    /// How many stand before the first of the rows.
    pub passed: i64,
    /// Tags of the account's websites, sorted, as many as are offered.
    pub tags: Vec<Tag>,
}

impl BoardPart {
    /// How many there are of those that were asked for.
    #[must_use]
    pub fn count(&self) -> i64 {
        self.counts.iter().sum()
    }

    /// Where what comes before ends.
    #[must_use]
    pub fn before(&self) -> Option<BoardCursor> {
        self.rows.first().filter(|_| self.passed > 0).map(cursor)
    }

    /// Where the next ones begin.
    #[must_use]
    pub fn next(&self) -> Option<BoardCursor> {
        let seen = self.passed.saturating_add(i64::try_from(self.rows.len()).unwrap_or(i64::MAX));
        self.rows.last().filter(|_| seen < self.count()).map(cursor)
    }
}

fn cursor((rank, row): &(u8, BoardRow)) -> BoardCursor {
    BoardCursor { rank: *rank, id: row.website.website_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_and_read_back() {
        let place = BoardCursor { rank: 4, id: WebsiteId(uuid::Uuid::from_u128(7)) };
        assert_eq!(place.to_string().parse(), Ok(place));
        for odd in ["", "4", "4_", "_1", "6_00000000000000000000000000000007", "-1_7", "4_x"] {
            assert_eq!(odd.parse::<BoardCursor>(), Err(()), "{odd}");
        }
    }
}
