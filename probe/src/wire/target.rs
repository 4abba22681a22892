//! What to ask of whom.

use serde::{Deserialize, Serialize};

use super::{Expectations, SecretText};

crate::named! {
    /// Request methods a website may ask for (RFC 9110, RFC 5789).
    Method {
        /// GET.
        Get = "GET",
        /// HEAD.
        Head = "HEAD",
        /// POST.
        Post = "POST",
        /// PUT.
        Put = "PUT",
        /// PATCH.
        Patch = "PATCH",
        /// DELETE.
        Delete = "DELETE",
        /// OPTIONS.
        Options = "OPTIONS",
    }
}

crate::named! {
    /// Which addresses of a name are tried.
    IpFamily {
        /// Both, interleaved (RFC 8305).
        Any = "any",
        /// IPv4 only.
        V4 = "v4",
        /// IPv6 only.
        V6 = "v6",
    }
}

/// What to ask of whom, and what counts as a good answer.
///
/// A field this program does not know is an error: a check that leaves out what was asked for would say "up" of
/// something nobody looked at (T288).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Absolute http or https URL in the normal form of the `url` crate, at most 2,048 bytes, no credentials.
    pub url: String,
    /// Budget of the whole check, redirects included; 1,000 to 60,000.
    pub timeout_ms: u32,
    /// How to ask.
    #[serde(default, skip_serializing_if = "RequestOptions::is_default")]
    pub request: RequestOptions,
    /// What to expect.
    #[serde(default, skip_serializing_if = "Expectations::is_default")]
    pub expect: Expectations,
}

impl Target {
    /// A plain GET of `url` with the defaults of the product: 10 s, 200-299 is up, 5 redirects.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout_ms: 10_000,
            request: RequestOptions::default(),
            expect: Expectations::default(),
        }
    }
}

/// How a website is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestOptions {
    /// Request method.
    pub method: Method,
    /// Fields sent beside our own, in order. Their values may be secrets. Not sent on after a redirect to another
    /// origin (T036).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderField>,
    /// Body, UTF-8; none for GET and HEAD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<SecretText>,
    /// `Authorization`. Not sent on after a redirect to another origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// Instead of the product's own `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Redirects followed at most (P2); 0 judges the redirect itself.
    pub max_redirects: u8,
    /// Which addresses are tried.
    pub ip_family: IpFamily,
    /// Take any certificate of this website. The answer counts, its certificate is described, and every tick carries
    /// [`super::Note::TlsUnverified`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure_tls: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            method: Method::Get,
            headers: Vec::new(),
            body: None,
            credentials: None,
            user_agent: None,
            max_redirects: 5,
            ip_family: IpFamily::Any,
            insecure_tls: false,
        }
    }
}

impl RequestOptions {
    /// Whether nothing special is asked for.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A header field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderField {
    /// Name, a token of RFC 9110.
    pub name: String,
    /// Value; may be a secret.
    pub value: SecretText,
}

/// What is sent as `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Credentials {
    /// RFC 7617.
    Basic {
        /// Without a colon.
        username: String,
        /// Any text without control characters.
        password: SecretText,
    },
    /// RFC 6750.
    Bearer {
        /// A token of RFC 6750's alphabet.
        token: SecretText,
    },
}
