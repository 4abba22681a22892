//! What can be kept in a file, as it is to be and as it is stored.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::key::{self, Managed};
use crate::model::status_page::StatusPagePlan;
use crate::model::{
    ChannelDraft, JobPlan, Keeping, MaintenancePlan, SecretText, Tag, Ties, UtcMs, WebsiteId, WebsiteSettings,
};

probe::named! {
    /// What a file keeps.
    Kind {
        /// A website that probes ask.
        Website = "website",
        /// One that reports itself.
        Job = "job",
        /// Where people are told.
        Channel = "channel",
        /// A maintenance window.
        Maintenance = "maintenance",
        /// A status page.
        StatusPage = "status_page",
    }
}

/// Kinds that share their keys, since the same things refer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Websites and jobs.
    Websites,
    /// Channels.
    Channels,
    /// Maintenance windows.
    Maintenance,
    /// Status pages.
    StatusPages,
}

impl Kind {
    /// Among which its keys are unique.
    #[must_use]
    pub fn space(self) -> Space {
        match self {
            Self::Website | Self::Job => Space::Websites,
            Self::Channel => Space::Channels,
            Self::Maintenance => Space::Maintenance,
            Self::StatusPage => Space::StatusPages,
        }
    }

    /// Where a file lists them.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Self::Website => "websites",
            Self::Job => "jobs",
            Self::Channel => "channels",
            Self::Maintenance => "maintenance",
            Self::StatusPage => "status_pages",
        }
    }
}

/// What websites and jobs have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Tags, and what it depends on.
    pub ties: Ties,
    /// What was decided about its history.
    pub keeping: Keeping,
    /// Not watched for now.
    pub paused: bool,
}

/// A website.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteSpec {
    /// What is checked.
    pub settings: WebsiteSettings,
    /// All else.
    pub about: About,
}

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// When it reports.
    pub plan: JobPlan,
    /// All else.
    pub about: About,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpec {
    /// What its owner says of it.
    pub draft: ChannelDraft,
    /// Whether it is on.
    pub is_on: bool,
}

/// An object of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A website.
    Website(Box<WebsiteSpec>),
    /// A job.
    Job(Box<JobSpec>),
    /// A channel.
    Channel(Box<ChannelSpec>),
    /// A maintenance window.
    Maintenance(Box<MaintenancePlan>),
    /// A status page.
    StatusPage(Box<StatusPagePlan>),
}

impl Spec {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Website(_) => Kind::Website,
            Self::Job(_) => Kind::Job,
            Self::Channel(_) => Kind::Channel,
            Self::Maintenance(_) => Kind::Maintenance,
            Self::StatusPage(_) => Kind::StatusPage,
        }
    }

    /// Address or name, by which it is known where no key is.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Website(website) => &website.settings.url,
            Self::Job(job) => &job.plan.name,
            Self::Channel(channel) => &channel.draft.name,
            Self::Maintenance(plan) => &plan.name,
            Self::StatusPage(plan) => &plan.name,
        }
    }

    /// The same for people: of an address no query, which may be secret (T077).
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Website(website) => match website.settings.url.split_once('?') {
                Some((place, _)) => format!("{place}?…"),
                None => website.settings.url.clone(),
            },
            Self::Job(_) | Self::Channel(_) | Self::Maintenance(_) | Self::StatusPage(_) => self.title().to_owned(),
        }
    }

    /// The part of websites and jobs.
    #[must_use]
    pub fn about(&self) -> Option<&About> {
        match self {
            Self::Website(website) => Some(&website.about),
            Self::Job(job) => Some(&job.about),
            Self::Channel(_) | Self::Maintenance(_) | Self::StatusPage(_) => None,
        }
    }

    pub(super) fn derived_key(&self) -> String {
        key::made_of(self.title(), self.kind().as_str())
    }
}

/// An object as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Which.
    pub id: Uuid,
    /// What it is.
    pub spec: Spec,
    /// Which file keeps it.
    pub managed: Option<Managed>,
    /// As of which edit.
    pub revision: i64,
    /// A newer version wrote it, and `spec` says little.
    pub is_unreadable: bool,
}

/// An account's objects, of each kind the oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// All of them.
    pub objects: Vec<Known>,
}

impl State {
    /// What the file calls itself that keeps what is kept; `default` where several do, or none.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let mut names =
            self.objects.iter().filter_map(|known| known.managed.as_ref()).map(|managed| managed.by.as_str());
        let first = names.next().unwrap_or(DEFAULT_NAME);
        if names.all(|name| name == first) { first } else { DEFAULT_NAME }
    }

    /// The key of each: that under which a file keeps it, or one that is made of its address or name.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut taken: HashMap<Space, HashSet<String>> = HashMap::new();
        for known in &self.objects {
            if let Some(managed) = &known.managed {
                taken.entry(known.spec.kind().space()).or_default().insert(managed.key.clone());
            }
        }
        let key = |known: &Known| match &known.managed {
            Some(managed) => managed.key.clone(),
            None => key::free(known.spec.derived_key(), taken.entry(known.spec.kind().space()).or_default()),
        };
        self.objects.iter().map(key).collect()
    }

    pub(super) fn website_edges(&self) -> impl Iterator<Item = (WebsiteId, WebsiteId)> {
        let edge = |known: &Known| Some((WebsiteId(known.id), known.spec.about()?.ties.parent_id?));
        self.objects.iter().filter_map(edge)
    }
}

/// A field of an object, to be compared and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) field: String,
    pub(super) value: Shown,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    Plain(String),
    Secret(SecretText),
}

/// Facts as they are gathered; what is the default of the product is left out.
#[derive(Debug, Default)]
pub(super) struct Facts(pub(super) Vec<Fact>);

impl Facts {
    pub(super) fn plain(&mut self, field: &str, value: impl ToString) {
        self.0.push(Fact { field: field.to_owned(), value: Shown::Plain(value.to_string()) });
    }

    pub(super) fn some(&mut self, field: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.plain(field, value);
        }
    }

    pub(super) fn flag(&mut self, field: &str, value: bool) {
        if value {
            self.plain(field, "true");
        }
    }

    pub(super) fn secret(&mut self, field: &str, value: &SecretText) {
        if !value.expose().is_empty() {
            self.0.push(Fact { field: field.to_owned(), value: Shown::Secret(value.clone()) });
        }
    }
}

/// What a file is called that does not name itself.
pub(super) const DEFAULT_NAME: &str = "default";

/// How other objects are called.
pub(super) type Names<'a> = dyn Fn(Space, Uuid) -> String + 'a;

impl Spec {
    /// All of it, field by field.
    pub(super) fn facts(&self, names: &Names<'_>) -> Vec<Fact> {
        let mut facts = Facts::default();
        match self {
            Self::Website(website) => {
                super::website_out::facts(&website.settings, &mut facts);
                super::about::facts(&website.about, names, &mut facts);
            }
            Self::Job(job) => {
                super::about::job_facts(&job.plan, &mut facts);
                super::about::facts(&job.about, names, &mut facts);
            }
            Self::Channel(channel) => super::channel::facts(channel, names, &mut facts),
            Self::Maintenance(plan) => super::maintenance::facts(plan, names, &mut facts),
            Self::StatusPage(plan) => super::status_page::facts(plan, names, &mut facts),
        }
        facts.0
    }
}

/// Whether a window can never take place again.
pub(super) fn is_over(plan: &MaintenancePlan, now: UtcMs) -> bool {
    plan.rule.over_at().is_some_and(|at| at <= now)
}

/// Tags as one text.
pub(super) fn tags_text(tags: &[Tag]) -> String {
    tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", ")
}
