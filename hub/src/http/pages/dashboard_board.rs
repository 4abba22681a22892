//! The part of the dashboard that renews itself.

use askama::Template;

use super::dashboard::{Asked, Mode, whole};
use super::short_name::ShortName;
use super::spark::{Spark, spark};
use super::words::{self, Instant, Mark, Share, share, took};
use super::{dashboard_words as say, maintenance_words::minute};
use crate::model::verdict::first_sentence;
use crate::model::{
    BoardOrder, BoardPart, BoardPlace, BoardRow, Outcome, RegionState, Tag, WebsiteId, WebsiteKind, cause,
};

/// Of fewer one finds any without a search.
const FOUND_BY_EYE: i64 = 8;

/// As a list.
#[derive(Template, Debug)]
#[template(path = "board_fragment.html", whitespace = "minimize")]
pub struct Board {
    summary: String,
    worst: Mark,
    /// Incidents that go on, in words; empty for none.
    open: String,
    finder: Option<Finder>,
    /// States there are, with how many are in each.
    states: Vec<StateLink>,
    /// By tag, or all in one without a name.
    groups: Vec<Group>,
    /// Why there is nothing to show.
    nothing: String,
    is_empty: bool,
    show_regions: bool,
    tags: Vec<TagLink>,
    is_limited: bool,
    /// Some can be marked.
    may_choose: bool,
    /// Who looks may add one.
    may_add: bool,
    /// There is a channel that is on.
    is_told: bool,
    /// Where in the list this is; empty where it is all of it.
    place: String,
    before: Option<String>,
    next: Option<String>,
    /// Without what limits it.
    all: String,
}

/// On a wall.
#[derive(Template, Debug)]
#[template(path = "wall_fragment.html", whitespace = "minimize")]
pub(super) struct Wall {
    board: Board,
}

/// The form between what is and the list.
#[derive(Debug)]
struct Finder {
    text: String,
    /// What is kept of the address: names and values.
    kept: Vec<(&'static str, String)>,
    orders: Vec<(BoardOrder, &'static str, bool)>,
}

/// A way to those in a state.
#[derive(Debug)]
struct StateLink {
    mark: Mark,
    count: i64,
    path: String,
    is_here: bool,
}

/// A way to the websites with a tag.
#[derive(Debug)]
struct TagLink {
    words: String,
    path: String,
    is_here: bool,
}

/// Websites under a heading.
#[derive(Debug)]
struct Group {
    name: String,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    website_id: WebsiteId,
    name: ShortName,
    mark: Mark,
    why: String,
    maintenance: Option<Instant>,
    /// How long the newest answer took; a failure and a job have none.
    answer: Option<String>,
    /// When a job last reported.
    pinged: Option<Instant>,
    spark: Option<Spark>,
    uptime: Share,
    dots: Vec<Dot>,
}

#[derive(Debug)]
struct Dot {
    mark: Mark,
    text: String,
}

impl Board {
    /// Of all these websites, in whatever order they come.
    #[must_use]
    pub fn new(rows: &[BoardRow]) -> Self {
        Self::of(&whole(rows), &Asked::default())
    }

    /// Of those that were asked for.
    #[must_use]
    pub fn of(part: &BoardPart, asked: &Asked) -> Self {
        let tag = asked.filter.tag.as_ref();
        // What is asked for is offered, also where it is no more.
        let mut tags: Vec<&Tag> = part.tags.iter().chain(tag).collect();
        tags.sort();
        tags.dedup();
        let link = |known: &Tag| TagLink {
            words: known.to_string(),
            path: asked.with(|filter| filter.tag = Some(known.clone())).path("/"),
            is_here: Some(known) == tag,
        };
        let tags = tags.into_iter().map(link).collect();
        let lines: Vec<(&BoardRow, Line)> = part.rows.iter().map(|(_, row)| (row, Line::new(row))).collect();
        // With one region the dots would repeat the state.
        let show_regions = lines.iter().any(|(_, line)| line.dots.len() > 1);
        let (count, shown) = (part.count(), i64::try_from(lines.len()).unwrap_or(0));
        let known = Mark::ALL.into_iter().zip(part.counts);
        let worst = known.clone().find(|(_, count)| *count > 0);
        let place = format!("{} to {} of {count}", part.passed + 1, part.passed + shown);
        let state = |(mark, count): (Mark, i64)| {
            let is_here = asked.mark() == Some(mark);
            let to = if is_here { None } else { Some(mark as u8) };
            (count > 0 || is_here).then(|| StateLink {
                mark,
                count,
                is_here,
                path: asked.with(|filter| filter.state = to).path("/"),
            })
        };
        let (has_text, has_tag) = (asked.filter.text.is_some(), tag.is_some());
        let nothing = if count == 0 { say::nothing(has_text, has_tag, asked.mark()) } else { String::new() };
        let is_nowhere = part.counts.iter().sum::<i64>() == 0;
        Self {
            summary: if is_nowhere && asked.is_limited() { nothing.clone() } else { say::summary(&part.counts) },
            nothing: if is_nowhere { String::new() } else { nothing },
            worst: worst.map_or(Mark::Up, |(mark, _)| mark),
            open: String::new(),
            finder: (part.counts.iter().sum::<i64>() > FOUND_BY_EYE || asked.is_limited()).then(|| Finder::new(asked)),
            states: known.filter_map(state).collect(),
            place: if shown == count { String::new() } else { place },
            before: part.before().map(|first| asked.at(BoardPlace::Before(first)).path("/")),
            next: part.next().map(|last| asked.at(BoardPlace::After(last)).path("/")),
            is_empty: lines.is_empty(),
            groups: groups(lines, asked.filter.order),
            show_regions,
            tags,
            is_limited: asked.is_limited(),
            may_choose: asked.mode == Mode::Choose,
            may_add: false,
            is_told: true,
            all: asked.with(|filter| (filter.tag, filter.text, filter.state) = (None, None, None)).path("/"),
        }
    }

    /// Whether there is somebody to be told.
    #[must_use]
    pub fn told(self, is_told: bool) -> Self {
        Self { is_told, ..self }
    }

    /// For somebody who may add a website, or may not.
    #[must_use]
    pub fn may_add(self, may_add: bool) -> Self {
        Self { may_add, ..self }
    }

    /// With so many incidents that go on.
    #[must_use]
    pub fn with_open(self, open: i64) -> Self {
        let open = match open {
            ..=0 => String::new(),
            1 => "1 incident is open".to_owned(),
            n => format!("{} incidents are open", words::counted(n)),
        };
        Self { open, ..self }
    }

    /// As it is said in the title.
    pub(super) fn title(&self) -> String {
        if self.is_empty { "Dashboard".to_owned() } else { self.summary.clone() }
    }

    /// As it is shown.
    pub(super) fn shown(self, mode: Mode) -> Result<String, askama::Error> {
        match mode {
            Mode::List | Mode::Choose => self.render(),
            Mode::Wall => Wall { board: self }.render(),
        }
    }
}

impl Wall {
    /// What is not well, or was said to be left alone.
    fn troubled(&self) -> impl Iterator<Item = &Line> {
        self.lines().filter(|line| !matches!(line.mark, Mark::Up | Mark::Paused))
    }

    fn well(&self) -> impl Iterator<Item = &Line> {
        self.lines().filter(|line| line.mark == Mark::Up)
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.board.groups.iter().flat_map(|group| &group.lines)
    }
}

impl Finder {
    fn new(asked: &Asked) -> Self {
        let filter = &asked.filter;
        let mut kept = Vec::new();
        kept.extend(filter.tag.as_ref().map(|tag| ("tag", tag.to_string())));
        kept.extend(asked.mark().map(|mark| ("state", mark.class().to_owned())));
        kept.extend((asked.mode == Mode::Choose).then(|| ("choose", "1".to_owned())));
        Self {
            text: filter.text.clone().unwrap_or_default(),
            kept,
            orders: BoardOrder::ALL.map(|order| (order, say::order(order), order == filter.order)).into(),
        }
    }
}

/// Under the first tag of each, where they are sorted so.
fn groups(lines: Vec<(&BoardRow, Line)>, order: BoardOrder) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (row, line) in lines {
        let name = match order {
            BoardOrder::State | BoardOrder::Name | BoardOrder::Slowest => String::new(),
            BoardOrder::Tag => row.ties.tags.first().map_or_else(|| say::NO_TAG.to_owned(), ToString::to_string),
        };
        match groups.last_mut() {
            Some(group) if group.name == name => group.lines.push(line),
            Some(_) | None => groups.push(Group { name, lines: vec![line] }),
        }
    }
    groups
}

impl Line {
    fn new(row: &BoardRow) -> Self {
        let mark = Mark::of(row);
        let is_job = row.website.kind == WebsiteKind::Job;
        let dots = row.regions.iter().map(|r| Dot::new(r, mark == Mark::Paused)).collect();
        Self {
            website_id: row.website.website_id,
            name: ShortName(words::name(&row.website.settings.url)),
            mark,
            why: match mark {
                _ if row.website.is_unreadable => words::UNREADABLE.to_owned(),
                Mark::Down | Mark::Degraded | Mark::Unknown => first_sentence(&row.state.reason).to_owned(),
                Mark::Pending if is_job => "Waits for its first ping".to_owned(),
                Mark::Pending => "The first check is on its way".to_owned(),
                Mark::Up | Mark::Paused => String::new(),
            },
            maintenance: row.maintenance_until.map(minute),
            answer: if is_job { None } else { answer(&row.regions) },
            pinged: row.pinged_at.map(minute),
            spark: spark(&row.regions),
            uptime: share(&row.uptime_24h),
            dots,
        }
    }
}

impl Dot {
    fn new(region: &RegionState, paused: bool) -> Self {
        let mark = if paused { Mark::Paused } else { Mark::from(region.outcome) };
        let text = match &region.failure {
            Some(failure) => format!("{}: {}. {}", region.region_id, mark.word(), cause::sentence(failure)),
            None => format!("{}: {}, {}", region.region_id, mark.word(), took(region.total_us)),
        };
        Self { mark, text }
    }
}

/// The newest answer's duration; a failure has none.
fn answer(regions: &[RegionState]) -> Option<String> {
    let newest = regions.iter().max_by_key(|r| (r.slot_at, r.attempt));
    let answered = newest.filter(|r| matches!(r.outcome, Outcome::Up | Outcome::Degraded));
    answered.map(|r| took(r.total_us))
}
