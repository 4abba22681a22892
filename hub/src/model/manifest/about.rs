//! What websites and jobs have in common, and jobs.

use super::fields::Fields;
use super::read::Reading;
use super::spec::{About, Facts, JobSpec, Names, Space, Spec, tags_text};
use super::write::Out;
use crate::model::keeping::per_cent;
use crate::model::{JobInput, JobPlan, JobSchedule, Keeping, KeepingInput, Ties, WebsiteId, tags_of};

/// Fields of [`About`].
pub(super) const FIELDS: [&str; 6] =
    ["tags", "parent", "retention_days", "uptime_goal_percent", "is_badge_public", "paused"];
const JOB_FIELDS: [&str; 6] = ["key", "name", "period_s", "cron", "time_zone", "grace_s"];

/// What a file says of tags, parent, history and pause.
pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_, '_>) -> About {
    let problems = &mut reading.problems;
    let at = |field: &str| {
        let field = if field == "uptime_goal" { "uptime_goal_percent" } else { field };
        (fields.line(field), fields.place(field))
    };
    let texts = fields.texts("tags", problems);
    let tags = tags_of(&texts.join(",")).map_err(|errors| problems.take(errors, at)).unwrap_or_default();
    let input = KeepingInput {
        retention_days: fields.text("retention_days", problems),
        uptime_goal: fields.text("uptime_goal_percent", problems),
        is_badge_public: fields.flag("is_badge_public", problems).unwrap_or_default(),
        shown: String::new(),
    };
    let keeping = input.parse(reading.context.retention).map_err(|errors| problems.take(errors, at));
    let paused = fields.flag("paused", problems).unwrap_or_default();
    let parent_id = reading.reference(fields, "parent", Space::Websites).map(WebsiteId);
    About { ties: Ties { tags, parent_id }, keeping: keeping.unwrap_or_default(), paused }
}

/// A job of a file.
pub(super) fn read_job(fields: &Fields<'_>, reading: &mut Reading<'_, '_>) -> Option<Spec> {
    let problems = &mut reading.problems;
    let input = JobInput {
        name: fields.text("name", problems),
        period_s: fields.text("period_s", problems),
        cron: fields.text("cron", problems),
        time_zone: fields.text("time_zone", problems),
        grace_s: fields.text("grace_s", problems),
    };
    let at = |field: &str| (fields.line(field), fields.place(field));
    let plan = input.parse().map_err(|errors| problems.take(errors, at)).ok();
    let about = read(fields, reading);
    Some(Spec::Job(Box::new(JobSpec { plan: plan?, about })))
}

/// Fields of a job.
pub(super) fn job_fields() -> Vec<&'static str> {
    [JOB_FIELDS, FIELDS].concat()
}

pub(super) fn facts(about: &About, names: &Names<'_>, facts: &mut Facts) {
    let Keeping { retention_days, uptime_goal_ppm, is_badge_public } = about.keeping;
    if !about.ties.tags.is_empty() {
        facts.plain("tags", tags_text(&about.ties.tags));
    }
    facts.some("parent", about.ties.parent_id.map(|id| names(Space::Websites, id.0)));
    facts.some("retention_days", retention_days);
    facts.some("uptime_goal_percent", uptime_goal_ppm.map(per_cent));
    facts.flag("is_badge_public", is_badge_public);
    facts.flag("paused", about.paused);
}

pub(super) fn job_facts(plan: &JobPlan, facts: &mut Facts) {
    facts.plain("name", &plan.name);
    match &plan.schedule {
        JobSchedule::Every { period_ms } => facts.plain("period_s", period_ms / 1_000),
        JobSchedule::Cron { cron, time_zone, .. } => {
            facts.plain("cron", cron);
            facts.plain("time_zone", time_zone);
        }
    }
    facts.plain("grace_s", plan.grace_ms / 1_000);
}

/// The fields of [`About`] as they are written.
pub(super) fn out(about: &About, names: &Names<'_>, entries: &mut Vec<(String, Out)>) {
    let mut add = |name: &str, value: Out| entries.push((name.to_owned(), value));
    if !about.ties.tags.is_empty() {
        add("tags", Out::List(about.ties.tags.iter().map(|tag| Out::text(tag.as_str())).collect()));
    }
    if let Some(parent) = about.ties.parent_id {
        add("parent", Out::text(names(Space::Websites, parent.0)));
    }
    if let Some(days) = about.keeping.retention_days {
        add("retention_days", Out::raw(days));
    }
    if let Some(ppm) = about.keeping.uptime_goal_ppm {
        add("uptime_goal_percent", Out::raw(per_cent(ppm)));
    }
    if about.keeping.is_badge_public {
        add("is_badge_public", Out::raw(true));
    }
    if about.paused {
        add("paused", Out::raw(true));
    }
}

/// A job as it is written.
pub(super) fn job_out(plan: &JobPlan, entries: &mut Vec<(String, Out)>) {
    let mut add = |name: &str, value: Out| entries.push((name.to_owned(), value));
    add("name", Out::text(&plan.name));
    match &plan.schedule {
        JobSchedule::Every { period_ms } => add("period_s", Out::raw(period_ms / 1_000)),
        JobSchedule::Cron { cron, time_zone, .. } => {
            add("cron", Out::text(cron.to_string()));
            add("time_zone", Out::text(time_zone));
        }
    }
    add("grace_s", Out::raw(plan.grace_ms / 1_000));
}
