//! A maintenance window in a file.

use super::fields::Fields;
use super::read::Reading;
use super::spec::{Facts, Names, Space, Spec};
use super::write::Out;
use crate::model::{MaintenanceInput, MaintenancePlan, Scope, UtcMs, WebsiteId};

pub(super) const FIELDS: [&str; 9] =
    ["key", "name", "scope", "tag", "website", "time_zone", "starts", "repeats", "duration_minutes"];

/// A window of a file. One that is over is understood: a file may be older than what it announces.
pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_, '_>) -> Option<Spec> {
    let website = reading.reference(fields, "website", Space::Websites);
    let problems = &mut reading.problems;
    let mut scope = fields.text("scope", problems);
    if scope.is_empty() {
        let is_given = |name| fields.node(name).is_some();
        let found = if is_given("tag") {
            "tag"
        } else if is_given("website") {
            "website"
        } else {
            ""
        };
        found.clone_into(&mut scope);
    }
    for other in ["tag", "website"].into_iter().filter(|name| *name != scope && fields.node(name).is_some()) {
        problems.add(fields.line(other), fields.place(other), "", "This belongs to another scope; leave it out.");
    }
    let input = MaintenanceInput {
        name: fields.text("name", problems),
        scope,
        tag: fields.text("tag", problems),
        website_id: website.map(|id| id.to_string()).unwrap_or_default(),
        time_zone: fields.text("time_zone", problems),
        starts: fields.text("starts", problems),
        repeats: fields.text("repeats", problems),
        hours: "0".to_owned(),
        minutes: fields.text("duration_minutes", problems),
        ..MaintenanceInput::default()
    };
    let at = |field: &str| {
        let field = match field {
            "website_id" => "website",
            "duration" => "duration_minutes",
            field => field,
        };
        (fields.line(field), fields.place(field))
    };
    let plan = input.parse(UtcMs::MIN).map_err(|errors| problems.take(errors, at)).ok()?;
    Some(Spec::Maintenance(Box::new(plan)))
}

fn scope(plan: &MaintenancePlan, names: &Names<'_>) -> (&'static str, String) {
    match &plan.scope {
        Scope::All => ("scope", "all".to_owned()),
        Scope::Tag(tag) => ("tag", tag.to_string()),
        Scope::Website(WebsiteId(id)) => ("website", names(Space::Websites, *id)),
    }
}

fn starts(plan: &MaintenancePlan) -> String {
    plan.rule.starts.strftime("%Y-%m-%dT%H:%M").to_string()
}

pub(super) fn facts(plan: &MaintenancePlan, names: &Names<'_>, facts: &mut Facts) {
    let (field, value) = scope(plan, names);
    facts.plain("name", &plan.name);
    facts.plain(field, value);
    facts.plain("time_zone", plan.rule.time_zone());
    facts.plain("starts", starts(plan));
    facts.plain("repeats", plan.rule.repeats);
    facts.plain("duration_minutes", plan.rule.duration_ms / 60_000);
}

/// As it is written.
pub(super) fn out(plan: &MaintenancePlan, names: &Names<'_>, entries: &mut Vec<(String, Out)>) {
    let (field, value) = scope(plan, names);
    let mut add = |name: &str, value: Out| entries.push((name.to_owned(), value));
    add("name", Out::text(&plan.name));
    add(field, Out::text(value));
    add("time_zone", Out::text(plan.rule.time_zone()));
    add("starts", Out::text(starts(plan)));
    add("repeats", Out::text(plan.rule.repeats.to_string()));
    add("duration_minutes", Out::raw(plan.rule.duration_ms / 60_000));
}
