//! What can be done to dead letters from their page: each a form of its own, so that it works without script. One is done
//! at once; many after "are you sure?", and no more than were there when that was asked.

use std::time::{Duration, Instant};

use askama::Template;

use super::dead_letters::{filter_of, list};
use super::words::counted;
use super::{Frame, Viewer, page};
use crate::clock;
use crate::http::{App, Form, HttpError, Request, Response, login, route::Params};
use crate::model::{LetterFilter, UtcMs, letter_kind_words};
use crate::replay::{self, Replayed};
use crate::store::StoreError;

/// Letters in one statement: its locks are held for milliseconds.
const AT_ONCE: i64 = 1_000;
/// For many, before the answer says how far it got.
const LONGEST: Duration = Duration::from_secs(10);

/// "Are you sure?", without script.
#[derive(Template, Debug)]
#[template(path = "dead_letters_confirm.html", whitespace = "minimize")]
pub struct ConfirmPage {
    frame: Frame,
    is_discard: bool,
    which: String,
    filter: LetterFilter,
    until: UtcMs,
    back: String,
}

impl ConfirmPage {
    /// `count` of them fit, no more than [`replay::COUNTED`] counted.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, is_discard: bool, filter: &LetterFilter, count: i64, until: UtcMs) -> Self {
        let title = if is_discard { "Discard dead letters?" } else { "Replay dead letters?" };
        let count = match counted(count) {
            none if none.is_empty() => "No dead letter".to_owned(),
            one if one == "1" => "1 dead letter".to_owned(),
            many => format!("{many} dead letters"),
        };
        let kind = filter.kind.as_deref().map(|kind| format!(" of the kind “{}”", letter_kind_words(kind)));
        let stream = filter.stream.as_deref().map(|stream| format!(" from {stream}"));
        Self {
            frame: Frame::narrow(title, Some(viewer.into())).at("/dead-letters"),
            is_discard,
            which: [Some(count), kind, stream].into_iter().flatten().collect(),
            back: list(filter, &[]),
            filter: filter.clone(),
            until,
        }
    }
}

/// What the list says after an action. Fixed words: an address is not to put words into our mouth.
pub(super) fn said(request: &Request) -> Option<String> {
    let many = || match request.query("count").and_then(|count| count.parse::<u64>().ok()) {
        Some(1) => "1 dead letter".to_owned(),
        Some(count) => format!("{count} dead letters"),
        None => "Dead letters".to_owned(),
    };
    let words = match request.query("said")? {
        "stored" => Replayed::Stored.words().to_owned(),
        "known" => Replayed::Known.words().to_owned(),
        "checked" => Replayed::Checked.words().to_owned(),
        "understood" => Replayed::Understood.words().to_owned(),
        "gone" => Replayed::Gone.words().to_owned(),
        "stays" => "It could not be replayed and stays here; it says why.".to_owned(),
        "discarded" => "The letter was discarded.".to_owned(),
        "discarded-all" => format!("{} discarded.", many()),
        "discarded-some" => format!("{} discarded. There are more: do it again.", many()),
        "asked-all" => {
            format!("{} will be replayed within seconds, a few at a time. Those that cannot be stay.", many())
        }
        "asked-some" => format!("{} will be replayed, a few at a time. There are more: do it again.", many()),
        _ => return None,
    };
    Some(words)
}

fn filter_in(form: &Form) -> LetterFilter {
    LetterFilter::new(form.get("kind"), form.get("stream"))
}

/// `POST /dead-letters/:id/replay`.
///
/// # Errors
/// Not for this account, or the database is away.
pub fn replay(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let id = params.letter_id()?;
    let said = match replay_one(app, id)? {
        Replayed::Stored => "stored",
        Replayed::Known => "known",
        Replayed::Checked => "checked",
        Replayed::Understood => "understood",
        Replayed::Stays(_) => "stays",
        Replayed::Gone => "gone",
    };
    Ok(Response::see_other(&list(&filter_in(&request.form()), &[("said", said)])))
}

/// Replays one letter now.
///
/// # Errors
/// The database is away.
pub(in crate::http) fn replay_one(app: &App, id: crate::model::LetterId) -> Result<Replayed, HttpError> {
    let done = app.wait(async {
        match app.store.kept_letter(id).await? {
            Some(letter) => replay::replay(&app.store, &app.scheduler, &letter, clock::now()).await,
            None => Ok(Replayed::Gone),
        }
    });
    done.map_err(login::store)
}

/// `POST /dead-letters/:id/discard`.
///
/// # Errors
/// Not for this account, or the database is away.
pub fn discard(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let gone = app.wait(app.store.discard_dead_letter(params.letter_id()?)).map_err(login::store)?;
    let said = if gone { "discarded" } else { "gone" };
    Ok(Response::see_other(&list(&filter_in(&request.form()), &[("said", said)])))
}

fn confirm(app: &App, request: &Request, is_discard: bool) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    let filter = filter_of(request);
    let count = app.wait(app.store.count_dead_letters(&filter, replay::COUNTED)).map_err(login::store)?;
    page(200, &ConfirmPage::new(Viewer::of(app, &who), is_discard, &filter, count, clock::now()))
}

/// `GET /dead-letters/replay`: asks first.
///
/// # Errors
/// Not for this account.
pub fn confirm_replay(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    confirm(app, request, false)
}

/// `GET /dead-letters/discard`: asks first.
///
/// # Errors
/// Not for this account.
pub fn confirm_discard(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    confirm(app, request, true)
}

/// In pieces, until a piece is not full. Returns how many, and whether all were done.
fn in_pieces(mut piece: impl FnMut() -> Result<u64, StoreError>) -> Result<(u64, bool), HttpError> {
    let (began, mut count) = (Instant::now(), 0);
    loop {
        let done = piece().map_err(login::store)?;
        count += done;
        if done < AT_ONCE.unsigned_abs() {
            return Ok((count, true));
        }
        if began.elapsed() >= LONGEST {
            return Ok((count, false));
        }
    }
}

/// The letters that a confirmed form is about.
fn confirmed(request: &Request) -> Result<(LetterFilter, UtcMs), HttpError> {
    let form = request.form();
    let until = form.get("until").parse();
    let until = until.map_err(|_| HttpError::BadRequest("Use the form on the page before this.".to_owned()))?;
    Ok((filter_in(&form), until))
}

fn done(filter: &LetterFilter, (count, is_all): (u64, bool), what: &str) -> Response {
    let said = format!("{what}-{}", if is_all { "all" } else { "some" });
    // Those that are left, if any, fit the same; a kind that is empty now would show an empty page.
    let filter = if is_all && what == "discarded" { LetterFilter::default() } else { filter.clone() };
    Response::see_other(&list(&filter, &[("said", &said), ("count", &count.to_string())]))
}

/// `POST /dead-letters/replay`: all that fit and were there when it was confirmed. The hubs do it within seconds.
///
/// # Errors
/// Not for this account, or the database is away.
pub fn replay_all(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let (filter, until) = confirmed(request)?;
    let asked = in_pieces(|| app.wait(app.store.ask_for_replay(&filter, until, clock::now(), AT_ONCE)))?;
    Ok(done(&filter, asked, "asked"))
}

/// `POST /dead-letters/discard`: all that fit and were there when it was confirmed.
///
/// # Errors
/// Not for this account, or the database is away.
pub fn discard_all(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    login::operator(app, request)?;
    let (filter, until) = confirmed(request)?;
    let discarded = in_pieces(|| app.wait(app.store.discard_dead_letters(&filter, until, AT_ONCE)))?;
    Ok(done(&filter, discarded, "discarded"))
}
