//! History of a website: its ticks, the rounds they form, and its changes of verdict; newest first.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Serialize;

use super::cursor::{self, limit};
use super::shape::{At, Failure, ShownPhases, Word};
use super::websites::one_of;
use crate::clock;
use crate::http::openapi::{Operation, Parameter, ParameterKind, of, parameter};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::uptime::asked_window;
use crate::model::verdict::NOT_CHECKED;
use crate::model::{
    AccountId, BoardRow, CheckKind, FieldError, FieldErrors, Note, Outcome, RegionId, RoundCursor, StoredTick, Tick,
    TickCursor, Transition, UtcMs, Website, WebsiteId,
};

/// Ticks read at once.
const AT_ONCE: i64 = 1_000;
/// Ticks looked through for one page: where few of them fit, a page has less than its limit, and a cursor.
const LOOKED_THROUGH: usize = 5_000;
/// Changes of verdict that are told with the rounds of one page.
const CHANGES: i64 = 1_000;

const REGION: Parameter = parameter("region", "Only those from this region.", ParameterKind::Text);

/// Declared with the history.
pub(super) const TICKS: Operation = Operation::get(
    "/api/v1/websites/:id/ticks",
    "listTicks",
    "Ticks of a website, newest first. Where few fit, a page may have less than its limit, or nothing: go on while there is `next`.",
)
.query(&[
    Parameter::LIMIT,
    Parameter::AFTER,
    REGION,
    parameter("outcome", "Only those that ended so.", ParameterKind::OneOf(&["up", "degraded", "down", "unknown"])),
    Parameter::FROM,
    Parameter::TO,
])
.json(of::<TickList<'static>>);

/// Declared with the history.
pub(super) const ROUNDS: Operation = Operation::get(
    "/api/v1/websites/:id/rounds",
    "listRounds",
    "Rounds of a website, newest first: what all regions saw within one interval, what was decided then, and why.",
)
.query(&[Parameter::LIMIT, Parameter::AFTER, Parameter::FROM, Parameter::TO])
.json(of::<RoundList<'static>>);

/// Declared with the history.
pub(super) const TRANSITIONS: Operation = Operation::get(
    "/api/v1/websites/:id/transitions",
    "listTransitions",
    "Changes of verdict of a website, newest first.",
)
.query(&[Parameter::LIMIT, Parameter::AFTER])
.json(of::<TransitionList<'static>>);

/// The result of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tick")]
pub(super) struct ShownTick<'a> {
    /// When the check was due; with region and attempt its name.
    slot_at: At,
    region: &'a str,
    attempt: u16,
    /// Why it was run.
    kind: Word<CheckKind>,
    worker: &'a str,
    /// When the exchange began, by the worker's clock.
    started_at: At,
    received_at: At,
    outcome: Word<Outcome>,
    /// Why it is not up.
    failure: Option<Failure<'a>>,
    /// Status code, when it got that far.
    status: Option<u16>,
    phases: ShownPhases,
    total_us: u32,
    /// Address that was connected to.
    remote: Option<String>,
    body_bytes: u32,
    /// End of the certificate that was shown.
    certificate_not_after_at: Option<At>,
    /// The beginning of an answer that was not as asked. From a stranger.
    answer: Option<&'a str>,
    /// What else is worth knowing.
    notes: Vec<Word<Note>>,
    /// It came too late to have a vote.
    is_late: bool,
}

/// A page of ticks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TickList")]
struct TickList<'a> {
    ticks: Vec<ShownTick<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

/// A change of verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Transition")]
struct ShownTransition<'a> {
    /// Since when it holds: the first tick that said so.
    at: At,
    decided_at: At,
    from: Word<Outcome>,
    to: Word<Outcome>,
    /// Why, in words.
    reason: &'a str,
}

/// A page of changes of verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TransitionList")]
struct TransitionList<'a> {
    transitions: Vec<ShownTransition<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

/// What all regions saw within one interval.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Round")]
struct ShownRound<'a> {
    from_at: At,
    to_at: At,
    /// Ticks by outcome; confirmations count, too.
    up: usize,
    degraded: usize,
    down: usize,
    unknown: usize,
    /// The verdict after it.
    verdict: Word<Outcome>,
    /// Why, in words: regions, phases, classes and the rule.
    reason: &'a str,
    /// What was decided in it, newest first.
    transitions: Vec<ShownTransition<'a>>,
    ticks: Vec<ShownTick<'a>>,
}

/// A page of rounds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RoundList")]
struct RoundList<'a> {
    rounds: Vec<ShownRound<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

pub(super) fn shown(stored: &StoredTick) -> ShownTick<'_> {
    let tick: &Tick = &stored.tick;
    ShownTick {
        slot_at: At(tick.slot_at),
        region: stored.region_id.as_str(),
        attempt: tick.attempt,
        kind: Word(tick.kind),
        worker: stored.worker_id.as_str(),
        started_at: At(tick.started_at),
        received_at: At(stored.received_at),
        outcome: Word(tick.outcome),
        failure: tick.failure.as_ref().map(Failure::from),
        status: tick.status,
        phases: tick.phases.into(),
        total_us: tick.total_us,
        remote: tick.remote.map(|address| address.to_string()),
        body_bytes: tick.body_bytes,
        certificate_not_after_at: tick.certificate.as_ref().map(|certificate| At(certificate.not_after_at)),
        answer: tick.answer.as_deref(),
        notes: tick.notes.iter().copied().map(Word).collect(),
        is_late: stored.marks.late,
    }
}

fn shown_transition(change: &Transition) -> ShownTransition<'_> {
    ShownTransition {
        at: At(change.at),
        decided_at: At(change.decided_at),
        from: Word(change.from),
        to: Word(change.to),
        reason: &change.reason,
    }
}

/// The slots that are asked for: all there are, when nothing is said.
fn slots(request: &Request) -> Result<RangeInclusive<UtcMs>, HttpError> {
    let given = |name| request.query(name).map(str::trim).unwrap_or_default();
    let (from, to) = (given("from"), given("to"));
    if from.is_empty() && to.is_empty() {
        return Ok(UtcMs::MIN..=UtcMs::MAX);
    }
    let window = asked_window(from, to, clock::now()).map_err(HttpError::Fields)?;
    Ok(window.from_at..=window.to_at.saturating_sub(1))
}

fn found(app: &App, account: AccountId, id: WebsiteId) -> Result<Website, HttpError> {
    app.wait(app.store.website(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

fn place(tick: &StoredTick) -> TickCursor {
    TickCursor { slot_at: tick.tick.slot_at, region: tick.region_id.to_string(), attempt: tick.tick.attempt }
}

/// `GET /api/v1/websites/:id/ticks?region=&outcome=&from=&to=&limit=&after=` -> 200 `{ticks, next}`, newest first.
///
/// # Errors
/// 400 for a cursor that is none, 401, 404 when not yours, 422 for what none of these can be.
pub fn ticks(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "ticks";
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    let (limit, slots) = (usize::try_from(limit(request)?).unwrap_or(1), slots(request)?);
    let after: Option<TickCursor> = cursor::after(request, LIST)?;
    let outcome: Option<Outcome> = one_of(request, "outcome", "up, degraded, down or unknown")?;
    let region: Option<RegionId> = match request.query("region").filter(|region| !region.is_empty()) {
        None => None,
        Some(given) => Some(given.parse().map_err(|_| {
            HttpError::Fields(FieldErrors(vec![FieldError::new("region", given, "Give the name of a region.")]))
        })?),
    };
    found(app, account, id)?;
    let fits = |tick: &StoredTick| {
        outcome.is_none_or(|outcome| tick.tick.outcome == outcome)
            && region.as_ref().is_none_or(|region| tick.region_id == *region)
    };
    let (mut ticks, mut last, mut looked, mut is_end) = (Vec::new(), after, 0, false);
    while ticks.len() <= limit && looked < LOOKED_THROUGH && !is_end {
        let to_at = last.as_ref().map_or(*slots.end(), |last| last.slot_at.min(*slots.end()));
        // One page of the history is one instant of the database; of the slot of the cursor some have been seen.
        let wanted = *slots.start()..=to_at;
        let page = app.store.ticks_within(account, id, &wanted, AT_ONCE);
        let page = app.wait(page).map_err(login::store)?;
        is_end = (page.len() as i64) < AT_ONCE;
        let seen = page.len();
        let mut new = page.into_iter().filter(|tick| last.as_ref().is_none_or(|last| place(tick) < *last)).peekable();
        is_end |= new.peek().is_none();
        let mut newest = None;
        for tick in new {
            newest = Some(place(&tick));
            if fits(&tick) {
                ticks.push(tick);
                if ticks.len() > limit {
                    break;
                }
            }
        }
        (looked, last) = (looked + seen, newest.or(last));
    }
    let has_more = ticks.len() > limit;
    ticks.truncate(limit);
    let next = if has_more { ticks.last().map(place) } else { last.filter(|_| !is_end) };
    let next = next.map(|place| cursor::write(LIST, &place));
    let body = TickList { ticks: ticks.iter().map(shown).collect(), next: next.clone() };
    Ok(cursor::page(request, &body, next.as_deref()))
}

/// `GET /api/v1/websites/:id/transitions?limit=&after=` -> 200 `{transitions, next}`, newest first.
///
/// # Errors
/// 400 for a cursor that is none, 401, 404 when not yours, 422 for a limit that is none.
pub fn transitions(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "transitions";
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    let (limit, after) = (limit(request)?, cursor::after(request, LIST)?);
    found(app, account, id)?;
    let mut changes = app.wait(app.store.transitions_page(account, id, after, limit + 1)).map_err(login::store)?;
    let has_more = cursor::cut(&mut changes, limit);
    let next = changes.last().filter(|_| has_more).map(|(place, _)| cursor::write(LIST, place));
    let transitions = changes.iter().map(|(_, change)| shown_transition(change)).collect();
    Ok(cursor::page(request, &TransitionList { transitions, next: next.clone() }, next.as_deref()))
}

/// Ticks of one interval, newest first.
struct Round {
    from_at: UtcMs,
    ticks: Vec<StoredTick>,
}

impl Round {
    /// When the first of its results came: until then the verdict was by the rounds before.
    fn received_at(&self) -> UtcMs {
        self.ticks.iter().map(|tick| tick.received_at).min().unwrap_or(self.from_at)
    }
}

fn rounds_of(ticks: Vec<StoredTick>, interval_ms: i64) -> Vec<Round> {
    let mut rounds: Vec<Round> = Vec::new();
    for tick in ticks {
        let from_at = tick.tick.slot_at.div_euclid(interval_ms) * interval_ms;
        match rounds.last_mut().filter(|round| round.from_at == from_at) {
            Some(round) => round.ticks.push(tick),
            None => rounds.push(Round { from_at, ticks: vec![tick] }),
        }
    }
    rounds
}

/// `GET /api/v1/websites/:id/rounds?from=&to=&limit=&after=` -> 200 `{rounds, next}`, newest first. Rounds are by the interval
/// that the website has now.
///
/// # Errors
/// 400 for a cursor that is none, 401, 404 when not yours, 422 for what none of these can be.
pub fn rounds(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    const LIST: &str = "rounds";
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.website_id()?;
    let (limit, slots) = (usize::try_from(limit(request)?).unwrap_or(1), slots(request)?);
    let after: Option<RoundCursor> = cursor::after(request, LIST)?;
    let row = app.wait(app.store.board_row(account, id, clock::now())).map_err(login::store)?;
    let row: BoardRow = row.ok_or(HttpError::NotFound)?;
    let interval_ms = row.website.settings.interval_ms.max(1);
    let to_at = after.map_or(*slots.end(), |after| after.from_at.saturating_sub(1).min(*slots.end()));
    let wanted = *slots.start()..=to_at;
    let page = app.store.ticks_within(account, id, &wanted, AT_ONCE);
    let ticks = app.wait(page).map_err(login::store)?;
    let is_cut = ticks.len() as i64 == AT_ONCE;
    let mut rounds = rounds_of(ticks, interval_ms);
    // The last one may go on beyond what was read, unless it is all there is room for.
    let mut has_more = is_cut;
    if is_cut && rounds.len() > 1 {
        rounds.pop();
    }
    if rounds.len() > limit {
        (has_more, _) = (true, rounds.truncate(limit));
    }
    let ends = rounds.iter().map(Round::received_at);
    let ends: Vec<UtcMs> = std::iter::once(after.map_or(UtcMs::MAX, |after| after.received_at)).chain(ends).collect();
    let begin = ends.last().copied().unwrap_or(UtcMs::MAX);
    let changes = changes(app, account, id, begin, ends.first().copied().unwrap_or(UtcMs::MAX))?;
    let shown = rounds.iter().zip(ends.windows(2)).enumerate().map(|(n, (round, bounds))| {
        let (until, since) = (bounds.first().copied().unwrap_or(UtcMs::MAX), round.received_at());
        let is_newest = n == 0 && after.is_none() && *slots.end() == UtcMs::MAX;
        round_shown(round, interval_ms, &row, &changes, since, until, is_newest)
    });
    let next = rounds
        .last()
        .filter(|_| has_more)
        .map(|round| cursor::write(LIST, &RoundCursor { from_at: round.from_at, received_at: round.received_at() }));
    let body = RoundList { rounds: shown.collect(), next: next.clone() };
    Ok(cursor::page(request, &body, next.as_deref()))
}

/// Changes of verdict before `until`, newest first, back to the one that held at `since`.
fn changes(
    app: &App,
    account: AccountId,
    id: WebsiteId,
    since: UtcMs,
    until: UtcMs,
) -> Result<Vec<Transition>, HttpError> {
    let mut changes =
        app.wait(app.store.transitions_before(account, id, since, until, CHANGES)).map_err(login::store)?;
    if let Some(at) = changes.iter().position(|change| change.decided_at < since) {
        changes.truncate(at + 1);
    }
    Ok(changes)
}

fn round_shown<'a>(
    round: &'a Round,
    interval_ms: i64,
    row: &'a BoardRow,
    changes: &'a [Transition],
    since: UtcMs,
    until: UtcMs,
    is_newest: bool,
) -> ShownRound<'a> {
    let count = |outcome| round.ticks.iter().filter(|tick| tick.tick.outcome == outcome).count();
    let decided = changes.iter().find(|change| change.decided_at < until);
    let (verdict, reason) = match decided {
        _ if is_newest => (row.state.verdict, row.state.reason.as_str()),
        Some(change) => (change.to, change.reason.as_str()),
        None => (Outcome::Unknown, NOT_CHECKED),
    };
    let in_it = changes.iter().filter(|change| (since..until).contains(&change.decided_at));
    ShownRound {
        from_at: At(round.from_at),
        to_at: At(round.from_at.saturating_add(interval_ms)),
        up: count(Outcome::Up),
        degraded: count(Outcome::Degraded),
        down: count(Outcome::Down),
        unknown: count(Outcome::Unknown),
        verdict: Word(verdict),
        reason,
        transitions: in_it.map(shown_transition).collect(),
        ticks: round.ticks.iter().map(shown).collect(),
    }
}
