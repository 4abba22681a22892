//! The dashboard: is everything fine, and if not, what is not.

use askama::Template;

pub use super::dashboard_asked::{Asked, Mode};
pub use super::dashboard_board::Board;
use super::landing::LandingPage;
use super::words::{self, Mark};
use super::{Frame, Viewer, dashboard_words as say, etag, page};
use crate::clock;
use crate::config::SignUps;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, assets, route::Params};
use crate::model::scope::Subject;
use crate::model::{AccountId, BoardPart, BoardRow};
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
    /// Where the part that renews itself is; empty where it stands still.
    source: String,
    /// What came of the last button.
    said: Option<String>,
    /// What is asked for, where some can be marked.
    back: Option<String>,
    /// Other ways to show the same; empty where there is nothing.
    choose: String,
    list: String,
    wall: String,
}

/// The page for a wall.
#[derive(Template, Debug)]
#[template(path = "wall.html", whitespace = "minimize")]
struct WallPage {
    title: String,
    fragment: String,
    etag: String,
    source: String,
    list: String,
}

impl WallPage {
    fn style(&self) -> &str {
        assets::STYLE.url()
    }

    fn script(&self) -> &str {
        assets::SCRIPT.url()
    }

    fn icon(&self) -> &str {
        assets::ICON.url()
    }
}

impl BoardPage {
    /// Around the part that renews itself, of all these websites, in whatever order they come.
    pub fn new(viewer: impl Into<Viewer>, rows: &[BoardRow]) -> Result<Self, askama::Error> {
        Self::of(viewer, &whole(rows), &Asked::default())
    }

    /// Of those that were asked for.
    pub fn of(viewer: impl Into<Viewer>, part: &BoardPart, asked: &Asked) -> Result<Self, askama::Error> {
        let viewer = viewer.into();
        let (open, is_told, may_write) = (viewer.open, viewer.is_told, viewer.may_write);
        let board = Board::of(part, asked).with_open(open).told(is_told).may_add(may_write);
        let title = board.title();
        let count: i64 = part.counts.iter().sum();
        let is_shown = count > 0 || asked.is_limited();
        let to = |mode| asked.shown(mode).path("/");
        let is_choosing = asked.mode == Mode::Choose;
        let fragment = board.shown(asked.mode)?;
        Ok(Self {
            frame: Frame::wide(title, viewer).at("/"),
            etag: etag(&fragment),
            fragment,
            source: if is_choosing { String::new() } else { asked.path("/websites/fragment") },
            said: None,
            back: is_choosing.then(|| asked.query()),
            choose: if is_shown && may_write && !is_choosing { to(Mode::Choose) } else { String::new() },
            list: if is_choosing { to(Mode::List) } else { String::new() },
            wall: if is_shown { to(Mode::Wall) } else { String::new() },
        })
    }

    /// With a word on what was just done, by its name in the address.
    #[must_use]
    pub fn said(self, said: &str) -> Self {
        Self { said: say::said(said), ..self }
    }

    /// The same for a wall, written out.
    pub fn wall(part: &BoardPart, asked: &Asked, open: i64) -> Result<String, askama::Error> {
        let board = Board::of(part, asked).with_open(open);
        let title = board.title();
        let fragment = board.shown(Mode::Wall)?;
        let (source, list) = (asked.path("/websites/fragment"), asked.shown(Mode::List).path("/"));
        WallPage { title, etag: etag(&fragment), fragment, source, list }.render()
    }
}

/// All of them on one page.
pub(super) fn whole(rows: &[BoardRow]) -> BoardPart {
    let mut part = BoardPart::default();
    let mut rows: Vec<(Mark, String, &BoardRow)> =
        rows.iter().map(|row| (Mark::of(row), words::name(&row.website.settings.url), row)).collect();
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    for (mark, _, row) in rows {
        if let Some(count) = part.counts.get_mut(mark as usize) {
            *count += 1;
        }
        part.tags.extend(row.ties.tags.iter().cloned());
        part.rows.push((mark as i64, row.clone()));
    }
    part
}

fn read(app: &App, account: AccountId, asked: &Asked) -> Result<BoardPart, HttpError> {
    let part = app.store.board_part(account, &asked.filter, asked.place, AT_ONCE, TAGS_SHOWN, clock::now());
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
    let (account, asked) = (who.account.account_id, Asked::of(request));
    let part = read(app, account, &asked)?;
    if asked.mode == Mode::Wall {
        let open = app.wait(app.store.count_open_incidents(account)).map_err(login::store)?;
        let body = BoardPage::wall(&part, &asked, open).map_err(anyhow::Error::from)?;
        return Ok(Response::html(200, body).with("cache-control", "no-store"));
    }
    let is_told = app.wait(app.store.has_channel_on(account)).map_err(login::store)?;
    let viewer = Viewer::of(app, who).told(is_told);
    let view = BoardPage::of(viewer, &part, &asked).map_err(anyhow::Error::from)?;
    page(200, &view.said(request.query("said").unwrap_or_default()))
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
    let may_add = who.may_write(Subject::Websites);
    let board = Board::of(&part, &asked).with_open(open).told(is_told).may_add(may_add);
    super::written_fragment(board.shown(asked.mode).map_err(anyhow::Error::from)?)
}
