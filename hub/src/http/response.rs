//! An answer. Header values pass one constructor that refuses what could split the answer (D4).

/// An answer, complete in memory; at most 2 MiB (P8).
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer of a media type.
    #[must_use]
    pub fn new(status: u16, media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", media_type.to_owned())], body: body.into() }
    }

    /// A page.
    #[must_use]
    pub fn html(status: u16, body: String) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// JSON. A value that cannot be JSON is our bug; it gives an empty object and a log line.
    #[must_use]
    pub fn json<T: serde::Serialize>(status: u16, body: &T) -> Self {
        let body = serde_json::to_vec(body).unwrap_or_else(|error| {
            tracing::error!(%error, "An answer could not be written as JSON.");
            b"{}".to_vec()
        });
        Self::new(status, "application/json", body)
    }

    /// Plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    /// 303 to a path of ours (after a form was accepted). Anything but a local path leads to `/` (T118).
    #[must_use]
    pub fn see_other(path: &str) -> Self {
        let local = path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        Self { status: 303, headers: Vec::new(), body: Vec::new() }.with("location", if local { path } else { "/" })
    }

    /// Adds a header. A value with a control character or a byte outside ASCII is left out and logged (T117).
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            self.headers.push((name, value.to_owned()));
        } else {
            tracing::error!(header = name, "A header value with control characters was left out.");
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_cannot_split_the_answer() {
        let answer = Response::text(200, "").with("x-a", "1\r\nset-cookie: a=b").with("x-b", "2");
        assert_eq!(answer.headers.iter().map(|(n, _)| *n).collect::<Vec<_>>(), ["content-type", "x-b"]);
    }

    #[test]
    fn a_redirect_stays_here() {
        for bad in ["//evil", "https:evil", "/\\evil", "http://evil/", "", "/a\r\nb"] {
            let answer = Response::see_other(bad);
            assert_eq!(answer.headers, [("location", "/".to_owned())], "{bad}");
        }
        assert_eq!(Response::see_other("/websites/1").headers, [("location", "/websites/1".to_owned())]);
    }
}
