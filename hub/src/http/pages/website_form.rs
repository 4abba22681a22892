//! The form to add or edit a website.

use askama::Template;

use super::keeping_form::KeepingPart;
use super::maintenance_form::choices;
use super::options_form::{self, Label, More};
use super::ties_form::sent_field;
use super::{Choice, Frame, Viewer, keeping_form, words};
use crate::http::Form;
use crate::model::manifest::Managed;
use crate::model::retention::Retention;
use crate::model::{
    FieldErrors, INTERVALS_OFFERED_S, Keeping, KeepingInput, OptionsInput, RegionId, SettingsInput, TargetRules,
    Website, WebsiteId, WebsiteName, WebsiteSettings, url,
};

/// What stands in the fields: kept as typed, so that a refused form comes back as it was sent.
#[derive(Debug, Clone)]
pub struct Typed {
    /// Address.
    pub url: String,
    /// Seconds between two checks.
    pub interval_s: String,
    /// Seconds to wait.
    pub timeout_s: String,
    /// Slugs of the regions chosen.
    pub regions: Vec<String>,
    /// Tags, by commas; `None`: not sent, and to stay as they are.
    pub tags: Option<String>,
    /// Id of the website it depends on, empty for none; `None`: not sent.
    pub parent: Option<String>,
    /// For how long history is kept, and the like; `None`: not sent, and to stay as it is.
    pub keeping: Option<KeepingInput>,
    /// More settings.
    pub options: OptionsInput,
}

impl Typed {
    /// The fields of an empty form.
    #[must_use]
    pub fn empty() -> Self {
        Self::of(&WebsiteSettings::new(String::new()))
    }

    /// The fields for settings there are.
    #[must_use]
    pub fn of(settings: &WebsiteSettings) -> Self {
        Self {
            url: settings.url.clone(),
            interval_s: (settings.interval_ms / 1_000).to_string(),
            timeout_s: (settings.timeout_ms / 1_000).to_string(),
            regions: settings.regions.iter().map(ToString::to_string).collect(),
            tags: None,
            parent: None,
            keeping: None,
            options: OptionsInput::of(&settings.options),
        }
    }

    /// As sent.
    #[must_use]
    pub fn sent(form: &Form) -> Self {
        Self {
            url: form.get("url").trim().to_owned(),
            interval_s: form.get("interval_s").trim().to_owned(),
            timeout_s: form.get("timeout_s").trim().to_owned(),
            regions: form.all("regions").into_iter().map(str::to_owned).collect(),
            tags: sent_field(form, "tags"),
            parent: sent_field(form, "parent"),
            keeping: keeping_form::sent(form),
            options: options_form::sent(form),
        }
    }

    /// With what was decided about its history.
    #[must_use]
    pub fn kept(self, keeping: &Keeping) -> Self {
        Self { keeping: Some(KeepingInput::of(keeping)), ..self }
    }

    /// The settings; `before`: the website that is edited.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn settings(&self, rules: &TargetRules, before: Option<&Website>) -> Result<WebsiteSettings, FieldErrors> {
        let regions: Vec<&str> = self.regions.iter().map(String::as_str).collect();
        let input = SettingsInput {
            url: &self.url,
            interval_s: &self.interval_s,
            timeout_s: &self.timeout_s,
            regions: &regions,
            options: Some(&self.options),
        };
        input.parse(rules, before.map(|website| &website.settings))
    }
}

/// The page.
#[derive(Template, Debug)]
#[template(path = "website_form.html", whitespace = "minimize")]
pub struct FormPage {
    frame: Frame,
    name: Option<String>,
    back: String,
    typed: Typed,
    errors: FieldErrors,
    intervals: Vec<Choice>,
    regions: Vec<Choice>,
    parents: Vec<Choice>,
    keeping: KeepingPart,
    more: More,
    wrong_fields: Vec<Label>,
    is_unreadable: bool,
    /// What the fields are about: a save of it changes nothing that was saved since.
    revision: Option<i64>,
    is_outdated: bool,
}

impl FormPage {
    /// Says which file keeps it.
    #[must_use]
    pub fn kept_in(mut self, kept: Option<Managed>) -> Self {
        self.frame.kept_in = kept;
        self
    }

    /// To add a website.
    #[must_use]
    pub fn add(viewer: impl Into<Viewer>, regions: &[RegionId], typed: Typed, errors: FieldErrors) -> Self {
        let frame = Frame::narrow("Add website", Some(viewer.into())).at("/websites/new");
        Self::new(frame, None, regions, typed, errors)
    }

    /// To edit one.
    #[must_use]
    pub fn edit(
        viewer: impl Into<Viewer>,
        website: &Website,
        regions: &[RegionId],
        typed: Typed,
        errors: FieldErrors,
    ) -> Self {
        Self::new(Frame::narrow("Edit website", Some(viewer.into())), Some(website), regions, typed, errors)
    }

    fn new(
        frame: Frame,
        website: Option<&Website>,
        regions: &[RegionId],
        mut typed: Typed,
        errors: FieldErrors,
    ) -> Self {
        typed.url = url::without_credentials(&typed.url);
        let mut offered: Vec<i64> = INTERVALS_OFFERED_S.iter().map(|s| i64::from(*s)).collect();
        // The API takes other intervals too; editing such a website keeps its own.
        offered.extend(typed.interval_s.parse::<i64>().ok().filter(|s| (10..=86_400).contains(s)));
        offered.sort_unstable();
        offered.dedup();
        let interval = |s: &i64| {
            let value = s.to_string();
            Choice { words: words::every(s * 1_000), chosen: value == typed.interval_s, value }
        };
        let intervals = offered.iter().map(interval).collect();
        // A region that is chosen stays on the form even while none of its workers was ever heard of.
        let mut slugs: Vec<String> = regions.iter().map(ToString::to_string).collect();
        slugs.extend(typed.regions.iter().filter(|s| s.parse::<RegionId>().is_ok()).cloned());
        slugs.sort_unstable();
        slugs.dedup();
        let region = |slug: String| Choice { chosen: typed.regions.contains(&slug), words: slug.clone(), value: slug };
        let regions = slugs.into_iter().map(region).collect();
        let more = More::new(&typed.options, website.map(|w| &*w.settings.options), &errors);
        let keeping = KeepingPart::new(typed.keeping.as_ref(), &errors, Retention::DEFAULT);
        let mut wrong_fields: Vec<Label> = Vec::new();
        for label in errors.0.iter().filter_map(|e| options_form::label(e.field)) {
            if wrong_fields.iter().all(|known| known.words != label.words) {
                wrong_fields.push(label);
            }
        }
        Self {
            frame,
            name: website.map(|w| words::name(&w.settings.url)),
            back: website.map_or_else(|| "/".to_owned(), |w| format!("/websites/{}", w.website_id)),
            is_unreadable: website.is_some_and(|w| w.is_unreadable),
            revision: website.map(|w| w.revision),
            is_outdated: false,
            typed,
            errors,
            intervals,
            regions,
            parents: Vec::new(),
            keeping,
            more,
            wrong_fields,
        }
    }

    /// With the account's websites, of which one may be what this one depends on.
    #[must_use]
    pub fn beside(mut self, websites: &[WebsiteName], own: Option<WebsiteId>) -> Self {
        let others = websites.iter().filter(|w| Some(w.website_id) != own);
        self.parents = choices(others, self.typed.parent.as_deref().unwrap_or_default());
        self
    }

    /// Says for how long this installation keeps history.
    #[must_use]
    pub fn keeps(mut self, of_all: Retention) -> Self {
        self.keeping.most_days = of_all.days;
        self
    }

    /// Says which regions see nothing at present.
    #[must_use]
    pub fn cut_off(mut self, regions: &[RegionId]) -> Self {
        for choice in &mut self.regions {
            if regions.iter().any(|region| region.as_str() == choice.value) {
                choice.words.push_str(" (cut off: its probes have no network at present)");
            }
        }
        self
    }

    /// Says that somebody else saved first; the next save replaces that.
    #[must_use]
    pub fn outdated(self) -> Self {
        Self { is_outdated: true, ..self }
    }

    /// Attributes that tie a field to its error and hint; ours alone, nothing typed.
    fn aria(&self, field: &str, has_hint: bool) -> String {
        match (self.errors.of(field).is_some(), has_hint) {
            (true, true) => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-error {field}-hint\""),
            (true, false) => format!(" aria-invalid=\"true\" aria-describedby=\"{field}-error\""),
            (false, true) => format!(" aria-describedby=\"{field}-hint\""),
            (false, false) => String::new(),
        }
    }
}
