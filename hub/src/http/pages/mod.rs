//! Pages for people: one file per page, each with a view that is made from model types and an instant. Views hold
//! words, not rules; templates escape everything that is not ours.

pub mod account;
pub mod acknowledge;
pub mod audit;
pub mod capacity;
mod certificate;
pub mod channel;
mod channel_actions;
mod channel_fields;
pub mod channel_form;
pub(in crate::http) mod channel_words;
pub mod channels;
mod chart;
pub mod dashboard;
mod dashboard_asked;
mod dashboard_board;
pub mod dashboard_bulk;
mod dashboard_words;
pub mod dead_letters;
mod dead_letters_actions;
pub mod delete;
pub mod design;
pub mod docs;
pub mod factor;
mod figures;
pub mod incident;
pub(in crate::http) mod incident_actions;
mod incident_evidence;
mod incident_known;
mod incident_matrix;
mod incident_public;
mod incident_words;
pub mod incidents;
mod job;
pub mod job_form;
pub mod join;
mod keeping_form;
pub mod keys;
pub mod landing;
mod looks_part;
pub mod maintenance;
pub mod maintenance_form;
mod maintenance_words;
mod options_form;
pub mod probes;
pub mod report;
pub mod report_form;
pub mod reports;
pub mod settings;
pub(in crate::http) mod settings_words;
mod short_name;
mod spark;
pub mod status_page_form;
pub mod status_pages;
pub mod status_posts;
pub mod status_publish;
mod strip;
pub mod team;
pub mod team_end;
pub mod ties_form;
pub mod trouble;
mod waterfall;
pub mod website;
mod website_actions;
pub mod website_form;
pub mod website_save;
mod website_words;
mod window;
mod words;

use askama::Template;

use super::login::Caller;
use super::{App, HttpError, Response, assets, conditional};
use crate::model::manifest::{Managed, Space};
use crate::model::{AccountId, Role};
use crate::replay;

pub use channel_actions::DeletePage as DeleteChannelPage;
pub use trouble::error;
pub use words::Mark;
pub(in crate::http) use words::UNREADABLE;
pub(in crate::http) use words::{Instant, instant as instant_of, lasted, name as name_of, share, took};

/// Who looks at a page.
#[derive(Debug, Clone)]
pub struct Viewer {
    username: String,
    /// Incidents that go on, as far as they are counted.
    open: i64,
    /// There is a channel that is on; asked where it is said.
    is_told: bool,
    /// What the navigation of an operator has beside that of others.
    desk: Option<Desk>,
    /// The team that is looked at, in a word; empty for whoever has only his own.
    team: String,
    /// May change what he sees.
    may_write: bool,
}

#[derive(Debug, Clone)]
struct Desk {
    /// How many dead letters there are, in the words of a badge; empty when there are none.
    letters: String,
}

impl Viewer {
    /// An operator; of dead letters no more than [`replay::COUNTED`] are counted.
    #[must_use]
    pub fn operator(username: &str, letters: i64) -> Self {
        let desk = Desk { letters: words::counted(letters) };
        Self { desk: Some(desk), ..Self::from(username) }
    }

    /// With so many incidents that go on.
    #[must_use]
    pub fn with_open(self, open: i64) -> Self {
        Self { open, ..self }
    }

    /// Whether there is somebody to be told.
    #[must_use]
    pub fn told(self, is_told: bool) -> Self {
        Self { is_told, ..self }
    }

    /// Of whoever asks. A page is shown without a badge rather than not at all.
    pub(super) fn of(app: &App, who: &Caller) -> Self {
        let counted = if who.person.is_operator() { replay::COUNTED } else { 0 };
        let counts = app.wait(app.store.count_for_viewer(who.account.account_id, counted));
        let (open, letters) = counts.unwrap_or_default();
        let viewer = if who.person.is_operator() {
            Self::operator(&who.person.username, letters)
        } else {
            who.person.username.as_str().into()
        };
        let team = match who.account.account_id == who.person.account_id {
            false => who.account.username.clone(),
            true if who.has_teams => "My team".to_owned(),
            true => String::new(),
        };
        Self { team, may_write: who.role >= Role::Editor, ..viewer.with_open(open) }
    }

    /// How many incidents go on, in the words of a badge; empty for none.
    fn open_words(&self) -> String {
        words::counted(self.open)
    }
}

/// Somebody who is no operator.
impl From<&str> for Viewer {
    fn from(username: &str) -> Self {
        let (team, may_write) = (String::new(), true);
        Self { username: username.to_owned(), open: 0, is_told: true, desk: None, team, may_write }
    }
}

/// What surrounds every page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Title of the page; its heading too on forms.
    pub title: String,
    /// Who is signed in.
    pub viewer: Option<Viewer>,
    /// Path of the navigation's entry that is this page; empty when none is.
    pub here: &'static str,
    /// Forms and messages are narrow, tables are wide.
    pub narrow: bool,
    /// Which file keeps what the page is about.
    pub kept_in: Option<Managed>,
}

impl Frame {
    /// A wide page for somebody who is signed in.
    #[must_use]
    pub fn wide(title: impl Into<String>, viewer: impl Into<Viewer>) -> Self {
        Self { title: title.into(), viewer: Some(viewer.into()), here: "", narrow: false, kept_in: None }
    }

    /// A form or message.
    #[must_use]
    pub fn narrow(title: impl Into<String>, viewer: Option<Viewer>) -> Self {
        Self { title: title.into(), viewer, here: "", narrow: true, kept_in: None }
    }

    /// Marks an entry of the navigation.
    #[must_use]
    pub fn at(self, here: &'static str) -> Self {
        Self { here, ..self }
    }

    fn style(&self) -> &str {
        assets::STYLE.url()
    }

    fn form_style(&self) -> &str {
        assets::FORM_STYLE.url()
    }

    fn desk_style(&self) -> &str {
        assets::DESK_STYLE.url()
    }

    fn alert_style(&self) -> &str {
        assets::ALERT_STYLE.url()
    }

    fn look_style(&self) -> &str {
        assets::LOOK_STYLE.url()
    }

    fn status_form_style(&self) -> &str {
        assets::STATUS_FORM_STYLE.url()
    }

    fn report_style(&self) -> &str {
        assets::REPORT_STYLE.url()
    }

    /// Whoever looks at this page may look only: what changes things is not shown. What is his own is, and what a link lets
    /// anybody do who has it.
    fn is_look(&self) -> bool {
        let is_own = matches!(self.here, "/settings" | "/team" | "/join" | "/acknowledge");
        !is_own && self.viewer.as_ref().is_some_and(|viewer| !viewer.may_write)
    }

    fn desk(&self) -> Option<&Desk> {
        self.viewer.as_ref()?.desk.as_ref()
    }

    fn script(&self) -> &str {
        assets::SCRIPT.url()
    }

    fn icon(&self) -> &str {
        assets::ICON.url()
    }
}

/// Which file keeps something, so that its page can say so.
fn kept_in(app: &App, account: AccountId, space: Space, id: uuid::Uuid) -> Result<Option<Managed>, HttpError> {
    app.wait(app.store.managed(account, space, id)).map_err(crate::http::login::store)
}

/// An entry of a list on a form.
#[derive(Debug)]
struct Choice {
    value: String,
    words: String,
    chosen: bool,
}

/// A rendered view as an answer. Pages are private: no cache keeps them.
pub fn page(status: u16, view: &impl Template) -> Result<Response, HttpError> {
    let body = view.render().map_err(anyhow::Error::from)?;
    Ok(Response::html(status, body).with("cache-control", "no-store"))
}

/// The part of a page that renews itself: browsers ask whether it is still the same (`http::conditional`).
pub fn fragment(view: &impl Template) -> Result<Response, HttpError> {
    written_fragment(view.render().map_err(anyhow::Error::from)?)
}

/// The same, written out.
fn written_fragment(body: String) -> Result<Response, HttpError> {
    let etag = etag(&body);
    Ok(Response::html(200, body).with("etag", &etag).with("cache-control", "private, no-cache"))
}

/// The entity tag of a fragment.
#[must_use]
pub fn etag(body: &str) -> String {
    conditional::tag(body.as_bytes())
}

#[cfg(test)]
#[allow(missing_docs, unreachable_pub, clippy::expect_used)]
mod invented;
#[cfg(test)]
#[allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::indexing_slicing)]
mod invented_incidents;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests_incidents;
