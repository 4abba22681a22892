//! Edits of what somebody saw. A thing with a revision is answered with an `ETag` that begins with it; an edit that names it,
//! by `If-Match` or by a field, is made only while it is still that.

use std::fmt::Debug;

use serde::Serialize;

use crate::http::{HttpError, Request, Response, assets};

/// A thing as an answer, with its `ETag`: `"<revision>-<what the answer has in it>"`. The second part tells caches apart
/// what changes without an edit.
pub(super) fn answer<T: Serialize>(status: u16, body: &T, revision: i64) -> Response {
    let answer = Response::json(status, body);
    let tag = format!("\"{revision}-{}\"", assets::tag(&answer.body));
    answer.with("etag", &tag)
}

/// What of a website or job is decided without a new revision, in a few characters of its tag.
pub(super) fn decided(of: &impl Debug) -> String {
    assets::tag(format!("{of:?}").as_bytes())
}

/// A website or job as an answer: `ETag` is `"<revision>-<what is decided beside it>-<what the answer has in it>"`.
pub(super) fn answer_decided<T: Serialize>(status: u16, body: &T, revision: i64, decided: &str) -> Response {
    let answer = Response::json(status, body);
    let tag = format!("\"{revision}-{decided}-{}\"", assets::tag(&answer.body));
    answer.with("etag", &tag)
}

/// Refuses a change of what has changed: `present` is its revision now, `sent` that of the body.
///
/// # Errors
/// 412 by `If-Match`, 409 by the field.
pub(super) fn expect(request: &Request, sent: Option<i64>, present: i64) -> Result<(), HttpError> {
    if let Some(tags) = request.header("if-match") {
        let tags: Vec<&str> = tags.split(',').map(str::trim).collect();
        if tags != ["*"] && !tags.iter().any(|tag| of_tag(tag) == Some(present)) {
            return Err(HttpError::Changed);
        }
    }
    if sent.is_some_and(|sent| sent != present) { Err(meanwhile(request)) } else { Ok(()) }
}

/// The same of a website or job, also where something else was `decided` since. A tag that is the revision alone is compared
/// by that alone.
///
/// # Errors
/// As of [`expect`].
pub(super) fn expect_decided(
    request: &Request,
    sent: Option<i64>,
    present: i64,
    decided: &str,
) -> Result<(), HttpError> {
    expect(request, sent, present)?;
    let Some(tags) = request.header("if-match") else { return Ok(()) };
    let mut fitting = tags.split(',').map(str::trim).filter(|tag| *tag == "*" || of_tag(tag) == Some(present));
    let is_same = |tag: &str| decided_of(tag).is_none_or(|said| said == decided);
    if fitting.any(is_same) { Ok(()) } else { Err(HttpError::Changed) }
}

/// Somebody else was first.
pub(super) fn meanwhile(request: &Request) -> HttpError {
    if request.header("if-match").is_some() {
        return HttpError::Changed;
    }
    HttpError::Conflict("It was changed meanwhile; read it again, then send its revision.".to_owned())
}

/// The revision of an `ETag`. One that says nothing but the revision will do, and one that a proxy has weakened when it
/// packed the answer.
fn of_tag(tag: &str) -> Option<i64> {
    let inside = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
    inside.split_once('-').map_or(inside, |(revision, _)| revision).parse().ok()
}

/// What an `ETag` says of what is decided without a revision.
fn decided_of(tag: &str) -> Option<&str> {
    let mut parts = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').splitn(3, '-').skip(1);
    let (decided, _) = (parts.next()?, parts.next()?);
    Some(decided)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_beside_a_revision() {
        for (tag, decided) in [
            ("\"7-abc-def\"", Some("abc")),
            ("W/\"7-abc-def\"", Some("abc")),
            ("\"7-abc\"", None),
            ("\"7\"", None),
            ("*", None),
        ] {
            assert_eq!(decided_of(tag), decided, "{tag}");
        }
    }

    #[test]
    fn the_revision_of_a_tag() {
        for (tag, revision) in [
            ("\"7-abc\"", Some(7)),
            ("W/\"7-abc\"", Some(7)),
            ("\"7\"", Some(7)),
            ("7", None),
            ("\"\"", None),
            ("\"-7\"", None),
            ("\"x\"", None),
        ] {
            assert_eq!(of_tag(tag), revision, "{tag}");
        }
    }
}
