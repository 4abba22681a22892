//! Who did what, written in one place: after its handler, every unsafe request that was carried out is one line of the log, told
//! by the table of routes. So a route that is added tomorrow is in the log, too. What a website, job, channel or maintenance
//! window was like is looked at before and after; a handler may say more.

mod picture;

use std::cell::RefCell;

use serde_json::Value;
use uuid::Uuid;

use self::picture::{Picture, picture};
use super::access::Needs;
use super::login::{Caller, Proof};
use super::route::{Params, Route};
use super::{App, Request, Response};
use crate::clock;
use crate::model::audit::{Deed, FieldChange, is_own, what};
use crate::model::{Account, AccountId};

/// Routes that change something and make no line, and why.
pub const UNWRITTEN: [(&str, &str); 6] = [
    ("/ping/:id", "a job that reports; its pings are kept with it"),
    ("/ping/:id/:word", "a job that reports; its pings are kept with it"),
    ("/s/:slug/unlock", "a reader of a status page who knows its password"),
    ("/s/:slug/subscribe", "a reader who asks for mail; who gets it is kept with the page"),
    ("/subscription/confirm/:token", "the same"),
    ("/subscription/end/:token", "the same, who wants no more"),
];

/// What a handler has to say beside what the table of routes says.
#[derive(Debug, Clone, Default)]
pub struct Notes(RefCell<Noted>);

#[derive(Debug, Clone, Default)]
struct Noted {
    account: Option<AccountId>,
    person: Option<(Option<AccountId>, String)>,
    object: Option<(String, String)>,
    changes: Vec<FieldChange>,
    is_nothing: bool,
}

impl Notes {
    /// Whose it is and who did it, where nobody was signed in when the request came.
    pub fn by(&self, account: &Account) {
        let mut noted = self.0.borrow_mut();
        noted.account = Some(account.account_id);
        noted.person = Some((Some(account.account_id), account.username.clone()));
    }

    /// The same of somebody who turned out to be signed in, for the team he looks at.
    pub fn of(&self, who: &Caller) {
        let mut noted = self.0.borrow_mut();
        noted.account = Some(who.account.account_id);
        noted.person = Some((Some(who.person.account_id), who.person.username.clone()));
    }

    /// Whose it is, where nobody is known who did it; `words` say how that came.
    pub fn somebody(&self, account: AccountId, words: &str) {
        let mut noted = self.0.borrow_mut();
        noted.account = Some(account);
        noted.person = Some((None, words.to_owned()));
    }

    /// Whose log it belongs in, where that is another team's than the one that is looked at.
    pub fn of_team(&self, team: AccountId) {
        self.0.borrow_mut().account = Some(team);
    }

    /// What it is about: its id, where the path does not say it, and its name.
    pub fn about(&self, id: impl std::fmt::Display, name: &str) {
        self.0.borrow_mut().object = Some((id.to_string(), name.to_owned()));
    }

    /// What is another than before.
    pub fn changed(&self, changes: Vec<FieldChange>) {
        self.0.borrow_mut().changes.extend(changes);
    }

    /// Nothing was done: an answer from before was given again, or only looked at what would be.
    pub fn nothing(&self) {
        self.0.borrow_mut().is_nothing = true;
    }
}

/// Whether a route is one that makes lines.
fn is_written(route: &Route) -> bool {
    route.method.is_unsafe() && UNWRITTEN.iter().all(|(pattern, _)| *pattern != route.pattern)
}

/// What the thing that a request is about is like before its handler.
pub(super) struct Before(Option<Picture>);

/// Looks at what a request is about, where it may change it.
pub(super) fn look(app: &App, route: &Route, params: &Params, request: &Request) -> Before {
    let id = params.get("id");
    let caller = request.caller.get().filter(|_| is_written(route) && !id.is_empty());
    let (_, kind) = what(route.method.as_str(), route.pattern);
    Before(caller.and_then(|who| picture(app, who.account.account_id, &kind, id)))
}

/// The line of a request that was carried out; `None` for what makes none.
#[must_use]
pub fn deed(route: &Route, params: &Params, request: &Request, answer: &Response) -> Option<Deed> {
    let noted = request.notes.0.borrow();
    if !is_written(route) || noted.is_nothing || answer.status >= 400 {
        return None;
    }
    let (action, kind) = what(route.method.as_str(), route.pattern);
    let caller = request.caller.get();
    // Where nobody has to be signed in, who is not known did nothing: he gave a password and was asked for a code, or signed out
    // without a session. Strangers write no lines.
    if route.needs == Needs::Nothing && caller.is_none() && noted.person.is_none() {
        return None;
    }
    let (object_id, object) =
        noted.object.clone().unwrap_or_else(|| (object_of(params, answer, &action), String::new()));
    let whose = caller.map(|who| if is_own(&kind) { &who.person } else { &who.account });
    let by_key = caller.and_then(Caller::key);
    let (person_id, person) = match (caller, &noted.person) {
        (_, Some((id, words))) => (*id, words.clone()),
        (Some(who), None) => (Some(who.person.account_id), who.person.username.clone()),
        (None, None) => (None, "somebody".to_owned()),
    };
    Some(Deed {
        // What concerns the installation is for operators to see, whoever of them did it.
        account: if route.needs == Needs::Operator {
            None
        } else {
            noted.account.or(whose.map(|account| account.account_id))
        },
        person_id,
        person,
        api_key_id: by_key.map(|(id, _)| id),
        key_name: by_key.map(|(_, name)| name.to_owned()).unwrap_or_default(),
        address: request.client.to_canonical().to_string(),
        route: format!("{} {}", route.method.as_str(), route.pattern),
        action,
        kind,
        object_id,
        object,
        changes: noted.changes.clone(),
    })
}

/// The id in the path, or, of what was added, in the answer. Of a session's name the begin: enough to tell two apart. What else
/// stands in a path may be a secret.
fn object_of(params: &Params, answer: &Response, action: &str) -> String {
    let (id, name) = (params.get("id"), params.get("name"));
    if !id.is_empty() {
        return id.to_owned();
    }
    if !name.is_empty() {
        return name.chars().take(8).collect();
    }
    if action != "added" {
        return String::new();
    }
    let header = |name| answer.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
    let leads_to = header("location").and_then(|path| {
        let path = path.split('?').next().unwrap_or_default();
        path.split('/').find_map(|part| Uuid::try_parse(part).ok())
    });
    if let Some(id) = leads_to {
        return id.to_string();
    }
    let is_json = header("content-type") == Some("application/json");
    let made = is_json.then(|| serde_json::from_slice::<Value>(&answer.body).ok()).flatten();
    made.and_then(|value| value["id"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// Writes the line of a request that was carried out. It is done by then: a line that cannot be written stands in the hub's own
/// log instead, and is counted.
pub(super) fn write(
    app: &App,
    route: &Route,
    params: &Params,
    request: &Request,
    answer: &Response,
    Before(before): Before,
) {
    let Some(mut deed) = deed(route, params, request, answer) else { return };
    let id = deed.object_id.clone();
    let after = deed.account.filter(|_| !id.is_empty()).and_then(|account| picture(app, account, &deed.kind, &id));
    if let (Some(before), Some(after)) = (&before, &after) {
        deed.changes.extend(before.changes(after));
    }
    if let Some(seen) = before.or(after) {
        deed.kind = seen.kind.map_or(deed.kind, str::to_owned);
        if deed.object.is_empty() {
            deed.object = seen.name;
        }
    }
    if let Err(error) = app.wait(app.store.write_audit(deed.clone(), clock::now())) {
        app.store.counts().audit_lost.add(1);
        tracing::error!(request.id = %request.request_id, %error, ?deed, "A line of the audit log could not be written.");
    }
}

/// Counts a wrong password; whoever has such a name sees it, of names that nobody has operators do.
pub(super) fn wrong_password(app: &App, request: &Request, account: Option<&Account>) {
    let known = account.map(|account| (account.account_id, account.username.as_str()));
    count(app, request, Deed::of_wrong_password(known, request.client.to_canonical().to_string()));
}

/// Counts a wrong code after the right password: who has the account sees that somebody else may know it.
pub(super) fn wrong_code(app: &App, request: &Request, account: &Account) {
    let address = request.client.to_canonical().to_string();
    count(app, request, Deed::of_wrong_code(account.account_id, &account.username, address));
}

fn count(app: &App, request: &Request, deed: Deed) {
    if let Err(error) = app.wait(app.store.count_audit(deed, clock::now())) {
        app.store.counts().audit_lost.add(1);
        tracing::warn!(request.id = %request.request_id, %error, "A wrong password or code could not be counted.");
    }
}

impl Caller {
    /// The key that was shown, and its name; `None` for a person.
    #[must_use]
    pub fn key(&self) -> Option<(crate::model::api_key::ApiKeyId, &str)> {
        match &self.proof {
            Proof::Session(_) => None,
            Proof::Key(key) => Some((key.api_key_id, &key.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;

    use super::*;
    use crate::http::Method;
    use crate::http::route::ROUTES;

    fn request(method: Method) -> Request {
        Request {
            method,
            path: "/".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            client: std::net::IpAddr::from([127, 0, 0, 1]),
            request_id: String::new(),
            caller: OnceCell::new(),
            notes: Notes::default(),
        }
    }

    #[test]
    fn every_route_that_changes_something_makes_a_line_when_it_did_and_no_other_does() {
        let mut written = 0;
        for route in ROUTES {
            let asked = request(route.method);
            let made = |status| deed(route, &Params::default(), &asked, &Response::text(status, ""));
            let name = format!("{:?} {}", route.method, route.pattern);
            assert!(made(404).is_none() && made(422).is_none() && made(503).is_none(), "{name}: nothing was done");
            if !route.method.is_unsafe() || UNWRITTEN.iter().any(|(pattern, _)| *pattern == route.pattern) {
                assert!(made(200).is_none(), "{name}");
                continue;
            }
            let is_open = route.needs == Needs::Nothing;
            if is_open {
                assert!(made(200).is_none() && made(303).is_none(), "{name}: a stranger");
                asked.notes.somebody(AccountId(Uuid::nil()), "who is known");
            }
            for status in [200, 201, 204, 303] {
                let line = made(status).unwrap_or_else(|| panic!("{name} makes no line"));
                assert!(!line.action.is_empty() && !line.kind.is_empty() && !line.action.contains(':'), "{line:?}");
                assert!(!line.kind.contains([':', '/']), "{line:?}");
                assert_eq!(line.account.is_some(), is_open, "nobody else is known here");
            }
            asked.notes.nothing();
            assert!(made(200).is_none());
            written += 1;
        }
        assert!(written >= 50, "{written}");
        for (pattern, why) in UNWRITTEN {
            assert!(ROUTES.iter().any(|route| route.pattern == pattern) && !why.is_empty(), "{pattern}");
        }
    }

    #[test]
    fn what_was_added_is_named_by_the_answer() {
        let id = Uuid::from_u128(7);
        let none = Params::default();
        let page = Response::see_other(&format!("/websites/{id}?said=added"));
        assert_eq!(object_of(&none, &page, "added"), id.to_string());
        let json = Response::json(201, &serde_json::json!({"id": id}));
        assert_eq!(object_of(&none, &json, "added"), id.to_string());
        assert_eq!(object_of(&none, &page, "signed in"), "", "where one goes on is not what it is about");
        assert_eq!(object_of(&none, &Response::text(200, "{\"id\": \"x\"}"), "added"), "");
    }
}
