//! Status pages: what people outside are shown of an account. Nothing is on one that its owner did not put there: websites by
//! names that he chose, words that he published, and, where he wants it, what the verdicts say of them.

mod colour;
mod day;
mod input;
mod logo;
mod post;
mod state;
pub mod suggest;

pub use colour::{Accent, Shade};
pub use day::{DAYS, Day, day_windows};
pub use input::{ComponentInput, SectionInput, StatusPageInput, domain_of};
pub use logo::{Logo, LogoKind};
pub use post::{Impact, Post, PostDraft, PostInput, PostKind, PostUpdate, UpdateInput, UpdateState};
pub use state::{ComponentState, Outage, overall};

use super::id::id;
use super::{AccountId, ChannelId, UtcMs, WebsiteId};

id! {
    /// Names a status page.
    StatusPageId
}
id! {
    /// Names what was published on one.
    StatusPostId
}
id! {
    /// Names somebody who is told by mail.
    SubscriberId
}
id! {
    /// Names a mail to a subscriber.
    StatusMailId
}

probe::named! {
    /// Who may see a status page.
    Access {
        /// Everybody.
        Public = "public",
        /// Who knows its password.
        Password = "password",
        /// Who has its link.
        Link = "link",
    }
}

/// Status pages of one account.
pub const MOST_PAGES: i64 = 50;
/// Websites on one page.
pub const MOST_COMPONENTS: usize = 100;
/// Subscribers of one page.
pub const MOST_SUBSCRIBERS: i64 = 10_000;
/// What is kept of what was published on one page; the oldest that is over goes.
pub const MOST_POSTS: i64 = 500;
/// Updates of one post.
pub const MOST_UPDATES: i64 = 50;

/// A website on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Which.
    pub website_id: WebsiteId,
    /// What it is called in public.
    pub name: String,
}

/// Websites under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading; empty: none.
    pub name: String,
    /// In order; at least one.
    pub components: Vec<Component>,
}

/// What an owner says of a page, but for secrets and its logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPagePlan {
    /// Its title.
    pub name: String,
    /// Its name in paths, unique on the installation.
    pub slug: String,
    /// A host of its own, in lower case; unique, too.
    pub domain: Option<String>,
    /// Who may see it.
    pub access: Access,
    /// A few words at its top; empty: none.
    pub about: String,
    /// Where its title leads; empty: nowhere.
    pub home_url: String,
    /// Its colour.
    pub accent: Option<Accent>,
    /// Shows how the last 90 days were spent.
    pub shows_uptime: bool,
    /// Says by itself what the verdicts say: "API: major outage, from .. to ..".
    pub tells_outages: bool,
    /// The mail channel whose server sends to subscribers; `None`: there are none.
    pub channel_id: Option<ChannelId>,
    /// What is on it.
    pub sections: Vec<Section>,
}

impl StatusPagePlan {
    /// All that is on it, in order, each with its section's name.
    pub fn components(&self) -> impl Iterator<Item = (&str, &Component)> {
        self.sections.iter().flat_map(|section| section.components.iter().map(|one| (section.name.as_str(), one)))
    }
}

/// A page. What opens it is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Which.
    pub status_page_id: StatusPageId,
    /// Whose.
    pub account_id: AccountId,
    /// What its owner says of it.
    pub plan: StatusPagePlan,
    /// A password is set.
    pub has_password: bool,
    /// A link was made.
    pub has_link: bool,
    /// Tag of its logo's content.
    pub logo_tag: Option<String>,
    /// When it was made.
    pub created_at: UtcMs,
    /// Grows with every edit.
    pub revision: i64,
}

impl StatusPage {
    /// Nobody gets in, since what would open it was never set.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        match self.plan.access {
            Access::Public => false,
            Access::Password => !self.has_password,
            Access::Link => !self.has_link,
        }
    }
}
