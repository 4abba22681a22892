//! What of the dashboard an address asks for, and the addresses of its other parts.

use super::words::Mark;
use crate::http::Request;
use crate::model::{BoardFilter, BoardOrder, BoardPlace, Tag};

/// Characters of a search that are looked at.
const LONGEST_SEARCH: usize = 200;

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As a list.
    #[default]
    List,
    /// As a list of which some can be marked, to do the same to all of them. It stands still.
    Choose,
    /// On a wall: large, and nothing but what is.
    Wall,
}

/// Which websites of the account are to be shown, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Those that fit.
    pub filter: BoardFilter,
    /// Of those, one page from here on.
    pub place: BoardPlace,
    /// In this way.
    pub mode: Mode,
}

impl Asked {
    /// What is no tag, no state, no place and no order limits nothing.
    pub(super) fn of(request: &Request) -> Self {
        let place = |name| request.query(name).and_then(|place| place.parse().ok());
        let after = place("after").map(BoardPlace::After);
        let is = |name| request.query(name) == Some("1");
        let mode = match (is("tv"), is("choose")) {
            (true, _) => Mode::Wall,
            (false, true) => Mode::Choose,
            (false, false) => Mode::List,
        };
        Self {
            filter: BoardFilter {
                tag: request.query("tag").and_then(|tag| tag.parse().ok()),
                text: request.query("q").and_then(text),
                state: request.query("state").and_then(rank),
                order: request.query("sort").and_then(|sort| sort.parse().ok()).unwrap_or_default(),
            },
            place: after.or_else(|| place("before").map(BoardPlace::Before)).unwrap_or_default(),
            mode,
        }
    }

    /// The state that is asked for.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.filter.state.and_then(|rank| Mark::ALL.get(usize::from(rank)).copied())
    }

    /// Some of the account's websites are left out.
    pub(super) fn is_limited(&self) -> bool {
        let BoardFilter { tag, text, state, .. } = &self.filter;
        tag.is_some() || text.is_some() || state.is_some()
    }

    /// The same, from its begin, with another state, tag or order.
    pub(super) fn with(&self, change: impl FnOnce(&mut BoardFilter)) -> Self {
        let mut other = Self { place: BoardPlace::First, ..self.clone() };
        change(&mut other.filter);
        other
    }

    /// The same, from its begin, shown in another way.
    pub(super) fn shown(&self, mode: Mode) -> Self {
        Self { place: BoardPlace::First, mode, ..self.clone() }
    }

    /// Another part of the same.
    pub(super) fn at(&self, place: BoardPlace) -> Self {
        Self { place, ..self.clone() }
    }

    /// What stands behind the question mark of its address.
    pub(super) fn query(&self) -> String {
        let BoardFilter { tag, text, state: _, order } = &self.filter;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut add = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        };
        add("q", text.as_deref());
        add("tag", tag.as_ref().map(Tag::as_str));
        add("state", self.mark().map(Mark::class));
        add("sort", Some(order.as_str()).filter(|_| *order != BoardOrder::State));
        match self.mode {
            Mode::List => {}
            Mode::Choose => add("choose", Some("1")),
            Mode::Wall => add("tv", Some("1")),
        }
        match self.place {
            BoardPlace::First => {}
            BoardPlace::After(cursor) => add("after", Some(&cursor.to_string())),
            BoardPlace::Before(cursor) => add("before", Some(&cursor.to_string())),
        }
        query.finish()
    }

    /// Its address below a path.
    pub(super) fn path(&self, path: &str) -> String {
        match self.query() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

fn rank(word: &str) -> Option<u8> {
    Mark::ALL.into_iter().find(|mark| mark.class() == word).map(|mark| mark as u8)
}

/// A search as it is compared.
fn text(typed: &str) -> Option<String> {
    let text: String = typed.trim().chars().filter(|c| !c.is_control()).take(LONGEST_SEARCH).collect();
    Some(text.to_lowercase()).filter(|text| !text.is_empty())
}
