//! A job from what a form or a program sent, as text.

use super::ping::is_direction;
use super::{JobPlan, JobSchedule};
use crate::model::{FieldError, FieldErrors};

/// Characters of a name.
const NAME_CHARACTERS: usize = 96;

/// Units of a span on the form, in seconds.
pub const UNITS: [(i64, &str); 4] = [(1, "seconds"), (60, "minutes"), (3_600, "hours"), (86_400, "days")];

/// A job as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobInput {
    /// For people.
    pub name: String,
    /// Seconds between two pings, where there is no expression.
    pub period_s: String,
    /// A cron expression, where there is no period.
    pub cron: String,
    /// IANA name, of an expression.
    pub time_zone: String,
    /// Seconds.
    pub grace_s: String,
}

impl JobInput {
    /// The texts of a plan there is.
    #[must_use]
    pub fn of(plan: &JobPlan) -> Self {
        let (period_s, cron, time_zone) = match &plan.schedule {
            JobSchedule::Every { period_ms } => ((period_ms / 1_000).to_string(), String::new(), String::new()),
            JobSchedule::Cron { cron, time_zone, .. } => (String::new(), cron.to_string(), time_zone.clone()),
        };
        Self { name: plan.name.clone(), period_s, cron, time_zone, grace_s: (plan.grace_ms / 1_000).to_string() }
    }

    /// The plan.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self) -> Result<JobPlan, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = self.name(&mut errors);
        let schedule = match (self.period_s.trim(), self.cron.trim()) {
            ("", "") => {
                let remedy = "Say when it runs: a period in seconds, or a cron expression.";
                errors.push(FieldError::new("period_s", "", remedy));
                None
            }
            ("", _) => self.cron(&mut errors),
            (period_s, "") => self.every(period_s, &mut errors),
            (_, cron) => {
                errors.push(FieldError::new("cron", cron, "Give either a period or a cron expression, not both."));
                None
            }
        };
        let (least, most) = (JobPlan::LEAST_GRACE_MS, JobPlan::MOST_GRACE_MS);
        let grace_ms = if self.grace_s.trim().is_empty() {
            Some(JobPlan::DEFAULT_GRACE_MS)
        } else {
            let remedy = "Give whole seconds from 60 (a minute) to 2592000 (30 days).";
            within("grace_s", &self.grace_s, least, most, remedy, &mut errors)
        };
        match (schedule, grace_ms) {
            (Some(schedule), Some(grace_ms)) if errors.is_empty() => Ok(JobPlan { name, schedule, grace_ms }),
            _ => Err(errors),
        }
    }

    fn name(&self, errors: &mut FieldErrors) -> String {
        let name = self.name.split_whitespace().collect::<Vec<_>>().join(" ");
        let length = name.chars().count();
        let is_odd = name.chars().any(|c| c.is_control() || is_direction(c));
        if length == 0 || length > NAME_CHARACTERS || is_odd {
            let remedy = format!("Give a name of 1 to {NAME_CHARACTERS} characters, for example \"Nightly backup\".");
            errors.push(FieldError::new("name", &name, remedy));
        }
        name
    }

    fn every(&self, period_s: &str, errors: &mut FieldErrors) -> Option<JobSchedule> {
        if !self.time_zone.trim().is_empty() {
            let remedy = "A time zone belongs to a cron expression; leave it out, or give an expression.";
            errors.push(FieldError::new("time_zone", &self.time_zone, remedy));
        }
        let (least, most) = (JobSchedule::LEAST_PERIOD_MS, JobSchedule::MOST_PERIOD_MS);
        let remedy = "Give whole seconds from 60 (a minute) to 31622400 (366 days).";
        let period_ms = within("period_s", period_s, least, most, remedy, errors)?;
        Some(JobSchedule::Every { period_ms })
    }

    fn cron(&self, errors: &mut FieldErrors) -> Option<JobSchedule> {
        let zone = if self.time_zone.trim().is_empty() { "UTC" } else { self.time_zone.trim() };
        let is_zone = jiff::tz::TimeZone::get(zone).is_ok();
        if !is_zone {
            let remedy = "Give the name of a time zone, for example Europe/Berlin or UTC.";
            errors.push(FieldError::new("time_zone", &self.time_zone, remedy));
        }
        match self.cron.parse() {
            Ok(cron) => JobSchedule::cron(cron, zone),
            Err(error) => {
                errors.push(FieldError::new("cron", &self.cron, error.to_string()));
                None
            }
        }
    }
}

/// Whole seconds as milliseconds.
fn within(
    field: &'static str,
    text: &str,
    least_ms: i64,
    most_ms: i64,
    remedy: &str,
    errors: &mut FieldErrors,
) -> Option<i64> {
    let ms = text.trim().parse::<i64>().ok().and_then(|s| s.checked_mul(1_000));
    let ms = ms.filter(|ms| (least_ms..=most_ms).contains(ms));
    if ms.is_none() {
        errors.push(FieldError::new(field, text.trim(), remedy));
    }
    ms
}
