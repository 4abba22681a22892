//! What is published on status pages: `/api/v1/status-pages/:id/posts`, `/api/v1/status-posts`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shape::{At, Id, Word};
use super::{body, done, is_json};
use crate::clock;
use crate::http::login;
use crate::http::openapi::{Group, Operation, of};
use crate::http::pages::status_pages::found;
use crate::http::pages::status_posts::refused;
use crate::http::{App, HttpError, Request, Response, route::Params};
use crate::model::status_page::{DAYS, Impact, Post, PostInput, PostKind, UpdateInput, UpdateState};
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, FieldErrors};
use crate::store::PostSaved;

/// Posts that are listed.
const POSTS: i64 = 50;

/// What is declared of it.
pub static GROUP: Group = Group {
    name: "Status posts",
    about: "What you publish on status pages: incidents, and notices.",
    operations: &[
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

/// `GET /api/v1/status-pages/:id/posts` -> 200 `{posts}`.
///
/// # Errors
/// 401, 404.
pub fn list(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let page = found(app, account, params)?;
    let since = clock::now() - DAYS * DAY_MS;
    let posts = app.wait(app.store.posts_of(account, page.status_page_id, since, POSTS)).map_err(login::store)?;
    Ok(Response::json(200, &PostList { posts: posts.iter().map(shown_post).collect() }))
}

fn published(app: &App, account: AccountId, code: u16, saved: PostSaved) -> Result<Response, HttpError> {
    match saved {
        PostSaved::Saved(id, _) => {
            let on = app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
            app.pages.changed(on.post.status_page_id);
            Ok(Response::json(code, &shown_post(&on.post)))
        }
        PostSaved::NotFound => Err(HttpError::NotFound),
        other @ (PostSaved::NoComponent | PostSaved::NoIncident | PostSaved::TooMany) => {
            Err(HttpError::Fields(FieldErrors(refused(&other).into_iter().collect())))
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
pub fn show(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
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
pub fn delete(app: &App, request: &Request, params: &Params) -> Result<Response, HttpError> {
    let account = login::signed_in(app, request)?.account.account_id;
    let id = params.status_post_id()?;
    let on = app.wait(app.store.post(account, id)).map_err(login::store)?.ok_or(HttpError::NotFound)?;
    if !app.wait(app.store.delete_post(account, id)).map_err(login::store)? {
        return Err(HttpError::NotFound);
    }
    app.pages.changed(on.post.status_page_id);
    Ok(done())
}
