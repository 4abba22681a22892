//! What is sent at a hop, and what of it is still sent after a redirect (Fetch, 4.4; CASES T035, T036).

use url::Url;

use super::classify::Trouble;
use crate::wire::{Blame, Class, Credentials, Method, Phase, RequestOptions};

/// The request of one hop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    options: &'a RequestOptions,
    pub(super) method: Method,
    /// The website's own fields, credentials and body go to its own origin only.
    own: bool,
    body: bool,
}

impl<'a> Ask<'a> {
    /// As the website's settings have it.
    pub(super) fn first(options: &'a RequestOptions) -> Self {
        Self { options, method: options.method, own: true, body: true }
    }

    /// The request that follows an answer of `status` at `from`, which leads to `to`.
    pub(super) fn redirected(self, status: u16, from: &Url, to: &Url) -> Result<Self, Trouble> {
        let mut next = self;
        let becomes_get = match self.method {
            Method::Get | Method::Head => false,
            Method::Post => matches!(status, 301..=303),
            Method::Put | Method::Patch | Method::Delete | Method::Options => status == 303,
        };
        if becomes_get {
            next.method = Method::Get;
            next.body = false;
        }
        if from.origin() != to.origin() {
            if !next.body().is_empty() {
                return Err(Trouble {
                    class: Class::RedirectBlocked,
                    phase: Phase::Judge,
                    blame: Blame::Target,
                    detail: format!(
                        "The website redirects ({status}) the body of a {} to another origin, {}; it is not sent there.",
                        self.method,
                        to.origin().ascii_serialization()
                    ),
                });
            }
            next.own = false;
        }
        Ok(next)
    }

    /// Fields beside those every request has.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let own = self.own.then_some(self.options);
        own.into_iter().flat_map(|o| o.headers.iter().map(|field| (field.name.as_str(), field.value.expose())))
    }

    /// Value of `Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        use base64::Engine as _;
        match self.options.credentials.as_ref().filter(|_| self.own)? {
            Credentials::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
            Credentials::Bearer { token } => Some(format!("Bearer {}", token.expose())),
        }
    }

    /// `User-Agent`, when it is not the product's.
    pub(super) fn user_agent(&self) -> Option<&'a str> {
        self.options.user_agent.as_deref()
    }

    /// What follows the head; empty for none.
    pub(super) fn body(&self) -> &'a [u8] {
        let body = self.options.body.as_ref().filter(|_| self.body && self.own);
        body.map_or(&[], |body| body.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{HeaderField, SecretText};

    #[test]
    fn t036_what_is_the_websites_own_stays_at_its_origin_and_methods_change_as_in_a_browser() {
        let url = |text: &str| Url::parse(text).unwrap();
        let from = url("https://a.example/x");
        // (method, body, status, to): method then, whether own fields are sent, whether the body is; None: blocked
        for (method, body, status, to, expected) in [
            (Method::Get, "", 302, "https://a.example/y", Some((Method::Get, true, false))),
            (Method::Get, "", 302, "https://a.example:444/y", Some((Method::Get, false, false))),
            (Method::Get, "", 302, "http://a.example/y", Some((Method::Get, false, false))),
            (Method::Get, "", 301, "https://b.example/", Some((Method::Get, false, false))),
            (Method::Post, "b", 302, "https://a.example/", Some((Method::Get, true, false))),
            (Method::Post, "b", 303, "https://b.example/", Some((Method::Get, false, false))),
            (Method::Post, "b", 307, "https://a.example/", Some((Method::Post, true, true))),
            (Method::Post, "b", 308, "https://b.example/", None),
            (Method::Put, "b", 301, "https://a.example/", Some((Method::Put, true, true))),
            (Method::Put, "b", 303, "https://b.example/", Some((Method::Get, false, false))),
            (Method::Head, "", 303, "https://a.example/", Some((Method::Head, true, false))),
        ] {
            let options = RequestOptions {
                method,
                body: (!body.is_empty()).then(|| SecretText::new(body)),
                headers: vec![HeaderField { name: "X-Key".into(), value: SecretText::new("k") }],
                credentials: Some(Credentials::Bearer { token: SecretText::new("t") }),
                ..RequestOptions::default()
            };
            let next = Ask::first(&options).redirected(status, &from, &url(to));
            let next = next.ok().map(|next| {
                assert_eq!(next.fields().count() == 1, next.authorization().is_some());
                (next.method, next.authorization().is_some(), !next.body().is_empty())
            });
            assert_eq!(next, expected, "{method} {status} {to}");
        }
    }

    #[test]
    fn credentials_are_written_as_their_rfcs_have_it() {
        let with = |credentials| RequestOptions { credentials: Some(credentials), ..RequestOptions::default() };
        // The example of RFC 7617, section 2.
        let password = SecretText::new("open sesame");
        let basic = with(Credentials::Basic { username: "Aladdin".into(), password });
        assert_eq!(Ask::first(&basic).authorization().as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        let bearer = with(Credentials::Bearer { token: SecretText::new("mF_9.B5f-4.1JqM") });
        assert_eq!(Ask::first(&bearer).authorization().as_deref(), Some("Bearer mF_9.B5f-4.1JqM"));
    }
}
