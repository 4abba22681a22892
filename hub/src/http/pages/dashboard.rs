//! The dashboard: is everything fine, and if not, what is not.

use std::collections::BTreeSet;

use askama::Template;

use super::landing::LandingPage;
use super::spark::{Spark, spark};
use super::words::{self, Instant, Mark, Share, share, took};
use super::{Frame, Viewer, etag, maintenance_words::minute, page};
use crate::clock;
use crate::config::SignUps;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::verdict::first_sentence;
use crate::model::{BoardRow, Outcome, RegionState, Tag, WebsiteId, WebsiteKind, cause};

/// Websites on one page of the list: of more, an answer would be larger than one may be (2 MiB), and no pleasure.
const AT_ONCE: usize = 200;
/// Tags offered above the list.
const TAGS_SHOWN: usize = 50;

/// The page.
#[derive(Template, Debug)]
#[template(path = "board.html", whitespace = "minimize")]
pub struct BoardPage {
    frame: Frame,
    fragment: String,
    etag: String,
    /// Where the part that renews itself is.
    source: String,
}

impl BoardPage {
    /// Around the part that renews itself.
    pub fn new(viewer: impl Into<Viewer>, rows: &[BoardRow]) -> Result<Self, askama::Error> {
        Self::of(viewer, rows, &Part::default())
    }

    /// The same, of the websites with a tag, and of many the part on this page.
    pub fn of(viewer: impl Into<Viewer>, rows: &[BoardRow], part: &Part) -> Result<Self, askama::Error> {
        let viewer = viewer.into();
        let board = Board::of(rows, part).with_open(viewer.open).told(viewer.is_told);
        let source = part.path("/websites/fragment", part.page);
        let title = if rows.is_empty() { "Dashboard".to_owned() } else { board.summary.clone() };
        let fragment = board.render()?;
        Ok(Self { frame: Frame::wide(title, viewer).at("/"), etag: etag(&fragment), fragment, source })
    }
}

/// Which websites of the account are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Those with this tag.
    pub tag: Option<Tag>,
    /// Of those, from 0 on: the one in so many pages; one that there is not is the last.
    pub page: usize,
}

impl Part {
    /// What is asked for; what is no tag and what is no number limits nothing.
    fn asked(request: &Request) -> Self {
        let tag = request.query("tag").and_then(|tag| tag.parse().ok());
        let page = request.query("page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1);
        Self { tag, page: page.saturating_sub(1) }
    }

    /// Where a page of it is.
    fn path(&self, path: &str, page: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(tag) = &self.tag {
            query.append_pair("tag", tag.as_str());
        }
        if page > 0 {
            query.append_pair("page", &(page + 1).to_string());
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// The part that renews itself.
#[derive(Template, Debug)]
#[template(path = "board_fragment.html", whitespace = "minimize")]
pub struct Board {
    summary: String,
    worst: Mark,
    /// Incidents that go on, in words; empty for none.
    open: String,
    rows: Vec<Line>,
    show_regions: bool,
    tags: Vec<TagLink>,
    is_limited: bool,
    /// There is a channel that is on.
    is_told: bool,
    /// Where in the list this is; empty where it is all of it.
    place: String,
    before: Option<String>,
    next: Option<String>,
}

/// A way to the websites with a tag.
#[derive(Debug)]
struct TagLink {
    words: String,
    query: String,
    is_here: bool,
}

#[derive(Debug)]
struct Line {
    website_id: WebsiteId,
    name: String,
    mark: Mark,
    why: String,
    maintenance: Option<Instant>,
    answer: String,
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
    /// Sorted so that trouble comes first.
    #[must_use]
    pub fn new(rows: &[BoardRow]) -> Self {
        Self::of(rows, &Part::default())
    }

    /// The same, of the websites with a tag, and of many the part on this page.
    #[must_use]
    pub fn of(rows: &[BoardRow], part: &Part) -> Self {
        let tag = part.tag.as_ref();
        let is_shown = |row: &&BoardRow| tag.is_none_or(|tag| row.ties.tags.contains(tag));
        let mut lines: Vec<Line> = rows.iter().filter(is_shown).map(Line::new).collect();
        let tags: BTreeSet<&Tag> = rows.iter().flat_map(|row| &row.ties.tags).chain(tag).collect();
        let link = |known: &&Tag| TagLink {
            words: known.to_string(),
            query: query(known.as_str()),
            is_here: Some(*known) == tag,
        };
        let tags = tags.iter().take(TAGS_SHOWN).map(link).collect();
        lines.sort_by(|a, b| (a.mark, &a.name).cmp(&(b.mark, &b.name)));
        let marks: Vec<Mark> = lines.iter().map(|l| l.mark).collect();
        // With one region the dots would repeat the state.
        let show_regions = lines.iter().any(|l| l.dots.len() > 1);
        let summary =
            if tag.is_some() && marks.is_empty() { "No website has this tag".to_owned() } else { summary(&marks) };
        let count = lines.len();
        let page = part.page.min(count.saturating_sub(1) / AT_ONCE);
        let (first, end) = (page * AT_ONCE, count.min((page + 1) * AT_ONCE));
        let is_whole = end - first == count;
        Self {
            summary,
            worst: marks.first().copied().unwrap_or(Mark::Up),
            open: String::new(),
            rows: lines.drain(first..end).collect(),
            place: if is_whole { String::new() } else { format!("{} to {end} of {count}", first + 1) },
            before: (page > 0).then(|| part.path("/", page - 1)),
            next: (end < count).then(|| part.path("/", page + 1)),
            show_regions,
            tags,
            is_limited: tag.is_some(),
            is_told: true,
        }
    }

    /// Whether there is somebody to be told.
    #[must_use]
    pub fn told(self, is_told: bool) -> Self {
        Self { is_told, ..self }
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
}

impl Line {
    fn new(row: &BoardRow) -> Self {
        let mark = Mark::of(row);
        let is_job = row.website.kind == WebsiteKind::Job;
        let dots = row.regions.iter().map(|r| Dot::new(r, mark == Mark::Paused)).collect();
        Self {
            website_id: row.website.website_id,
            name: words::name(&row.website.settings.url),
            mark,
            why: match mark {
                _ if row.website.is_unreadable => words::UNREADABLE.to_owned(),
                Mark::Down | Mark::Degraded | Mark::Unknown => first_sentence(&row.state.reason).to_owned(),
                Mark::Pending if is_job => "Waits for its first ping".to_owned(),
                Mark::Pending => "The first check is on its way".to_owned(),
                Mark::Up | Mark::Paused => String::new(),
            },
            maintenance: row.maintenance_until.map(minute),
            answer: if is_job { "–".to_owned() } else { answer(&row.regions) },
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

fn query(tag: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("tag", tag).finish()
}

/// The newest answer's duration; a failure has none.
fn answer(regions: &[RegionState]) -> String {
    let newest = regions.iter().max_by_key(|r| (r.slot_at, r.attempt));
    let answered = newest.filter(|r| matches!(r.outcome, Outcome::Up | Outcome::Degraded));
    answered.map_or_else(|| "–".to_owned(), |r| took(r.total_us))
}

/// Answers "is everything fine?".
fn summary(marks: &[Mark]) -> String {
    let count = |mark: Mark| marks.iter().filter(|m| **m == mark).count();
    let watched = marks.len() - count(Mark::Paused);
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

/// `GET /`: the dashboard, or for a visitor the way in.
///
/// # Errors
/// The database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    match login::signed_in(app, request) {
        Ok(who) => {
            let rows = app.wait(app.store.board(who.account.account_id, clock::now())).map_err(login::store)?;
            let is_told = app.wait(app.store.has_channel_on(who.account.account_id)).map_err(login::store)?;
            let viewer = Viewer::of(app, &who.account).told(is_told);
            let board = BoardPage::of(viewer, &rows, &Part::asked(request)).map_err(anyhow::Error::from)?;
            page(200, &board)
        }
        Err(HttpError::SignInFirst) => match (app.settings.sign_ups, login::may_sign_up(app)?) {
            // A hub that nobody owns yet has one thing to show.
            (SignUps::First, true) => Ok(Response::see_other("/signup")),
            (SignUps::First | SignUps::Open | SignUps::Closed, open) => page(200, &LandingPage::new(open)),
        },
        Err(error) => Err(error),
    }
}

/// `GET /websites/fragment`: the board alone, for the page's script.
///
/// # Errors
/// Not signed in any more.
pub fn fragment(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let rows = app.wait(app.store.board(account.account_id, clock::now())).map_err(login::store)?;
    let open = app.wait(app.store.count_open_incidents(account.account_id)).map_err(login::store)?;
    let is_told = app.wait(app.store.has_channel_on(account.account_id)).map_err(login::store)?;
    super::fragment(request, &Board::of(&rows, &Part::asked(request)).with_open(open).told(is_told))
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
            assert_eq!(summary(&marks), said);
        }
    }
}
