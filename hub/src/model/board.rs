//! The orders of the dashboard, by default those in trouble first, then by name; places in them, and what is asked for.

use std::fmt;
use std::str::FromStr;

use super::{BoardRow, Tag, WebsiteId};

/// How many states there are to stand in; the worst first, as `http::pages::Mark` has them.
pub const STANDINGS: usize = 6;

/// A place in the order: where a website stands, or stood when it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardCursor {
    /// By state which it was in, the worst is 0; by slowness how far it was from the slowest there can be, in microseconds; else 0.
    pub rank: i64,
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
        let rank: u32 = rank.parse().map_err(|_| ())?;
        Ok(Self { rank: rank.into(), id: id.parse().map_err(|_| ())? })
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

/// What a dashboard is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoardOrder {
    /// Those in trouble first.
    #[default]
    State,
    /// By name alone.
    Name,
    /// Those whose newest answers took longest first, whatever their region; then those that have none.
    Slowest,
    /// By their first tag, then by state; those without a tag come last.
    Tag,
}

impl BoardOrder {
    /// All, as they are offered.
    pub const ALL: [Self; 4] = [Self::State, Self::Name, Self::Slowest, Self::Tag];

    /// As it stands in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Slowest => "slowest",
            Self::Tag => "tag",
        }
    }
}

impl FromStr for BoardOrder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|order| order.as_str() == text).ok_or(())
    }
}

/// Which of an account's websites are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoardFilter {
    /// Those with this tag.
    pub tag: Option<Tag>,
    /// Those with this in their address or name; in lower case.
    pub text: Option<String>,
    /// Those in this state, by its rank; how many there are in each is counted of all the others, too.
    pub state: Option<u8>,
    /// In this order.
    pub order: BoardOrder,
}

/// Some of an account's websites in that order, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoardPart {
    /// In order, with where each stands.
    pub rows: Vec<(i64, BoardRow)>,
    /// How many there are in each state, of those that were asked for, whatever the state that was.
    pub counts: [i64; STANDINGS],
    /// The state that was asked for.
    pub state: Option<u8>,
    /// How many stand before the first of the rows.
    pub passed: i64,
    /// Tags of the account's websites, sorted, as many as are offered.
    pub tags: Vec<Tag>,
}

impl BoardPart {
    /// How many there are of those that were asked for.
    #[must_use]
    pub fn count(&self) -> i64 {
        match self.state {
            Some(rank) => self.counts.get(usize::from(rank)).copied().unwrap_or(0),
            None => self.counts.iter().sum(),
        }
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

fn cursor((rank, row): &(i64, BoardRow)) -> BoardCursor {
    BoardCursor { rank: *rank, id: row.website.website_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_and_read_back() {
        let place = BoardCursor { rank: 4, id: WebsiteId(uuid::Uuid::from_u128(7)) };
        assert_eq!(place.to_string().parse(), Ok(place));
        for odd in ["", "4", "4_", "_1", "4294967296_00000000000000000000000000000007", "-1_7", "4_x"] {
            assert_eq!(odd.parse::<BoardCursor>(), Err(()), "{odd}");
        }
    }
}
