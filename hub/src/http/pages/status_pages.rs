//! Status pages for those who look after them: which there are, one of them, what it looks like, its link, its logo, its end.

use askama::Template;

use super::status_posts::PostLine;
use super::status_publish::PublishPart;
use super::{Frame, Viewer, kept_in, page};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError, Request, Response, assets, route::Params, status};
use crate::model::manifest::Space;
use crate::model::status_page::{Access, DAYS, Logo, MOST_PAGES, StatusPage, StatusPageId};
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, FieldError, FieldErrors};
use crate::store::PageName;

pub use super::status_page_form::{create, edit, new, save};

/// Posts on the page of a status page.
const POSTS: i64 = 50;

/// All of them.
#[derive(Template, Debug)]
#[template(path = "status_pages.html", whitespace = "minimize")]
pub struct StatusPagesPage {
    frame: Frame,
    lines: Vec<Line>,
    is_full: bool,
}

#[derive(Debug)]
struct Line {
    id: StatusPageId,
    name: String,
    address: String,
    access: &'static str,
    is_shut: bool,
    shows: String,
}

/// One of them.
#[derive(Template, Debug)]
#[template(path = "status_page.html", whitespace = "minimize")]
pub struct StatusPagePage {
    frame: Frame,
    line: Line,
    /// Where it is, when its address may be told again.
    public: Option<String>,
    domain: Option<String>,
    is_by_link: bool,
    has_link: bool,
    logo: Option<String>,
    errors: FieldErrors,
    mail: String,
    publish: PublishPart,
    posts: Vec<PostLine>,
}

/// A link that was made, shown once.
#[derive(Template, Debug)]
#[template(path = "status_page_link.html", whitespace = "minimize")]
struct LinkPage {
    frame: Frame,
    id: StatusPageId,
    link: String,
}

/// "Delete it?", without script.
#[derive(Template, Debug)]
#[template(path = "status_page_delete.html", whitespace = "minimize")]
struct DeletePage {
    frame: Frame,
    id: StatusPageId,
    name: String,
    subscribers: i64,
}

/// Who may see a page, in words.
fn access_words(access: Access) -> &'static str {
    match access {
        Access::Public => "everybody",
        Access::Password => "who knows its password",
        Access::Link => "who has its link",
    }
}

/// Where the installation is, as people know it; empty: under the name they use.
pub(super) fn base(app: &App) -> String {
    app.settings.public_url.clone().unwrap_or_default()
}

impl Line {
    fn new(app: &App, one: &StatusPage) -> Self {
        let plan = &one.plan;
        let count = plan.components().count();
        let address = match (&plan.domain, plan.access) {
            (Some(domain), _) => domain.clone(),
            (None, Access::Public | Access::Password) => {
                let base = base(app);
                format!("{}/s/{}", base.split_once("://").map_or("", |(_, host)| host), plan.slug)
            }
            (None, Access::Link) => "a private link".to_owned(),
        };
        Self {
            id: one.status_page_id,
            name: plan.name.clone(),
            address,
            access: access_words(plan.access),
            is_shut: one.is_shut(),
            shows: match count {
                0 => "nothing yet".to_owned(),
                1 => "1 website".to_owned(),
                n => format!("{n} websites"),
            },
        }
    }
}

/// `GET /status-pages`.
///
/// # Errors
/// The database is away.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let pages = app.wait(app.store.status_pages(who.account.account_id)).map_err(login::store)?;
    let lines: Vec<Line> = pages.iter().map(|one| Line::new(app, one)).collect();
    let is_full = i64::try_from(lines.len()).unwrap_or(MOST_PAGES) >= MOST_PAGES;
    let frame = Frame::wide("Status pages", Viewer::of(app, &who)).at("/status-pages");
    page(200, &StatusPagesPage { frame, lines, is_full })
}

/// One of the account's pages.
pub(in crate::http) fn found(app: &App, account: AccountId, params: &Params) -> Result<StatusPage, HttpError> {
    let id = params.status_page_id()?;
    app.wait(app.store.status_page(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)
}

/// `GET /status-pages/:id`.
///
/// # Errors
/// Not yours.
pub fn one(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = found(app, who.account.account_id, params)?;
    view(app, &who, &found, 200, FieldErrors::default())
}

fn view(app: &App, who: &Caller, one: &StatusPage, code: u16, errors: FieldErrors) -> Result<Response, HttpError> {
    let (account, id, plan) = (who.account.account_id, one.status_page_id, &one.plan);
    let (told, asked, waits, dead) = app.wait(app.store.subscriber_counts(account, id)).map_err(login::store)?;
    let since = clock::now() - DAYS * DAY_MS;
    let posts = app.wait(app.store.posts_of(account, id, since, POSTS)).map_err(login::store)?;
    let mail = match (plan.channel_id, app.alerts.has_links()) {
        (None, _) => "Nobody can ask for mail: the page has no mail channel that sends it.".to_owned(),
        (Some(_), false) => {
            "Nobody can ask for mail: PUBLIC_URL is not set, so that mails could have no links.".to_owned()
        }
        (Some(_), true) => {
            let mut words =
                format!("{told} get mail of this page; {asked} have not answered yet whether they want it.");
            if waits > 0 {
                words.push_str(&format!(" {waits} mails wait."));
            }
            if dead > 0 {
                words.push_str(&format!(" {dead} were given up: their servers did not take them."));
            }
            words
        }
    };
    let kept = kept_in(app, account, Space::StatusPages, id.0)?;
    let mut frame = Frame::wide(plan.name.clone(), Viewer::of(app, who)).at("/status-pages");
    frame.kept_in = kept;
    let is_by_link = plan.access == Access::Link;
    let public = (!is_by_link).then(|| format!("{}/s/{}", base(app), plan.slug));
    page(
        code,
        &StatusPagePage {
            line: Line::new(app, one),
            public,
            domain: plan.domain.clone(),
            is_by_link,
            has_link: one.has_link,
            logo: one.logo_tag.clone(),
            errors,
            mail,
            publish: PublishPart::default().on(app, account, one)?,
            posts: posts.iter().map(PostLine::new).collect(),
            frame,
        },
    )
}

fn read(app: &App, request: &Request, params: &Params) -> Result<status::ShownPage, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let name = PageName::Own(account, params.status_page_id()?);
    let shown = app.wait(status::read(&app.store, &name, None, clock::now())).map_err(login::store)?;
    shown.ok_or(HttpError::NotFound)
}

/// `GET /status-pages/:id/preview`: the page as others see it.
///
/// # Errors
/// Not yours.
pub fn preview(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let shown = read(app, request, params)?;
    let base = format!("/status-pages/{}/preview", shown.public.page.status_page_id);
    page(200, &status::View::new(&shown, &base, false, clock::now()).preview())
}

/// `GET /status-pages/:id/preview/:file`: its colour, its logo.
///
/// # Errors
/// Not yours.
pub fn preview_file(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let shown = read(app, request, params)?;
    let answer = status::part(&shown, params.get("file")).ok_or(HttpError::NotFound)?;
    Ok(answer.with("cache-control", "private, no-cache"))
}

/// `POST /status-pages/:id/link`: a new private link, shown once; the one before opens nothing any more.
///
/// # Errors
/// Not yours.
pub fn new_link(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = found(app, who.account.account_id, params)?;
    let (token, key) = status::new_link()?;
    let id = found.status_page_id;
    if !app.wait(app.store.set_page_link(who.account.account_id, id, key)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(id);
    let host = request.header("host").unwrap_or_default();
    let scheme = if app.settings.secure_cookies { "https" } else { "http" };
    let base = app.settings.public_url.clone().unwrap_or_else(|| format!("{scheme}://{host}"));
    let frame = Frame::narrow("The link was made", Some(Viewer::of(app, &who))).at("/status-pages");
    page(200, &LinkPage { frame, id, link: format!("{base}/s/{token}") })
}

/// The file of a form (RFC 7578) with this field.
fn file_of(request: &Request, field: &str) -> Option<Vec<u8>> {
    let kind = request.header("content-type")?;
    let boundary = kind.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    if boundary.is_empty() || boundary.len() > 70 {
        return None;
    }
    let (first, next) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    let position = |all: &[u8], what: &[u8]| all.windows(what.len()).position(|window| window == what);
    let mut rest = request.body.get(position(&request.body, first.as_bytes())? + first.len()..)?;
    loop {
        let head_end = position(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(rest.get(..head_end)?).ok()?;
        let body = rest.get(head_end + 4..)?;
        let end = position(body, next.as_bytes())?;
        let is_it = head.lines().any(|line| {
            let lower = line.to_ascii_lowercase();
            lower.starts_with("content-disposition:") && lower.contains(&format!("name=\"{field}\""))
        });
        if is_it {
            return body.get(..end).map(<[u8]>::to_vec);
        }
        rest = body.get(end + next.len()..)?.strip_prefix(b"\r\n")?;
    }
}

/// `POST /status-pages/:id/logo`: a picture, or none where no file was chosen.
///
/// # Errors
/// Not yours.
pub fn logo(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = found(app, who.account.account_id, params)?;
    let id = found.status_page_id;
    let bytes = file_of(request, "logo").unwrap_or_default();
    let logo = match bytes.is_empty() {
        true => None,
        false => match Logo::of(bytes) {
            Ok(logo) => Some(logo),
            Err(error) => return view(app, &who, &found, 422, FieldErrors(vec![error])),
        },
    };
    let tag = logo.as_ref().map(|logo| assets::tag(&logo.bytes)).unwrap_or_default();
    let set = logo.as_ref().map(|logo| (logo, tag.as_str()));
    if !app.wait(app.store.set_page_logo(who.account.account_id, id, set)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(id);
    Ok(Response::see_other(&format!("/status-pages/{id}")))
}

/// `GET /status-pages/:id/delete`: asks first.
///
/// # Errors
/// Not yours.
pub fn confirm_delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let found = found(app, who.account.account_id, params)?;
    let id = found.status_page_id;
    let (told, ..) = app.wait(app.store.subscriber_counts(who.account.account_id, id)).map_err(login::store)?;
    let frame = Frame::narrow("Delete this page?", Some(Viewer::of(app, &who))).at("/status-pages");
    page(200, &DeletePage { frame, id, name: found.plan.name, subscribers: told })
}

/// `POST /status-pages/:id/delete`.
///
/// # Errors
/// Not yours.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_page_id()?;
    if !app.wait(app.store.delete_status_page(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(id);
    app.domains.changed();
    Ok(Response::see_other("/status-pages"))
}

/// That a page may have the host it is to have: only where it is known which name is the hub's own, and, where anybody may sign
/// up, only by an operator's word, since nobody else knows whose the name is.
pub(in crate::http) fn may_have_domain(
    app: &App,
    who: &Caller,
    wanted: Option<&str>,
    before: Option<&str>,
) -> Result<(), FieldError> {
    let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != before) else { return Ok(()) };
    let wrong = |remedy: &str| Err(FieldError::new("domain", wanted, remedy));
    if app.settings.public_url.is_none() {
        return wrong("The hub does not know its own name yet: set PUBLIC_URL first, or leave this empty.");
    }
    let is_shared = app.settings.sign_ups == crate::config::SignUps::Open;
    if is_shared && !who.person.is_operator() {
        return wrong("Ask whoever looks after this installation for it; leave this empty until then.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;

    fn request(kind: &str, body: &[u8]) -> Request {
        Request {
            method: Method::Post,
            path: "/".to_owned(),
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.to_vec(),
            client: [127, 0, 0, 1].into(),
            request_id: String::new(),
            caller: std::cell::OnceCell::new(),
            notes: crate::http::audit::Notes::default(),
        }
    }

    #[test]
    fn a_file_is_taken_out_of_its_form() {
        let kind = "multipart/form-data; boundary=----b1";
        let body = b"------b1\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n------b1\r\n\
            Content-Disposition: form-data; name=\"logo\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--x\r\n------b1--\r\n";
        assert_eq!(file_of(&request(kind, body), "logo").as_deref(), Some(&b"\x89PNG\r\n--x"[..]));
        assert_eq!(file_of(&request(kind, body), "x").as_deref(), Some(&b"1"[..]));
        assert_eq!(file_of(&request(kind, body), "y"), None);
        for (kind, body) in [
            ("multipart/form-data", &b"------b1\r\n"[..]),
            (kind, b"------b1\r\n"),
            (kind, b"------b1\r\nContent-Disposition: form-data; name=\"logo\"\r\n\r\nendless"),
            (kind, b""),
        ] {
            assert_eq!(file_of(&request(kind, body), "logo"), None);
        }
    }
}
