//! What a thing is like, before and after somebody changed it: as it may be shown, without secrets. Two of them tell what is
//! another than before, whichever route changed it.

use serde_json::{Value, json};

use crate::http::App;
use crate::http::pages::{channel_words, settings_words};
use crate::model::audit::FieldChange;
use crate::model::status_page::{StatusPage, StatusPageId};
use crate::model::{
    AccountId, Channel, ChannelId, ChannelSettings, IncidentId, JobSchedule, Maintenance, MaintenanceId, Options,
    Scope, WebsiteId, WebsiteKind,
};

/// A thing at a moment.
#[derive(Debug)]
pub(super) struct Picture {
    /// What it is, where the path does not say it.
    pub(super) kind: Option<&'static str>,
    /// How people call it.
    pub(super) name: String,
    /// What may be shown.
    fields: Value,
    /// What may not, to be compared alone.
    hidden: Hidden,
}

#[derive(Debug, PartialEq)]
enum Hidden {
    Nothing,
    Options(std::sync::Arc<Options>),
    Channel(Box<ChannelSettings>),
}

impl Picture {
    /// How `after` differs from this one.
    pub(super) fn changes(&self, after: &Self) -> Vec<FieldChange> {
        let mut changes = FieldChange::between(&self.fields, &after.fields);
        let secret = match &self.hidden {
            Hidden::Nothing => None,
            Hidden::Options(_) => Some("request"),
            Hidden::Channel(_) => Some("settings"),
        };
        // What is shown may be the same while what is not is another: a new password.
        if let Some(name) = secret.filter(|_| self.hidden != after.hidden)
            && changes.iter().all(|change| !["request", "up_when", "degraded_when"].contains(&change.field.as_str()))
        {
            changes.push(FieldChange::hidden(name));
        }
        changes
    }
}

/// A thing of a kind, by its id. `None`: it is not the account's, of no kind that is looked at, or cannot be read now; the log
/// then says less.
pub(super) fn picture(app: &App, account: AccountId, kind: &str, id: &str) -> Option<Picture> {
    match kind {
        "website" | "job" => website(app, account, id.parse().ok()?),
        "channel" => {
            let id: ChannelId = id.parse().ok()?;
            app.wait(app.store.channel(account, id)).ok()?.map(channel)
        }
        "maintenance" => {
            let id: MaintenanceId = id.parse().ok()?;
            app.wait(app.store.maintenance_window(account, id)).ok()?.as_ref().map(maintenance)
        }
        "status page" => {
            let id: StatusPageId = id.parse().ok()?;
            app.wait(app.store.status_page(account, id)).ok()?.map(status_page)
        }
        "incident" => {
            let id: IncidentId = id.parse().ok()?;
            let incident = app.wait(app.store.incident(account, id)).ok()??.incident;
            Some(Picture { kind: None, name: incident.cause, fields: json!({}), hidden: Hidden::Nothing })
        }
        _ => None,
    }
}

fn website(app: &App, account: AccountId, id: WebsiteId) -> Option<Picture> {
    let website = app.wait(app.store.website(account, id)).ok()??;
    let ties = app.wait(app.store.ties_of_website(account, id)).ok()?.unwrap_or_default();
    let keeping = app.wait(app.store.keeping(account, id)).ok()?.unwrap_or_default();
    let tags: Vec<&str> = ties.tags.iter().map(crate::model::Tag::as_str).collect();
    let mut fields = json!({
        "paused": website.paused,
        "tags": tags,
        "parent_id": ties.parent_id,
        "retention_days": keeping.retention_days,
        "uptime_goal_ppm": keeping.uptime_goal_ppm,
        "is_badge_public": keeping.is_badge_public,
    });
    let settings = website.settings;
    match website.kind {
        WebsiteKind::Http => {
            fields["url"] = settings.url.as_str().into();
            fields["interval_s"] = (settings.interval_ms / 1_000).into();
            fields["timeout_s"] = (settings.timeout_ms / 1_000).into();
            fields["regions"] = json!(settings.regions);
            for (name, said) in settings_words::facts(&settings.options) {
                fields[name.to_lowercase().replace(' ', "_")] = said.into();
            }
        }
        WebsiteKind::Job => {
            let job = app.wait(app.store.job(account, id)).ok()??.job;
            fields["name"] = job.plan.name.as_str().into();
            fields["grace_s"] = (job.plan.grace_ms / 1_000).into();
            match &job.plan.schedule {
                JobSchedule::Every { period_ms } => fields["period_s"] = (period_ms / 1_000).into(),
                JobSchedule::Cron { cron, time_zone, .. } => {
                    fields["cron"] = cron.to_string().into();
                    fields["time_zone"] = time_zone.as_str().into();
                }
            }
        }
    }
    let kind = match website.kind {
        WebsiteKind::Http => "website",
        WebsiteKind::Job => "job",
    };
    Some(Picture { kind: Some(kind), name: settings.url, fields, hidden: Hidden::Options(settings.options) })
}

fn channel(channel: Channel) -> Picture {
    let fields = json!({
        "name": channel.name,
        "target": channel_words::target_of(&channel),
        "is_on": channel.is_on,
        "tells_regional": channel.tells_regional,
        "tells_operator": channel.tells_operator,
        "waits_minutes": channel.waits_ms / 60_000,
        "reminds_minutes": channel.reminds_ms.map(|ms| ms / 60_000),
        "cap_per_hour": channel.cap_per_hour,
        "second_channel_id": channel.second_channel_id.map(|id| id.to_string()),
    });
    Picture { kind: None, name: channel.name, fields, hidden: Hidden::Channel(Box::new(channel.settings)) }
}

fn status_page(page: StatusPage) -> Picture {
    let plan = &page.plan;
    let section = |section: &crate::model::status_page::Section| {
        let names: Vec<String> =
            section.components.iter().map(|one| format!("{} ({})", one.name, one.website_id)).collect();
        format!("{}: {}", section.name, names.join(", "))
    };
    let fields = json!({
        "name": plan.name,
        "slug": plan.slug,
        "domain": plan.domain,
        "access": plan.access.as_str(),
        "about": plan.about,
        "home_url": plan.home_url,
        "accent": plan.accent.map(|accent| accent.to_string()),
        "shows_uptime": plan.shows_uptime,
        "tells_outages": plan.tells_outages,
        "mail_channel_id": plan.channel_id.map(|id| id.to_string()),
        "sections": plan.sections.iter().map(section).collect::<Vec<_>>(),
        "logo": page.logo_tag,
        "has_password": page.has_password,
        "has_link": page.has_link,
    });
    Picture { kind: None, name: page.plan.name, fields, hidden: Hidden::Nothing }
}

fn maintenance(window: &Maintenance) -> Picture {
    let (plan, rule) = (&window.plan, &window.plan.rule);
    let about = match &plan.scope {
        Scope::All => "all".to_owned(),
        Scope::Tag(tag) => format!("tag {tag}"),
        Scope::Website(id) => format!("website {id}"),
    };
    let fields = json!({
        "name": plan.name,
        "scope": about,
        "time_zone": rule.time_zone(),
        "starts": rule.starts.strftime("%Y-%m-%dT%H:%M").to_string(),
        "repeats": rule.repeats.to_string(),
        "duration_minutes": rule.duration_ms / 60_000,
    });
    Picture { kind: None, name: plan.name.clone(), fields, hidden: Hidden::Nothing }
}
