//! Answers packed with gzip (RFC 1952) for whoever takes that (RFC 9110 section 12.5.3): a page is a fifth then. Not what was
//! answered to a form: there a secret may be shown once, beside what somebody else chose (BREACH, CVE-2013-3587).

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};

/// Smaller ones fit in one packet anyway.
const LEAST_BYTES: usize = 1_024;
/// Larger ones are packed by a thread of their own: some ten milliseconds a megabyte.
const HERE_BYTES: usize = 64 * 1_024;
/// The zlib level: beyond it a page gets smaller by a hundredth and takes twice as long.
const LEVEL: u32 = 5;

/// Whether an answer to this may be packed.
pub(super) fn is_wanted(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && takes_gzip(headers)
}

/// Whether `Accept-Encoding` names gzip, or everything, and not with a weight of nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let (mut gzip, mut any) = (None, None);
    for coding in all.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let is_taken = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            gzip = Some(is_taken);
        } else if name == "*" {
            any = Some(is_taken);
        }
    }
    gzip.or(any).unwrap_or(false)
}

/// The application knows its entity tags without the `W/` that packed answers have: to compare for a renewal both are the
/// same (RFC 9110 section 13.1.2).
pub(super) fn strong_tags(value: &HeaderValue) -> HeaderValue {
    let text = value.to_str().unwrap_or_default();
    if !text.contains("W/\"") {
        return value.clone();
    }
    HeaderValue::from_str(&text.replace("W/\"", "\"")).unwrap_or_else(|_| value.clone())
}

/// What is text, and not packed already.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default();
    let is_text = media_type.starts_with("text/")
        || matches!(media_type, "application/json" | "application/problem+json" | "application/openmetrics-text")
        || matches!(media_type, "application/atom+xml" | "application/feed+json")
        || media_type == "image/svg+xml";
    is_text && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The answer, packed where that is wanted and pays. Its `Vary` says that there are both, whichever it is.
pub(super) async fn answer(mut response: Response<Full<Bytes>>, is_wanted: bool) -> Response<Full<Bytes>> {
    if response.status() == StatusCode::NOT_MODIFIED {
        // What it stands for comes in both forms.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if !is_text(response.headers()) {
        return response;
    }
    let plain = std::mem::take(response.body_mut());
    // It is in memory: there is no error to come.
    let plain = plain.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if plain.len() < LEAST_BYTES {
        *response.body_mut() = Full::new(plain);
        return response;
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
    let packed = match (is_wanted, plain.len() > HERE_BYTES) {
        (false, _) => None,
        (true, false) => gzip(&plain),
        (true, true) => {
            let plain = plain.clone();
            tokio::task::spawn_blocking(move || gzip(&plain)).await.ok().flatten()
        }
    };
    let Some(packed) = packed.filter(|packed| packed.len() < plain.len()) else {
        *response.body_mut() = Full::new(plain);
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    // Another form of the same: a strong tag is of one form alone.
    let weak = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        headers.insert(header::ETAG, weak);
    }
    *response.body_mut() = Full::from(packed);
    response
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::new(LEVEL));
    packer.write_all(plain).ok()?;
    packer.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_who_takes_it_gets_it() {
        for (value, takes) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("deflate, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, *", false),
            ("*;q=0, gzip", true),
            ("identity", false),
            ("gzipped", false),
            ("gzip;q=x", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(&headers(header::ACCEPT_ENCODING, value)), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
        let takes = headers(header::ACCEPT_ENCODING, "gzip");
        assert!(is_wanted(&Method::GET, &takes) && is_wanted(&Method::HEAD, &takes));
        assert!(!is_wanted(&Method::POST, &takes), "what a form was answered");
    }

    #[test]
    fn tags_are_compared_without_their_weakness() {
        for (sent, known) in
            [("W/\"a\"", "\"a\""), ("\"a\"", "\"a\""), ("W/\"a\", W/\"b\"", "\"a\", \"b\""), ("*", "*")]
        {
            assert_eq!(strong_tags(&HeaderValue::from_static(sent)), known);
        }
    }

    #[tokio::test]
    async fn a_page_is_packed_and_is_the_same_again() {
        let page = "<p>All is well, all is well.</p>".repeat(4_000);
        for length in [LEAST_BYTES - 1, LEAST_BYTES, HERE_BYTES + 1] {
            let mut plain = Response::new(Full::from(page[..length].to_owned()));
            plain.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            plain.headers_mut().insert(header::ETAG, HeaderValue::from_static("\"a\""));
            let left = answer(plain.clone(), false).await;
            assert!(!left.headers().contains_key(header::CONTENT_ENCODING) && left.headers()[header::ETAG] == "\"a\"");
            let packed = answer(plain, true).await;
            let is_packed = packed.headers().contains_key(header::CONTENT_ENCODING);
            assert_eq!(is_packed, length >= LEAST_BYTES);
            for form in [&left, &packed] {
                assert_eq!(form.headers().contains_key(header::VARY), length >= LEAST_BYTES, "{length}");
            }
            if is_packed {
                assert_eq!(packed.headers()[header::ETAG], "W/\"a\"");
                let body = packed.into_body().collect().await.unwrap().to_bytes();
                assert!(body.len() < length / 10);
                let mut again = String::new();
                std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*body), &mut again).unwrap();
                assert!(again == page[..length]);
            }
        }
        let mut image = Response::new(Full::from(page));
        image.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
        assert!(!answer(image, true).await.headers().contains_key(header::VARY));
    }
}
