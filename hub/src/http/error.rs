//! The one place that turns trouble into a status. A 500 has a fixed text with the request's id; its cause goes to
//! the log once, here.

use super::{Request, Response};
use crate::model::FieldErrors;

/// Why a handler has no ordinary answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Input that cannot be accepted: 422, the fields named.
    #[error("{0}")]
    Fields(FieldErrors),
    /// The request itself is malformed: 400.
    #[error("{0}")]
    BadRequest(String),
    /// Not signed in: 401, or the sign-in page.
    #[error("sign in first")]
    SignInFirst,
    /// Forbidden: 403.
    #[error("{0}")]
    Forbidden(&'static str),
    /// No such thing, or not yours: 404, always the same.
    #[error("not found")]
    NotFound,
    /// Conflicts with what is stored: 409.
    #[error("{0}")]
    Conflict(String),
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
            Self::Fields(_) => 422,
            Self::BadRequest(_) => 400,
            Self::SignInFirst => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound => 404,
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
            tracing::error!(request.id = %request.request_id, path = %request.path, cause = format!("{cause:#}"), "A request failed.");
            return format!("Something went wrong here. Reference: {}", request.request_id);
        }
        self.to_string()
    }

    /// RFC 9457 problem document; `errors` names field, value and remedy.
    #[must_use]
    pub fn problem(&self, request: &Request) -> Response {
        let errors: Vec<_> = match self {
            Self::Fields(FieldErrors(list)) => list
                .iter()
                .map(|e| serde_json::json!({"field": e.field, "found": e.found, "remedy": e.remedy}))
                .collect(),
            Self::BadRequest(_)
            | Self::SignInFirst
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::Conflict(_)
            | Self::MediaType(_)
            | Self::TooMany { .. }
            | Self::Unavailable(_)
            | Self::Internal(_) => Vec::new(),
        };
        let title = self.message(request);
        let mut body = serde_json::json!({"status": self.status(), "title": title, "request_id": request.request_id});
        if !errors.is_empty() {
            body["errors"] = errors.into();
        }
        let mut answer = Response::json(self.status(), &body);
        answer.headers = vec![("content-type", "application/problem+json".to_owned())];
        if let Self::TooMany { retry_after_s } = self {
            answer = answer.with("retry-after", &retry_after_s.to_string());
        }
        answer
    }
}
