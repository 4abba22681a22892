//! What the public is told of an incident: what was published of it on status pages, and where it could be.

use super::words::{Instant, instant};
use crate::http::login::{self, Caller};
use crate::http::{App, HttpError};
use crate::model::scope::Subject;
use crate::model::status_page::{StatusPageId, StatusPostId};
use crate::model::{Incident, IncidentKind};
use crate::store::PostOfIncident;

/// What is known of that.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// What was published, what goes on first.
    pub posts: Vec<PostOfIncident>,
    /// Pages that show a website of the incident.
    pub pages: Vec<(StatusPageId, String)>,
    /// Whoever looks may publish.
    pub may_write: bool,
}

/// That part of the page.
#[derive(Debug, Default)]
pub(super) struct Public {
    pub(super) posts: Vec<Post>,
    /// Pages on which nothing about it goes on.
    pub(super) offers: Vec<(StatusPageId, String)>,
    pub(super) may_write: bool,
    /// It is over, and these posts do not say so yet.
    pub(super) behind: Vec<Post>,
}

#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) id: StatusPostId,
    pub(super) page_id: StatusPageId,
    pub(super) page: String,
    pub(super) title: String,
    pub(super) state: &'static str,
    pub(super) goes_on: bool,
    pub(super) at: Instant,
}

impl Public {
    pub(super) fn new(published: &Published, incident: &Incident) -> Self {
        let posts: Vec<Post> = published.posts.iter().map(Post::new).collect();
        let goes_on = |page: &StatusPageId| posts.iter().any(|post| post.goes_on && post.page_id == *page);
        let said = |page: &StatusPageId| posts.iter().any(|post| post.page_id == *page);
        let is_over = incident.closed_at.is_some();
        // Of what is over nobody is asked to say it twice.
        let is_offered = |(page, _): &&(StatusPageId, String)| if is_over { !said(page) } else { !goes_on(page) };
        Self {
            offers: published.pages.iter().filter(is_offered).cloned().collect(),
            may_write: published.may_write,
            behind: posts.iter().filter(|post| post.goes_on && is_over).cloned().collect(),
            posts,
        }
    }

    /// Whether there is anything to say or do.
    pub(super) fn is_any(&self) -> bool {
        !self.posts.is_empty() || (self.may_write && !self.offers.is_empty())
    }
}

impl Post {
    fn new(post: &PostOfIncident) -> Self {
        Self {
            id: post.post,
            page_id: post.page,
            page: post.page_name.clone(),
            title: post.title.clone(),
            state: post.state.map_or("Published", |state| state.words()),
            goes_on: post.ended_at.is_none(),
            at: instant(post.said_at),
        }
    }
}

/// Reads it.
///
/// # Errors
/// The database is away.
pub(super) fn find(app: &App, who: &Caller, incident: &Incident) -> Result<Published, HttpError> {
    match incident.kind {
        // Of no website, so on no page.
        IncidentKind::Operator => return Ok(Published::default()),
        IncidentKind::Outage | IncidentKind::Regional | IncidentKind::Flapping | IncidentKind::Certificate => {}
    }
    let (store, account, id) = (&app.store, who.account.account_id, incident.incident_id);
    let pages = app.wait(store.pages_of_incident(account, id)).map_err(login::store)?;
    let posts = app.wait(store.posts_of_incident(account, id)).map_err(login::store)?;
    Ok(Published { posts, pages, may_write: who.may_write(Subject::StatusPages) })
}
