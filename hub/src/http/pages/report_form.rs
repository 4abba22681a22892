//! The forms of reports: which one is shown, and which are sent.

use super::Choice;
use crate::clock;
use crate::http::api::reports::input;
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::message::words::name;
use crate::model::report::words::group;
use crate::model::report::{Report, Rhythm, Schedule, WindowInput, Zone, months};
use crate::model::{
    Channel, ChannelId, ChannelKind, FieldError, FieldErrors, Scope, Tag, UtcMs, WebsiteId, WebsiteName,
};
use crate::store::ScheduleAdded;

/// Months that are offered.
const MONTHS: usize = 13;

/// The window of a form: its month is always sent, and days that are typed take its place.
pub(super) fn typed(request: &Request) -> WindowInput {
    let typed = input(request);
    if typed.from.trim().is_empty() && typed.to.trim().is_empty() {
        return typed;
    }
    WindowInput { month: String::new(), ..typed }
}

/// A query, to be repeated in links.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request) -> Self {
        let window = typed(request);
        let given = |name: &str| request.query(name).unwrap_or_default().to_owned();
        let pairs = [
            ("tag", given("tag")),
            ("month", window.month),
            ("from", window.from),
            ("to", window.to),
            ("tz", window.tz),
            ("goal", given("goal")),
        ];
        let filled = pairs.into_iter().filter(|(_, value)| !value.trim().is_empty());
        Self(filled.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn written<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs);
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// With its `?`, or empty.
    pub(super) fn all(&self) -> String {
        Self::written(self.0.iter().map(|(name, value)| (name, value)))
    }

    /// The same window and goal, of a website.
    pub(super) fn without_tag(&self) -> String {
        Self::written(self.0.iter().filter(|(name, _)| name != "tag").map(|(name, value)| (name, value)))
    }
}

/// The form that asks for a report, as it was filled in.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) query: Query,
    /// Where it is sent to.
    pub(super) path: String,
    pub(super) tags: Vec<Choice>,
    pub(super) months: Vec<Choice>,
    pub(super) typed: WindowInput,
    pub(super) goal: String,
    pub(super) is_open: bool,
    pub(super) errors: Vec<FieldError>,
}

impl Asking {
    /// As a request has it; `website`: of that one.
    pub(super) fn new(
        request: &Request,
        tags: &[Tag],
        errors: FieldErrors,
        website: Option<WebsiteId>,
        now: UtcMs,
    ) -> Self {
        let typed = typed(request);
        let tag = request.query("tag").map(str::trim).unwrap_or_default().to_owned();
        let goal = request.query("goal").unwrap_or_default().to_owned();
        Self { query: Query::of(request), ..Self::filled(typed, &tag, goal, tags, errors, website, now) }
    }

    /// As of a report, to be looked at.
    pub(super) fn of(report: &Report, tags: &[Tag], now: UtcMs) -> Self {
        let month = report.window.month.map(|first| first.strftime("%Y-%m").to_string()).unwrap_or_default();
        let typed = WindowInput { month, ..WindowInput::default() };
        let tag = match &report.scope {
            Scope::Tag(tag) => tag.to_string(),
            Scope::All | Scope::Website(_) => String::new(),
        };
        Self::filled(typed, &tag, String::new(), tags, FieldErrors::default(), report.scope.website(), now)
    }

    fn filled(
        typed: WindowInput,
        tag: &str,
        goal: String,
        tags: &[Tag],
        errors: FieldErrors,
        website: Option<WebsiteId>,
        now: UtcMs,
    ) -> Self {
        let zone = Zone::parse(&typed.tz).unwrap_or_else(Zone::utc);
        let is_month = typed.from.is_empty() && typed.to.is_empty();
        let choice = |value: &str, words: String| Choice {
            chosen: is_month && typed.month == value,
            value: value.to_owned(),
            words,
        };
        let mut offered = vec![choice("this", "This month so far".to_owned())];
        let mut past = months(&zone, now, MONTHS);
        if let Some((_, words)) = past.first_mut() {
            words.push_str(" (last)");
        }
        offered.extend(past.into_iter().map(|(value, words)| choice(&value, words)));
        if !offered.iter().any(|one| one.chosen) {
            // The last full month is what is meant by nothing; of another one that is asked for, it is.
            match offered.get_mut(1) {
                Some(last) if is_month && typed.month.is_empty() => last.chosen = true,
                Some(_) | None => offered.insert(
                    0,
                    Choice {
                        value: typed.month.clone(),
                        words: if is_month { typed.month.clone() } else { "The days below".to_owned() },
                        chosen: true,
                    },
                ),
            }
        }
        let all = Choice { value: String::new(), words: "All websites".to_owned(), chosen: tag.is_empty() };
        let tagged = tags.iter().map(|one| Choice {
            value: one.to_string(),
            words: format!("Tagged {one}"),
            chosen: one.as_str() == tag,
        });
        let path = website.map_or_else(|| "/reports".to_owned(), |id| format!("/reports/websites/{id}"));
        let mut groups: Vec<Choice> = std::iter::once(all).chain(tagged).collect();
        if !groups.iter().any(|one| one.chosen) {
            groups.push(Choice { value: tag.to_owned(), words: format!("Tagged {tag}"), chosen: true });
        }
        Self {
            query: Query::default(),
            path,
            tags: if website.is_some() { Vec::new() } else { groups },
            months: offered,
            is_open: !is_month || !typed.tz.is_empty() || !goal.is_empty() || !errors.is_empty(),
            typed,
            goal,
            errors: errors.0,
        }
    }
}

/// A report that is sent, as it is listed.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) about: String,
    pub(super) how: String,
    pub(super) channel: String,
    pub(super) channel_id: String,
    pub(super) is_on: bool,
}

impl Sent {
    pub(super) fn new(schedule: &Schedule, channels: &[Channel], names: &[WebsiteName]) -> Self {
        let channel = channels.iter().find(|channel| channel.channel_id == schedule.channel_id);
        let about = match &schedule.scope {
            Scope::Website(id) => {
                let known = names.iter().find(|one| one.website_id == *id);
                known.map_or_else(|| "A website".to_owned(), |one| name(&one.url))
            }
            Scope::All | Scope::Tag(_) => group(&schedule.scope),
        };
        Self {
            id: schedule.schedule_id.to_string(),
            about,
            how: match schedule.rhythm {
                Rhythm::Monthly => "on the 1st of each month".to_owned(),
                Rhythm::Weekly => "on Mondays".to_owned(),
            },
            channel: channel.map(|channel| channel.name.clone()).unwrap_or_default(),
            channel_id: schedule.channel_id.to_string(),
            is_on: channel.is_some_and(|channel| channel.is_on),
        }
    }
}

/// The reports that are sent, and the form that adds one.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) sent: Vec<Sent>,
    /// Channels of mail.
    pub(super) channels: Vec<Choice>,
    pub(super) groups: Vec<Choice>,
    /// The website the page is about.
    pub(super) website: Option<WebsiteId>,
}

impl Sending {
    pub(super) fn new(sent: &[Sent], channels: &[Channel], tags: &[Tag], website: Option<WebsiteId>) -> Self {
        let mail = channels.iter().filter(|one| one.unreadable.is_none() && one.settings.kind() == ChannelKind::Email);
        let all = Choice { value: String::new(), words: "All websites".to_owned(), chosen: true };
        let tagged =
            tags.iter().map(|tag| Choice { value: tag.to_string(), words: format!("Tagged {tag}"), chosen: false });
        Self {
            sent: sent.to_vec(),
            channels: mail
                .map(|one| Choice { value: one.channel_id.to_string(), words: one.name.clone(), chosen: false })
                .collect(),
            groups: std::iter::once(all).chain(tagged).collect(),
            website,
        }
    }
}

/// `POST /reports/schedules`: sends a report from now on. Twice is harmless.
///
/// # Errors
/// 422 for what it cannot be about, a channel that is none of mail, or one too many.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let form = request.form();
    let mut errors = FieldErrors::default();
    let (website, tag) = (form.get("website_id").trim(), form.get("tag").trim());
    let scope = match (website, tag) {
        ("", "") => Some(Scope::All),
        ("", tag) => match tag.parse::<Tag>() {
            Ok(tag) => Some(Scope::Tag(tag)),
            Err(why) => {
                errors.push(FieldError::new("tag", tag, format!("Give one tag; {why}.")));
                None
            }
        },
        (id, _) => id.parse::<WebsiteId>().ok().map(Scope::Website),
    };
    let channel = form.get("channel").parse::<ChannelId>().ok();
    let rhythm = form.get("rhythm").parse::<Rhythm>().ok();
    if rhythm.is_none() {
        errors.push(FieldError::new("rhythm", form.get("rhythm"), "Choose monthly or weekly."));
    }
    let wrong_channel =
        || FieldError::new("channel", "", "Choose one of your channels of mail, and one of your websites.");
    let (Some(scope), Some(channel), Some(rhythm)) = (scope, channel, rhythm) else {
        if channel.is_none() || errors.is_empty() {
            errors.push(wrong_channel());
        }
        return Err(HttpError::Fields(errors));
    };
    let added = app.wait(app.store.add_report_schedule(account, channel, &scope, rhythm, clock::now()));
    match added.map_err(login::store)? {
        ScheduleAdded::Added(_) => Ok(Response::see_other(&match scope.website() {
            Some(id) => format!("/reports/websites/{id}"),
            None => "/reports".to_owned(),
        })),
        ScheduleAdded::NotTheirs => Err(HttpError::Fields(FieldErrors(vec![wrong_channel()]))),
        ScheduleAdded::TooMany => {
            let remedy = format!("There are {} reports by mail already; remove one first.", Schedule::MOST);
            Err(HttpError::Fields(FieldErrors(vec![FieldError::new("rhythm", "", remedy)])))
        }
    }
}

/// `POST /reports/schedules/:id/delete`: sends it no more.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.get("id").parse().map_err(|_| HttpError::NotFound)?;
    if !app.wait(app.store.delete_report_schedule(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    Ok(Response::see_other("/reports"))
}
