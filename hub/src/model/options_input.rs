//! Options as people type them, and back. What is allowed is said by [`probe::wire::Target::problems`]; here texts
//! become values.

use probe::wire::{Credentials, Expectations, HeaderField, IpFamily, Method, RequestOptions, SecretText};

use super::options::is_shown_header;
use super::status_codes::{accept, accept_text};
use super::{ContentInput, FieldError, FieldErrors, Options, content_input};

/// Stands where a stored value is that is not shown; sent back unchanged, it keeps that value.
pub const HIDDEN: &str = "(set, hidden)";

/// The same for one of several fields of a name, the first being 0: whichever of the lines come back, in whichever order,
/// each keeps its own value.
fn hidden(nth: usize, of: usize) -> String {
    if of > 1 { format!("(set, hidden: {})", nth + 1) } else { HIDDEN.to_owned() }
}

/// Which of the fields of a name is meant; `None`: this is a value.
fn hidden_nth(value: &str) -> Option<usize> {
    if value == HIDDEN {
        return Some(0);
    }
    let number = value.strip_prefix("(set, hidden: ")?.strip_suffix(')')?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

probe::named! {
    /// How a website is signed in to.
    SignIn {
        /// Not at all.
        None = "none",
        /// User name and password (RFC 7617).
        Basic = "basic",
        /// A token (RFC 6750).
        Bearer = "bearer",
    }
}

/// Options as texts. An empty text means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionsInput {
    /// Request method.
    pub method: String,
    /// A line per field, `Name: value`.
    pub headers: SecretText,
    /// Body.
    pub body: SecretText,
    /// A name of [`SignIn`].
    pub sign_in: String,
    /// User name of [`SignIn::Basic`].
    pub username: String,
    /// Its password; empty keeps the stored one.
    pub password: SecretText,
    /// Token of [`SignIn::Bearer`]; empty keeps the stored one.
    pub token: SecretText,
    /// `User-Agent`.
    pub user_agent: String,
    /// Redirects followed at most.
    pub max_redirects: String,
    /// A name of [`IpFamily`].
    pub ip_family: String,
    /// Take any certificate.
    pub insecure_tls: bool,
    /// Status codes and ranges: `200-299, 301`.
    pub accept: String,
    /// What must hold of the answer.
    pub content: Vec<ContentInput>,
    /// Slower than this is degraded.
    pub slow_ms: String,
    /// Fewer days left are degraded.
    pub certificate_days: String,
    /// Every hop must be https.
    pub require_https: bool,
}

/// What a value that is not shown again may be taken from when it is not typed anew.
#[derive(Debug, Clone, Copy)]
pub enum Kept<'a> {
    /// Nothing is stored yet.
    Nothing,
    /// What is stored.
    Of(&'a Options),
    /// What is stored is for another origin: who took over a session could have it sent to himself.
    OtherOrigin,
}

/// What was typed and is not sent back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retype {
    /// Password or token.
    pub credentials: bool,
    /// Values of header fields.
    pub headers: bool,
}

impl Kept<'_> {
    /// What to say where a secret is neither typed nor kept.
    fn remedy(self, what: &str) -> String {
        match self {
            Self::Nothing | Self::Of(_) => format!("Give the {what}."),
            Self::OtherOrigin => format!("The address leads elsewhere now: type the {what} again."),
        }
    }
}

impl OptionsInput {
    /// Stands for the stored value of one of several header fields of a name, the first being 0.
    pub(in crate::model) fn hidden_value(nth: usize) -> String {
        hidden(nth, usize::MAX)
    }

    /// The texts for options there are; secrets are left out.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        let (request, expect) = (&options.request, &options.expect);
        let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
        let line = |(n, field): (usize, &HeaderField)| {
            let of_its_name = |fields: &[HeaderField]| {
                fields.iter().filter(|other| other.name.eq_ignore_ascii_case(&field.name)).count()
            };
            let value = if is_shown_header(&field.name) {
                field.value.expose().to_owned()
            } else {
                hidden(of_its_name(&request.headers[..n]), of_its_name(&request.headers))
            };
            format!("{}: {value}", field.name)
        };
        let (sign_in, username) = match &request.credentials {
            None => (SignIn::None, String::new()),
            Some(Credentials::Basic { username, .. }) => (SignIn::Basic, username.clone()),
            Some(Credentials::Bearer { .. }) => (SignIn::Bearer, String::new()),
        };
        Self {
            method: request.method.to_string(),
            headers: SecretText::new(request.headers.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")),
            body: request.body.clone().unwrap_or_default(),
            sign_in: sign_in.to_string(),
            username,
            password: SecretText::default(),
            token: SecretText::default(),
            user_agent: request.user_agent.clone().unwrap_or_default(),
            max_redirects: request.max_redirects.to_string(),
            ip_family: request.ip_family.to_string(),
            insecure_tls: request.insecure_tls,
            accept: accept_text(&expect.accept),
            content: expect.content.iter().map(ContentInput::of).collect(),
            slow_ms: number(expect.slow_ms),
            certificate_days: number(expect.certificate_days.map(u32::from)),
            require_https: expect.require_https,
        }
    }

    /// The options; whatever cannot be read is added to `errors`, field by field. Whether the parts may be so, alone
    /// and together, is asked of [`probe::wire::Target::problems`] once the whole is known.
    #[must_use]
    pub fn parse(&self, kept: Kept<'_>, errors: &mut FieldErrors) -> Options {
        let body = self.body.expose().replace("\r\n", "\n"); // forms send the former, and people mean the latter
        let request = RequestOptions {
            method: choice("method", &self.method, Method::Get, errors),
            headers: self.headers(kept, errors),
            body: (!body.is_empty()).then(|| SecretText::new(body)),
            credentials: self.credentials(kept, errors),
            user_agent: Some(self.user_agent.trim().to_owned()).filter(|agent| !agent.is_empty()),
            max_redirects: number("max_redirects", &self.max_redirects, "Give 0 to 10.", errors).unwrap_or(5),
            ip_family: choice("ip_family", &self.ip_family, IpFamily::Any, errors),
            insecure_tls: self.insecure_tls,
        };
        let expect = Expectations {
            accept: accept(&self.accept, errors),
            content: content_input::parse(&self.content, errors),
            slow_ms: number("slow_ms", &self.slow_ms, "Give whole milliseconds, or nothing.", errors),
            certificate_days: number("certificate_days", &self.certificate_days, "Give 0 to 365, or nothing.", errors),
            require_https: self.require_https,
        };
        Options { request, expect }
    }

    /// The same without what nobody should see again, to come back on a form that was refused; and whether passwords
    /// or values of header fields are to be typed again.
    #[must_use]
    pub fn without_secrets(&self) -> (Self, Retype) {
        let mut retype = Retype {
            credentials: !self.password.expose().is_empty() || !self.token.expose().is_empty(),
            headers: false,
        };
        let mut line = |line: &str| match line.split_once(':') {
            Some((name, value)) if !is_shown_header(name.trim()) && hidden_nth(value.trim()).is_none() => {
                retype.headers |= !value.trim().is_empty();
                format!("{name}:")
            }
            Some(_) => line.to_owned(),
            // Half of a value, or all of it; the empty line keeps the numbers of those below.
            None => {
                retype.headers |= !line.trim().is_empty();
                String::new()
            }
        };
        let headers: Vec<_> = self.headers.expose().lines().map(&mut line).collect();
        let shown = Self {
            headers: SecretText::new(headers.join("\n")),
            password: SecretText::default(),
            token: SecretText::default(),
            ..self.clone()
        };
        (shown, retype)
    }

    fn headers(&self, kept: Kept<'_>, errors: &mut FieldErrors) -> Vec<HeaderField> {
        let mut headers: Vec<HeaderField> = Vec::new();
        for (n, line) in self.headers.expose().lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                // The line itself may be a secret.
                let found = format!("line {}", n + 1);
                errors.push(FieldError::new("headers", &found, format!("Write line {} as Name: value.", n + 1)));
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let nth = hidden_nth(value);
            let value = if !is_shown_header(name) && (value.is_empty() || nth.is_some()) {
                let stored = match (kept, nth) {
                    (Kept::Of(options), Some(nth)) => {
                        options.request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).nth(nth)
                    }
                    (Kept::Of(_), None) | (Kept::Nothing | Kept::OtherOrigin, _) => None,
                };
                let Some(stored) = stored else {
                    errors.push(FieldError::new("headers", name, kept.remedy(&format!("value of {name}"))));
                    continue;
                };
                stored.value.clone()
            } else {
                SecretText::new(value)
            };
            headers.push(HeaderField { name: name.to_owned(), value });
        }
        headers
    }

    fn credentials(&self, kept: Kept<'_>, errors: &mut FieldErrors) -> Option<Credentials> {
        let stored = match kept {
            Kept::Of(options) => options.request.credentials.as_ref(),
            Kept::Nothing | Kept::OtherOrigin => None,
        };
        match choice("sign_in", &self.sign_in, SignIn::None, errors) {
            SignIn::None => None,
            SignIn::Basic => {
                let username = self.username.trim().to_owned();
                let (password, is_kept) = match stored {
                    Some(Credentials::Basic { password, .. }) if self.password.expose().is_empty() => {
                        (password.clone(), true)
                    }
                    Some(_) | None => (self.password.clone(), false),
                };
                if username.is_empty() {
                    errors.push(FieldError::new("credentials", "", kept.remedy("user name")));
                } else if password.expose().is_empty() && !is_kept {
                    errors.push(FieldError::new("credentials", "", kept.remedy("password")));
                }
                Some(Credentials::Basic { username, password })
            }
            SignIn::Bearer => {
                let typed = self.token.expose().trim();
                let token = match stored {
                    Some(Credentials::Bearer { token }) if typed.is_empty() => token.clone(),
                    Some(_) | None => SecretText::new(typed),
                };
                if token.expose().is_empty() {
                    errors.push(FieldError::new("credentials", "", kept.remedy("token")));
                    return None;
                }
                Some(Credentials::Bearer { token })
            }
        }
    }
}

fn choice<T: std::str::FromStr>(field: &'static str, text: &str, default: T, errors: &mut FieldErrors) -> T {
    let text = text.trim();
    if text.is_empty() {
        return default;
    }
    text.parse().unwrap_or_else(|_| {
        errors.push(FieldError::new(field, text, "Choose one of the list."));
        default
    })
}

fn number<T: std::str::FromStr>(field: &'static str, text: &str, remedy: &str, errors: &mut FieldErrors) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let parsed = text.parse().ok();
    if parsed.is_none() {
        errors.push(FieldError::new(field, text, remedy));
    }
    parsed
}

#[cfg(test)]
mod tests;
