//! Pages of incidents and channels, with invented data.

use askama::Template;

use super::acknowledge::AcknowledgePage;
use super::channel::{self, ChannelPage};
use super::channel_form::{FormPage, KindsPage, SecretPage};
use super::channels::ChannelsPage;
use super::incident::{self, IncidentPage};
use super::incidents::{self, IncidentsPage};
use super::invented::{HOSTILE, NOW};
use super::invented_incidents::{SECRET, alerts, channels, events, incidents as lines, tries, websites};
use super::{DeleteChannelPage, Viewer};
use crate::model::{ChannelInput, ChannelKind, FieldError, FieldErrors, IncidentKind, IncidentLine, SecretText};

fn found(line: &IncidentLine) -> incident::Found {
    let websites = websites(line);
    let events = events(&line.incident);
    let (known, published) = (incident::Known::default(), incident::Published::default());
    let (line, alerts, channels) = (line.clone(), alerts(), channels());
    incident::Found { line, websites, events, alerts, is_told: true, channels, known, published }
}

fn hostile_input() -> ChannelInput {
    let (text, secret) = (|| HOSTILE.to_owned(), || SecretText::new(SECRET));
    ChannelInput {
        name: text(),
        kind: text(),
        server: text(),
        port: text(),
        security: text(),
        username: text(),
        password: secret(),
        from: text(),
        to: format!("</textarea>{HOSTILE}"),
        url: secret(),
        secret: secret(),
        token: secret(),
        chat: text(),
        topic: secret(),
        routing_key: secret(),
        waits_minutes: text(),
        reminds_minutes: text(),
        cap_per_hour: text(),
        second_channel_id: text(),
        ..ChannelInput::default()
    }
}

/// Every page of incidents and channels, with hostile text wherever somebody else may put text.
fn all_pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add = |name: String, html: Result<String, askama::Error>| pages.push((name, html.unwrap()));
    let who = || Viewer::from(HOSTILE).with_open(4);
    let all = incidents::Found { incidents: lines(), has_more: true, ..Default::default() };
    add("incidents".into(), IncidentsPage::new(who(), &all, NOW).render());
    let none = FieldErrors(vec![FieldError::new("note", HOSTILE, HOSTILE)]);
    for (n, line) in lines().iter().enumerate() {
        let page = IncidentPage::new(who(), &found(line), NOW).unwrap();
        add(format!("incident-{n}"), page.again(&format!("</textarea>{HOSTILE}"), none.clone()).render());
        let about = (line.first_url.as_str(), line.websites, line.failing);
        add(format!("acknowledge-{n}"), AcknowledgePage::new(None, &line.incident, about, false, NOW).render());
    }
    let with_last: Vec<_> = channels().into_iter().map(|channel| (channel, alerts().pop())).collect();
    add("channels".into(), ChannelsPage::new(who(), &with_last, 2, None).render());
    add("kinds".into(), KindsPage::new(who()).render());
    let fields = ["name", "to", "url", "token", "secret", "waits_minutes", "cap_per_hour", "second_channel_id"];
    let errors = FieldErrors(fields.map(|field| FieldError::new(field, HOSTILE, HOSTILE)).to_vec());
    for (n, channel) in channels().iter().enumerate() {
        let found = channel::Found {
            channel: channel.clone(),
            second: Some(HOSTILE.to_owned()),
            alerts: alerts().into_iter().map(|alert| (alert.clone(), tries(&alert))).collect(),
            about: alerts().iter().filter_map(|alert| Some((alert.incident_id?, HOSTILE.to_owned()))).collect(),
            is_further_back: true,
            has_more: true,
        };
        add(format!("channel-{n}"), ChannelPage::new(who(), &found, Some("tested")).render());
        let (kind, others) = (channel.settings.kind(), [(channel.channel_id, HOSTILE.to_owned())]);
        for before in [None, Some(channel)] {
            let form = FormPage::new(who(), kind, before, &others, &hostile_input(), &errors).trouble(HOSTILE.into());
            add(format!("form-{n}-{}", before.is_some()), form.outdated().render());
        }
        add(format!("delete-{n}"), DeleteChannelPage::new(who(), channel).render());
    }
    pages
}

#[test]
fn text_from_others_is_inert_on_pages_of_incidents_and_channels() {
    for (name, html) in all_pages() {
        for harmful in ["<script>alert", "\"onload=", "]]> </title>", "alert(2)'"] {
            assert!(!html.contains(harmful), "{name} has {harmful}");
        }
        assert!(!html.contains("style=") && !html.contains(" onclick"), "{name} has inline code");
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn i11_no_page_or_form_gives_a_channels_secret_back() {
    for (name, html) in all_pages() {
        assert!(!html.contains(SECRET), "{name} tells a secret");
    }
    let webhook = &channels()[2];
    let once = SecretPage::new("ann", webhook, "Added.").unwrap().render().unwrap();
    assert!(once.contains(SECRET), "but the page that shows it once");
    let form = FormPage::new(
        "ann",
        webhook.settings.kind(),
        Some(webhook),
        &[],
        &ChannelInput::of(webhook),
        &FieldErrors::default(),
    );
    let form = form.render().unwrap();
    assert!(form.contains("(set, hidden)") && form.contains("Leave it empty to keep the stored one"), "{form}");
}

#[test]
fn every_id_stands_once_and_every_label_and_description_has_its_element() {
    for (name, html) in all_pages() {
        let after = |mark: &str| -> Vec<String> {
            html.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
        };
        let mut ids = after(" id=\"");
        ids.sort_unstable();
        let before = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), before, "{name} has an id twice");
        let named = ["for=\"", "aria-describedby=\"", "aria-labelledby=\""].map(after).concat();
        for id in named.iter().flat_map(|list| list.split(' ')) {
            assert!(ids.iter().any(|known| known == id), "{name} speaks of #{id}, which is not there");
        }
    }
}

#[test]
fn an_incident_says_what_since_when_why_and_who_was_told() {
    let line = &lines()[1];
    let page = IncidentPage::new("ann", &found(line), NOW).unwrap().render().unwrap();
    for part in [
        "shop.example.com/basket is down",
        "12 min",
        "The server refused the connection, seen from EU-WEST, INDIA and USA.",
        "Taken on by maria, 2026-11-24 02:20:00 UTC",
        "250 2.0.0 Ok: queued as 4C1F2A",
        "The new release does not start.\nRolling back.",
        "192.0.2.7:443 refused the connection",
        "Send again",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("I am on it"), "somebody is");
    let open = IncidentPage::new("ann", &found(&lines()[2]), NOW).unwrap().render().unwrap();
    assert!(open.contains("I am on it") && open.contains("tenant-1.example.net and 499 more are down"), "{open}");
    assert!(open.contains("And 400 more."), "of 500 websites the first 100");
}

#[test]
fn a_certificate_near_its_end_is_said_as_that_and_evidence_shows_what_was_sent() {
    let line = lines().into_iter().find(|line| line.incident.kind == IncidentKind::Certificate).unwrap();
    let page = IncidentPage::new("ann", &found(&line), NOW).unwrap().render().unwrap();
    for part in [
        "mail.example.com and 1 more have a certificate near its end",
        "The certificate ends on 2026-12-08.",
        "Certificate. You are told again as its end comes nearer, and when it was renewed.",
        "Certificate: example.com, by ",
        "until 2026-12-08 ",
        "The answer began:",
        "&#60;title&#62;502 Bad Gateway&#60;/title&#62;",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let all = incidents::Found { kind: Some(IncidentKind::Certificate), incidents: vec![line], ..Default::default() };
    let page = IncidentsPage::new("ann", &all, NOW).render().unwrap();
    assert!(page.contains("<a href=\"/incidents?kind=certificate\" aria-current=\"true\">Certificates</a>"), "{page}");
    let none = incidents::Found { kind: Some(IncidentKind::Certificate), open_only: true, ..Default::default() };
    let page = IncidentsPage::new("ann", &none, NOW).render().unwrap();
    assert!(page.contains("There is none of this kind open."), "{page}");
}

#[test]
fn an_incident_of_the_installation_says_what_it_means_and_where_to_look() {
    let lines = lines();
    let line = lines.iter().find(|line| line.incident.kind == IncidentKind::Operator).unwrap();
    let page = IncidentPage::new(Viewer::operator("ann", 0), &found(line), NOW).unwrap().render().unwrap();
    for part in ["Region JAPAN is without workers", "Its workers: pi-1, pi-2.", "href=\"/probes\">Look at the probes"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("I am on it") && !page.contains("id=\"websites\""), "{page}");
    let list = incidents::Found { incidents: lines, ..Default::default() };
    let list = IncidentsPage::new("ann", &list, NOW).render().unwrap();
    assert!(list.contains(">Region JAPAN is without workers</a><small>This installation</small>"), "{list}");
    let (input, errors) = (ChannelInput::fresh(), FieldErrors::default());
    let form = |who: Viewer| FormPage::new(who, ChannelKind::Slack, None, &[], &input, &errors).render().unwrap();
    assert!(form(Viewer::operator("ann", 0)).contains("name=\"tells_operator\""));
    assert!(!form(Viewer::from("eve")).contains("tells_operator"), "of no use to who is no operator");
}

#[test]
fn a_list_without_incidents_says_what_to_do() {
    let none = incidents::Found::default();
    let page = IncidentsPage::new("ann", &none, NOW).render().unwrap();
    assert!(page.contains("There has been none yet") && page.contains("href=\"/channels/new\""), "{page}");
    let open = incidents::Found { open_only: true, is_told: true, ..incidents::Found::default() };
    let page = IncidentsPage::new("ann", &open, NOW).render().unwrap();
    assert!(page.contains("Nothing is open") && !page.contains("/channels/new"), "{page}");
}

#[test]
fn a_page_of_open_incidents_further_back_shows_them() {
    let open: Vec<IncidentLine> = lines().into_iter().filter(|line| line.incident.closed_at.is_none()).collect();
    let after = Some(open[0].cursor());
    let further = incidents::Found { incidents: open[1..].to_vec(), after, has_more: true, ..Default::default() };
    let page = IncidentsPage::new("ann", &further, NOW).render().unwrap();
    assert_eq!(page.matches("<tr").count() - 1, open.len() - 1, "{page}");
    assert!(page.contains(">Older<") && !page.contains("There are no older ones"), "{page}");
    let first = incidents::Found { open: open.clone(), incidents: lines(), ..Default::default() };
    let page = IncidentsPage::new("ann", &first, NOW).render().unwrap();
    assert_eq!(page.matches("<tr").count() - 1, lines().len(), "each once: {page}");
}

#[test]
fn a_website_that_keeps_falling_over_takes_one_line_with_a_link_to_each() {
    let over: Vec<IncidentLine> = lines().into_iter().filter(|line| line.incident.closed_at.is_some()).collect();
    let again = |n: u128, minutes: i64| {
        let mut line = over[0].clone();
        line.incident.incident_id = crate::model::IncidentId(uuid::Uuid::from_u128(n));
        line.incident.began_at = NOW - minutes * 60_000;
        (line.incident.ended_at, line.incident.closed_at) = (Some(line.incident.began_at + 240_000), Some(NOW));
        line
    };
    let page = |incidents: Vec<IncidentLine>| {
        let found = incidents::Found { incidents, ..Default::default() };
        IncidentsPage::new("ann", &found, NOW).render().unwrap()
    };
    let rows = |html: &str| html.matches("<tr").count() - 1;
    let seven = page((1..=7).map(|n| again(n, 8 * i64::try_from(n).unwrap())).collect());
    assert_eq!(rows(&seven), 1, "{seven}");
    assert!(seven.contains("7 times in 52 min") && seven.contains("28 min<small>in all"), "{seven}");
    for n in 1..=7 {
        assert!(seven.contains(&format!("href=\"/incidents/{}\"", uuid::Uuid::from_u128(n))), "{n}: {seven}");
    }
    let other = lines().into_iter().find(|line| line.first_url.contains("blog")).unwrap();
    let split = page(vec![again(1, 8), again(2, 16), other, again(3, 24), again(4, 32)]);
    assert_eq!(rows(&split), 5, "two are no several, and others between them are not skipped: {split}");
    let mut open = again(1, 8);
    open.incident.closed_at = None;
    assert_eq!(rows(&page(vec![open, again(2, 16), again(3, 24), again(4, 32)])), 2, "what goes on stands alone");
}

#[test]
fn who_sees_what_is_a_matrix_with_those_that_fail_first() {
    let line = &lines()[1];
    let mut found = found(line);
    found.events[0].evidence.reverse();
    found.known.usual_us = [("USA".parse().unwrap(), 131_000)].into();
    found.known.first = [("INDIA".parse().unwrap(), line.incident.began_at)].into();
    let page = IncidentPage::new("ann", &found, NOW).unwrap().render().unwrap();
    for part in [
        "2 of 4 regions saw it fail in connect",
        "1 region could not tell",
        "1 region got an answer",
        "failed here",
        "usual 131 ms",
        "Failed first, UTC",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    let row = |region: &str| place(&format!("<th scope=\"row\">{region}<small"));
    assert!(row("EU-WEST") < row("INDIA") && row("INDIA") < row("JAPAN") && row("JAPAN") < row("USA"));
}

#[test]
fn an_incident_leads_to_status_pages_and_asks_for_the_end_of_what_was_published() {
    use crate::model::status_page::{StatusPageId, StatusPostId, UpdateState};
    let ids = (StatusPageId(uuid::Uuid::from_u128(1)), StatusPageId(uuid::Uuid::from_u128(2)));
    let post = crate::store::PostOfIncident {
        post: StatusPostId(uuid::Uuid::from_u128(3)),
        page: ids.0,
        page_name: "Shop status".to_owned(),
        title: HOSTILE.to_owned(),
        state: Some(UpdateState::Investigating),
        said_at: NOW,
        ended_at: None,
    };
    let of = |line: &IncidentLine, may_write| {
        let pages = vec![(ids.0, "Shop status".to_owned()), (ids.1, "For partners".to_owned())];
        let published = incident::Published { posts: vec![post.clone()], pages, may_write };
        IncidentPage::new("ann", &incident::Found { published, ..found(line) }, NOW).unwrap().render().unwrap()
    };
    let publish = |id: StatusPageId| format!("/status-pages/{id}/publish?incident=");
    let lines = lines();
    let open = of(&lines[1], true);
    assert!(open.contains("What the public is told") && open.contains("Investigating"), "{open}");
    assert!(open.contains(&publish(ids.1)) && !open.contains(&publish(ids.0)), "one goes on there: {open}");
    assert!(open.contains("Add an update") && !open.contains("Say that it is resolved"), "{open}");
    let over = lines.iter().find(|line| line.incident.closed_at.is_some()).unwrap();
    let over = of(over, true);
    assert!(over.contains("Say that it is resolved") && over.contains("?state=resolved#update"), "{over}");
    let looks = of(&lines[1], false);
    assert!(looks.contains("Investigating") && !looks.contains("Add an update"), "{looks}");
    assert!(!looks.contains("/publish?"), "who may only look is not offered it: {looks}");
}

#[test]
fn a_link_that_leads_nowhere_says_so_and_one_that_works_asks() {
    let nowhere = AcknowledgePage::nowhere(None).render().unwrap();
    assert!(nowhere.contains("This link does not work") && !nowhere.contains("<form"), "{nowhere}");
    let line = &lines()[2];
    let asks = AcknowledgePage::new(None, &line.incident, ("https://a.example/", 1, 1), false, NOW).render().unwrap();
    assert!(asks.contains("a.example is down") && asks.contains("I am on it"), "{asks}");
}

#[test]
fn p8_many_websites_seen_from_many_regions_make_no_endless_page() {
    let line = &lines()[2];
    let mut found = found(line);
    let mut event = found.events[0].clone();
    event.evidence = (0..5).flat_map(|_| event.evidence.clone()).collect();
    found.events = vec![event; 200];
    let page = IncidentPage::new("ann", &found, NOW).unwrap().render().unwrap();
    assert!(page.len() < 1_024 * 1_024, "{} bytes", page.len());
    assert_eq!(page.matches("<summary id=\"seen-").count(), 200 / 20, "the newest, as long as there is room");
    assert!(page.contains("id=\"seen-199\""));
}
