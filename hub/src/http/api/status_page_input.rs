//! A status page as it is sent to the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::Deserialize;

use super::given;
use crate::http::login::{self, Caller};
use crate::http::pages::status_pages::may_have_domain;
use crate::http::{App, HttpError, assets};
use crate::model::status_page::{
    ComponentInput, Logo, SectionInput, StatusPage, StatusPageId, StatusPageInput, StatusPagePlan,
};
use crate::model::{FieldError, FieldErrors};

/// A page as it is sent.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatusPageInput")]
pub(super) struct Sent {
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
    pub(super) revision: Option<i64>,
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

impl Sent {
    /// What is given, on top of what there is.
    pub(super) fn over(&self, mut input: StatusPageInput) -> StatusPageInput {
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
pub(super) fn judged(
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
pub(super) fn rest(
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
pub(super) fn password(app: &App, sent: &Sent) -> Result<Option<Option<String>>, HttpError> {
    match &sent.password {
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(text)) => login::hash_of(app, text).map(|hash| Some(Some(hash))),
    }
}
