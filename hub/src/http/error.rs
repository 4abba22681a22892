//! The one place that turns trouble into a status. A 500 has a fixed text with the request's id; its cause goes to
//! the log once, here.

use schemars::JsonSchema;
use serde::Serialize;

use super::route::{self, Found};
use super::{Request, Response};
use crate::model::{FieldError, FieldErrors};

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// What kind of trouble: a place in /docs.
    #[schemars(extend("format" = "uri-reference"))]
    r#type: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, for people.
    title: String,
    /// To find it in the log of the hub.
    request_id: String,
    /// Every field that cannot be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ProblemField>,
}

/// A field that cannot be accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProblemField {
    /// Which entry of a list it is of, from 0; left out where there is no list.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    /// Its name.
    field: &'static str,
    /// What was found; empty for nothing.
    found: String,
    /// What would work.
    remedy: String,
}

impl ProblemField {
    /// Of an entry of a list, or of no list.
    #[must_use]
    pub fn new(error: &FieldError, item: Option<usize>) -> Self {
        Self { item, field: error.field, found: error.found.clone(), remedy: error.remedy.clone() }
    }
}

/// Why a handler has no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Input that cannot be accepted: 422, the fields named.
    #[error("{0}")]
    Fields(FieldErrors),
    /// Entries of a list that cannot be accepted, and therefore none is: 422, entries and fields named.
    #[error("{} of the entries cannot be accepted, so nothing was done", .0.len())]
    Items(Vec<(usize, FieldErrors)>),
    /// The request itself is malformed: 400.
    #[error("{0}")]
    BadRequest(String),
    /// Not signed in: 401, or the sign-in page.
    #[error("sign in first")]
    SignInFirst,
    /// A key that does not count: 401.
    #[error("{0}")]
    Key(&'static str),
    /// Forbidden: 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// No such thing, or not yours: 404, always the same.
    #[error("not found")]
    NotFound,
    /// The path has other methods: 405.
    #[error("this path has no such method; see Allow")]
    Method,
    /// Conflicts with what is stored: 409.
    #[error("{0}")]
    Conflict(String),
    /// Not at the revision that the request names: 412.
    #[error("it was changed meanwhile; read it again, then send its ETag")]
    Changed,
    /// Media type of the body: 415.
    #[error("send {0}")]
    MediaType(&'static str),
    /// Too many tries, or too often: 429.
    #[error("too many requests; try again in {retry_after_s} s")]
    TooMany {
        /// Seconds until the next try may succeed.
        retry_after_s: u32,
    },
    /// We cannot right now: 503.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Our own trouble: 500.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl HttpError {
    /// Status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Fields(_) | Self::Items(_) => 422,
            Self::Changed => 412,
            Self::BadRequest(_) => 400,
            Self::SignInFirst | Self::Key(_) => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Conflict(_) => 409,
            Self::MediaType(_) => 415,
            Self::TooMany { .. } => 429,
            Self::Unavailable(_) => 503,
            Self::Internal(_) => 500,
        }
    }

    /// What a person or program may be told; the log gets the rest.
    #[must_use]
    pub fn message(&self, request: &Request) -> String {
        if let Self::Internal(cause) = self {
            // Not the path: it may be a link that lets its reader in, or the address of a job.
            let route = match route::find(request.method, &request.path) {
                Found::Route(route, _) => route.pattern,
                Found::OtherMethod(_) | Found::Nothing => "none",
            };
            let method = request.method.as_str();
            tracing::error!(request.id = %request.request_id, method, route, cause = format!("{cause:#}"), "A request failed.");
            return format!("Something went wrong here. Reference: {}", request.request_id);
        }
        self.to_string()
    }

    /// RFC 9457 problem document; `errors` names field, value and remedy.
    #[must_use]
    pub fn problem(&self, request: &Request) -> Response {
        let errors: Vec<ProblemField> = match self {
            Self::Fields(FieldErrors(list)) => list.iter().map(|error| ProblemField::new(error, None)).collect(),
            Self::Items(items) => items
                .iter()
                .flat_map(|(item, errors)| errors.0.iter().map(|error| ProblemField::new(error, Some(*item))))
                .collect(),
            Self::BadRequest(_)
            | Self::SignInFirst
            | Self::Key(_)
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::Method
            | Self::Conflict(_)
            | Self::Changed
            | Self::MediaType(_)
            | Self::TooMany { .. }
            | Self::Unavailable(_)
            | Self::Internal(_) => Vec::new(),
        };
        let status = self.status();
        let (title, request_id) = (self.message(request), request.request_id.clone());
        let body = Problem { r#type: format!("/docs#status-{status}"), status, title, request_id, errors };
        let mut answer = Response::json(self.status(), &body);
        answer.headers = vec![("content-type", "application/problem+json".to_owned())];
        if let Self::TooMany { retry_after_s } = self {
            answer = answer.with("retry-after", &retry_after_s.to_string());
        }
        if let Self::Key(_) = self {
            answer = answer.with("www-authenticate", "Bearer error=\"invalid_token\"");
        }
        answer
    }
}
