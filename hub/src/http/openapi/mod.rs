//! The description of the API (OpenAPI 3.1), made from what the handlers declare: each module of the API says beside its
//! handlers which operations there are, with the types it reads and answers with. What is described is also what holds: a
//! query parameter that is not declared is refused before the handler sees it.

mod document;
mod operation;

use super::route::Route;
use super::{HttpError, Method, Request, Response, api};

pub use document::{DOCUMENT, described_errors};
pub use operation::{Answer, Body, Group, Operation, Parameter, ParameterKind, SchemaOf, of, parameter};

static GROUPS: &[&Group] = &[
    &api::websites::GROUP,
    &api::bulk::GROUP,
    &api::history::GROUP,
    &api::jobs::GROUP,
    &api::incidents::GROUP,
    &api::channels::GROUP,
    &api::alerts::GROUP,
    &api::maintenance::GROUP,
    &api::reports::GROUP,
    &api::status_pages::GROUP,
    &api::status_posts::GROUP,
    &api::regions::GROUP,
    &api::sessions::GROUP,
    &api::keys::GROUP,
    &api::audit::GROUP,
    &api::teams::GROUP,
    &api::events::GROUP,
    &api::dead_letters::GROUP,
    &api::capacity::GROUP,
    &api::document::GROUP,
    &api::health::GROUP,
    &api::ancestor::GROUP,
];

/// Every operation there is, as they are told of, in that order.
#[must_use]
pub fn groups() -> &'static [&'static Group] {
    GROUPS
}

/// What is said of a route.
#[must_use]
pub fn operation(method: Method, pattern: &str) -> Option<&'static Operation> {
    groups().iter().flat_map(|group| group.operations).find(|one| one.method == method && one.pattern == pattern)
}

/// Refuses a query parameter that a route does not have: a filter that is misspelt would answer with all there is.
///
/// # Errors
/// [`HttpError::BadRequest`], with the parameters there are.
pub fn known_parameters(route: &Route, request: &Request) -> Result<(), HttpError> {
    if !route.pattern.starts_with("/api/v1/") {
        return Ok(());
    }
    let Some(operation) = operation(route.method, route.pattern) else { return Ok(()) };
    let is_known = |name: &str| operation.query.iter().any(|parameter| parameter.name == name);
    let Some((odd, _)) = request.query.iter().find(|(name, _)| !is_known(name)) else { return Ok(()) };
    let shown: String = odd.chars().filter(|c| !c.is_control()).take(40).collect();
    let known: Vec<&str> = operation.query.iter().map(|parameter| parameter.name).collect();
    Err(HttpError::BadRequest(match known.as_slice() {
        [] => format!("There is no parameter \"{shown}\" here, nor any other."),
        known => format!("There is no parameter \"{shown}\" here; there are {}.", known.join(", ")),
    }))
}

/// The document as an answer.
#[must_use]
pub fn answer() -> Response {
    Response::new(200, "application/json", DOCUMENT.as_bytes()).with("cache-control", "public, max-age=300")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::http::route::{Kind, ROUTES};

    #[test]
    fn every_route_of_the_api_is_described_once_and_nothing_else_is() {
        let mut told = BTreeSet::new();
        for one in groups().iter().flat_map(|group| group.operations) {
            assert!(
                told.insert((one.method.as_str(), one.pattern)),
                "{} {} is described twice",
                one.method.as_str(),
                one.pattern
            );
            assert!(
                ROUTES.iter().any(|route| (route.method, route.pattern) == (one.method, one.pattern)),
                "{} is no route",
                one.pattern
            );
        }
        for route in ROUTES.iter().filter(|route| route.kind == Kind::Api) {
            let is_told = told.contains(&(route.method.as_str(), route.pattern));
            assert!(is_told, "{} {}: describe it in GROUP of its module", route.method.as_str(), route.pattern);
        }
        let names: BTreeSet<_> = groups().iter().flat_map(|group| group.operations).map(|one| one.id).collect();
        assert_eq!(names.len(), told.len(), "each has a name of its own");
    }

    #[test]
    fn the_document_names_every_operation() {
        let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(operations, groups().iter().map(|group| group.operations.len()).sum::<usize>());
        let website = &document["components"]["schemas"]["Website"]["properties"];
        assert_eq!(website["revision"]["type"], "integer");
    }
}
