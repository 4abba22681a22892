//! The dashboard: is everything fine, and if not, what is not.

use askama::Template;

use super::landing::LandingPage;
use super::spark::{Spark, spark};
use super::words::{self, Instant, Mark, Share, share, took};
use super::{Frame, Viewer, etag, maintenance_words::minute, page};
use crate::clock;
use crate::config::SignUps;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::verdict::first_sentence;
use crate::model::{
    AccountId, BoardPart, BoardPlace, BoardRow, Outcome, RegionState, STANDINGS, Tag, WebsiteId, WebsiteKind, cause,
};
use crate::store::wall;

/// Websites on one page of the list: of more, an answer would be larger than one may be (2 MiB), and no pleasure.
const AT_ONCE: i64 = 200;
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
    /// Around the part that renews itself, of all these websites, in whatever order they come.
    pub fn new(viewer: impl Into<Viewer>, rows: &[BoardRow]) -> Result<Self, askama::Error> {
        Self::of(viewer, &whole(rows), &Asked::default())
    }

    /// Of those that were asked for.
    pub fn of(viewer: impl Into<Viewer>, part: &BoardPart, asked: &Asked) -> Result<Self, askama::Error> {
        let viewer = viewer.into();
        let board = Board::of(part, asked).with_open(viewer.open).told(viewer.is_told);
        let title = if part.rows.is_empty() { "Dashboard".to_owned() } else { board.summary.clone() };
        let (fragment, source) = (board.render()?, asked.path("/websites/fragment", asked.place));
        Ok(Self { frame: Frame::wide(title, viewer).at("/"), etag: etag(&fragment), fragment, source })
    }
}

/// Which websites of the account are to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// Those with this tag.
    pub tag: Option<Tag>,
    /// Of those, one page from here on.
    pub place: BoardPlace,
}

impl Asked {
    /// What is no tag and what is no place limits nothing.
    fn of(request: &Request) -> Self {
        let tag = request.query("tag").and_then(|tag| tag.parse().ok());
        let place = |name| request.query(name).and_then(|place| place.parse().ok());
        let after = place("after").map(BoardPlace::After);
        Self { tag, place: after.or_else(|| place("before").map(BoardPlace::Before)).unwrap_or_default() }
    }

    /// Where a page of it is.
    fn path(&self, path: &str, place: BoardPlace) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(tag) = &self.tag {
            query.append_pair("tag", tag.as_str());
        }
        match place {
            BoardPlace::First => {}
            BoardPlace::After(cursor) => _ = query.append_pair("after", &cursor.to_string()),
            BoardPlace::Before(cursor) => _ = query.append_pair("before", &cursor.to_string()),
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
    /// Of all these websites, in whatever order they come.
    #[must_use]
    pub fn new(rows: &[BoardRow]) -> Self {
        Self::of(&whole(rows), &Asked::default())
    }

    /// Of those that were asked for.
    #[must_use]
    pub fn of(part: &BoardPart, asked: &Asked) -> Self {
        let tag = asked.tag.as_ref();
        // What is asked for is offered, also where it is no more.
        let mut tags: Vec<&Tag> = part.tags.iter().chain(tag).collect();
        tags.sort();
        tags.dedup();
        let link = |known: &Tag| TagLink {
            words: known.to_string(),
            query: query(known.as_str()),
            is_here: Some(known) == tag,
        };
        let tags = tags.into_iter().map(link).collect();
        let rows: Vec<Line> = part.rows.iter().map(|(_, row)| Line::new(row)).collect();
        // With one region the dots would repeat the state.
        let show_regions = rows.iter().any(|l| l.dots.len() > 1);
        let count = part.count();
        let summary =
            if tag.is_some() && count == 0 { "No website has this tag".to_owned() } else { summary(&part.counts) };
        let worst = Mark::ALL.into_iter().zip(part.counts).find(|(_, count)| *count > 0);
        let shown = rows.len();
        let place = format!("{} to {} of {count}", part.passed + 1, part.passed + i64::try_from(shown).unwrap_or(0));
        Self {
            summary,
            worst: worst.map_or(Mark::Up, |(mark, _)| mark),
            open: String::new(),
            place: if i64::try_from(shown) == Ok(count) { String::new() } else { place },
            before: part.before().map(|first| asked.path("/", BoardPlace::Before(first))),
            next: part.next().map(|last| asked.path("/", BoardPlace::After(last))),
            rows,
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

/// All of them on one page.
fn whole(rows: &[BoardRow]) -> BoardPart {
    let mut part = BoardPart::default();
    let mut rows: Vec<(Mark, String, &BoardRow)> =
        rows.iter().map(|row| (Mark::of(row), words::name(&row.website.settings.url), row)).collect();
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (mark, _, row) in rows {
        if let Some(count) = part.counts.get_mut(mark as usize) {
            *count += 1;
        }
        part.tags.extend(row.ties.tags.iter().cloned());
        part.rows.push((mark as u8, row.clone()));
    }
    part
}

/// Answers "is everything fine?".
fn summary(counts: &[i64; STANDINGS]) -> String {
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

fn read(app: &App, account: AccountId, asked: &Asked) -> Result<BoardPart, HttpError> {
    let part = app.store.board_part(account, asked.tag.as_ref(), asked.place, AT_ONCE, TAGS_SHOWN, clock::now());
    app.wait(part).map_err(login::store)
}

/// `GET /`: the dashboard, or for a visitor the way in.
///
/// # Errors
/// The database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    match login::signed_in(app, request) {
        // Whoever comes without a session is answered, too, so that nobody has put up the wall yet.
        Ok(who) => wall::behind(who.account.account_id, || board(app, request, &who)),
        Err(HttpError::SignInFirst) => match (app.settings.sign_ups, login::may_sign_up(app)?) {
            // A hub that nobody owns yet has one thing to show.
            (SignUps::First, true) => Ok(Response::see_other("/signup")),
            (SignUps::First | SignUps::Open | SignUps::Closed, open) => page(200, &LandingPage::new(open)),
        },
        Err(error) => Err(error),
    }
}

fn board(app: &App, request: &Request, who: &Caller) -> Result<Response, HttpError> {
    let asked = Asked::of(request);
    let part = read(app, who.account.account_id, &asked)?;
    let is_told = app.wait(app.store.has_channel_on(who.account.account_id)).map_err(login::store)?;
    let viewer = Viewer::of(app, who).told(is_told);
    page(200, &BoardPage::of(viewer, &part, &asked).map_err(anyhow::Error::from)?)
}

/// `GET /websites/fragment`: the board alone, for the page's script.
///
/// # Errors
/// Not signed in any more.
pub fn fragment(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let asked = Asked::of(request);
    let part = read(app, who.account.account_id, &asked)?;
    let open = app.wait(app.store.count_open_incidents(who.account.account_id)).map_err(login::store)?;
    let is_told = app.wait(app.store.has_channel_on(who.account.account_id)).map_err(login::store)?;
    super::fragment(&Board::of(&part, &asked).with_open(open).told(is_told))
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
}
