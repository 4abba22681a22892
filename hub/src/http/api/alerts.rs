//! `/api/v1/alerts` and those of a channel: what was told, what waits, what was given up.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{body, limit, rfc3339};
use crate::clock;
use crate::http::pages::channel::{after, cursor, load, not_sent};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Alert, AlertReplay, AlertState, ChannelId};

pub(super) fn shown(alert: &Alert) -> Value {
    json!({
        "id": alert.alert_id.to_string(),
        "channel_id": alert.channel_id.to_string(),
        "channel_name": alert.channel_name,
        "incident_id": alert.incident_id.map(|id| id.to_string()),
        "event": alert.event.as_str(),
        "number": alert.number,
        "state": alert.state.as_str(),
        "created_at": rfc3339(alert.created_at),
        "due_at": (alert.state == AlertState::Waiting).then(|| rfc3339(alert.due_at)),
        "tries": alert.tries,
        "ended_at": alert.ended_at.map(rfc3339),
        "said": alert.said,
    })
}

/// `GET /api/v1/alerts?limit=&after=` -> 200 `{alerts, next}`: what was given up, of all channels, newest first.
///
/// # Errors
/// 401, 422 for a limit or a cursor that is none.
pub fn given_up(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let (after, limit) = (after(request)?, limit(request)?);
    Ok(paged(app.wait(app.store.dead_alerts(account, after, limit + 1)).map_err(login::store)?, limit))
}

/// `GET /api/v1/channels/:id/alerts?limit=&after=` -> 200 `{alerts, next}`, newest first.
///
/// # Errors
/// 401, 404 when not yours, 422 for a limit or a cursor that is none.
pub fn list(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    let channel = load(app, &account, params.channel_id()?)?;
    let (after, limit) = (after(request)?, limit(request)?);
    let found = app.wait(app.store.alerts_of_channel(account.account_id, channel.channel_id, after, limit + 1));
    Ok(paged(found.map_err(login::store)?, limit))
}

/// One more than `limit` was looked for.
fn paged(mut alerts: Vec<Alert>, limit: i64) -> Response {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = alerts.len() > limit;
    alerts.truncate(limit);
    let next = alerts.last().filter(|_| has_more).map(cursor);
    Response::json(200, &json!({"alerts": alerts.iter().map(shown).collect::<Vec<_>>(), "next": next}))
}

/// Through which channel it is to be sent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
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
