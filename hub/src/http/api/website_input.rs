//! A website as it is sent: to add one or many, or what of one is to change.

use std::cell::OnceCell;

use schemars::JsonSchema;
use serde::Deserialize;

use super::given;
use crate::http::{App, HttpError, login};
use crate::model::{
    Account, FieldError, FieldErrors, Keeping, KeepingChange, OptionsInput, RegionId, SettingsInput, Ties, Website,
    WebsiteId, WebsiteKind, WebsiteSettings, tags_of,
};

/// What a website is to be; of one that there is already, what is left out stays as it is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "WebsiteInput")]
pub struct Sent {
    /// Its address: http or https.
    #[schemars(extend("examples" = ["https://www.example.com/"]))]
    pub url: Option<String>,
    /// Seconds between two checks from one region; 180 when nothing is said.
    #[schemars(range(min = 10, max = 86_400))]
    pub interval_s: Option<i64>,
    /// Seconds one check may take, at most the interval; 10 when nothing is said.
    #[schemars(range(min = 1, max = 60))]
    pub timeout_s: Option<i64>,
    /// Where to watch from; empty: from everywhere.
    pub regions: Option<Vec<String>>,
    /// Words to sort it by, 10 at most.
    pub tags: Option<Vec<String>>,
    /// The website it depends on: while that is down, nobody is told of this one.
    #[serde(deserialize_with = "given")]
    pub parent_id: Option<Option<String>>,
    /// For how many days its ticks are kept; null: for as long as the installation keeps them.
    #[serde(deserialize_with = "given")]
    pub retention_days: Option<Option<i64>>,
    /// Its goal in parts per million, for example 999500; null: none.
    #[serde(deserialize_with = "given")]
    pub uptime_goal_ppm: Option<Option<i64>>,
    /// Whether its badges are shown to everybody.
    pub is_badge_public: Option<bool>,
    /// Whether it is not watched for now.
    pub paused: Option<bool>,
    /// Of a change: only if it is still at this revision.
    pub revision: Option<i64>,
}

/// A field under the name it has here.
pub fn as_sent(error: FieldError) -> FieldError {
    if error.field == "parent" { FieldError { field: "parent_id", ..error } } else { error }
}

/// All of it, as it is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What is checked.
    pub settings: WebsiteSettings,
    /// Its tags, and what it depends on.
    pub ties: Ties,
    /// What is decided about its history.
    pub keeping: Keeping,
}

/// What there is.
#[derive(Debug, Default)]
pub struct Known {
    /// `None`: nothing yet.
    pub website: Option<Website>,
    /// Its tags, and what it depends on.
    pub ties: Ties,
    /// What is decided about its history.
    pub keeping: Keeping,
}

/// Judges what is sent, one website or many.
pub struct Judge<'a> {
    app: &'a App,
    account: &'a Account,
    /// Looked up once, where any is named.
    regions: OnceCell<Vec<RegionId>>,
}

impl<'a> Judge<'a> {
    /// Of what is sent to an account.
    pub fn new(app: &'a App, account: &'a Account) -> Self {
        Self { app, account, regions: OnceCell::new() }
    }

    /// What is given, on top of what there is. Inside, what cannot be accepted.
    ///
    /// # Errors
    /// The database is away.
    pub fn over(&self, sent: &Sent, known: &Known) -> Result<Result<Wanted, FieldErrors>, HttpError> {
        let mut errors = FieldErrors::default();
        let mut take = |wrong: FieldErrors| wrong.0.into_iter().for_each(|error| errors.push(as_sent(error)));
        let settings = match &known.website {
            Some(website) if !sent.has_settings() => Some(website.settings.clone()),
            Some(_) | None => sent.settings(self.app, known.website.as_ref()).map_err(&mut take).ok(),
        };
        if let Some(settings) = &settings
            && known.website.as_ref().is_none_or(|website| website.settings.regions != settings.regions)
            && let Some(wrong) = self.unknown_region(settings)?
        {
            take(FieldErrors(vec![wrong]));
        }
        let ties = sent.ties(&known.ties).map_err(&mut take).ok();
        if let Some(ties) = &ties
            && ties.parent_id != known.ties.parent_id
            && let Some(wrong) = self.unknown_parent(ties)?
        {
            take(FieldErrors(vec![wrong]));
        }
        let change = KeepingChange {
            retention_days: sent.retention_days,
            uptime_goal_ppm: sent.uptime_goal_ppm,
            is_badge_public: sent.is_badge_public,
        };
        let keeping = change.over(&known.keeping, self.app.settings.retention).map_err(take).ok();
        Ok(match (settings, ties, keeping) {
            (Some(settings), Some(ties), Some(keeping)) if errors.is_empty() => Ok(Wanted { settings, ties, keeping }),
            _ => Err(errors),
        })
    }

    fn unknown_region(&self, settings: &WebsiteSettings) -> Result<Option<FieldError>, HttpError> {
        if settings.regions.is_empty() {
            return Ok(None);
        }
        let known = match self.regions.get() {
            Some(known) => known,
            None => {
                let found = self.app.wait(self.app.store.regions()).map_err(login::store)?;
                self.regions.get_or_init(|| found.into_iter().map(|region| region.region_id).collect())
            }
        };
        let unknown = settings.regions.iter().find(|region| !known.contains(region));
        Ok(unknown.map(|region| {
            let names: Vec<_> = known.iter().map(RegionId::as_str).collect();
            let remedy = format!("There is no such region; there are: {}.", names.join(", "));
            FieldError::new("regions", region.as_str(), remedy)
        }))
    }

    fn unknown_parent(&self, ties: &Ties) -> Result<Option<FieldError>, HttpError> {
        let Some(parent) = ties.parent_id else { return Ok(None) };
        let found = self.app.wait(self.app.store.website(self.account.account_id, parent)).map_err(login::store)?;
        let wrong = || FieldError::new("parent_id", "", "There is no such website of yours; choose another.");
        Ok(found.is_none().then(wrong))
    }
}

impl Sent {
    /// Whether it is about what is checked.
    pub fn has_settings(&self) -> bool {
        self.url.is_some() || self.interval_s.is_some() || self.timeout_s.is_some() || self.regions.is_some()
    }

    fn settings(&self, app: &App, before: Option<&Website>) -> Result<WebsiteSettings, FieldErrors> {
        if before.is_some_and(|website| website.kind == WebsiteKind::Job) {
            let remedy = "It is a job, which has no address: change it by /api/v1/jobs, or leave this out.";
            let given = [
                (self.url.is_some(), "url"),
                (self.interval_s.is_some(), "interval_s"),
                (self.timeout_s.is_some(), "timeout_s"),
                (self.regions.is_some(), "regions"),
            ];
            let wrong = given.into_iter().filter(|(is_given, _)| *is_given);
            return Err(FieldErrors(wrong.map(|(_, field)| FieldError::new(field, "", remedy)).collect()));
        }
        let before = before.map(|website| &website.settings);
        let seconds = |given: Option<i64>, ms: Option<i64>| {
            given.or(ms.map(|ms| ms / 1_000)).map(|s| s.to_string()).unwrap_or_default()
        };
        let options = before.map(|settings| OptionsInput::of(&settings.options));
        let known: Vec<String> =
            before.map(|settings| settings.regions.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let regions: Vec<&str> = self.regions.as_ref().unwrap_or(&known).iter().map(String::as_str).collect();
        let input = SettingsInput {
            url: self.url.as_deref().or(before.map(|settings| settings.url.as_str())).unwrap_or_default(),
            interval_s: &seconds(self.interval_s, before.map(|settings| settings.interval_ms)),
            timeout_s: &seconds(self.timeout_s, before.map(|settings| settings.timeout_ms)),
            regions: &regions,
            options: options.as_ref(),
        };
        input.parse(&app.settings.target_rules, before)
    }

    fn ties(&self, before: &Ties) -> Result<Ties, FieldErrors> {
        let tags = self.tags.as_ref().map_or_else(|| Ok(before.tags.clone()), |tags| tags_of(&tags.join(",")))?;
        let parent_id: Option<WebsiteId> = match &self.parent_id {
            None => before.parent_id,
            Some(None) => None,
            Some(Some(id)) => Some(id.parse().map_err(|_| {
                FieldErrors(vec![FieldError::new("parent_id", id, "Give the id of one of your websites, or null.")])
            })?),
        };
        Ok(Ties { tags, parent_id })
    }
}
