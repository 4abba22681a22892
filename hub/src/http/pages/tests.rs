use askama::Template;

use super::account::SignPage;
use super::dashboard::{Asked, Board, BoardPage, Mode};
use super::dashboard_bulk::BulkDeletePage;
use super::dead_letters::{ConfirmPage, DeadLettersPage, Found};
use super::delete::DeletePage;
use super::invented::{HOSTILE, NOW, account, figures, letters, options, past, row, rows, ticks, transitions};
use super::join::JoinPage;
use super::landing::LandingPage;
use super::maintenance_form::{MaintenanceForm, Offered};
use super::team::{TeamFound, TeamPage};
use super::team_end::EndPage;
use super::trouble::TroublePage;
use super::website::{Past, WebsitePage, WebsiteView, Window};
use super::website_form::{FormPage, Typed};
use super::{Viewer, assets};
use crate::http::login::{Caller, Proof};
use crate::model::{
    BoardCursor, BoardFilter, BoardOrder, BoardPart, BoardPlace, ContentInput, FieldError, FieldErrors, HIDDEN,
    Invitation, InvitationId, KeepingInput, LetterFilter, Maintenance, MaintenanceId, MaintenanceInput,
    MaintenancePlan, Member, Membership, Offer, OptionsInput, Outcome, PastMaintenance, Role, Rule, Scope, SecretText,
    SessionKey, Span, Website, WebsiteName, WebsiteSettings,
};

fn hostile_options() -> OptionsInput {
    let text = || HOSTILE.to_owned();
    OptionsInput {
        method: text(),
        headers: SecretText::new(format!("X-A: {HOSTILE}\n</textarea>{HOSTILE}: x")),
        body: SecretText::new(format!("</textarea>{HOSTILE}")),
        sign_in: text(),
        username: text(),
        password: SecretText::new("hunter2"),
        token: SecretText::new("hunter2"),
        user_agent: text(),
        max_redirects: text(),
        ip_family: text(),
        insecure_tls: true,
        accept: text(),
        content: vec![ContentInput { kind: text(), place: text(), value: text() }],
        slow_ms: text(),
        certificate_days: text(),
        require_https: true,
    }
}

/// In maintenance, tagged with what a tag may be.
fn row_in_maintenance() -> crate::model::BoardRow {
    let mut row = rows().remove(0);
    row.ties.tags = vec!["<b>\"x' & y".parse().unwrap()];
    row.maintenance_until = Some(NOW + 5_400_000);
    row
}

fn hostile_window() -> Maintenance {
    let starts = "2026-11-24T03:00".parse().unwrap();
    let rule = Rule::new("Europe/Berlin", starts, "daily".parse().unwrap(), 5_400_000).unwrap();
    let plan = MaintenancePlan { name: HOSTILE.to_owned(), scope: Scope::All, rule };
    Maintenance {
        maintenance_id: MaintenanceId(uuid::Uuid::nil()),
        account_id: account("").account_id,
        plan,
        created_at: 0,
        since_at: 0,
        skip_before_at: 0,
        revision: 1,
    }
}

/// Those of a team whose every name is hostile.
fn team_pages() -> Vec<(&'static str, Result<String, askama::Error>)> {
    let hostile = account(HOSTILE);
    let proof = Proof::Session(SessionKey([0; 32]));
    let who = Caller { account: hostile.clone(), person: hostile.clone(), role: Role::Owner, proof, has_teams: true };
    let (name, person_id) = (|| HOSTILE.to_owned(), uuid::Uuid::nil());
    let member = |is_holder| Member {
        person_id: crate::model::AccountId(person_id),
        username: name(),
        role: Role::Editor,
        since_at: NOW,
        is_holder,
    };
    let invitation = Invitation {
        invitation_id: InvitationId(person_id),
        role: Role::Viewer,
        made_by: name(),
        made_at: NOW,
        ends_at: NOW,
    };
    let teams = vec![Membership { team: hostile.clone(), role: Role::Viewer, is_shared: true }];
    let found = |is_holder| TeamFound {
        members: vec![member(is_holder)],
        invitations: vec![invitation.clone()],
        teams: teams.clone(),
    };
    let wrong = || FieldErrors(vec![FieldError::new("username", HOSTILE, HOSTILE)]);
    let offer = Offer { team: hostile.account_id, name: name(), role: Role::Owner, is_operators: true };
    vec![
        ("team", TeamPage::view(HOSTILE, &who, found(false)).render()),
        ("team-own", TeamPage::view(HOSTILE, &who, found(true)).render()),
        ("team-delete", EndPage::new(HOSTILE, HOSTILE, true).render()),
        ("account-delete", EndPage::new(HOSTILE, HOSTILE, false).render()),
        ("join", JoinPage::new(None, HOSTILE, Some(&offer), true).again(HOSTILE, wrong()).render()),
        ("join-nothing", JoinPage::new(Some(HOSTILE.into()), HOSTILE, None, false).render()),
    ]
}

/// Every page, with hostile text wherever somebody else may put text.
fn all_pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add = |name: &str, html: Result<String, askama::Error>| pages.push((name.to_owned(), html.unwrap()));
    let mut rows = rows();
    // Stored URLs are in normal form, which has no such signs; the pages do not lean on that.
    rows[7].website.settings.url = format!("https://{HOSTILE}");
    let fields = [
        "url",
        "retention_days",
        "uptime_goal",
        "username",
        "headers",
        "content_1",
        "content",
        "credentials",
        "accept",
        "body",
    ];
    let errors = FieldErrors(fields.map(|field| FieldError::new(field, HOSTILE, HOSTILE)).to_vec());
    let typed = Typed {
        url: HOSTILE.into(),
        interval_s: HOSTILE.into(),
        timeout_s: HOSTILE.into(),
        regions: vec![HOSTILE.into()],
        tags: Some(HOSTILE.into()),
        keeping: Some(KeepingInput {
            retention_days: HOSTILE.into(),
            uptime_goal: HOSTILE.into(),
            is_badge_public: true,
            shown: HOSTILE.into(),
        }),
        parent: Some(HOSTILE.into()),
        options: hostile_options(),
    };
    let regions = ["INDIA", "USA"].map(|r| r.parse().unwrap());
    add("board", BoardPage::new(HOSTILE, &rows).and_then(|p| p.render()));
    add("board-empty", BoardPage::new(HOSTILE, &[]).and_then(|p| p.render()));
    for (n, row) in rows.iter().enumerate() {
        let page = WebsitePage::new(HOSTILE, row, &ticks(row), &transitions(row), NOW);
        add(&format!("website-{n}"), page.and_then(|p| p.render()));
    }
    for is_young in [false, true] {
        let (uptimes, latencies) = figures(is_young);
        let view = WebsiteView::new(&rows[7], &[], &[], NOW).with_figures(&uptimes, &latencies, NOW);
        add(
            &format!("website-figures-{is_young}"),
            WebsitePage::around(HOSTILE, &rows[7], &view).and_then(|p| p.render()),
        );
    }
    let name = |w: &Website| WebsiteName { website_id: w.website_id, url: w.settings.url.clone() };
    let websites: Vec<_> = rows.iter().map(|row| name(&row.website)).collect();
    add("new-tied", FormPage::add(HOSTILE, &regions, typed.clone(), errors.clone()).beside(&websites, None).render());
    let tied = row_in_maintenance();
    let muted = Some(crate::model::MutedBy::Parent);
    let view = WebsiteView::new(&tied, &[], &[], NOW).below(Some(&rows[7].website), muted);
    add("website-tied", WebsitePage::around(HOSTILE, &tied, &view).and_then(|p| p.render()));
    let place = BoardCursor { rank: 0, id: tied.website.website_id };
    let part = BoardPart {
        counts: [3; 6],
        passed: 1,
        tags: tied.ties.tags.clone(),
        rows: vec![(0, tied.clone())],
        ..BoardPart::default()
    };
    for place in [BoardPlace::First, BoardPlace::After(place), BoardPlace::Before(place)] {
        for (mode, order) in [(Mode::List, BoardOrder::State), (Mode::Choose, BoardOrder::Tag)] {
            let (tag, text) = (tied.ties.tags.first().cloned(), Some(HOSTILE.to_lowercase()));
            let asked = Asked { filter: BoardFilter { tag, text, state: Some(0), order }, place, mode };
            add("board-asked", BoardPage::of(HOSTILE, &part, &asked).and_then(|p| p.said(HOSTILE).render()));
            add("wall", BoardPage::wall(&part, &asked, 3));
        }
    }
    let named = [WebsiteName { website_id: tied.website.website_id, url: HOSTILE.to_owned() }];
    add("bulk-delete", BulkDeletePage::new(HOSTILE, &named, HOSTILE).render());
    for window in Window::ALL {
        let drawn = past(window.series(NOW), false);
        let (series, latency) = (&drawn.series, drawn.latencies.first());
        let past = Past { series, latency, outages: &drawn.outages, days: &drawn.days };
        let view = WebsiteView::new(&rows[7], &[], &[], NOW).with_past(window, &past, 0, NOW);
        add("website-past", WebsitePage::around(HOSTILE, &rows[7], &view).and_then(|p| p.said(HOSTILE).render()));
    }
    let planned = hostile_window();
    let ties = [(tied.website.website_id, tied.ties.clone())].into();
    let covered = super::maintenance_words::Covered { websites: &websites, ties: &ties };
    let past = PastMaintenance {
        maintenance_id: planned.maintenance_id,
        name: HOSTILE.to_owned(),
        scope: planned.plan.scope.clone(),
        span: Span { from_at: NOW - 7_200_000, to_at: NOW - 3_600_000 },
    };
    let page =
        super::maintenance::MaintenancePage::view(HOSTILE, std::slice::from_ref(&planned), vec![past], &covered, NOW);
    add("maintenance", page.render());
    let text = || HOSTILE.to_owned();
    let input = MaintenanceInput {
        name: text(),
        scope: text(),
        tag: text(),
        website_id: text(),
        time_zone: text(),
        starts: text(),
        repeats: text(),
        weekdays: vec![text()],
        month_day: text(),
        hours: text(),
        minutes: text(),
    };
    let offered = Offered { websites, tags: vec![text()] };
    let wrong = input.parse(NOW).err().unwrap_or_default();
    let form = MaintenanceForm::new(HOSTILE, Some(1), input, wrong, &offered).showing(&planned.plan.rule, NOW);
    add("maintenance-form", form.outdated().render());
    add("landing", LandingPage::new(true).render());
    add("signup", SignPage::up(true).again(HOSTILE, errors.clone()).notice(HOSTILE).render());
    add("signin", SignPage::sign_in(true).again(HOSTILE, errors.clone()).render());
    add("new", FormPage::add(HOSTILE, &regions, typed.clone(), errors.clone()).render());
    add("edit", FormPage::edit(HOSTILE, &rows[7].website, &regions, typed, errors).render());
    add("delete", DeletePage::new(HOSTILE, &rows[7].website).render());
    let found = Found {
        filter: LetterFilter::new(HOSTILE, HOSTILE),
        letters: letters(),
        kinds: vec![(HOSTILE.to_owned(), 5)],
        streams: vec![HOSTILE.to_owned()],
        has_more: true,
        after: letters().first().map(|letter| letter.cursor()),
        ..Found::default()
    };
    let operator = || Viewer::operator(HOSTILE, 5);
    let account = account("").account_id;
    add("dead-letters", DeadLettersPage::new(operator(), account, &found, Some(HOSTILE.to_owned())).render());
    add("dead-letters-confirm", ConfirmPage::new(operator(), true, &found.filter, 5, NOW).render());
    let found = super::probes::Found {
        probes: super::invented::probes(),
        backlogs: vec![("EU-WEST".parse().unwrap(), crate::queue::Backlog { waiting: 7, oldest_ms: Some(90_000) })],
        is_distributed: true,
        can_enrol: true,
        redis_url: HOSTILE.to_owned(),
        trouble: Some(HOSTILE.to_owned()),
    };
    let typed = super::probes::Typed { region: HOSTILE.into(), worker: HOSTILE.into(), redis_url: HOSTILE.into() };
    let errors = FieldErrors(["region", "worker", "redis_url"].map(|f| FieldError::new(f, HOSTILE, HOSTILE)).to_vec());
    let place = found.probes[0].place.clone();
    let page = super::probes::ProbesPage::new(operator(), found, typed, errors, NOW).said(HOSTILE.to_owned());
    add("probes", page.render());
    add("probe-ticket", super::probes::TicketPage::new(operator(), &place, HOSTILE.to_owned(), HOSTILE).render());
    for (name, html) in team_pages() {
        add(name, html);
    }
    add("trouble", TroublePage::new(500, HOSTILE, Some(HOSTILE.into())).render());
    pages
}

#[test]
fn text_from_others_is_inert_on_every_page() {
    for (name, html) in all_pages() {
        for harmful in ["<script>alert", "\"onload=", "]]> </title>", "alert(2)'"] {
            assert!(!html.contains(harmful), "{name} has {harmful}");
        }
        assert!(!html.contains("style=") && !html.contains(" onclick"), "{name} has inline code");
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn a_hundred_websites_or_one_with_its_quarter_fit_in_60_kb_with_style_and_script() {
    let rows: Vec<_> = (0..100)
        .map(|n| {
            row(
                n,
                &format!("https://site-{n}.example.com/"),
                Outcome::Up,
                &[("LOCAL", Outcome::Up)],
                "1 of 1 regions up",
            )
        })
        .collect();
    let page = BoardPage::new("owner", &rows).unwrap().render().unwrap();
    assert!(!page.contains("nobody is told"), "there is a channel");
    let untold = BoardPage::new(super::Viewer::from("owner").told(false), &rows).unwrap().render().unwrap();
    assert!(untold.contains("nobody is told") && untold.contains("href=\"/channels\""), "{untold}");
    let assets = packed(assets::STYLE.body()) + packed(assets::SCRIPT.body()) + packed(assets::ICON.body());
    let bytes = packed(page.as_bytes()) + assets;
    assert!(bytes <= 60 * 1_024, "{bytes} bytes packed, {assets} of them assets");
    let drawn = past(Window::Quarter.series(NOW), false);
    let (series, latency) = (&drawn.series, drawn.latencies.last());
    let past = Past { series, latency, outages: &drawn.outages, days: &drawn.days };
    let row = &super::invented::rows()[0];
    let (ticks, (uptimes, latencies)) = (ticks(row), figures(false));
    let ticks: Vec<_> = ticks.iter().cycle().take(40).cloned().collect();
    let view = WebsiteView::new(row, &ticks, &transitions(row), NOW).with_figures(&uptimes, &latencies, NOW);
    let view = view.with_past(Window::Quarter, &past, 0, NOW);
    let page = WebsitePage::around("owner", row, &view).unwrap().render().unwrap();
    let bytes = packed(page.as_bytes()) + assets;
    assert!(bytes <= 60 * 1_024, "{bytes} bytes packed, {assets} of them assets, {} the page's own", page.len());
}

/// Bytes as the front sends them.
fn packed(bytes: &[u8]) -> usize {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
    std::io::Write::write_all(&mut packed, bytes).unwrap();
    packed.finish().unwrap().len()
}

#[test]
fn trouble_comes_first() {
    let html = Board::new(&rows()).render().unwrap();
    let at = |word: &str| html.find(&format!("<span>{word}</span>")).unwrap();
    let places = ["Down", "Degraded", "Unknown", "Pending", "Up", "Paused"].map(at);
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.contains("2 of 7 are down, 1 is degraded, 1 is unknown, 1 is pending, 1 is paused"));
}

#[test]
fn a_refused_form_keeps_what_was_typed_and_names_the_field() {
    let typed = Typed { url: "example.com".into(), ..Typed::of(&WebsiteSettings::new(String::new())) };
    let remedy = "This address needs http:// or https:// in front.";
    let errors = FieldErrors(vec![FieldError::new("url", "example.com", remedy)]);
    let html = FormPage::add("owner", &[], typed, errors).render().unwrap();
    assert!(html.contains("value=\"example.com\"") && html.contains("aria-describedby=\"url-error\""));
    assert!(html.contains(&format!("id=\"url-error\">{remedy}")), "{html}");
    assert!(!html.contains("name=\"regions\""), "one region or none needs no choice");
}

#[test]
fn i11_no_page_tells_a_stored_secret_and_no_form_gives_one_back() {
    let mut rows = rows();
    rows[0].website.settings.options = options();
    let row = &rows[0];
    let page = WebsitePage::new("owner", row, &ticks(row), &transitions(row), NOW).unwrap().render().unwrap();
    assert!(!page.contains("hunter2") && page.contains("signed in as watcher"), "{page}");

    let shown = Typed::of(&row.website.settings);
    let form = FormPage::edit("owner", &row.website, &[], shown, FieldErrors::default()).render().unwrap();
    assert!(!form.contains("hunter2"));
    assert!(
        form.contains(&format!("X-Api-Key: {HIDDEN}")) && form.contains("Content-Type: application/json"),
        "{form}"
    );
    assert!(form.contains("<details class=\"more\" open>"), "what is set is seen");

    let typed = OptionsInput {
        headers: SecretText::new("X-Api-Key: hunter3\nCookie: (set, hidden)\nX-Tenant: hunter3\nAccept: t1"),
        password: SecretText::new("hunter3"),
        token: SecretText::new("hunter3"),
        body: SecretText::new("\nas typed"),
        ..OptionsInput::of(&row.website.settings.options)
    };
    let typed = Typed { options: typed, ..Typed::of(&row.website.settings) };
    let errors = FieldErrors(vec![FieldError::new("url", "x", "No.")]);
    let form = FormPage::edit("owner", &row.website, &[], typed, errors).render().unwrap();
    assert!(!form.contains("hunter"), "{form}");
    assert!(form.contains("X-Api-Key:\n") && form.contains("Accept: t1") && form.contains("type it again"), "{form}");
    assert!(form.contains(">\n\nas typed"), "browsers drop the first line end of a text area: {form}");
}

#[test]
fn a_form_with_nothing_special_is_short_and_one_that_is_wrong_is_open() {
    let empty = FormPage::add("owner", &[], Typed::empty(), FieldErrors::default()).render().unwrap();
    assert!(empty.contains("<details class=\"more\">") && !empty.contains("role=\"alert\""), "{empty}");
    assert_eq!(empty.matches("name=\"content_value\"").count(), 2);
    let errors = FieldErrors(vec![FieldError::new("accept", "x", "Give status codes.")]);
    let wrong = FormPage::add("owner", &[], Typed::empty(), errors).render().unwrap();
    assert!(wrong.contains("<details class=\"more\" open>") && wrong.contains("<a href=\"#accept\">Status codes</a>"));
    let mut typed = Typed::empty();
    typed.options.content = vec![ContentInput { value: "ok".into(), ..ContentInput::default() }; 9];
    let full = FormPage::add("owner", &[], typed, FieldErrors::default()).render().unwrap();
    assert_eq!(full.matches("name=\"content_value\"").count(), 10, "no more rows than may be");
}

#[test]
fn a_website_of_a_newer_version_is_shown_with_what_to_do() {
    let mut rows = rows();
    rows[0].website.is_unreadable = true;
    let row = &rows[0];
    let page = WebsitePage::new("owner", row, &[], &[], NOW).unwrap().render().unwrap();
    assert!(page.contains("A newer version of BetterUptime wrote its settings"), "{page}");
    let typed = Typed::of(&row.website.settings);
    let form = FormPage::edit("owner", &row.website, &[], typed, FieldErrors::default()).render().unwrap();
    assert!(form.contains("Saving replaces them"), "{form}");
}

#[test]
fn notes_and_our_own_delays_stand_beside_a_tick() {
    let rows = rows();
    let page = WebsitePage::new("owner", &rows[0], &ticks(&rows[0]), &[], NOW).unwrap().render().unwrap();
    for words in ["certificate not verified", "redirected from https to http", "own delay 18 ms", "in the queue"] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[test]
fn a_region_that_sees_nothing_says_so_where_regions_are_chosen() {
    let regions = ["INDIA", "USA"].map(|r| r.parse().unwrap());
    let form = FormPage::add("owner", &regions, Typed::empty(), FieldErrors::default()).cut_off(&regions[1..]);
    let html = form.render().unwrap();
    assert!(html.contains("> USA (cut off") && html.contains("> INDIA</label>"), "{html}");
}

#[test]
fn what_is_wrong_with_the_regions_is_tied_to_them() {
    let regions = ["INDIA", "USA"].map(|r| r.parse().unwrap());
    let errors = FieldErrors(vec![FieldError::new("regions", "MARS", "There is no such region.")]);
    let form = FormPage::add("owner", &regions, Typed::empty(), errors).render().unwrap();
    for part in ["aria-describedby=\"regions-error regions-hint\"", "id=\"regions-error\">There is no such region."] {
        assert!(form.contains(part), "{part}: {form}");
    }
}

#[test]
fn a_website_that_is_down_for_long_says_how_often_it_is_checked_and_when_next() {
    let day = 86_400_000;
    let mut down = rows().into_iter().find(|row| row.state.verdict == Outcome::Down).unwrap();
    down.website.settings.interval_ms = 60_000;
    down.regions.iter_mut().for_each(|region| region.good_streak = 0);
    let page = |row: &crate::model::BoardRow| WebsitePage::new("owner", row, &[], &[], NOW).unwrap().render().unwrap();
    down.state.since_at = NOW - 60_000;
    assert!(page(&down).contains("every minute from each region") && !page(&down).contains("down for long"));
    down.state.since_at = NOW - 2 * day;
    let text = page(&down);
    assert!(text.contains("every 4 minutes while it is down for long, until it answers; next at 20"), "{text}");
    down.regions[0].good_streak = 1;
    assert!(!page(&down).contains("down for long"), "one good look, and it is checked as always");
}

#[test]
fn a_crowded_host_is_named_as_the_reason_for_slots_left_out() {
    let row = &rows()[0];
    let view = |share| super::website::WebsiteView::new(row, &[], &[], NOW).with_share(share).render().unwrap();
    assert!(view(0.4).contains("40 % of the slots are used") && !view(1.0).contains("slots are used"));
}

#[test]
fn a_window_that_runs_is_seen_on_list_page_and_dashboard() {
    let row = row_in_maintenance();
    let board = Board::new(std::slice::from_ref(&row)).render().unwrap();
    assert!(board.contains("In maintenance until 2026-11-24 04:00 UTC"), "{board}");
    let page = WebsitePage::new("owner", &row, &[], &[], NOW).unwrap().render().unwrap();
    assert!(page.contains("it is checked, and nobody is told"), "{page}");
    let (ties, websites) = (Default::default(), Vec::new());
    let covered = super::maintenance_words::Covered { websites: &websites, ties: &ties };
    let list = super::maintenance::MaintenancePage::view("owner", &[hostile_window()], Vec::new(), &covered, NOW);
    let list = list.render().unwrap();
    for words in ["Running", "End it now", "every day at 03:00, Europe/Berlin, for 1 h 30 min", "(1 h left)"] {
        assert!(list.contains(words), "{words}: {list}");
    }
}

#[test]
fn a_part_of_the_dashboard_says_where_it_is_and_leads_to_its_neighbours() {
    let rows = rows();
    let part = BoardPart {
        rows: vec![(0, rows[0].clone()), (4, rows[1].clone())],
        counts: [3, 0, 0, 0, 7, 0],
        passed: 2,
        ..BoardPart::default()
    };
    let cursor = |n: usize, rank| BoardCursor { rank, id: rows[n].website.website_id };
    let asked = Asked { place: BoardPlace::After(cursor(4, 0)), ..Asked::default() };
    let page = BoardPage::of("owner", &part, &asked).unwrap().render().unwrap();
    assert!(page.contains("3 of 10 are down") && page.contains("3 to 4 of 10</span>"), "{page}");
    for path in [
        format!("data-live=\"/websites/fragment?after={}\"", cursor(4, 0)),
        format!("href=\"/?before={}\" rel=\"prev\"", cursor(0, 0)),
        format!("href=\"/?after={}\" rel=\"next\"", cursor(1, 4)),
    ] {
        assert!(page.contains(&path), "{path}: {page}");
    }
    let last = Board::of(&BoardPart { passed: 8, ..part }, &asked).render().unwrap();
    assert!(last.contains("9 to 10 of 10</span>") && !last.contains("rel=\"next\""), "{last}");
}

#[test]
fn the_dashboard_can_be_limited_to_a_tag() {
    let mut rows = rows();
    let tag: crate::model::Tag = "eu & west".parse().unwrap();
    rows[2].ties.tags = vec![tag.clone()];
    let all = BoardPage::new("owner", &rows).unwrap().render().unwrap();
    assert!(all.contains("href=\"/?tag=eu+%26+west\"") && all.contains("data-live=\"/websites/fragment\""), "{all}");
    let asked = |tag: &crate::model::Tag| {
        let filter = BoardFilter { tag: Some(tag.clone()), ..BoardFilter::default() };
        Asked { filter, ..Asked::default() }
    };
    let part = BoardPart {
        rows: vec![(4, rows[2].clone())],
        counts: [0, 0, 0, 0, 1, 0],
        tags: vec![tag.clone()],
        ..BoardPart::default()
    };
    let some = BoardPage::of("owner", &part, &asked(&tag)).unwrap().render().unwrap();
    assert!(some.contains("data-live=\"/websites/fragment?tag=eu+%26+west\""), "{some}");
    assert_eq!((all.matches("<tr").count(), some.matches("<tr").count()), (rows.len() + 1, 2));
    let part = BoardPart { tags: vec![tag], ..BoardPart::default() };
    let none = BoardPage::of("owner", &part, &asked(&"other".parse().unwrap())).unwrap().render().unwrap();
    assert!(none.contains("No website has this tag") && none.contains("href=\"/\">all</a>"), "{none}");
}

#[test]
fn what_is_asked_for_of_the_dashboard_stays_while_one_goes_on() {
    let part = super::invented::part(&super::invented::many());
    let filter = BoardFilter { text: Some("example".into()), state: Some(4), order: BoardOrder::Tag, tag: None };
    let asked = Asked { filter, ..Asked::default() };
    let part = BoardPart { state: Some(4), ..part };
    let html = BoardPage::of("owner", &part, &asked).unwrap().render().unwrap();
    for part in [
        "value=\"example\"",
        "<option value=\"tag\" selected>",
        "name=\"state\" value=\"up\"",
        "data-live=\"/websites/fragment?q=example&#38;state=up&#38;sort=tag\"",
        "href=\"/?q=example&#38;state=down&#38;sort=tag\"",
        "href=\"/?q=example&#38;state=up&#38;sort=tag&#38;choose=1\"",
        "href=\"/?q=example&#38;state=up&#38;sort=tag&#38;tv=1\"",
        "scope=\"rowgroup\">internal",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let choose =
        BoardPage::of("owner", &part, &Asked { mode: Mode::Choose, ..asked.clone() }).unwrap().render().unwrap();
    assert!(
        choose.contains("type=\"checkbox\" name=\"id\"") && !choose.contains("data-live"),
        "what is marked stays marked"
    );
    let viewer = Viewer { may_write: false, ..Viewer::from("owner") };
    let look = BoardPage::of(viewer, &part, &asked).unwrap().render().unwrap();
    assert!(!look.contains("choose=1") && look.contains("tv=1"), "who may only look changes nothing");
}
