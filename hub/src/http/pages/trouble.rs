//! The page for what did not work.

use askama::Template;

use super::{Frame, Viewer, page};
use crate::http::{App, HttpError, Method, Request, Response, login};

/// The page.
#[derive(Template, Debug)]
#[template(path = "trouble.html", whitespace = "minimize")]
pub struct TroublePage {
    frame: Frame,
    message: String,
    way_out: &'static str,
    way_out_words: &'static str,
}

impl TroublePage {
    /// `message` is for people: the caller keeps causes to the log.
    #[must_use]
    pub fn new(status: u16, message: &str, viewer: Option<Viewer>) -> Self {
        // A link of a message may be about another team than the one that is looked at.
        let team = viewer.as_ref().map_or("", |viewer| viewer.team.as_str());
        let elsewhere = (status == 404 && !team.is_empty()).then(|| {
            format!("There is no such page, or it belongs to somebody else, or to another of your teams than “{team}”.")
        });
        let (title, message) = match status {
            401 => ("Sign in first", "This page is for people who are signed in."),
            403 => ("This is not allowed", message),
            404 => {
                let nothing = "There is no such page, or it belongs to somebody else.";
                ("Nothing is here", elsewhere.as_deref().unwrap_or(nothing))
            }
            405 => ("This does not work here", message),
            429 => ("Not so fast", message),
            503 => ("Not now", message),
            500.. => ("Something went wrong", message),
            ..500 => ("This did not work", message),
        };
        let (way_out, way_out_words) = match status {
            401 => ("/signin", "Sign in"),
            404 if elsewhere.is_some() => ("/team", "Go to your teams"),
            ..401 | 402.. if viewer.is_some() => ("/", "Go to the dashboard"),
            ..401 | 402.. => ("/", "Go to the start"),
        };
        Self { frame: Frame::narrow(title, viewer), message: message.to_owned(), way_out, way_out_words }
    }
}

/// The page for an error; whoever is not signed in is led to where one signs in.
#[must_use]
pub fn error(app: &App, request: &Request, error: &HttpError) -> Response {
    if matches!(error, HttpError::SignInFirst) && request.header("x-background").is_none() {
        // Whoever followed a link of a message comes back to what it is about.
        let is_link = request.method == Method::Get && super::account::leads_back(&request.path);
        let to = if is_link { format!("/signin?next={}", request.path) } else { "/signin".to_owned() };
        return Response::see_other(&to);
    }
    if request.media_type() == "application/json" {
        return error.problem(request);
    }
    let message = match error {
        HttpError::TooMany { retry_after_s } => {
            format!("Wait {retry_after_s} s, then try again.")
        }
        HttpError::Fields(_)
        | HttpError::Items(_)
        | HttpError::Changed
        | HttpError::Method
        | HttpError::BadRequest(_)
        | HttpError::SignInFirst
        | HttpError::Key(_)
        | HttpError::Forbidden(_)
        | HttpError::NotFound
        | HttpError::Conflict(_)
        | HttpError::MediaType(_)
        | HttpError::Unavailable(_)
        | HttpError::Internal(_) => error.message(request),
    };
    let viewer = login::signed_in(app, request).ok().map(|who| Viewer::of(app, &who));
    let view = TroublePage::new(error.status(), &message, viewer);
    let answer = page(error.status(), &view).unwrap_or_else(|_| Response::text(error.status(), message));
    if let HttpError::TooMany { retry_after_s } = error {
        return answer.with("retry-after", &retry_after_s.to_string());
    }
    answer
}
