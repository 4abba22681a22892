//! Writes every page with invented data into a directory, to be looked at:
//! `cargo run -p hub --example preview -- <directory>`.

use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use hub::http::pages::account::SignPage;
use hub::http::pages::acknowledge::AcknowledgePage;
use hub::http::pages::capacity::CapacityPage;
use hub::http::pages::channel::{self, ChannelPage};
use hub::http::pages::channel_form::{FormPage as ChannelForm, KindsPage, SecretPage};
use hub::http::pages::channels::ChannelsPage;
use hub::http::pages::dashboard::{Asked, BoardPage, Mode};
use hub::http::pages::dashboard_bulk::BulkDeletePage;
use hub::http::pages::dead_letters::{self, ConfirmPage, DeadLettersPage};
use hub::http::pages::delete::DeletePage;
use hub::http::pages::incident::{self, IncidentPage};
use hub::http::pages::incidents::{self, IncidentsPage};
use hub::http::pages::landing::LandingPage;
use hub::http::pages::probes::{self, ProbesPage, TicketPage};
use hub::http::pages::report::ReportPage;
use hub::http::pages::reports::ReportsPage;
use hub::http::pages::trouble::TroublePage;
use hub::http::pages::website::{Past, WebsitePage, WebsiteView, Window};
use hub::http::pages::website_form::{FormPage, Typed};
use hub::http::pages::{DeleteChannelPage, Viewer};
use hub::http::{self, assets};
use hub::model::capacity::{Costs, Load, Part, Plan};
use hub::model::{self, ChannelInput, FieldError, FieldErrors, LetterFilter, Outcome, TargetRules, WebsiteSettings};
use hub::operator::capacity::Capacity;
use hub::queue::Backlog;
use hub::store;

#[path = "../src/http/pages/invented.rs"]
#[allow(missing_docs, dead_code, unreachable_pub, clippy::expect_used)]
mod invented;
#[path = "../src/http/pages/invented_incidents.rs"]
#[allow(missing_docs, dead_code, unreachable_pub, clippy::expect_used, clippy::indexing_slicing)]
mod invented_incidents;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(1).context("give the directory to write to")?;
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory.join("static"))?;
    for asset in [
        &assets::STYLE,
        &assets::FORM_STYLE,
        &assets::DESK_STYLE,
        &assets::ALERT_STYLE,
        &assets::REPORT_STYLE,
        &assets::SCRIPT,
        &assets::ICON,
    ] {
        std::fs::write(directory.join(asset.url().trim_start_matches('/')), asset.body())?;
    }
    let write = |name: &str, html: String| {
        let html = html.replace("\"/static/", "\"static/");
        std::fs::write(directory.join(format!("{name}.html")), html)
    };
    let (rows, who) = (invented::rows(), "maria");
    let up: Vec<_> = (0..5)
        .map(|n| {
            let url = format!("https://site-{n}.example.com/");
            invented::row(n, &url, Outcome::Up, &[("LOCAL", Outcome::Up)], "1 of 1 regions up")
        })
        .collect();
    write("board", BoardPage::new(who, &rows)?.render()?)?;
    write("board-up", BoardPage::new(who, &up)?.render()?)?;
    write("board-empty", BoardPage::new(who, &[])?.render()?)?;
    for (name, row) in ["up", "down", "degraded", "unknown", "pending", "paused", "long", "hostile"].iter().zip(&rows) {
        let (ticks, changes) = (invented::ticks(row), invented::transitions(row));
        let (uptimes, latencies) = invented::figures(*name == "down");
        let view = WebsiteView::new(row, &ticks, &changes, invented::NOW);
        let (view, now) = (view.with_figures(&uptimes, &latencies, invented::NOW), invented::NOW);
        let window = [Window::Day, Window::Week, Window::Month, Window::Quarter]
            [rows.iter().position(|r| r == row).unwrap_or(0) % 4];
        let drawn = invented::past(window.series(now), *name == "down");
        let (series, latency) = (&drawn.series, Some(&drawn.latencies[window as usize]));
        let past = Past { series, latency, outages: &drawn.outages, days: &drawn.days };
        let page = WebsitePage::around(who, row, &view.with_past(window, &past, row.website.created_at, now))?;
        write(&format!("website-{name}"), page.said("checking").render()?)?;
    }
    let mut many = invented::many();
    write("board-many", BoardPage::of(who, &invented::part(&many), &Asked::default())?.render()?)?;
    let asked = |mode| Asked { mode, ..Asked::default() };
    let choose = BoardPage::of(who, &invented::part(&many), &asked(Mode::Choose))?;
    write("board-choose", choose.said("pause-3").render()?)?;
    write("wall", BoardPage::wall(&invented::part(&many), &asked(Mode::Wall), 2)?)?;
    many.truncate(3);
    write("wall-up", BoardPage::wall(&invented::part(&up), &asked(Mode::Wall), 0)?)?;
    let names: Vec<_> = many
        .iter()
        .map(|row| model::WebsiteName { website_id: row.website.website_id, url: row.website.settings.url.clone() })
        .collect();
    write("bulk-delete", BulkDeletePage::new(who, &names, "tag=eu").render()?)?;
    let regions = ["EU-WEST", "INDIA", "USA"].map(invented::region);
    let mut settings = WebsiteSettings::new("https://example.com/".to_owned());
    settings.regions = vec![invented::region("INDIA")];
    settings.options = invented::options();
    write("new", FormPage::add(who, &[], Typed::empty(), FieldErrors::default()).render()?)?;
    let mut typed = Typed::of(&settings);
    typed.url = "https://user:secret@example.com".to_owned();
    typed.timeout_s = "90".to_owned();
    typed.options.headers = model::SecretText::new("Host: example.com\nX-Api-Key: typed\nno colon here");
    typed.options.password = model::SecretText::new("typed");
    typed.options.accept = "200-".to_owned();
    typed.options.content[1].value = "{\"open\":".to_owned();
    typed.options.slow_ms = "20000".to_owned();
    let errors = typed.settings(&TargetRules::default(), None).err().unwrap_or_default();
    write("new-wrong", FormPage::add(who, &regions, typed, errors).render()?)?;
    let mut website = rows[1].website.clone();
    website.settings = settings;
    let typed = Typed::of(&website.settings);
    write("edit", FormPage::edit(who, &website, &regions, typed, FieldErrors::default()).render()?)?;
    let mut row = rows[0].clone();
    row.website.settings.options = invented::options();
    let page = WebsitePage::new(who, &row, &invented::ticks(&row), &invented::transitions(&row), invented::NOW)?;
    write("website-options", page.render()?)?;
    write("delete", DeletePage::new(who, &rows[1].website).render()?)?;
    write("landing", LandingPage::new(true).render()?)?;
    write("signup", SignPage::up(true).render()?)?;
    write(
        "signin",
        SignPage::sign_in(false)
            .again(who, FieldErrors::default())
            .notice("Username or password is wrong.")
            .render()?,
    )?;
    let operator = || Viewer::operator(who, 3);
    let (account, letters) = (invented::account(who).account_id, invented::letters());
    let found = |filter| dead_letters::Found {
        filter,
        websites: Vec::new(),
        kinds: vec![("expired".to_owned(), 1_000), ("not_understood".to_owned(), 12), ("not_assigned".to_owned(), 1)],
        streams: vec!["betteruptime:tick:EU-WEST:pi-1".to_owned(), "betteruptime:website:INDIA".to_owned()],
        letters: letters.clone(),
        has_more: true,
        after: None,
    };
    let all = LetterFilter::default();
    let some = LetterFilter::new("expired", "betteruptime:tick:EU-WEST:pi-1");
    let said = Some("The letter was discarded.".to_owned());
    write("dead-letters", DeadLettersPage::new(operator(), account, &found(all.clone()), None).render()?)?;
    write("dead-letters-some", DeadLettersPage::new(operator(), account, &found(some.clone()), said).render()?)?;
    let none = dead_letters::Found::default();
    write("dead-letters-none", DeadLettersPage::new(Viewer::operator(who, 0), account, &none, None).render()?)?;
    write("dead-letters-discard", ConfirmPage::new(operator(), true, &some, 12, invented::NOW).render()?)?;
    write("dead-letters-replay", ConfirmPage::new(operator(), false, &all, 1_000, invented::NOW).render()?)?;
    let found = |is_distributed, can_enrol| probes::Found {
        probes: invented::probes(),
        backlogs: [("EU-WEST", 12, Some(400)), ("INDIA", 3_120, Some(95_000)), ("USA", 0, None)]
            .into_iter()
            .filter_map(|(region, waiting, oldest_ms)| Some((region.parse().ok()?, Backlog { waiting, oldest_ms })))
            .collect(),
        is_distributed,
        can_enrol,
        redis_url: "rediss://redis.example.com:6380".to_owned(),
        trouble: None,
    };
    let (no_errors, now) = (FieldErrors::default, invented::NOW);
    let page = ProbesPage::new(operator(), found(true, true), probes::Typed::default(), no_errors(), now);
    write(
        "probes",
        page.said("Worker pi-4 of region USA has no access any more; connections ended: 2.".to_owned()).render()?,
    )?;
    let mut wrong = FieldErrors::default();
    wrong.push(FieldError::new("region", "EU WEST", "Use 1 to 32 letters, digits or -, for example INDIA."));
    let typed = probes::Typed { region: "EU WEST".into(), worker: "pi-9".into(), ..probes::Typed::default() };
    write("probes-wrong", ProbesPage::new(operator(), found(true, false), typed, wrong, now).render()?)?;
    let local = probes::Found {
        probes: invented::probes().split_off(3).into_iter().take(1).collect(),
        ..probes::Found::default()
    };
    write("probes-local", ProbesPage::new(operator(), local, probes::Typed::default(), no_errors(), now).render()?)?;
    let load = Load { websites: 1_200, interval_ms: 60_000, regions: 3, age_ms: 90 * 86_400_000, retention_days: None };
    let plan = Plan { loads: vec![load], retention_days: 400, costs: Costs::SQLITE };
    let parts = Part::ALL.map(|part| (part, plan.now(part, now) / 9 * 10)).into_iter().collect();
    let used = store::UsedBytes { parts, incidents: Some(3_000_000), total: 24_000_000_000 };
    let room = Capacity { plan, used, space: Some((9_000_000_000, 64_000_000_000)), at: now };
    write("capacity", CapacityPage::new(operator(), &room, true).render()?)?;
    let place = &invented::probes()[1].place;
    let env = place.env_file(&format!("rediss://{}:{}@redis.example.com:6380", place.user(), "0a1b2c3d".repeat(8)));
    let saved = "Redis has it in its ACL file.".to_owned();
    write("probe-ticket", TicketPage::new(operator(), place, saved, &env).render()?)?;
    write("board-operator", BoardPage::new(operator(), &rows)?.render()?)?;
    incidents(&write)?;
    channels(&write)?;
    reports(&write)?;
    write("trouble", TroublePage::new(404, "", Some(who.into())).render()?)?;
    Ok(())
}

fn incidents(write: &dyn Fn(&str, String) -> std::io::Result<()>) -> anyhow::Result<()> {
    let (now, who) = (invented::NOW, || Viewer::operator("maria", 3).with_open(4));
    let lines = invented_incidents::incidents();
    let (open, over): (Vec<_>, Vec<_>) = lines.iter().cloned().partition(|line| line.incident.closed_at.is_none());
    let all = incidents::Found { open: open.clone(), incidents: over, has_more: true, ..Default::default() };
    write("incidents", IncidentsPage::new(who(), &all, now).render()?)?;
    let open = incidents::Found { open_only: true, incidents: open, ..Default::default() };
    write("incidents-open", IncidentsPage::new(who(), &open, now).render()?)?;
    write("incidents-none", IncidentsPage::new("maria", &incidents::Found::default(), now).render()?)?;
    for (n, line) in lines.iter().enumerate() {
        let found = incident::Found {
            line: line.clone(),
            websites: invented_incidents::websites(line),
            events: invented_incidents::events(&line.incident),
            alerts: if n == 1 || n == 5 { invented_incidents::alerts() } else { Vec::new() },
            is_told: n > 3,
            channels: invented_incidents::channels(),
            known: incident::Known::default(),
            published: incident::Published::default(),
        };
        write(&format!("incident-{n}"), IncidentPage::new(who(), &found, now)?.render()?)?;
    }
    for (n, viewer) in [(1, None), (2, None), (4, Some(who()))] {
        let line = &lines[n];
        let about = (line.first_url.as_str(), line.websites, line.failing);
        let is_theirs = viewer.is_some();
        let view = AcknowledgePage::new(viewer, &line.incident, about, is_theirs, now);
        write(&format!("acknowledge-{n}"), view.render()?)?;
    }
    write("acknowledge-nowhere", AcknowledgePage::nowhere(None).render()?)?;
    Ok(())
}

fn channels(write: &dyn Fn(&str, String) -> std::io::Result<()>) -> anyhow::Result<()> {
    let who = || Viewer::operator("maria", 3).with_open(4);
    let (all, alerts) = (invented_incidents::channels(), invented_incidents::alerts());
    let newest = |id| alerts.iter().rev().find(|alert| alert.channel_id == id).cloned();
    let lines: Vec<_> = all.iter().map(|channel| (channel.clone(), newest(channel.channel_id))).collect();
    write("channels", ChannelsPage::new(who(), &lines, 2, None).render()?)?;
    write("channels-none", ChannelsPage::new("maria", &[], 0, Some("The channel was deleted.")).render()?)?;
    write("channel-kinds", KindsPage::new(who()).render()?)?;
    for (n, channel) in all.iter().enumerate() {
        let log = alerts.iter().rev().filter(|alert| alert.channel_id == channel.channel_id);
        let found = channel::Found {
            second: channel.second_channel_id.map(|_| "On call".to_owned()),
            alerts: log.map(|alert| (alert.clone(), invented_incidents::tries(alert))).collect(),
            channel: channel.clone(),
            about: [(invented_incidents::incidents()[1].incident.incident_id, "shop.example.com/basket".to_owned())]
                .into(),
            is_further_back: false,
            has_more: n == 0,
        };
        let said = [Some("added"), Some("tested"), None][n % 3];
        write(&format!("channel-{n}"), ChannelPage::new(who(), &found, said).render()?)?;
        let (kind, others) = (channel.settings.kind(), [(invented_incidents::channel_id(1), "On call".to_owned())]);
        let (empty, none) = (ChannelInput::default(), FieldErrors::default());
        write(&format!("channel-new-{kind}"), ChannelForm::new(who(), kind, None, &others, &empty, &none).render()?)?;
        let input = ChannelInput::of(channel);
        let page = ChannelForm::new(who(), kind, Some(channel), &others, &input, &none);
        write(&format!("channel-edit-{kind}"), page.render()?)?;
    }
    let mut wrong = FieldErrors::default();
    wrong.push(FieldError::new("to", "maria", "Give it as name@example.com."));
    wrong.push(FieldError::new("password", "", "Give the password of this user name."));
    let typed =
        ChannelInput { to: "maria".to_owned(), password: model::SecretText::new("x"), ..ChannelInput::default() };
    let page = ChannelForm::new(who(), model::ChannelKind::Email, None, &[], &typed, &wrong);
    write("channel-new-wrong", page.render()?)?;
    if let Some(page) = SecretPage::new(who(), &all[2], "The channel was added, and is on.") {
        write("channel-secret", page.render()?)?;
    }
    write("channel-delete", DeleteChannelPage::new(who(), &all[1]).render()?)?;
    Ok(())
}

fn reports(write: &dyn Fn(&str, String) -> std::io::Result<()>) -> anyhow::Result<()> {
    use hub::model::report::{Measured, Outage, Report, Subject, Window};
    use hub::model::uptime::DAY_MS;
    use hub::model::{IncidentId, Scope, Span, Uptime};
    let now = invented::NOW;
    let window = Window::days(now / DAY_MS * DAY_MS - 30 * DAY_MS, 30);
    let measured = |span: Span, down_ms: i64, n: usize| {
        let mut latency = std::collections::BTreeMap::new();
        for (region, base) in [("EU-WEST", 38_000), ("INDIA", 182_000), ("USA", 96_000)] {
            let mut histogram = model::histogram::Histogram::default();
            (0..400_u32).for_each(|k| histogram.record(base + k * k));
            latency.insert(invented::region(region), histogram);
        }
        let outage = |k: i64| Outage {
            incident_id: IncidentId(uuid::Uuid::from_u128(n as u128 * 10 + k as u128)),
            began_at: span.from_at + k * DAY_MS,
            decided_at: Some(span.from_at + k * DAY_MS + 21_500),
            ended_at: Some(span.from_at + k * DAY_MS + down_ms / 2),
        };
        let quiet = 3_600_000;
        let up_ms = span.to_at - span.from_at - down_ms - 2 * quiet;
        let uptime = Uptime { up_ms, down_ms, unknown_ms: quiet, maintenance_ms: quiet, ..Uptime::default() };
        let outages = if down_ms > 0 { vec![outage(3), outage(9)] } else { Vec::new() };
        Measured { span, uptime: Some(uptime), latency, outages }
    };
    let rows = invented::rows();
    let subjects: Vec<_> = rows
        .iter()
        .zip([0, 5_400_000, 1_740_000, 0, 86_000_000, 0, 61_000, 240_000])
        .enumerate()
        .map(|(n, (row, down_ms))| {
            let subject = Subject {
                website_id: row.website.website_id,
                url: row.website.settings.url.clone(),
                kind: row.website.kind,
                created_at: 0,
                goal: if n % 3 == 2 { None } else { "99.9".parse().ok() },
            };
            (subject, measured(window.span, down_ms, n), (n != 3).then(|| measured(window.before, down_ms / 3, n)))
        })
        .collect();
    let tags: Vec<model::Tag> = ["eu", "shop"].iter().filter_map(|tag| tag.parse().ok()).collect();
    let channels = invented_incidents::channels();
    let all = Report::new(Scope::All, window.clone(), None, subjects.clone(), 1, now);
    write("reports", ReportsPage::of("maria", &all, &tags, &channels, now).render()?)?;
    let none = Report::new(Scope::All, window.clone(), None, Vec::new(), 0, now);
    write("reports-none", ReportsPage::of("maria", &none, &[], &[], now).render()?)?;
    let one = subjects.into_iter().nth(1).into_iter().collect::<Vec<_>>();
    let scope = Scope::Website(rows[1].website.website_id);
    let one = Report::new(scope, window, None, one, 0, now);
    if let Some(page) = ReportPage::of("maria", &one, &channels, now) {
        write("report", page.render()?)?;
    }
    Ok(())
}

// `invented` is shared with the unit tests, where it finds these under their names.
const _: fn(&model::Website, &store::Latency) = |_, _| {};
