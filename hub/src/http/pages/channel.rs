//! One channel: how it stands, its settings without secrets, and all it was to tell, try by try.

use std::collections::HashMap;

use askama::Template;

use super::channel_words::{self, State};
use super::incident_words as say;
use super::words::{Instant, instant, took};
use super::{Frame, Viewer, kept_in, page};
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::manifest::{Managed, Space};
use crate::model::{
    Account, Alert, AlertCursor, AlertEvent, AlertId, AlertState, AlertTry, Channel, ChannelId, FieldError,
    FieldErrors, IncidentId, IncidentKind, IncidentLine, UtcMs,
};

pub use super::channel_actions::{confirm_delete, delete, replay, switch_off, switch_on, test};
pub(in crate::http) use super::channel_actions::{not_sent, test_now};

/// Alerts on one page.
pub const SHOWN: i64 = 25;

/// An alert with its tries, as far as they are worth a list.
pub type Logged = (Alert, Vec<AlertTry>);

/// What the page is made from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The channel.
    pub channel: Channel,
    /// Name of the one that is told when it gives up.
    pub second: Option<String>,
    /// One page of what it was to tell, newest first.
    pub alerts: Vec<Logged>,
    /// What those are about that are about an incident: its website, or what else it is.
    pub about: HashMap<IncidentId, String>,
    /// The page begins further back.
    pub is_further_back: bool,
    /// There are older ones.
    pub has_more: bool,
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "channel.html", whitespace = "minimize")]
pub struct ChannelPage {
    frame: Frame,
    id: ChannelId,
    is_on: bool,
    kind: String,
    is_unreadable: bool,
    state: State,
    said: Option<&'static str>,
    trouble: Option<String>,
    tested: Option<Line>,
    facts: Vec<(&'static str, String)>,
    lines: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Debug)]
struct Line {
    id: AlertId,
    at: Instant,
    event: &'static str,
    incident: Option<IncidentId>,
    /// What that is about; empty where it is not known any more.
    about: String,
    letter: &'static str,
    state: &'static str,
    class: &'static str,
    next: Option<Instant>,
    said: String,
    tries_words: String,
    tries: Vec<Try>,
    is_dead: bool,
}

#[derive(Debug)]
struct Try {
    at: Instant,
    letter: &'static str,
    result: &'static str,
    took: String,
    said: String,
}

impl ChannelPage {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// `said`: what came of the last action, by its name in the address.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, found: &Found, said: Option<&str>) -> Self {
        let channel = &found.channel;
        let id = channel.channel_id;
        let last = found.alerts.last().filter(|_| found.has_more).map(|(last, _)| cursor(last));
        // The answer of a test is the newest of its log.
        let is_test = |alert: &&Logged| alert.0.event == AlertEvent::Test;
        let tested = found.alerts.iter().find(is_test).filter(|_| said == Some("tested"));
        Self {
            frame: Frame::wide(channel.name.clone(), viewer).at("/channels"),
            id,
            is_on: channel.is_on,
            is_unreadable: channel.unreadable.is_some(),
            kind: channel_words::kind_of(channel).to_owned(),
            state: channel_words::state(channel),
            said: said.and_then(said_words),
            trouble: None,
            tested: tested.map(|one| Line::new(one, &found.about)),
            facts: channel_words::facts(channel, found.second.as_deref()),
            lines: found.alerts.iter().map(|one| Line::new(one, &found.about)).collect(),
            newest: found.is_further_back.then(|| format!("/channels/{id}")),
            older: last.map(|cursor| format!("/channels/{id}?after={cursor}#log")),
        }
    }

    /// With why a test was not sent at all.
    #[must_use]
    pub fn trouble(self, trouble: String) -> Self {
        Self { trouble: Some(trouble), ..self }
    }
}

/// Fixed words: an address is not to put words into our mouth.
fn said_words(said: &str) -> Option<&'static str> {
    Some(match said {
        "added" => "The channel was added, and is on. Send a test to see that messages arrive.",
        "saved" => "Saved.",
        "on" => "The channel is on.",
        "off" => "The channel is off: nothing is sent to it.",
        "again" => "It is sent again now; look here in a moment for the answer.",
        "not-dead" => "That message was not given up: there is nothing to send again.",
        "channel-off" => "The channel is off. Switch it on, then send the message again.",
        _ => return None,
    })
}

impl Line {
    fn new((alert, tries): &Logged, about: &HashMap<IncidentId, String>) -> Self {
        let (letter, state, class) = say::alert_state(alert.state, alert.tries);
        let is_waiting = alert.state == AlertState::Waiting;
        Self {
            id: alert.alert_id,
            at: instant(alert.created_at),
            event: say::event(alert.event),
            incident: alert.incident_id,
            about: alert.incident_id.and_then(|id| about.get(&id)).cloned().unwrap_or_default(),
            letter,
            state,
            class,
            next: is_waiting.then(|| instant(alert.due_at)),
            said: alert.said.clone(),
            // A test that was ended at its service has one more.
            tries_words: match tries.len().max(usize::try_from(alert.tries).unwrap_or(usize::MAX)) {
                1 => "1 try".to_owned(),
                n => format!("{n} tries"),
            },
            tries: tries.iter().map(Try::new).collect(),
            is_dead: alert.state == AlertState::Dead,
        }
    }
}

impl Try {
    fn new(one: &AlertTry) -> Self {
        let (letter, result) = say::try_result(one.result);
        let took_us = one.took_ms.clamp(0, i64::from(u32::MAX / 1_000)) * 1_000;
        Self {
            at: instant(one.at),
            letter,
            result,
            took: took(u32::try_from(took_us).unwrap_or(u32::MAX)),
            said: one.said.clone(),
        }
    }
}

fn about(line: &IncidentLine) -> String {
    match line.incident.kind {
        IncidentKind::Operator => line.incident.cause.clone(),
        IncidentKind::Outage | IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Certificate => {
            say::about(&line.first_url, line.websites)
        }
    }
}

/// Where a list goes on after this alert, as it stands in an address.
pub(in crate::http) fn cursor(alert: &Alert) -> String {
    format!("{}-{}", alert.created_at, alert.alert_id)
}

/// Where the list is to go on.
///
/// # Errors
/// It is none of our cursors.
pub(in crate::http) fn after(request: &Request) -> Result<Option<AlertCursor>, HttpError> {
    let given = request.query("after").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    let parsed = given.split_once('-').and_then(|(at, id)| {
        let created_at: UtcMs = at.parse().ok()?;
        Some(AlertCursor { created_at, alert_id: id.parse().ok()? })
    });
    parsed.map(Some).ok_or_else(|| {
        let remedy = "Give the value of \"next\" of the page before, or leave it out for the newest.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("after", given, remedy)]))
    })
}

/// A channel of this account.
///
/// # Errors
/// Not theirs, or the database is away.
pub(in crate::http) fn load(app: &App, account: &Account, id: ChannelId) -> Result<Channel, HttpError> {
    app.wait(app.store.channel(account.account_id, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// Whether this version can do anything with its settings.
///
/// # Errors
/// 409: a newer one wrote them.
pub(in crate::http) fn readable(channel: &Channel) -> Result<(), HttpError> {
    match channel.unreadable {
        Some(_) => Err(HttpError::Conflict(channel_words::UNREADABLE.to_owned())),
        None => Ok(()),
    }
}

/// One page of a channel's log; one more than is shown tells whether there are others.
///
/// # Errors
/// The database is away.
pub(in crate::http) fn log(
    app: &App,
    account: &Account,
    id: ChannelId,
    after: Option<AlertCursor>,
    limit: i64,
) -> Result<(Vec<Logged>, bool), HttpError> {
    let found = app.wait(app.store.alerts_of_channel(account.account_id, id, after, limit + 1));
    let mut alerts = found.map_err(login::store)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = alerts.len() > limit;
    alerts.truncate(limit);
    let with_tries = alerts.into_iter().map(|alert| {
        // Of one that worked at once the alert itself says all but the time.
        let is_worth_it = alert.tries > 1 || alert.event == AlertEvent::Test;
        let tries = match is_worth_it {
            true => app.wait(app.store.alert_tries(account.account_id, alert.alert_id)).map_err(login::store)?,
            false => Vec::new(),
        };
        Ok((alert, tries))
    });
    Ok((with_tries.collect::<Result<_, HttpError>>()?, has_more))
}

/// `GET /channels/:id`.
///
/// # Errors
/// Not yours.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    page(200, &view(app, request, &who, params.channel_id()?)?)
}

/// The page as it stands now.
///
/// # Errors
/// Not theirs, or the database is away.
pub(super) fn view(app: &App, request: &Request, who: &Caller, id: ChannelId) -> Result<ChannelPage, HttpError> {
    let channel = load(app, &who.account, id)?;
    let second = match channel.second_channel_id {
        Some(id) => app.wait(app.store.channel(who.account.account_id, id)).map_err(login::store)?.map(|c| c.name),
        None => None,
    };
    let after = after(request)?;
    let (alerts, has_more) = log(app, &who.account, id, after, SHOWN)?;
    let of: Vec<IncidentId> = alerts.iter().filter_map(|(alert, _)| alert.incident_id).collect();
    let lines = app.wait(app.store.incidents_named(who.account.account_id, of)).map_err(login::store)?;
    let about = lines.into_iter().map(|line| (line.incident.incident_id, about(&line))).collect();
    let found = Found { channel, second, alerts, about, is_further_back: after.is_some(), has_more };
    let kept = kept_in(app, who.account.account_id, Space::Channels, id.0)?;
    Ok(ChannelPage::new(Viewer::of(app, who), &found, request.query("said")).kept_in(kept))
}
