//! A status page as the API shows it.

use schemars::JsonSchema;
use serde::Serialize;

use super::shape::{At, Id, Word};
use crate::model::status_page::{Access, StatusPage};

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
pub(super) struct Shown<'a> {
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
pub(super) struct StatusPageList<'a> {
    pub(super) status_pages: Vec<Shown<'a>>,
}

/// A private link.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StatusPageLink")]
pub(super) struct Link {
    /// Who has it sees the page.
    pub(super) url: String,
}

pub(super) fn shown(page: &StatusPage) -> Shown<'_> {
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
