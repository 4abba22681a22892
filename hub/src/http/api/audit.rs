//! `/api/v1/audit`: who changed what in a team; `/api/v1/installation/audit`: in the installation.

use schemars::JsonSchema;
use serde::Serialize;

use super::cursor::{self, limit};
use super::shape::{At, Id};
use crate::http::openapi::{Answer, Group, Operation, Parameter, ParameterKind, of, parameter};
use crate::http::pages::audit::{Log, find, table};
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::audit::{AuditLine, FieldChange};

const FILTERS: &[Parameter] = &[Parameter::LIMIT, Parameter::AFTER, KIND, PERSON, OBJECT];
const KIND: Parameter = parameter("kind", "Only what was done to this kind of thing.", ParameterKind::Text);
const PERSON: Parameter = parameter("person", "Only what this person did, by name.", ParameterKind::Text);
const OBJECT: Parameter = parameter("object", "Only what was done to this thing, by id.", ParameterKind::Text);

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Audit log",
    about: "Who changed what in the team, for its owners; in the installation, for operators.",
    operations: &[
        Operation::get("/api/v1/audit", "listAudit", "What was done in the team, newest first.")
            .query(FILTERS)
            .json(of::<AuditList<'static>>),
        Operation::get(
            "/api/v1/audit.csv",
            "listAuditAsTable",
            "The same as a table, as much as fits; `Link` leads to the rest.",
        )
        .query(&[parameter("after", "From the `Link` of the table before.", ParameterKind::Text), KIND, PERSON, OBJECT])
        .answer(Answer::Csv),
        Operation::get(
            "/api/v1/installation/audit",
            "listInstallationAudit",
            "What was done that concerns no team, or one that is gone, newest first. For operators.",
        )
        .query(FILTERS)
        .json(of::<AuditList<'static>>),
    ],
};

/// What somebody did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditLine")]
struct Shown<'a> {
    id: Id,
    /// When; of what is counted, the last time.
    at: At,
    /// Who, by the name of then.
    person: &'a str,
    person_id: Option<Id>,
    /// With which key, by its name of then.
    key: Option<&'a str>,
    key_id: Option<Id>,
    /// From where.
    address: &'a str,
    /// added, changed, deleted, ...
    action: &'a str,
    /// website, channel, ...
    kind: &'a str,
    object_id: &'a str,
    object: &'a str,
    /// What is another than before.
    #[schemars(with = "Vec<std::collections::BTreeMap<String, String>>")]
    changes: &'a [FieldChange],
    /// How often, within an hour.
    times: i64,
    /// Method and pattern of the route, or the command.
    route: &'a str,
}

/// A page of the log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditList")]
struct AuditList<'a> {
    lines: Vec<Shown<'a>>,
    /// Cursor of the next page; null: this is the last.
    next: Option<String>,
}

fn shown(line: &AuditLine) -> Shown<'_> {
    let deed = &line.deed;
    Shown {
        id: Id(line.audit_id),
        at: At(line.at),
        person: &deed.person,
        person_id: deed.person_id.map(|id| Id(id.0)),
        key: deed.api_key_id.map(|_| deed.key_name.as_str()),
        key_id: deed.api_key_id.map(|id| Id(id.0)),
        address: &deed.address,
        action: &deed.action,
        kind: &deed.kind,
        object_id: &deed.object_id,
        object: &deed.object,
        changes: &deed.changes,
        times: line.times,
        route: &deed.route,
    }
}

fn page(app: &App, request: &Request, log: Log) -> Result<Response, HttpError> {
    const LIST: &str = "audit";
    let found = find(app, request, log, cursor::after(request, LIST)?, limit(request)?)?;
    let next = found.lines.last().filter(|_| found.has_more).map(|last| cursor::write(LIST, &last.cursor()));
    let lines = found.lines.iter().map(shown).collect();
    Ok(cursor::page(request, &AuditList { lines, next: next.clone() }, next.as_deref()))
}

/// `GET /api/v1/audit?kind=&person=&object=&limit=&after=` -> 200 `{lines, next}`, newest first.
///
/// # Errors
/// 401, 403 for whoever is no owner, 422.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    page(app, request, Log::Team)
}

/// `GET /api/v1/audit.csv`: the same as a table, as much as fits; `Link` with `rel="next"` leads to the rest.
///
/// # Errors
/// 401, 403 for whoever is no owner, 422.
pub fn csv(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    table(app, request, Log::Team)
}

/// `GET /api/v1/installation/audit` -> 200 `{lines, next}`: what concerns no team, or one that is gone.
///
/// # Errors
/// 401, 404 for whoever is no operator, 422.
pub fn installation(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    page(app, request, Log::Installation)
}
