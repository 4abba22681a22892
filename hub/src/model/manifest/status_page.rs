//! A status page in a file. What opens it (a password, a private link), its logo, and what is published there are not in the file:
//! they stay as they are stored.

use super::fields::Fields;
use super::read::Reading;
use super::spec::{Facts, Names, Space, Spec};
use super::write::Out;
use crate::model::status_page::{Access, ComponentInput, Section, SectionInput, StatusPageInput, StatusPagePlan};

pub(super) const FIELDS: [&str; 12] = [
    "key",
    "name",
    "slug",
    "domain",
    "access",
    "about",
    "home_url",
    "accent",
    "shows_uptime",
    "tells_outages",
    "mail_channel",
    "sections",
];

/// A page of a file.
pub(super) fn read(fields: &Fields<'_>, reading: &mut Reading<'_, '_>) -> Option<Spec> {
    let channel = reading.reference(fields, "mail_channel", Space::Channels);
    let mut sections = Vec::new();
    let place = fields.place("sections");
    for node in fields.list("sections") {
        let section = Fields::of(node, &place, &["name", "components"], &mut reading.problems);
        let mut components = Vec::new();
        for node in section.list("components") {
            let one = Fields::of(node, &place, &["website", "name"], &mut reading.problems);
            let website = reading.reference(&one, "website", Space::Websites);
            if website.is_none() && one.node("website").is_none() {
                reading.problems.add(node.line, one.place("website"), "", "Name the website by its key.");
            }
            let name = one.text("name", &mut reading.problems);
            // One that is not there was told of already.
            if let Some(website) = website {
                components.push(ComponentInput { website_id: website.to_string(), name });
            }
        }
        sections.push(SectionInput { name: section.text("name", &mut reading.problems), components });
    }
    let own_names = &reading.context.rules.own_names;
    let problems = &mut reading.problems;
    let input = StatusPageInput {
        name: fields.text("name", problems),
        slug: fields.text("slug", problems),
        domain: fields.text("domain", problems),
        access: fields.text("access", problems),
        about: fields.text("about", problems),
        home_url: fields.text("home_url", problems),
        accent: fields.text("accent", problems),
        shows_uptime: fields.flag("shows_uptime", problems).unwrap_or(true),
        tells_outages: fields.flag("tells_outages", problems).unwrap_or(true),
        mail_channel_id: channel.map(|id| id.to_string()).unwrap_or_default(),
        sections,
    };
    let at = |field: &str| {
        let field = if field == "mail_channel_id" { "mail_channel" } else { field };
        (fields.line(field), fields.place(field))
    };
    let plan = input.parse(own_names).map_err(|errors| problems.take(errors, at)).ok()?;
    Some(Spec::StatusPage(Box::new(plan)))
}

pub(super) fn facts(plan: &StatusPagePlan, names: &Names<'_>, facts: &mut Facts) {
    facts.plain("name", &plan.name);
    facts.plain("slug", &plan.slug);
    facts.some("domain", plan.domain.as_deref());
    facts.plain("access", plan.access);
    for (field, text) in [("about", &plan.about), ("home_url", &plan.home_url)] {
        if !text.is_empty() {
            facts.plain(field, text);
        }
    }
    facts.some("accent", plan.accent);
    facts.plain("shows_uptime", plan.shows_uptime);
    facts.plain("tells_outages", plan.tells_outages);
    facts.some("mail_channel", plan.channel_id.map(|id| names(Space::Channels, id.0)));
    let section = |section: &Section| {
        let components: Vec<String> = section
            .components
            .iter()
            .map(|one| format!("{:?} ({})", one.name, names(Space::Websites, one.website_id.0)))
            .collect();
        format!("{:?}: {}", section.name, components.join(", "))
    };
    if !plan.sections.is_empty() {
        facts.plain("sections", plan.sections.iter().map(section).collect::<Vec<_>>().join("; "));
    }
}

/// As it is written.
pub(super) fn out(plan: &StatusPagePlan, names: &Names<'_>, entries: &mut Vec<(String, Out)>) {
    let mut add = |name: &str, value: Out| entries.push((name.to_owned(), value));
    add("name", Out::text(&plan.name));
    add("slug", Out::text(&plan.slug));
    if let Some(domain) = &plan.domain {
        add("domain", Out::text(domain));
    }
    if plan.access != Access::Public {
        add("access", Out::text(plan.access.as_str()));
    }
    for (field, text) in [("about", &plan.about), ("home_url", &plan.home_url)] {
        if !text.is_empty() {
            add(field, Out::text(text));
        }
    }
    if let Some(accent) = plan.accent {
        add("accent", Out::text(accent.to_string()));
    }
    for (field, is_on) in [("shows_uptime", plan.shows_uptime), ("tells_outages", plan.tells_outages)] {
        if !is_on {
            add(field, Out::raw(false));
        }
    }
    if let Some(channel) = plan.channel_id {
        add("mail_channel", Out::text(names(Space::Channels, channel.0)));
    }
    let section = |section: &Section| {
        let component = |one: &crate::model::status_page::Component| {
            Out::Map(vec![
                ("website".to_owned(), Out::text(names(Space::Websites, one.website_id.0))),
                ("name".to_owned(), Out::text(&one.name)),
            ])
        };
        let components = ("components".to_owned(), Out::List(section.components.iter().map(component).collect()));
        let name = (!section.name.is_empty()).then(|| ("name".to_owned(), Out::text(&section.name)));
        Out::Map(name.into_iter().chain([components]).collect())
    };
    if !plan.sections.is_empty() {
        add("sections", Out::List(plan.sections.iter().map(section).collect()));
    }
}
