//! `/api/v1/status-pages`: what people outside are shown, and what is published there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{At, Id, Word};
use super::{body, done, given, revision};
use crate::clock;
use crate::http::login::{self, Caller};
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::status_page_form::{refused, too_many};
use crate::http::pages::status_pages::{found, may_have_domain};
use crate::http::pages::status_posts;
use crate::http::{App, HttpError, Request, Response, assets, route::Params, status};
use crate::model::status_page::{
    Access, ComponentInput, DAYS, Impact, Logo, Post, PostInput, PostKind, SectionInput, StatusPage, StatusPageId,
    StatusPageInput, StatusPagePlan, UpdateInput, UpdateState,
};
use crate::model::uptime::DAY_MS;
use crate::model::{FieldError, FieldErrors};
use crate::store::{PostSaved, StatusPageSaved};

/// Posts that are listed.
const POSTS: i64 = 50;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Status pages",
    about: "What people outside are shown: websites by names of your choice, and what you publish.",
    operations: &[
        Operation::get("/api/v1/status-pages", "listStatusPages", "All pages, oldest first. There are 50 at most.")
            .json(of::<StatusPageList<'static>>),
        Operation::post("/api/v1/status-pages", "addStatusPage", "Adds a page.")
            .body(of::<Sent>, &["name", "slug"])
            .status(201)
            .json(of::<Shown<'static>>)
            .also(&[409]),
        Operation::get("/api/v1/status-pages/:id", "getStatusPage", "A page.").json(of::<Shown<'static>>),
        Operation::patch(
            "/api/v1/status-pages/:id",
            "changeStatusPage",
            "Changes a page. What is left out stays as it is.",
        )
        .body(of::<Sent>, &[])
        .json(of::<Shown<'static>>)
        .revision(),
        Operation::delete(
            "/api/v1/status-pages/:id",
            "deleteStatusPage",
            "Deletes a page, with all that was published on it and whoever was told.",
        )
        .revision(),
        Operation::post(
            "/api/v1/status-pages/:id/link",
            "makeStatusPageLink",
            "Makes a private link, told once. The one before opens nothing any more.",
        )
        .json(of::<Link>),
        Operation::get(
            "/api/v1/status-pages/:id/posts",
            "listStatusPosts",
            "What was published on a page. What goes on first, then what was over within 90 days, 50 at most.",
        )
        .json(of::<PostList<'static>>),
        Operation::post(
            "/api/v1/status-pages/:id/posts",
            "publishStatusPost",
            "Publishes an incident or a notice. Subscribers get mail.",
        )
        .body(of::<SentPost>, &["kind", "title", "state", "said"])
        .status(201)
        .json(of::<ShownPost<'static>>)
        .also(&[409]),
        Operation::get("/api/v1/status-posts/:id", "getStatusPost", "What was published.")
            .json(of::<ShownPost<'static>>),
        Operation::post(
            "/api/v1/status-posts/:id/updates",
            "updateStatusPost",
            "Publishes an update. Subscribers get mail. One that is resolved ends it.",
        )
        .body(of::<SentUpdate>, &["state", "said"])
        .status(201)
        .json(of::<ShownPost<'static>>)
        .also(&[409]),
        Operation::delete("/api/v1/status-posts/:id", "deleteStatusPost", "Takes back what was published."),
    ],
};

/// A page as it is sent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusPageInput")]
struct Sent {
    /// For people.
    name: Option<String>,
    /// Its name in paths: `/s/<slug>`.
    slug: Option<String>,
    /// A host of its own; null: none.
    #[serde(deserialize_with = "given")]
    domain: Option<Option<String>>,
    /// public, password or link; public when nothing is said.
    access: Option<String>,
    /// With access password. Null takes it away. It is never told.
    #[serde(deserialize_with = "given")]
    password: Option<Option<String>>,
    /// A few words at its top.
    about: Option<String>,
    /// Where its title leads; null: nowhere.
    #[serde(deserialize_with = "given")]
    home_url: Option<Option<String>>,
    /// A colour; null: ours.
    #[serde(deserialize_with = "given")]
    #[schemars(extend("examples" = ["#1a7f5a"]))]
    accent: Option<Option<String>>,
    /// Shows how the last 90 days were spent; true when nothing is said.
    shows_uptime: Option<bool>,
    /// Tells of outages as they are measured; true when nothing is said.
    tells_outages: Option<bool>,
    /// The mail channel whose server sends to subscribers; null: nobody can subscribe.
    #[serde(deserialize_with = "given")]
    mail_channel_id: Option<Option<String>>,
    /// What is on it, in order.
    sections: Option<Vec<SentSection>>,
    /// A PNG, JPEG or WebP of at most 40 KiB, in base64; null: none.
    #[serde(deserialize_with = "given")]
    logo: Option<Option<String>>,
    /// Of a change: only if it is still at this revision.
    revision: Option<i64>,
}

/// Websites under a heading.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusSectionInput")]
struct SentSection {
    /// The heading; may be empty.
    name: String,
    /// In order.
    components: Vec<SentComponent>,
}

/// A website on a page.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusComponentInput")]
struct SentComponent {
    /// Which.
    website_id: String,
    /// What it is called in public.
    name: String,
}

/// Something to be published.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusPostInput")]
struct SentPost {
    /// incident or notice.
    kind: String,
    /// On one line.
    title: String,
    /// none, degraded, partial, major or maintenance: what it is to its components.
    impact: Option<String>,
    /// Ids of websites on the page.
    components: Vec<String>,
    /// Which of your incidents it is about; not shown.
    incident_id: Option<String>,
    /// investigating, identified, monitoring, resolved or notice.
    state: String,
    /// What people are to know.
    said: String,
}

/// An update to be published.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusUpdateInput")]
struct SentUpdate {
    /// investigating, identified, monitoring, resolved or notice.
    state: String,
    /// What people are to know.
    said: String,
}

/// Websites under a heading.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusSection")]
struct ShownSection<'a> {
    name: &'a str,
    components: Vec<ShownComponent<'a>>,
}

/// A website on a page.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusComponent")]
struct ShownComponent<'a> {
    website_id: Id,
    /// What it is called in public.
    name: &'a str,
}

/// A page.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPage")]
struct Shown<'a> {
    /// Its name in paths of the API.
    id: Id,
    name: &'a str,
    slug: &'a str,
    domain: Option<&'a str>,
    access: Word<Access>,
    /// Whether a password is set.
    has_password: bool,
    /// Whether a private link was made.
    has_link: bool,
    has_logo: bool,
    about: &'a str,
    home_url: Option<&'a str>,
    accent: Option<String>,
    shows_uptime: bool,
    tells_outages: bool,
    mail_channel_id: Option<Id>,
    sections: Vec<ShownSection<'a>>,
    created_at: At,
    /// Grows with every edit.
    revision: i64,
}

/// All pages.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPageList")]
struct StatusPageList<'a> {
    status_pages: Vec<Shown<'a>>,
}

/// A private link.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPageLink")]
struct Link {
    /// Who has it sees the page.
    url: String,
}

/// An update.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusUpdate")]
struct ShownUpdate<'a> {
    at: At,
    state: Word<UpdateState>,
    said: &'a str,
}

/// What was published.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPost")]
struct ShownPost<'a> {
    id: Id,
    status_page_id: Id,
    /// Which of your incidents it is about; not shown.
    incident_id: Option<Id>,
    kind: Word<PostKind>,
    title: &'a str,
    impact: Word<Impact>,
    components: Vec<Id>,
    began_at: At,
    /// Null: it goes on.
    ended_at: Option<At>,
    /// Newest first.
    updates: Vec<ShownUpdate<'a>>,
}

/// What was published on a page.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPostList")]
struct PostList<'a> {
    posts: Vec<ShownPost<'a>>,
}

fn shown(page: &StatusPage) -> Shown<'_> {
    let plan = &page.plan;
    Shown {
        id: Id(page.status_page_id.0),
        name: &plan.name,
        slug: &plan.slug,
        domain: plan.domain.as_deref(),
        access: Word(plan.access),
        has_password: page.has_password,
        has_link: page.has_link,
        has_logo: page.logo_tag.is_some(),
        about: &plan.about,
        home_url: Some(plan.home_url.as_str()).filter(|url| !url.is_empty()),
        accent: plan.accent.map(|accent| accent.to_string()),
        shows_uptime: plan.shows_uptime,
        tells_outages: plan.tells_outages,
        mail_channel_id: plan.channel_id.map(Id::from),
        sections: plan
            .sections
            .iter()
            .map(|section| ShownSection {
                name: &section.name,
                components: section
                    .components
                    .iter()
                    .map(|one| ShownComponent { website_id: one.website_id.into(), name: &one.name })
                    .collect(),
            })
            .collect(),
        created_at: At(page.created_at),
        revision: page.revision,
    }
}

fn shown_post(post: &Post) -> ShownPost<'_> {
    ShownPost {
        id: Id(post.status_post_id.0),
        status_page_id: Id(post.status_page_id.0),
        incident_id: post.incident_id.map(Id::from),
        kind: Word(post.kind),
        title: &post.title,
        impact: Word(post.impact),
        components: post.components.iter().map(|id| Id::from(*id)).collect(),
        began_at: At(post.began_at),
        ended_at: post.ended_at.map(At),
        updates: post
            .updates
            .iter()
            .map(|update| ShownUpdate { at: At(update.at), state: Word(update.state), said: &update.said })
            .collect(),
    }
}

fn is_json(request: &Request) -> Result<(), HttpError> {
    if request.media_type() == "application/json" { Ok(()) } else { Err(HttpError::MediaType("application/json")) }
}

impl Sent {
    /// What is given, on top of what there is.
    fn over(&self, mut input: StatusPageInput) -> StatusPageInput {
        let texts = [
            (&mut input.name, &self.name),
            (&mut input.slug, &self.slug),
            (&mut input.access, &self.access),
            (&mut input.about, &self.about),
        ];
        for (field, given) in texts {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        let may_go = [
            (&mut input.domain, &self.domain),
            (&mut input.home_url, &self.home_url),
            (&mut input.accent, &self.accent),
            (&mut input.mail_channel_id, &self.mail_channel_id),
        ];
        for (field, given) in may_go {
            if let Some(given) = given {
                *field = given.clone().unwrap_or_default();
            }
        }
        input.shows_uptime = self.shows_uptime.unwrap_or(input.shows_uptime);
        input.tells_outages = self.tells_outages.unwrap_or(input.tells_outages);
        if let Some(sections) = &self.sections {
            let component =
                |one: &SentComponent| ComponentInput { website_id: one.website_id.clone(), name: one.name.clone() };
            let section = |one: &SentSection| SectionInput {
                name: one.name.clone(),
                components: one.components.iter().map(component).collect(),
            };
            input.sections = sections.iter().map(section).collect();
        }
        input
    }

    fn logo(&self) -> Result<Option<Option<Logo>>, FieldError> {
        match &self.logo {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(text)) => {
                let bytes =
                    BASE64.decode(text.trim()).map_err(|_| FieldError::new("logo", "", "Send it in base64."))?;
                Logo::of(bytes).map(|logo| Some(Some(logo)))
            }
        }
    }
}

/// The plan that was sent, and its logo, with all that is wrong told at once.
fn judged(
    app: &App,
    who: &Caller,
    sent: &Sent,
    input: &StatusPageInput,
    before: Option<&StatusPage>,
) -> Result<(StatusPagePlan, Option<Option<Logo>>), HttpError> {
    let mut errors = FieldErrors::default();
    let plan = input.parse(&app.settings.target_rules.own_names).map_err(|wrong| errors.0.extend(wrong.0)).ok();
    let logo = sent.logo().map_err(|error| errors.push(error)).ok();
    let was = before.and_then(|before| before.plan.domain.as_deref());
    if let Some(plan) = &plan {
        may_have_domain(app, who, plan.domain.as_deref(), was).unwrap_or_else(|error| errors.push(error));
    }
    match (plan, logo) {
        (Some(plan), Some(logo)) if errors.is_empty() => Ok((plan, logo)),
        _ => Err(HttpError::Fields(errors)),
    }
}

/// What comes after a page was written: its password, its logo, and what this hub has of it in memory.
fn rest(
    app: &App,
    who: &Caller,
    id: StatusPageId,
    password: Option<Option<String>>,
    logo: Option<Option<Logo>>,
) -> Result<(), HttpError> {
    let account = who.account.account_id;
    if let Some(hash) = password {
        app.wait(app.store.set_page_password(account, id, hash.as_deref())).map_err(login::store)?;
    }
    if let Some(logo) = logo {
        let tag = logo.as_ref().map(|logo| assets::tag(&logo.bytes)).unwrap_or_default();
        let set = logo.as_ref().map(|logo| (logo, tag.as_str()));
        app.wait(app.store.set_page_logo(account, id, set)).map_err(login::store)?;
    }
    app.pages.changed(id);
    app.domains.changed();
    Ok(())
}

/// Its hash, before anything is written: one that cannot be accepted keeps all of it from being done.
fn password(app: &App, sent: &Sent) -> Result<Option<Option<String>>, HttpError> {
    match &sent.password {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(text)) => login::hash_of(app, text).map(|hash| Some(Some(hash))),
    }
}

fn answer(
    app: &App,
    request: &Request,
    who: &Caller,
    code: u16,
    saved: StatusPageSaved,
    after: impl FnOnce(StatusPageId) -> Result<(), HttpError>,
) -> Result<Response, HttpError> {
    match saved {
        StatusPageSaved::Saved(id) => {
            after(id)?;
            let page = app.wait(app.store.status_page(who.account.account_id, id)).map_err(login::store)?;
            let page = page.ok_or(HttpError::NotFound)?;
            Ok(revision::answer(code, &shown(&page), page.revision))
        }
        StatusPageSaved::NotFound => Err(HttpError::NotFound),
        StatusPageSaved::TooMany => Err(HttpError::Conflict(too_many())),
        StatusPageSaved::Meanwhile => Err(revision::meanwhile(request)),
        other @ (StatusPageSaved::NoWebsite | StatusPageSaved::NoChannel | StatusPageSaved::Taken(_)) => {
            Err(HttpError::Fields(FieldErrors(refused(&other).into_iter().collect())))
        }
    }
}

/// `GET /api/v1/status-pages` -> 200 `{status_pages}`, oldest first; at most 50.
///
/// # Errors
/// 401.
pub fn list(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let pages = app.wait(app.store.status_pages(account)).map_err(login::store)?;
    Ok(Response::json(200, &StatusPageList { status_pages: pages.iter().map(shown).collect() }))
}

/// `GET /api/v1/status-pages/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    Ok(revision::answer(200, &shown(&page), page.revision))
}

/// `POST /api/v1/status-pages` -> 201, the page.
///
/// # Errors
/// 401, 409 with as many pages as there may be, 422.
pub fn add(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    is_json(request)?;
    let sent: Sent = body(request, "{name, slug, access, sections}")?;
    let fresh = StatusPageInput { shows_uptime: true, tells_outages: true, ..StatusPageInput::default() };
    let (plan, logo) = judged(app, &who, &sent, &sent.over(fresh), None)?;
    let hash = password(app, &sent)?;
    let saved =
        app.wait(app.store.add_status_page(who.account.account_id, &plan, clock::now())).map_err(login::store)?;
    answer(app, request, &who, 201, saved, |id| rest(app, &who, id, hash, logo))
}

/// `PATCH /api/v1/status-pages/:id` -> 200, the page. What is not given stays.
///
/// # Errors
/// 401, 404, 409 or 412 when it was changed meanwhile, 422.
pub fn change(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let who = login::signed_in(app, request)?;
    let account = who.account.account_id;
    let page = found(app, account, params)?;
    is_json(request)?;
    let sent: Sent = body(request, "what is to be changed")?;
    revision::expect(request, sent.revision, page.revision)?;
    let input = sent.over(StatusPageInput::of(&page.plan));
    let (plan, logo) = judged(app, &who, &sent, &input, Some(&page))?;
    let hash = password(app, &sent)?;
    let saved = app.wait(app.store.edit_status_page(account, page.status_page_id, page.revision, &plan));
    answer(app, request, &who, 200, saved.map_err(login::store)?, |id| rest(app, &who, id, hash, logo))
}

/// `DELETE /api/v1/status-pages/:id` -> 204.
///
/// # Errors
/// 401, 404, 412.
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    revision::expect(request, None, page.revision)?;
    if !app.wait(app.store.delete_status_page(account, page.status_page_id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(page.status_page_id);
    app.domains.changed();
    Ok(done())
}

/// `POST /api/v1/status-pages/:id/link` -> 200 `{url}`, told once.
///
/// # Errors
/// 401, 404.
pub fn link(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_page_id()?;
    let (token, key) = status::new_link()?;
    if !app.wait(app.store.set_page_link(account, id, key)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(id);
    let base = app.settings.public_url.clone().unwrap_or_default();
    Ok(Response::json(200, &Link { url: format!("{base}/s/{token}") }).with("cache-control", "no-store"))
}

/// `GET /api/v1/status-pages/:id/posts` -> 200 `{posts}`.
///
/// # Errors
/// 401, 404.
pub fn posts(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    let since = clock::now() - DAYS * DAY_MS;
    let posts = app.wait(app.store.posts_of(account, page.status_page_id, since, POSTS)).map_err(login::store)?;
    Ok(Response::json(200, &PostList { posts: posts.iter().map(shown_post).collect() }))
}

fn published(app: &App, account: crate::model::AccountId, code: u16, saved: PostSaved) -> Result<Response, HttpError> {
    match saved {
        PostSaved::Saved(id, _) => {
            let on = app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
            app.pages.changed(on.post.status_page_id);
            Ok(Response::json(code, &shown_post(&on.post)))
        }
        PostSaved::NotFound => Err(HttpError::NotFound),
        other @ (PostSaved::NoComponent | PostSaved::NoIncident | PostSaved::TooMany) => {
            Err(HttpError::Fields(FieldErrors(status_posts::refused(&other).into_iter().collect())))
        }
    }
}

/// `POST /api/v1/status-pages/:id/posts` -> 201, what was published.
///
/// # Errors
/// 401, 404, 422.
pub fn publish(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    is_json(request)?;
    let sent: SentPost = body(request, "{kind, title, state, said}")?;
    let input = PostInput {
        kind: sent.kind,
        title: sent.title,
        impact: sent.impact.unwrap_or_default(),
        components: sent.components,
        incident_id: sent.incident_id.unwrap_or_default(),
        update: UpdateInput { state: sent.state, said: sent.said },
    };
    let draft = input.parse().map_err(HttpError::Fields)?;
    let saved =
        app.wait(app.store.publish(account, page.status_page_id, &draft, clock::now())).map_err(login::store)?;
    published(app, account, 201, saved)
}

/// `GET /api/v1/status-posts/:id` -> 200.
///
/// # Errors
/// 401, 404.
pub fn post(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let on = app.wait(app.store.post(account, params.status_post_id()?)).map_err(login::store)?;
    Ok(Response::json(200, &shown_post(&on.ok_or(HttpError::NotFound)?.post)))
}

/// `POST /api/v1/status-posts/:id/updates` -> 201, what was published.
///
/// # Errors
/// 401, 404, 422.
pub fn update(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_post_id()?;
    app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    is_json(request)?;
    let sent: SentUpdate = body(request, "{state, said}")?;
    let (state, said) = UpdateInput { state: sent.state, said: sent.said }.parse().map_err(HttpError::Fields)?;
    let saved = app.wait(app.store.update_post(account, id, state, &said, clock::now())).map_err(login::store)?;
    published(app, account, 201, saved)
}

/// `DELETE /api/v1/status-posts/:id` -> 204.
///
/// # Errors
/// 401, 404.
pub fn delete_post(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_post_id()?;
    let on = app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    if !app.wait(app.store.delete_post(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(on.post.status_page_id);
    Ok(done())
}
