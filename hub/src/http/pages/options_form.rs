//! "More settings" of the form for a website: what stands in it, and what is said beside it.

use super::{Choice, keeping_form};
use crate::http::Form;
use crate::model::{
    CONTENT_ROWS, ContentInput, ContentKind, FieldErrors, IpFamily, Method, Options, OptionsInput, Retype, SecretText,
    SignIn,
};

/// Empty rows offered beside those that are filled.
const SPARE_ROWS: usize = 2;

/// The fields as sent. Rows of expectations that nobody filled in are left out.
pub(super) fn sent(form: &Form) -> OptionsInput {
    let text = |name: &str| form.get(name).trim().to_owned();
    let all = |name: &str| form.all(name).into_iter().map(str::to_owned);
    let rows = all("content_kind").zip(all("content_place")).zip(all("content_value"));
    OptionsInput {
        method: text("method"),
        headers: SecretText::new(form.get("headers")),
        body: SecretText::new(form.get("body")),
        sign_in: text("sign_in"),
        username: text("username"),
        password: SecretText::new(form.get("password")),
        token: SecretText::new(form.get("token")),
        user_agent: text("user_agent"),
        max_redirects: text("max_redirects"),
        ip_family: text("ip_family"),
        insecure_tls: !form.get("insecure_tls").is_empty(),
        accept: text("accept"),
        content: rows
            .map(|((kind, place), value)| ContentInput { kind, place, value })
            .filter(|row| !row.is_empty())
            .collect(),
        slow_ms: text("slow_ms"),
        certificate_days: text("certificate_days"),
        require_https: !form.get("require_https").is_empty(),
    }
}

/// What the template needs beside the texts.
#[derive(Debug)]
pub(super) struct More {
    pub(super) is_open: bool,
    pub(super) typed: OptionsInput,
    pub(super) methods: Vec<Choice>,
    pub(super) families: Vec<Choice>,
    pub(super) sign_in: SignIn,
    pub(super) rows: Vec<Row>,
    /// A password or token is stored, and stays when its field is left empty.
    pub(super) has_password: bool,
    pub(super) has_token: bool,
    pub(super) retype: Retype,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) kinds: Vec<Choice>,
    pub(super) place: String,
    pub(super) value: String,
    pub(super) wrong: Option<String>,
}

impl More {
    /// `stored`: what the website has now.
    pub(super) fn new(typed: &OptionsInput, stored: Option<&Options>, errors: &FieldErrors) -> Self {
        let (typed, retype) = typed.without_secrets();
        let is_wrong = errors.0.iter().any(|error| label(error.field).is_some_and(|label| label.is_option));
        let credentials = stored.and_then(|options| options.request.credentials.as_ref());
        let (has_password, has_token) = match credentials {
            Some(probe::wire::Credentials::Basic { .. }) => (true, false),
            Some(probe::wire::Credentials::Bearer { .. }) => (false, true),
            None => (false, false),
        };
        Self {
            is_open: is_wrong || typed != OptionsInput::of(&Options::default()),
            methods: choices(Method::ALL, Method::as_str, Method::as_str, &typed.method),
            families: choices(IpFamily::ALL, IpFamily::as_str, family_words, &typed.ip_family),
            sign_in: typed.sign_in.parse().unwrap_or(SignIn::None),
            rows: rows(&typed.content, errors),
            has_password,
            has_token,
            retype,
            typed,
        }
    }

    pub(super) fn signs_in(&self, name: &str) -> bool {
        self.sign_in.as_str() == name
    }
}

fn choices<T: Copy>(
    all: &[T],
    value: impl Fn(T) -> &'static str,
    words: impl Fn(T) -> &'static str,
    chosen: &str,
) -> Vec<Choice> {
    let one = |item: &T| Choice {
        value: value(*item).to_owned(),
        words: words(*item).to_owned(),
        chosen: value(*item) == chosen,
    };
    all.iter().map(one).collect()
}

fn family_words(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Any => "IPv6 and IPv4, whichever answers first",
        IpFamily::V4 => "IPv4 only",
        IpFamily::V6 => "IPv6 only",
    }
}

fn kind_words(kind: ContentKind) -> &'static str {
    match kind {
        ContentKind::Contains => "Body contains",
        ContentKind::Lacks => "Body does not contain",
        ContentKind::Matches => "Body matches pattern",
        ContentKind::JsonEquals => "JSON value equals",
        ContentKind::HeaderEquals => "Header field equals",
    }
}

fn rows(typed: &[ContentInput], errors: &FieldErrors) -> Vec<Row> {
    let shown = (typed.len() + SPARE_ROWS).min(CONTENT_ROWS.len());
    let empty = ContentInput::default();
    let one = |(n, field): (usize, &&str)| {
        let row = typed.get(n).unwrap_or(&empty);
        Row {
            number: n + 1,
            kinds: choices(ContentKind::ALL, ContentKind::as_str, kind_words, &row.kind),
            place: row.place.clone(),
            value: row.value.clone(),
            wrong: errors.of(field).map(str::to_owned),
        }
    };
    CONTENT_ROWS.iter().take(shown).enumerate().map(one).collect()
}

/// A field's element and name on the page, for the line that leads to what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) id: &'static str,
    pub(super) words: &'static str,
    is_option: bool,
}

/// `None`: not a field of the form.
pub(super) fn label(field: &str) -> Option<Label> {
    let basic = |id, words| Some(Label { id, words, is_option: false });
    let more = |id, words| Some(Label { id, words, is_option: true });
    match field {
        "tags" => return basic("tags", "Tags"),
        "parent" => return basic("parent", "Depends on"),
        _ => {}
    }
    if let Some((id, words)) = keeping_form::label(field) {
        return basic(id, words);
    }
    if let Some(id) = CONTENT_ROWS.into_iter().find(|row| *row == field) {
        return more(id, "Expectations");
    }
    match field {
        "url" => basic("url", "Address"),
        "interval_s" => basic("interval", "Check"),
        "timeout_s" | "timeout_ms" => basic("timeout", "Wait for an answer"),
        "regions" => basic("regions", "Regions"),
        "method" => more("method", "Method"),
        "headers" => more("headers", "Header fields"),
        "body" => more("body", "Body"),
        "user_agent" => more("user_agent", "User-Agent"),
        "credentials" => more("credentials", "Sign in"),
        "accept" => more("accept", "Status codes"),
        "content" => more("content", "Expectations"),
        "slow_ms" => more("slow_ms", "Slow after"),
        "certificate_days" => more("certificate_days", "Certificate warning"),
        "max_redirects" => more("max_redirects", "Redirects"),
        "require_https" => more("require_https", "Every address must be https"),
        "ip_family" => more("ip_family", "Internet protocol"),
        _ => None,
    }
}
