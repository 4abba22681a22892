//! What a client has already is not sent again (RFC 9110 section 13): each answer to a GET that somebody may keep has an
//! entity tag, of what changed where the handler knows that, else of the body; who names it gets 304 and no body.

use super::route::Kind;
use super::{Method, Request, Response, assets};

/// The answer, or 304 when the client has it. To be called once, when all its headers are there.
pub(super) fn answer(request: &Request, kind: Kind, answer: Response) -> Response {
    if request.method != Method::Get || answer.status != 200 || !is_tagged(kind, &answer) {
        return answer;
    }
    let known = header(&answer, "etag").map(str::to_owned);
    let (tag, answer) = match known {
        Some(tag) => (tag, answer),
        None => {
            let tag = tag(&answer.body);
            let answer = answer.with("etag", &tag);
            (tag, answer)
        }
    };
    if !request.header("if-none-match").is_some_and(|names| matches(names, &tag)) {
        return answer;
    }
    let mut answer = Response { status: 304, body: Vec::new(), ..answer };
    // Of a body that is not there.
    answer.headers.retain(|(name, _)| !matches!(*name, "content-type" | "content-disposition"));
    answer
}

/// Whether anybody may keep it. What is said to be kept by nobody need not be compared; what is open (a ping, say) is only
/// where it says for how long it holds.
fn is_tagged(kind: Kind, answer: &Response) -> bool {
    let cache = header(answer, "cache-control");
    match kind {
        Kind::Page | Kind::Api => cache.is_none_or(|cache| !cache.contains("no-store")),
        Kind::Open => cache.is_some_and(|cache| !cache.contains("no-store")),
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

/// The entity tag of a body.
#[must_use]
pub(super) fn tag(body: &[u8]) -> String {
    format!("\"{}\"", assets::tag(body))
}

/// Whether a list of entity tags (`If-None-Match`) names this one. Weak or strong is the same here (RFC 9110 section 13.1.2).
pub(super) fn matches(names: &str, tag: &str) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    names.split(',').map(str::trim).any(|name| name == "*" || bare(name) == bare(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::audit::Notes;

    fn get(if_none_match: Option<&str>) -> Request {
        Request {
            method: Method::Get,
            path: "/websites/fragment".into(),
            query: Vec::new(),
            headers: if_none_match.map(|tag| ("if-none-match".to_owned(), tag.to_owned())).into_iter().collect(),
            body: Vec::new(),
            client: [127, 0, 0, 1].into(),
            request_id: String::new(),
            caller: std::cell::OnceCell::new(),
            notes: Notes::default(),
        }
    }

    fn html(body: &str) -> Response {
        Response::html(200, body.to_owned()).with("cache-control", "private, no-cache")
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let first = answer(&get(None), Kind::Page, html("<p>1"));
        let etag = header(&first, "etag").unwrap().to_owned();
        assert_eq!((first.status, etag.as_str()), (200, tag(b"<p>1").as_str()));
        for names in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
            let again = answer(&get(Some(&names)), Kind::Page, html("<p>1"));
            assert_eq!((again.status, again.body.len(), header(&again, "etag")), (304, 0, Some(etag.as_str())));
            assert!(header(&again, "cache-control").is_some() && header(&again, "content-type").is_none());
        }
        assert_eq!(answer(&get(Some(&etag)), Kind::Page, html("<p>2")).status, 200);
    }

    #[test]
    fn a_handler_that_knows_what_changed_says_so() {
        let of =
            |names: &str| answer(&get(Some(names)), Kind::Api, Response::text(200, "a").with("etag", "\"7\"")).status;
        assert_eq!((of("\"7\""), of("\"8\""), of(&tag(b"a"))), (304, 200, 200));
    }

    #[test]
    fn what_nobody_keeps_is_not_compared() {
        let secret = || Response::html(200, String::new()).with("cache-control", "no-store");
        assert_eq!(answer(&get(Some("*")), Kind::Page, secret()).status, 200);
        assert_eq!(answer(&get(Some("*")), Kind::Open, Response::text(200, "OK")).status, 200, "a ping was taken in");
        assert_eq!(answer(&get(Some("*")), Kind::Api, Response::text(404, "")).status, 404);
    }
}
