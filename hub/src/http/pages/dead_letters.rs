//! Messages that were tried and given up: what they were, why, and what can still be done. For operators only.

use askama::Template;

use super::words::{self, Instant, counted, instant};
use super::{Choice, Frame, Viewer, page};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::{
    AccountId, FieldError, FieldErrors, KeptLetter, LetterCursor, LetterFilter, LetterId, Replay, letter_kind_words,
    masked,
};
use crate::replay;
use crate::store::LetterWebsite;

pub(in crate::http) use super::dead_letters_actions::replay_one;
pub use super::dead_letters_actions::{
    ConfirmPage, confirm_discard, confirm_replay, discard, discard_all, replay, replay_all,
};

/// Letters on one page.
pub const LETTERS_SHOWN: i64 = 50;
/// Of one letter's payload: fifty of them, escaped, stay far below the largest answer (P8).
const PAYLOAD_BYTES: usize = 4 * 1024;

/// What a page shows.
#[derive(Debug, Default)]
pub struct Found {
    /// Which were asked for.
    pub filter: LetterFilter,
    /// One page of them, newest first.
    pub letters: Vec<KeptLetter>,
    /// The websites they are about, as far as those exist.
    pub websites: Vec<LetterWebsite>,
    /// All kinds there are, with how many.
    pub kinds: Vec<(String, i64)>,
    /// All streams there are letters of.
    pub streams: Vec<String>,
    /// Where this page begins; `None`: with the newest.
    pub after: Option<LetterCursor>,
    /// There are older ones.
    pub has_more: bool,
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "dead_letters.html", whitespace = "minimize")]
pub struct DeadLettersPage {
    frame: Frame,
    said: Option<String>,
    groups: Vec<Group>,
    kinds: Vec<Choice>,
    streams: Vec<Choice>,
    lines: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
    /// Of the links and forms that go on with what is shown.
    filter: LetterFilter,
    query: String,
    is_filtered: bool,
    is_empty: bool,
}

#[derive(Debug)]
struct Group {
    words: String,
    count: String,
    href: String,
    is_here: bool,
}

#[derive(Debug)]
struct Line {
    id: LetterId,
    at: Instant,
    title: String,
    why: &'static str,
    reason: String,
    origin: String,
    website: About,
    payload: masked::Payload,
    is_waiting: bool,
    note: String,
    /// What the button says; `Err`: why there is none.
    action: Result<&'static str, &'static str>,
}

/// The website of a letter, as far as this operator may know it.
#[derive(Debug)]
enum About {
    Own { href: String, name: String },
    Others,
    Gone,
    Unknown,
}

impl DeadLettersPage {
    /// `said`: what came of the last action.
    #[must_use]
    pub fn new(viewer: impl Into<Viewer>, account: AccountId, found: &Found, said: Option<String>) -> Self {
        let filter = &found.filter;
        let chosen = |value: &str, of: &Option<String>| of.as_deref() == Some(value);
        let choice = |value: &str, words: String, of: &Option<String>| Choice {
            value: value.to_owned(),
            words,
            chosen: chosen(value, of),
        };
        let group = |(kind, count): &(String, i64)| Group {
            words: letter_kind_words(kind),
            count: counted(*count),
            href: list(&LetterFilter { kind: Some(kind.clone()), stream: filter.stream.clone() }, &[]),
            is_here: chosen(kind, &filter.kind),
        };
        let last = found.letters.last().filter(|_| found.has_more).map(|letter| letter.cursor().to_string());
        Self {
            frame: Frame::wide("Dead letters", viewer).at("/dead-letters"),
            said,
            groups: found.kinds.iter().map(group).collect(),
            kinds: found.kinds.iter().map(|(kind, _)| choice(kind, letter_kind_words(kind), &filter.kind)).collect(),
            streams: found.streams.iter().map(|s| choice(s, stream_words(s), &filter.stream)).collect(),
            lines: found.letters.iter().map(|letter| Line::new(letter, account, &found.websites)).collect(),
            newest: found.after.map(|_| list(filter, &[])),
            older: last.map(|cursor| list(filter, &[("after", &cursor)])),
            query: query(filter, &[]),
            is_filtered: *filter != LetterFilter::default(),
            is_empty: found.kinds.is_empty(),
            filter: filter.clone(),
        }
    }
}

impl Line {
    fn new(letter: &KeptLetter, account: AccountId, websites: &[LetterWebsite]) -> Self {
        let website = letter.website_id();
        let found = website.and_then(|id| websites.iter().find(|website| website.website_id() == id));
        let website = match (website, found) {
            (None, _) => About::Unknown,
            (Some(_), None) => About::Gone,
            (Some(id), Some(website)) if website.is_of(account) => {
                About::Own { href: format!("/websites/{id}"), name: words::name(&website.url) }
            }
            (Some(_), Some(_)) => About::Others,
        };
        let action = match (letter.replay(), &website) {
            (Replay::Nothing(why), _) => Err(why),
            (Replay::Tick { .. } | Replay::Check(_), About::Gone) => Err("The website it was about is gone."),
            (Replay::Check(_), _) => Ok("Check the website now"),
            (Replay::Tick { .. } | Replay::Letter(_), _) => Ok("Replay"),
            (Replay::StillNot(_), _) => Ok("Try again"),
        };
        Self {
            id: letter.letter_id,
            at: instant(letter.created_at),
            title: letter_kind_words(&letter.kind),
            why: letter.explained(),
            reason: masked::text(&letter.reason),
            origin: stream_words(&letter.stream),
            website,
            payload: payload(letter, account, websites, PAYLOAD_BYTES),
            is_waiting: letter.replay_asked_at.is_some(),
            note: letter.replay_note.clone(),
            action,
        }
    }
}

/// The content of a letter as this operator may see it: of a website that is not his own nothing that
/// tells which it is. The command line shows all.
pub(in crate::http) fn payload(
    letter: &KeptLetter,
    account: AccountId,
    websites: &[LetterWebsite],
    limit: usize,
) -> masked::Payload {
    let Some(id) = letter.website_id() else { return masked::payload(&letter.raw, limit) };
    if websites.iter().any(|website| website.website_id() == id && website.is_of(account)) {
        masked::payload(&letter.raw, limit)
    } else {
        masked::payload_of_others(&letter.raw, limit)
    }
}

/// A stream in words: the region, and the worker where one wrote it.
fn stream_words(stream: &str) -> String {
    let letter = KeptLetter {
        letter_id: LetterId(uuid::Uuid::nil()),
        stream: stream.to_owned(),
        kind: String::new(),
        reason: String::new(),
        raw: Vec::new(),
        created_at: 0,
        replay_asked_at: None,
        replay_note: String::new(),
    };
    match letter.origin() {
        Some((region, Some(worker))) => format!("{region}, worker {worker}"),
        Some((region, None)) => format!("{region}, checks"),
        None => masked::text(stream),
    }
}

pub(super) fn query(filter: &LetterFilter, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("kind", &filter.kind), ("stream", &filter.stream)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(more).finish()
}

/// The list with these letters.
pub(super) fn list(filter: &LetterFilter, more: &[(&str, &str)]) -> String {
    match query(filter, more) {
        empty if empty.is_empty() => "/dead-letters".to_owned(),
        query => format!("/dead-letters?{query}"),
    }
}

/// Reads one page of letters; one more than is shown tells whether there are others.
///
/// # Errors
/// The database is away.
pub(in crate::http) fn find(
    app: &App,
    filter: LetterFilter,
    after: Option<LetterCursor>,
    limit: i64,
) -> Result<Found, HttpError> {
    let mut letters = app.wait(app.store.kept_letters(&filter, after, limit + 1)).map_err(login::store)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    let mut ids: Vec<_> = letters.iter().filter_map(KeptLetter::website_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let websites = app.wait(app.store.websites_of_letters(&ids)).map_err(login::store)?;
    Ok(Found { filter, letters, websites, after, has_more, ..Found::default() })
}

/// Where the list is to go on.
///
/// # Errors
/// It is none of our cursors.
pub(in crate::http) fn after(request: &Request) -> Result<Option<LetterCursor>, HttpError> {
    let given = request.query("after").unwrap_or_default();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|()| {
        let remedy = "Give the value of \"next\" of the page before, or leave it out for the newest.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("after", given, remedy)]))
    })
}

pub(in crate::http) fn filter_of(request: &Request) -> LetterFilter {
    LetterFilter::new(request.query("kind").unwrap_or_default(), request.query("stream").unwrap_or_default())
}

/// `GET /dead-letters`.
///
/// # Errors
/// Not for this account.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::operator(app, request)?;
    let mut found = find(app, filter_of(request), after(request)?, LETTERS_SHOWN)?;
    found.kinds = app.wait(app.store.dead_letter_kinds(replay::COUNTED)).map_err(login::store)?;
    found.streams = app.wait(app.store.dead_letter_streams()).map_err(login::store)?;
    let said = super::dead_letters_actions::said(request);
    page(200, &DeadLettersPage::new(Viewer::of(app, &who), who.account.account_id, &found, said))
}
