//! Pages as they are stored.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::status_page::{Access, Component, Section, StatusPage, StatusPageId, StatusPagePlan};
use crate::model::{AccountId, ChannelId, WebsiteId};

pub(in crate::store) const STATUS_PAGE: &str = "status_page_id, account_id, name, slug, domain, access, \
    password_hash is not null as has_password, link_key is not null as has_link, about, home_url, accent, logo_tag, \
    shows_uptime, tells_outages, channel_id, created_at, revision";

#[derive(Debug, FromRow)]
pub(in crate::store) struct PageRow {
    pub(super) status_page_id: Uuid,
    account_id: Uuid,
    name: String,
    slug: String,
    domain: Option<String>,
    access: String,
    has_password: bool,
    has_link: bool,
    about: String,
    home_url: String,
    accent: String,
    logo_tag: Option<String>,
    shows_uptime: bool,
    tells_outages: bool,
    channel_id: Option<Uuid>,
    created_at: i64,
    revision: i64,
}

#[derive(Debug, FromRow)]
pub(super) struct ComponentRow {
    pub(super) status_page_id: Uuid,
    pub(super) section: String,
    pub(super) website_id: Uuid,
    pub(super) name: String,
}

impl PageRow {
    /// With what is on it, in order.
    pub(super) fn with(self, components: impl Iterator<Item = ComponentRow>) -> StatusPage {
        let mut sections: Vec<Section> = Vec::new();
        for row in components {
            let one = Component { website_id: WebsiteId(row.website_id), name: row.name };
            match sections.last_mut() {
                Some(last) if last.name == row.section => last.components.push(one),
                Some(_) | None => sections.push(Section { name: row.section, components: vec![one] }),
            }
        }
        StatusPage {
            status_page_id: StatusPageId(self.status_page_id),
            account_id: AccountId(self.account_id),
            plan: StatusPagePlan {
                name: self.name,
                slug: self.slug,
                domain: self.domain,
                // What a newer version wrote and is not understood is shown to nobody: no link of it was ever made here.
                access: self.access.parse().unwrap_or(Access::Link),
                about: self.about,
                home_url: self.home_url,
                accent: self.accent.parse().ok(),
                shows_uptime: self.shows_uptime,
                tells_outages: self.tells_outages,
                channel_id: self.channel_id.map(ChannelId),
                sections,
            },
            has_password: self.has_password,
            has_link: self.has_link,
            logo_tag: self.logo_tag,
            created_at: self.created_at,
            revision: self.revision,
        }
    }
}
