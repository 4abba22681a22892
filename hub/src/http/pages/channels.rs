//! Where an account is told: all its channels, and how they stand.

use askama::Template;

use super::channel_words::{self, State};
use super::incident_words as say;
use super::words::{Instant, instant};
use super::{Frame, Viewer, page};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{Alert, Channel, ChannelId};

/// Of messages that were given up.
const COUNTED: i64 = 1_000;

/// The page.
#[derive(Template, Debug)]
#[template(path = "channels.html", whitespace = "minimize")]
pub struct ChannelsPage {
    frame: Frame,
    said: Option<&'static str>,
    given_up: Option<String>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    id: ChannelId,
    name: String,
    target: String,
    kind: String,
    state: State,
    told_of: String,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    letter: &'static str,
    state: &'static str,
    class: &'static str,
    event: &'static str,
}

impl ChannelsPage {
    /// Each with the newest of its alerts; `given_up`: alerts of all that did not arrive, a thousand counted at most.
    #[must_use]
    pub fn new(
        viewer: impl Into<Viewer>,
        channels: &[(Channel, Option<Alert>)],
        given_up: i64,
        said: Option<&'static str>,
    ) -> Self {
        let given_up = match given_up {
            ..=0 => None,
            1 => Some("1 message was given up".to_owned()),
            n @ 2..COUNTED => Some(format!("{n} messages were given up")),
            COUNTED.. => Some(format!("{COUNTED} messages and more were given up")),
        };
        Self {
            frame: Frame::wide("Channels", viewer).at("/channels"),
            said,
            given_up,
            lines: channels.iter().map(|(channel, last)| Line::new(channel, last.as_ref())).collect(),
        }
    }
}

impl Line {
    fn new(channel: &Channel, last: Option<&Alert>) -> Self {
        let last = last.map(|alert| {
            let (letter, state, class) = say::alert_state(alert.state, alert.tries);
            let at = instant(alert.ended_at.unwrap_or(alert.created_at));
            Last { at, letter, state, class, event: say::event(alert.event) }
        });
        Self {
            id: channel.channel_id,
            name: channel.name.clone(),
            target: channel_words::target_of(channel),
            kind: channel_words::kind_of(channel).to_owned(),
            state: channel_words::state(channel),
            told_of: channel_words::told_of(channel),
            last,
        }
    }
}

/// `GET /channels`.
///
/// # Errors
/// Not signed in, or the database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let channels = app.wait(app.store.channels(who.account.account_id)).map_err(login::store)?;
    let last = channels.into_iter().map(|channel| {
        let newest = app.wait(app.store.alerts_of_channel(who.account.account_id, channel.channel_id, None, 1));
        Ok((channel, newest.map_err(login::store)?.pop()))
    });
    let channels = last.collect::<Result<Vec<_>, HttpError>>()?;
    let given_up = app.wait(app.store.count_dead_alerts(who.account.account_id, COUNTED)).map_err(login::store)?;
    // Fixed words: an address is not to put words into our mouth.
    let said = (request.query("said") == Some("deleted")).then_some("The channel was deleted.");
    page(200, &ChannelsPage::new(Viewer::of(app, &who), &channels, given_up, said))
}
