//! What can be done to a channel from its page: each a form of its own, so that it works without script.

use std::sync::atomic::{AtomicU32, Ordering};

use askama::Template;

use super::channel::{load, readable, view};
use super::{Frame, Viewer, page};
use crate::alert::Tried;
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::{Account, Alert, AlertEvent, AlertReplay, Channel, ChannelId};

/// Tests at once, of all accounts: each keeps a request's thread for up to 15 s, and there are 16 (P8).
const TESTS_AT_ONCE: u32 = 4;
static TESTS: AtomicU32 = AtomicU32::new(0);
/// Tests of one channel within a minute. Each is a request to an address that whoever made the account chose, and a row.
const TESTS_A_MINUTE: usize = 10;

/// "Are you sure?", without script.
#[derive(Template, Debug)]
#[template(path = "channel_delete.html", whitespace = "minimize")]
pub struct DeletePage {
    frame: Frame,
    id: ChannelId,
    name: String,
}

impl DeletePage {
    /// For a channel of the one who is signed in.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, channel: &Channel) -> Self {
        Self {
            frame: Frame::narrow("Delete this channel?", Some(viewer.into())).at("/channels"),
            id: channel.channel_id,
            name: channel.name.clone(),
        }
    }
}

/// A place among the tests that go on; given back when it is dropped.
struct Turn;

impl Turn {
    fn take() -> Result<Self, HttpError> {
        let taken = TESTS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < TESTS_AT_ONCE).then_some(n + 1));
        taken.map(|_| Self).map_err(|_| HttpError::TooMany { retry_after_s: 5 })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TESTS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends a test now and waits for the answer, which is in the channel's log then.
///
/// # Errors
/// Not theirs, too many at once, or the database is away.
pub(in crate::http) fn test_now(app: &App, account: &Account, id: ChannelId) -> Result<Tried, HttpError> {
    let channel = load(app, account, id)?;
    readable(&channel)?;
    let most = i64::try_from(TESTS_A_MINUTE).unwrap_or(i64::MAX);
    let last = app.wait(app.store.alerts_of_channel(account.account_id, id, None, most)).map_err(login::store)?;
    let since = clock::now() - 60_000;
    let is_recent = |alert: &&Alert| alert.event == AlertEvent::Test && alert.created_at > since;
    if last.iter().filter(is_recent).count() >= TESTS_A_MINUTE {
        return Err(HttpError::TooMany { retry_after_s: 60 });
    }
    let _turn = Turn::take()?;
    Ok(app.wait(app.alerts.test(&app.store, &channel, clock::now())))
}

/// `POST /channels/:id/test`.
///
/// # Errors
/// Not yours, or too many tests at once.
pub fn test(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.channel_id()?;
    let began_at = clock::now();
    let tried = test_now(app, &who.account, id)?;
    let newest = app.wait(app.store.alerts_of_channel(who.account.account_id, id, None, 1)).map_err(login::store)?;
    // What cannot be composed or written is in no log.
    if newest.first().is_none_or(|alert| alert.event != AlertEvent::Test || alert.created_at < began_at) {
        return page(200, &view(app, request, &who, id)?.trouble(tried.said));
    }
    Ok(Response::see_other(&format!("/channels/{id}?said=tested")))
}

fn switch(app: &App, request: &Request, params: &Params, is_on: bool) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.channel_id()?;
    let done = app.wait(app.store.switch_channel(who.account.account_id, id, is_on, clock::now()));
    done.map_err(login::store)?.ok_or(HttpError::NotFound)?;
    Ok(Response::see_other(&format!("/channels/{id}?said={}", if is_on { "on" } else { "off" })))
}

/// `POST /channels/:id/on`.
///
/// # Errors
/// Not yours.
pub fn switch_on(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    switch(app, request, params, true)
}

/// `POST /channels/:id/off`.
///
/// # Errors
/// Not yours.
pub fn switch_off(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    switch(app, request, params, false)
}

/// `GET /channels/:id/delete`: asks first.
///
/// # Errors
/// Not yours.
pub fn confirm_delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let channel = load(app, &who.account, params.channel_id()?)?;
    page(200, &DeletePage::new(Viewer::of(app, &who), &channel))
}

/// `POST /channels/:id/delete`.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let done = app.wait(app.store.delete_channel(who.account.account_id, params.channel_id()?, clock::now()));
    if !done.map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other("/channels?said=deleted"))
}

/// `POST /alerts/:id/replay`: what was given up is sent again.
///
/// # Errors
/// Not yours.
pub fn replay(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let id = params.alert_id()?;
    let alert =
        app.wait(app.store.alert(who.account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    let form = request.form();
    if !form.get("channel").is_empty() {
        return through(app, &who, &alert, form.get("channel"));
    }
    let done = app.wait(app.store.replay_alert(who.account.account_id, id, clock::now())).map_err(login::store)?;
    let said = match done {
        AlertReplay::Asked => "again",
        AlertReplay::ChannelOff => "channel-off",
        AlertReplay::NotDead | AlertReplay::HasIt | AlertReplay::OwnForm => "not-dead",
    };
    Ok(match alert.incident_id.filter(|_| done == AlertReplay::Asked && form.get("back") == "incident") {
        Some(incident) => Response::see_other(&format!("/incidents/{incident}#told")),
        None => Response::see_other(&format!("/channels/{}?said={said}", alert.channel_id)),
    })
}

/// Sends it through another channel than its own, by the form of its incident.
fn through(app: &App, who: &Caller, alert: &Alert, channel: &str) -> Result<Response, HttpError> {
    let channel: ChannelId = channel.parse().map_err(|_| HttpError::NotFound)?;
    let done = app.wait(app.store.send_through(who.account.account_id, alert.alert_id, channel, clock::now()));
    match (done.map_err(login::store)?, alert.incident_id) {
        (AlertReplay::Asked, Some(incident)) => Ok(Response::see_other(&format!("/incidents/{incident}#told"))),
        (AlertReplay::Asked, None) => Ok(Response::see_other("/channels")),
        (refused, _) => Err(HttpError::Conflict(not_sent(refused).to_owned())),
    }
}

/// Why what was given up is not sent again.
pub(in crate::http) fn not_sent(why: AlertReplay) -> &'static str {
    match why {
        AlertReplay::Asked => "It is sent again.",
        AlertReplay::ChannelOff => "Its channel is off, or was deleted.",
        AlertReplay::NotDead => "It was not given up: there is nothing to replay.",
        AlertReplay::HasIt => "That channel has this message already.",
        AlertReplay::OwnForm => "Only what is about an incident can be sent through another channel.",
    }
}
