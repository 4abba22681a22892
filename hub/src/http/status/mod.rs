//! What everybody sees: `/s/<slug>`, `/s/<token>` of a private link, and `/` under a page's own host; its feeds, colour and logo.
//! Nobody signs in here. Whoever may not see a page is told what he is told where there is none.

mod bare;
mod days;
pub mod domains;
mod entry;
mod feeds;
mod kept;
mod subscribe;
mod view;

use std::sync::Arc;

use askama::Template as _;
use sha2::{Digest as _, Sha256};

use self::bare::BarePage;
use self::domains::BY_HOST;
use self::kept::{NotNow, Shown};
use self::view::PublicView;
use super::{App, HttpError, Request, Response, login, route::Params};
use crate::clock;
use crate::model::status_page::{Access, StatusPage};
use crate::store::PageName;

pub use domains::Domains;
pub use kept::KeptPages;
pub use subscribe::{SubscribeLimit, ask as subscribe, confirm, confirm_form, end, end_form};

pub(in crate::http) use kept::{Shown as ShownPage, read};
pub(in crate::http) use view::PublicView as View;

/// Browsers and caches keep a page for so long.
const KEPT: &str = "public, max-age=10";
/// A colour or a logo, whose address changes with it.
const KEPT_LONG: &str = "public, max-age=3600";
/// Tells a link's token from a slug, which has no such character.
const TOKEN: &str = "k_";

/// What a private link's path ends with (128 random bits), and the key that is kept of it.
///
/// # Errors
/// No random bytes.
pub(in crate::http) fn new_link() -> Result<(String, [u8; 32]), HttpError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no random bytes from the system: {e}"))?;
    let token = format!("{TOKEN}{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let key = link_key(&token);
    Ok((token, key))
}

fn link_key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A page that whoever asks may see.
struct Seen {
    shown: Arc<Shown>,
    /// What its own paths begin with.
    base: String,
    /// Where it is, for feeds.
    url: String,
}

impl Seen {
    fn page(&self) -> &StatusPage {
        &self.shown.public.page
    }

    /// Says who may keep an answer, and of a page that is not for everybody that nobody is to list or name it.
    fn kept(&self, answer: Response, public: &str) -> Response {
        let answer = match self.page().plan.access {
            Access::Public => return answer.with("cache-control", public),
            Access::Password => answer,
            Access::Link => answer.with("referrer-policy", "no-referrer"),
        };
        answer.with("cache-control", "private, no-store").with("x-robots-tag", "noindex, nofollow")
    }
}

/// What a request finds.
enum Found {
    Page(Seen),
    /// A password is asked for.
    Locked(Seen),
    Nothing,
    NotNow,
}

fn base_of(request: &Request, key: &str) -> String {
    if request.header(BY_HOST).is_some() { String::new() } else { format!("/s/{key}") }
}

/// Where a page is, as others are to write it down.
fn url_of(app: &App, request: &Request, base: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host = request.header("host").unwrap_or_default();
    let host = if host.chars().all(is_plain) { host } else { "" };
    let scheme = if app.settings.secure_cookies { "https" } else { "http" };
    match &app.settings.public_url {
        Some(url) if request.header(BY_HOST).is_none() => format!("{url}{base}"),
        Some(_) | None => format!("{scheme}://{host}{base}"),
    }
}

fn find(app: &App, request: &Request, params: &Params) -> Found {
    let key = params.get("slug");
    let name = if key.starts_with(TOKEN) { PageName::Link(link_key(key)) } else { PageName::Slug(key.to_owned()) };
    let shown = match app.pages.find(app, &name) {
        Ok(Some(shown)) => shown,
        Ok(None) => return Found::Nothing,
        Err(NotNow) => return Found::NotNow,
    };
    let base = base_of(request, key);
    let url = url_of(app, request, &base);
    let (page, by_link) = (&shown.public.page, matches!(name, PageName::Link(_)));
    let hash = shown.public.password_hash.as_deref();
    match (page.plan.access, hash) {
        (Access::Public, _) => {}
        // By its name there is no such page.
        (Access::Link, _) if !by_link => return Found::Nothing,
        (Access::Link, _) => {}
        // Nobody can know a password that was never set.
        (Access::Password, None) => return Found::Nothing,
        (Access::Password, Some(hash)) => {
            let cookie = request.cookie(cookie_name(app)).unwrap_or_default();
            if !app.alerts.opens_page(cookie, page.status_page_id, hash, clock::now()) {
                return Found::Locked(Seen { shown, base, url });
            }
        }
    }
    Found::Page(Seen { shown, base, url })
}

fn cookie_name(app: &App) -> &'static str {
    if app.settings.secure_cookies { "__Secure-betteruptime_page" } else { "betteruptime_page" }
}

fn bare(status: u16, view: &BarePage) -> Result<Response, HttpError> {
    let body = view.render().map_err(anyhow::Error::from)?;
    Ok(Response::html(status, body).with("cache-control", "no-store").with("x-robots-tag", "noindex, nofollow"))
}

/// There is no such page, or not for whoever asks.
pub(in crate::http) fn nothing() -> Result<Response, HttpError> {
    bare(404, &BarePage::new("Nothing is here", "There is no such page. Perhaps its address was changed."))
}

fn not_now() -> Result<Response, HttpError> {
    let view = BarePage::new("Not now", "This page cannot be read at the moment. Try again in a few seconds.");
    Ok(bare(503, &view)?.with("retry-after", "5"))
}

fn locked(seen: &Seen, status: u16, wrong: Option<&str>) -> Result<Response, HttpError> {
    // Not its name: whoever does not know the password learns nothing of it.
    let view = BarePage::new("A password is asked for", "This page is for those who know its password.");
    bare(status, &view.asking_password(&seen.base, wrong))
}

/// `GET /s/:slug`.
///
/// # Errors
/// Never but our own trouble.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let seen = match find(app, request, params) {
        Found::Page(seen) => seen,
        Found::Locked(seen) => return locked(&seen, 200, None),
        Found::Nothing => return nothing(),
        Found::NotNow => return not_now(),
    };
    let may_subscribe = seen.shown.public.sends_mail && app.alerts.has_links();
    let view = PublicView::new(&seen.shown, &seen.base, may_subscribe, clock::now());
    let body = view.render().map_err(anyhow::Error::from)?;
    Ok(seen.kept(Response::html(200, body), KEPT))
}

/// `GET /s/:slug/:file`: `feed.atom`, `feed.json`, `accent.css`, `logo`.
///
/// # Errors
/// Never but our own trouble.
pub fn file(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let seen = match find(app, request, params) {
        Found::Page(seen) => seen,
        Found::Locked(_) | Found::Nothing => return nothing(),
        Found::NotNow => return not_now(),
    };
    let answer = match params.get("file") {
        "feed.atom" => seen.kept(feeds::atom(&seen.shown, &seen.url), KEPT),
        "feed.json" => seen.kept(feeds::json(&seen.shown, &seen.url), KEPT),
        name => match part(&seen.shown, name) {
            Some(answer) => seen.kept(answer, KEPT_LONG),
            None => return nothing(),
        },
    };
    Ok(answer)
}

/// What a page is shown with: its colour, its logo.
pub(in crate::http) fn part(shown: &Shown, name: &str) -> Option<Response> {
    match name {
        "accent.css" => {
            let accent = shown.public.page.plan.accent?;
            let (light, dark) = (accent.on_light(), accent.on_dark());
            let css =
                format!(":root{{--accent:{light}}}@media(prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}\n");
            Some(Response::new(200, "text/css; charset=utf-8", css))
        }
        "logo" => {
            let logo = shown.public.logo.as_ref()?;
            let answer = Response::new(200, logo.kind.as_str(), logo.bytes.clone());
            // A picture that is opened by itself is a document: it may do nothing at all.
            let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";
            Some(answer.with("content-security-policy", policy))
        }
        _ => None,
    }
}

/// `POST /s/:slug/unlock`: a password. Wrong ones are counted as of those who sign in.
///
/// # Errors
/// Our own trouble.
pub fn unlock(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let seen = match find(app, request, params) {
        Found::Locked(seen) => seen,
        Found::Page(seen) => return Ok(leads_to(&seen)),
        Found::Nothing => return nothing(),
        Found::NotNow => return not_now(),
    };
    let form = request.form();
    let password = form.get("password");
    let (page, hash) = (seen.page().status_page_id, seen.shown.public.password_hash.as_deref().unwrap_or_default());
    // A name has no spaces: nobody's own tries are counted here.
    match login::prove_page(app, request, &format!("page {page}"), password, hash) {
        Ok(true) => {
            let (value, age) = app.alerts.page_cookie(page, hash, clock::now());
            let secure = if app.settings.secure_cookies { "; Secure" } else { "" };
            let path = if seen.base.is_empty() { "/" } else { &seen.base };
            let cookie =
                format!("{}={value}; Path={path}; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", cookie_name(app));
            Ok(leads_to(&seen).with("set-cookie", &cookie))
        }
        Ok(false) => locked(&seen, 403, Some("This is not the password.")),
        Err(HttpError::TooMany { retry_after_s }) => {
            let wrong = format!("Too many tries. Wait {retry_after_s} s, then try again.");
            Ok(locked(&seen, 429, Some(&wrong))?.with("retry-after", &retry_after_s.to_string()))
        }
        Err(HttpError::Unavailable(_)) => not_now(),
        Err(error) => Err(error),
    }
}

fn leads_to(seen: &Seen) -> Response {
    Response::see_other(if seen.base.is_empty() { "/" } else { &seen.base }).with("cache-control", "no-store")
}
