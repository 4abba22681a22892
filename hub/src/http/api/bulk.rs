//! `/api/v1/websites/bulk`: many websites at once, in one transaction of the database.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body;
use super::shape::Id;
use super::website_input::{Judge, Known, Sent, as_sent};
use crate::clock;
use crate::http::error::ProblemField;
use crate::http::openapi::{Group, Operation, of};
use crate::http::{App, HttpError, Request, Response, login, route::Params};
use crate::model::audit::FieldChange;
use crate::model::{Account, FieldError, FieldErrors, Outcome, Tag, WebsiteFilter, WebsiteId, WebsiteKind};
use crate::store::NewWebsite;

/// Websites of one request.
pub(in crate::http) const MOST: usize = 500;
/// Ids that fit into one value of the log.
const IDS: usize = 6;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Many websites at once",
    about: "Adding, pausing, resuming and deleting up to 500 websites in one request.",
    operations: &[Operation::post(
        "/api/v1/websites/bulk",
        "changeManyWebsites",
        "Adds, pauses, resumes or deletes many websites. What comes of each is told by itself. With `all_or_nothing` one that \
         cannot be done keeps all from being done. By a filter 500 are done at once: send it again while `more` is true.",
    )
    .body(of::<Asked>, &[])
    .json(of::<Done>)],
};

/// What is to be done.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "BulkInput")]
enum Asked {
    /// Adds websites.
    Create {
        #[schemars(length(min = 1, max = 500))]
        websites: Vec<Sent>,
        /// One that cannot be added keeps all from being added.
        #[serde(default)]
        all_or_nothing: bool,
    },
    /// Watches them no longer, for now.
    Pause(Which),
    /// Watches them again.
    Resume(Which),
    /// Deletes them, and what is known of them.
    Delete(Which),
}

/// Which websites: these, or those that fit a filter.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkWhich")]
struct Which {
    /// By name.
    #[serde(default)]
    #[schemars(length(min = 1, max = 500), with = "Option<Vec<Id>>")]
    ids: Option<Vec<WebsiteId>>,
    /// Those that fit all that is given.
    #[serde(default)]
    filter: Option<Filter>,
    /// One that is not there keeps all from being done.
    #[serde(default)]
    all_or_nothing: bool,
}

/// Websites that fit all that is given; at least one thing must be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BulkFilter")]
struct Filter {
    /// With this verdict: up, degraded, down, unknown.
    #[serde(default)]
    state: Option<String>,
    /// With this tag.
    #[serde(default)]
    tag: Option<String>,
    /// http or job.
    #[serde(default)]
    kind: Option<String>,
    /// With this in the address or name.
    #[serde(default)]
    q: Option<String>,
    /// Paused, or not.
    #[serde(default)]
    paused: Option<bool>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BulkDone")]
struct Done {
    /// How many were done, or were so before.
    done: usize,
    /// How many could not be.
    failed: usize,
    /// There may be more that fit the filter.
    more: bool,
    /// Of each, in the order in which they were sent.
    results: Vec<One>,
}

/// What came of one.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BulkResult")]
struct One {
    /// Its name; null where it could not be added.
    id: Option<Id>,
    /// done; unchanged: it was so before; not_found: it is not yours; refused: its fields cannot be accepted.
    #[schemars(extend("enum" = ["done", "unchanged", "not_found", "refused"]))]
    result: &'static str,
    /// Every field that cannot be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemField>,
}

impl One {
    fn of(id: WebsiteId, result: &'static str) -> Self {
        Self { id: Some(id.into()), result, errors: Vec::new() }
    }

    fn refused(errors: &FieldErrors) -> Self {
        let errors = errors.0.iter().map(|error| ProblemField::new(error, None)).collect();
        Self { id: None, result: "refused", errors }
    }
}

fn told(results: Vec<One>, more: bool) -> Response {
    let done = results.iter().filter(|one| matches!(one.result, "done" | "unchanged")).count();
    Response::json(200, &Done { done, failed: results.len() - done, more, results })
}

fn wrong(field: &'static str, found: &str, remedy: impl Into<String>) -> HttpError {
    HttpError::Fields(FieldErrors(vec![FieldError::new(field, found, remedy)]))
}

/// `POST /api/v1/websites/bulk` -> 200 `{done, failed, more, results}`.
///
/// # Errors
/// 400 for what is no such object, 401, 422 for too many, for no filter, and with `all_or_nothing` for what keeps it from being
/// done.
pub fn change(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account;
    match body(request, "an action and the websites it is about")? {
        Asked::Create { websites, all_or_nothing } => create(app, request, &account, &websites, all_or_nothing),
        Asked::Pause(which) => switch(app, request, &account, which, true),
        Asked::Resume(which) => switch(app, request, &account, which, false),
        Asked::Delete(which) => delete(app, request, &account, which),
    }
}

/// What the log is to say of it: what became of how many, and which these were, as far as a line has room for them.
pub(in crate::http) fn note<'i>(request: &Request, done: &str, ids: impl IntoIterator<Item = &'i WebsiteId>) {
    let ids: Vec<String> = ids.into_iter().map(|id| id.0.simple().to_string()).collect();
    if ids.is_empty() {
        return request.notes.nothing();
    }
    request.notes.about("", &format!("{} websites were {done}", ids.len()));
    request.notes.changed(ids.chunks(IDS).map(|some| FieldChange::new("website_ids", "", &some.join(" "))).collect());
}

fn counted(field: &'static str, count: usize) -> Result<(), HttpError> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(wrong(field, &count.to_string(), format!("Give 1 to {MOST} at once.")))
}

fn create(
    app: &App,
    request: &Request,
    account: &Account,
    sent: &[Sent],
    is_whole: bool,
) -> Result<Response, HttpError> {
    counted("websites", sent.len())?;
    let (judge, known) = (Judge::new(app, account), Known::default());
    let mut good: BTreeMap<usize, NewWebsite> = BTreeMap::new();
    let mut refused: BTreeMap<usize, FieldErrors> = BTreeMap::new();
    for (n, one) in sent.iter().enumerate() {
        match judge.over(one, &known)? {
            Ok(wanted) => {
                let (settings, ties, keeping) = (wanted.settings, wanted.ties, wanted.keeping);
                good.insert(n, NewWebsite { settings, ties, keeping, paused: one.paused == Some(true) });
            }
            Err(errors) => _ = refused.insert(n, errors),
        }
    }
    let mut added = BTreeMap::new();
    if refused.is_empty() || !is_whole {
        let (places, websites): (Vec<usize>, Vec<NewWebsite>) = good.into_iter().unzip();
        let tried = app.store.add_websites(account.account_id, &websites, is_whole, clock::now());
        for (n, one) in places.into_iter().zip(app.wait(tried).map_err(login::store)?) {
            match one {
                Ok(id) => _ = added.insert(n, id),
                Err(error) => _ = refused.insert(n, FieldErrors(vec![as_sent(error)])),
            }
        }
    }
    if is_whole && !refused.is_empty() {
        return Err(HttpError::Items(refused.into_iter().collect()));
    }
    added.values().for_each(|id| app.scheduler.changed(*id));
    note(request, "added", added.values());
    let results = (0..sent.len()).map(|n| match (added.get(&n), refused.get(&n)) {
        (Some(id), _) => One::of(*id, "done"),
        (None, errors) => One::refused(errors.unwrap_or(&FieldErrors::default())),
    });
    Ok(told(results.collect(), false))
}

/// Those that are meant, and whether there may be more.
struct Meant {
    ids: Vec<WebsiteId>,
    more: bool,
    is_whole: bool,
}

fn meant(app: &App, account: &Account, which: Which, paused: Option<bool>) -> Result<Meant, HttpError> {
    let is_whole = which.all_or_nothing;
    match (which.ids, which.filter) {
        (Some(ids), None) => {
            counted("ids", ids.len())?;
            let mut seen = BTreeSet::new();
            let ids = ids.into_iter().filter(|id| seen.insert(*id)).collect();
            Ok(Meant { ids, more: false, is_whole })
        }
        (None, Some(filter)) => {
            let mut filter = filter.parse()?;
            if paused.is_some() {
                if filter.paused.is_some() && filter.paused != paused {
                    return Ok(Meant { ids: Vec::new(), more: false, is_whole });
                }
                filter.paused = paused;
            }
            let found = app.store.website_ids_found(account.account_id, &filter, MOST as i64 + 1);
            let mut ids = app.wait(found).map_err(login::store)?;
            let more = ids.len() > MOST;
            ids.truncate(MOST);
            Ok(Meant { ids, more, is_whole })
        }
        (Some(_), Some(_)) | (None, None) => Err(wrong("ids", "", "Give either ids or a filter.")),
    }
}

impl Filter {
    fn parse(&self) -> Result<WebsiteFilter, HttpError> {
        let verdict: Option<Outcome> = parsed("state", self.state.as_deref(), "Give up, degraded, down or unknown.")?;
        let kind: Option<WebsiteKind> = parsed("kind", self.kind.as_deref(), "Give http or job.")?;
        let tag: Option<Tag> = parsed("tag", self.tag.as_deref(), "Give one tag.")?;
        let text = self.q.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_lowercase);
        if text.as_deref().is_some_and(|text| text.contains('\0')) {
            return Err(wrong("q", "", "No address and no name has a zero byte; leave it out."));
        }
        let filter = WebsiteFilter { kind, verdict, tag, text, paused: self.paused };
        if filter == WebsiteFilter::default() {
            return Err(wrong("filter", "", "Say what they have in common; all websites are never meant."));
        }
        Ok(filter)
    }
}

fn parsed<T: std::str::FromStr>(
    field: &'static str,
    given: Option<&str>,
    remedy: &str,
) -> Result<Option<T>, HttpError> {
    let Some(given) = given else { return Ok(None) };
    given.parse().map(Some).map_err(|_| wrong(field, given, remedy))
}

/// Those of `ids` that are not the account's are as if they were not there.
fn all_there(app: &App, account: &Account, meant: &Meant) -> Result<BTreeSet<WebsiteId>, HttpError> {
    let there = app.wait(app.store.websites_of(account.account_id, &meant.ids)).map_err(login::store)?;
    let gone = meant.ids.iter().enumerate().filter(|(_, id)| !there.contains(id));
    let missing = |id: &WebsiteId| FieldError::new("ids", &id.to_string(), "There is no such website of yours.");
    let missing: Vec<_> = gone.map(|(n, id)| (n, FieldErrors(vec![missing(id)]))).collect();
    if meant.is_whole && !missing.is_empty() {
        return Err(HttpError::Items(missing));
    }
    Ok(there)
}

fn switch(app: &App, request: &Request, account: &Account, which: Which, paused: bool) -> Result<Response, HttpError> {
    let meant = meant(app, account, which, Some(!paused))?;
    let there = all_there(app, account, &meant)?;
    let done = app.store.set_all_paused(account.account_id, &meant.ids, paused, clock::now());
    let done: BTreeSet<WebsiteId> = app.wait(done).map_err(login::store)?.into_iter().collect();
    done.iter().for_each(|id| app.scheduler.changed(*id));
    note(request, if paused { "paused" } else { "resumed" }, &done);
    let results = meant.ids.iter().map(|id| match (done.contains(id), there.contains(id)) {
        (true, _) => One::of(*id, "done"),
        (false, true) => One::of(*id, "unchanged"),
        (false, false) => One::of(*id, "not_found"),
    });
    Ok(told(results.collect(), meant.more))
}

fn delete(app: &App, request: &Request, account: &Account, which: Which) -> Result<Response, HttpError> {
    let meant = meant(app, account, which, None)?;
    all_there(app, account, &meant)?;
    let gone = app.store.delete_websites(account.account_id, &meant.ids, clock::now());
    let gone: BTreeSet<WebsiteId> = app.wait(gone).map_err(login::store)?.into_iter().collect();
    gone.iter().for_each(|id| app.scheduler.changed(*id));
    note(request, "deleted", &gone);
    let result = |id: &WebsiteId| if gone.contains(id) { "done" } else { "not_found" };
    let results = meant.ids.iter().map(|id| One::of(*id, result(id)));
    Ok(told(results.collect(), meant.more))
}
