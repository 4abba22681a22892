//! `/metrics`, for the operator's Prometheus, and for nobody else: on a listener of its own (`METRICS_LISTEN`), or for who
//! has the token on that of the pages (`METRICS_TOKEN`). It is answered here, before the application: a text of many
//! websites is longer than an answer of theirs may be, and must come also when no worker is free.

mod collect;
mod listen;
mod websites;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::metrics::Format;
use crate::secret::Secret;

pub use collect::Collector;
pub use listen::{ListeningForMetrics, listen};
pub use websites::{MOST, Told, write as write_websites};

/// The only path.
pub(super) const PATH: &str = "/metrics";

/// Who may read what is collected.
#[derive(Clone)]
pub struct Readers {
    collector: Arc<Collector>,
    /// `None`: whoever gets here may.
    token: Option<Secret>,
}

impl Readers {
    /// Those with the token; where there is none, whoever reaches the listener.
    #[must_use]
    pub fn new(collector: Arc<Collector>, token: Option<Secret>) -> Self {
        Self { collector, token }
    }

    /// The answer to a request for [`PATH`].
    pub(super) async fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        if self.token.as_ref().is_some_and(|token| !shows(headers, token)) {
            let mut refused = plain(StatusCode::UNAUTHORIZED);
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return refused;
        }
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let format = Format::of(accept);
        let mut response = Response::new(Full::from(self.collector.clone().text(format).await));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        response
    }
}

/// Whether a request comes with the token. Digests are compared, all of them, so that time tells nothing of either.
fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let scheme = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    let given = Sha256::digest(given.get(7..).unwrap_or_default());
    let wanted = Sha256::digest(token.expose().as_bytes());
    let differs = given.iter().zip(&wanted).fold(0_u8, |differs, (a, b)| differs | (a ^ b));
    scheme && differs == 0
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(status.canonical_reason().unwrap_or("").to_owned() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = Secret::new("kR3vT9qLx2WnB7yHf5Cs");
        let shown = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
            shows(&headers, &token)
        };
        assert!(shown("Bearer kR3vT9qLx2WnB7yHf5Cs") && shown("bearer kR3vT9qLx2WnB7yHf5Cs"));
        for wrong in [
            "",
            "Bearer ",
            "Bearer kR3vT9qLx2WnB7yHf5C",
            "Bearer kR3vT9qLx2WnB7yHf5Css",
            "kR3vT9qLx2WnB7yHf5Cs",
            "Basic kR3vT9qLx2WnB7yHf5Cs",
            "Bearer  kR3vT9qLx2WnB7yHf5Cs",
        ] {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!shows(&HeaderMap::new(), &token));
    }
}
