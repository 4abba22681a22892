//! `/api/v1/alerts` and those of a channel: what was told, what waits, what was given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body;
use super::cursor::{self, limit};
use super::shape::{At, Id, Word};
use super::websites::one_of;
use crate::clock;
use crate::http::openapi::{Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::pages::channel::{load, not_sent};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{
    Alert, AlertCursor, AlertEvent, AlertFilter, AlertReplay, AlertState, ChannelId, FieldError, FieldErrors,
};

const EVENTS: &[&str] =
    &["opened", "updated", "acknowledged", "resolved", "reminder", "test", "channel_broken", "summary", "report"];
const EVENT: Parameter = parameter("event", "Only those that tell this.", ParameterKind::OneOf(EVENTS));

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Alerts",
    about: "Messages to channels: what was told, what waits, what was given up.",
    operations: &[
        Operation::get(
            "/api/v1/alerts",
            "listAlerts",
            "Alerts of all channels, newest first. When nothing is said of their state, those that were given up.",
        )
        .query(&[
            Parameter::LIMIT,
            Parameter::AFTER,
            parameter(
                "state",
                "What has become of them; `any` for all. All but `dead` and `waiting` need a channel or an incident.",
                ParameterKind::OneOf(&["any", "waiting", "delivered", "dead", "cancelled", "folded"]),
            ),
            EVENT,
            parameter("channel_id", "Only those to this channel.", ParameterKind::Id),
            parameter("incident_id", "Only those about this incident.", ParameterKind::Id),
        ])
        .json(of::<AlertList<'static>>),
        Operation::get("/api/v1/channels/:id/alerts", "listAlertsOfChannel", "Alerts of a channel, newest first.")
            .query(&[Parameter::LIMIT, Parameter::AFTER])
            .json(of::<AlertList<'static>>),
        Operation::post(
            "/api/v1/alerts/:id/replay",
            "replayAlert",
            "Sends an alert again that was given up. With `channel_id` it goes through that channel instead: this alert ends \
             cancelled, and the channel has one of its own.",
        )
        .optional_body(of::<Sent>)
        .json(of::<Shown<'static>>)
        .also(&[409]),
    ],
};

/// A message to a channel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
pub(super) struct Shown<'a> {
    /// Its name in paths.
    id: Id,
    /// To which channel; it may have been deleted since.
    channel_id: Id,
    /// The channel's name as it was.
    channel_name: &'a str,
    /// About which incident; null: about none.
    incident_id: Option<Id>,
    /// What it tells.
    event: Word<AlertEvent>,
    /// Of the updates and reminders of one incident.
    number: i64,
    /// What has become of it.
    state: Word<AlertState>,
    /// When it was written.
    created_at: At,
    /// When it is tried next, while it waits.
    due_at: Option<At>,
    /// Tries so far.
    tries: u32,
    /// When it was delivered, given up or cancelled.
    ended_at: Option<At>,
    /// The last answer of the receiver, or why it ended.
    said: &'a str,
}

/// A page of alerts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AlertList")]
struct AlertList<'a> {
    alerts: Vec<Shown<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

pub(super) fn shown(alert: &Alert) -> Shown<'_> {
    Shown {
        id: alert.alert_id.into(),
        channel_id: alert.channel_id.into(),
        channel_name: &alert.channel_name,
        incident_id: alert.incident_id.map(Id::from),
        event: Word(alert.event),
        number: alert.number,
        state: Word(alert.state),
        created_at: At(alert.created_at),
        due_at: (alert.state == AlertState::Waiting).then_some(At(alert.due_at)),
        tries: alert.tries,
        ended_at: alert.ended_at.map(At),
        said: &alert.said,
    }
}

/// An id in a query.
pub(super) fn id<T: std::str::FromStr>(request: &Request, name: &'static str) -> Result<Option<T>, HttpError> {
    let Some(given) = request.query(name) else { return Ok(None) };
    let wrong = |_| HttpError::Fields(FieldErrors(vec![FieldError::new(name, given, "Give an id.")]));
    given.parse().map(Some).map_err(wrong)
}

/// `GET /api/v1/alerts?state=&event=&channel_id=&incident_id=&limit=&after=` -> 200 `{alerts, next}`, newest first: those that
/// were given up, unless another state is named.
///
/// # Errors
/// 400 for a cursor that is none, 401, 422 for what none of these can be.
pub fn given_up(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "alerts";
    let account = login::signed_in(app, request)?.account.account_id;
    let state = match request.query("state") {
        None => Some(AlertState::Dead),
        Some("any") => None,
        Some(_) => one_of(request, "state", "any, waiting, delivered, dead, cancelled or folded")?,
    };
    let filter = AlertFilter {
        state,
        event: one_of(request, "event", &EVENTS.join(", "))?,
        channel_id: id(request, "channel_id")?,
        incident_id: id(request, "incident_id")?,
    };
    let is_of_one = filter.channel_id.is_some() || filter.incident_id.is_some();
    if !is_of_one && !matches!(filter.state, Some(AlertState::Dead | AlertState::Waiting)) {
        let remedy = "Give channel_id or incident_id, too: of all channels those that are dead or waiting are listed.";
        let given = request.query("state").unwrap_or_default();
        return Err(HttpError::Fields(FieldErrors(vec![FieldError::new("state", given, remedy)])));
    }
    let (after, limit) = (cursor::after(request, LIST)?, limit(request)?);
    let found = app.wait(app.store.alerts_found(account, &filter, after, limit + 1)).map_err(login::store)?;
    Ok(paged(request, LIST, found, limit))
}

/// `GET /api/v1/channels/:id/alerts?limit=&after=` -> 200 `{alerts, next}`, newest first.
///
/// # Errors
/// 400 for a cursor that is none, 401, 404 when not yours, 422 for a limit that is none.
pub fn list(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "alerts of a channel";
    let account = login::signed_in(app, request)?.account;
    let channel = load(app, &account, params.channel_id()?)?;
    let (after, limit) = (cursor::after(request, LIST)?, limit(request)?);
    let found = app.wait(app.store.alerts_of_channel(account.account_id, channel.channel_id, after, limit + 1));
    Ok(paged(request, LIST, found.map_err(login::store)?, limit))
}

/// One more than `limit` was looked for.
fn paged(request: &Request, list: &str, mut alerts: Vec<Alert>, limit: i64) -> Response {
    let has_more = cursor::cut(&mut alerts, limit);
    let place = |alert: &Alert| AlertCursor { created_at: alert.created_at, alert_id: alert.alert_id };
    let next = alerts.last().filter(|_| has_more).map(|alert| cursor::write(list, &place(alert)));
    let body = AlertList { alerts: alerts.iter().map(shown).collect(), next: next.clone() };
    cursor::page(request, &body, next.as_deref())
}

/// Through which channel it is to be sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AlertReplay")]
struct Sent {
    /// Another channel; left out: its own.
    #[schemars(with = "Option<Id>")]
    channel_id: Option<ChannelId>,
}

/// `POST /api/v1/alerts/:id/replay` -> 200, the alert, which is sent again now. With `channel_id` it is sent through that
/// channel instead: the alert ends cancelled, and the channel has one of its own.
///
/// # Errors
/// 400 for what is no such object, 401, 404 when not yours, 409 when it was not given up, its channel is off, or the other
/// one has it.
pub fn replay(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.alert_id()?;
    let sent: Sent = body(request, "nothing, or a channel_id")?;
    let find = || app.wait(app.store.alert(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound);
    find()?;
    let done = match sent.channel_id {
        None => app.wait(app.store.replay_alert(account, id, clock::now())),
        Some(channel) => app.wait(app.store.send_through(account, id, channel, clock::now())),
    };
    match done.map_err(login::store)? {
        AlertReplay::Asked => Ok(Response::json(200, &shown(&find()?))),
        refused => Err(HttpError::Conflict(not_sent(refused).to_owned())),
    }
}
