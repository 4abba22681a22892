//! What people and programs are told, and that nothing from outside is more than text.

mod certificate;
mod hostile;
mod services;

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::model::{
    AccountId, Blame, ChannelId, Class, ClosedAs, Failure, MailSecurity, MutedBy, Outcome, Phase, Phases, SecretText,
    WebsiteId,
};

const MINUTE: i64 = 60_000;
const BEGAN: UtcMs = 1_795_000_000_000;
/// All that ever did harm, in one text.
const EVIL: &str =
    "<!channel> <script>alert(1)</script> @everyone [x](javascript:1) `a` *b* _c_ \r\nBcc: x@y.example\n.\r\n{{x}}";

fn incident(kind: IncidentKind) -> Incident {
    Incident {
        incident_id: IncidentId(Uuid::from_u128(5)),
        account_id: AccountId(Uuid::from_u128(1)),
        kind,
        cause_key: "host:www.example.com:connect".to_owned(),
        cause: "The server refused the connection".to_owned(),
        began_at: BEGAN,
        opened_at: BEGAN + 5_000,
        ended_at: None,
        closed_at: None,
        closed_as: None,
        acknowledged_at: None,
        acknowledged_by: None,
        muted_by: None::<MutedBy>,
    }
}

fn website(n: u128, url: &str) -> IncidentWebsite {
    IncidentWebsite { website_id: WebsiteId(Uuid::from_u128(n)), url: url.to_owned(), began_at: BEGAN, ended_at: None }
}

fn about(kind: IncidentKind, urls: &[&str]) -> AboutIncident {
    let failure = Failure {
        class: Class::ConnectRefused,
        phase: Phase::Connect,
        blame: Blame::Target,
        detail: "connection refused".to_owned(),
    };
    AboutIncident {
        incident: incident(kind),
        websites: (1..).zip(urls).map(|(n, url)| website(n, url)).take(10).collect(),
        website_count: i64::try_from(urls.len()).unwrap(),
        evidence: vec![Evidence {
            region_id: "INDIA".parse().unwrap(),
            worker_id: "a".parse().unwrap(),
            slot_at: BEGAN,
            outcome: Outcome::Down,
            failure: Some(failure),
            status: None,
            phases: Phases::default(),
            total_us: 4_200,
            certificate: None,
            answer: None,
        }],
        said: "Also down in USA".to_owned(),
    }
}

fn links() -> Links {
    Links {
        page: Some("https://up.example.org/incidents/5".to_owned()),
        acknowledge: Some("https://up.example.org/acknowledge/t0ken".to_owned()),
    }
}

fn told_of(event: AlertEvent, about: AboutIncident, now: UtcMs) -> Message {
    Message::of_incident(AlertId(Uuid::from_u128(9)), event, about, links(), now)
}

fn opened(about: AboutIncident) -> Message {
    told_of(AlertEvent::Opened, about, BEGAN + 6_000)
}

fn closed(kind: IncidentKind, closed_as: ClosedAs) -> AboutIncident {
    let mut about = about(kind, &["https://www.example.com/"]);
    about.incident.ended_at = Some(BEGAN + 12 * MINUTE);
    about.incident.closed_at = Some(BEGAN + 12 * MINUTE + 30_000);
    about.incident.closed_as = Some(closed_as);
    about
}

fn secret() -> SecretText {
    SecretText::new("s3cret")
}

fn email() -> ChannelSettings {
    ChannelSettings::Email {
        server: "smtp.example.com".to_owned(),
        port: 587,
        security: MailSecurity::Starttls,
        username: String::new(),
        password: secret(),
        from: "BetterUptime <alerts@example.com>".to_owned(),
        to: vec!["ops@example.com".to_owned(), "night@example.com".to_owned()],
    }
}

fn all_kinds() -> Vec<ChannelSettings> {
    vec![
        email(),
        ChannelSettings::Webhook { url: secret(), secret: secret(), old_secret: None },
        ChannelSettings::Slack { url: secret() },
        ChannelSettings::Discord { url: secret() },
        ChannelSettings::Telegram { token: secret(), chat: "1".to_owned(), server: None },
        ChannelSettings::Ntfy { server: String::new(), topic: secret(), token: None },
        ChannelSettings::Pagerduty { routing_key: secret(), server: None },
        ChannelSettings::Alertmanager { url: secret() },
    ]
}

fn render(message: &Message, settings: &ChannelSettings) -> String {
    message.render(settings, &MailHead { domain: "up.example.org".to_owned() }).unwrap()
}

fn json(message: &Message, n: usize) -> Value {
    serde_json::from_str(&render(message, &all_kinds()[n])).unwrap()
}

#[test]
fn people_are_told_in_plain_words() {
    let one = ["https://www.example.com/"];
    let many = ["https://a.example/", "https://b.example/x"];
    let flapping = AboutIncident { said: "It is up".to_owned(), ..closed(IncidentKind::Flapping, ClosedAs::Recovered) };
    let mut taken = about(IncidentKind::Outage, &one);
    taken.incident.acknowledged_at = Some(BEGAN + MINUTE);
    taken.incident.acknowledged_by = Some("anna".to_owned());
    use AlertEvent as E;
    use IncidentKind as K;
    for (event, about, title, said) in [
        (E::Opened, about(K::Outage, &one), "www.example.com is down", "The server refused the connection."),
        (E::Opened, about(K::Outage, &many), "2 websites are down", "The server refused the connection."),
        (
            E::Opened,
            about(K::Regional, &one),
            "www.example.com fails in some regions",
            "The server refused the connection.",
        ),
        (E::Opened, about(K::Flapping, &one), "www.example.com goes up and down", "The server refused the connection."),
        (E::Updated, about(K::Outage, &many), "2 websites are still down", "Also down in USA."),
        (
            E::Reminder,
            about(K::Outage, &one),
            "www.example.com is still down",
            "For 2 h 5 min, and nobody has acknowledged it. The server refused the connection.",
        ),
        (
            E::Acknowledged,
            taken,
            "Acknowledged: www.example.com is down",
            "anna takes care of it. The server refused the connection.",
        ),
        (E::Resolved, closed(K::Outage, ClosedAs::Recovered), "www.example.com is up again", "Up again after 12 min."),
        (
            E::Resolved,
            closed(K::Outage, ClosedAs::Changed),
            "www.example.com is watched anew",
            "What is watched was changed while it was down, so that nobody can say how it went on.",
        ),
        (
            E::Resolved,
            closed(K::Outage, ClosedAs::Paused),
            "www.example.com was paused",
            "It was paused while it was down: nobody looks at it now.",
        ),
        (
            E::Resolved,
            closed(K::Outage, ClosedAs::Deleted),
            "www.example.com is no longer watched",
            "It was deleted while it was down.",
        ),
        (
            E::Resolved,
            closed(K::Regional, ClosedAs::Recovered),
            "www.example.com is well in all regions again",
            "It failed in some regions for 12 min.",
        ),
        (E::Resolved, flapping, "www.example.com is steady again", "It went up and down for 12 min. It is up."),
        (
            E::Opened,
            closed(K::Outage, ClosedAs::Recovered),
            "www.example.com was down for 12 min",
            "The server refused the connection.",
        ),
    ] {
        let message = told_of(event, about, BEGAN + 125 * MINUTE);
        assert_eq!((message.title.as_str(), message.said.as_str()), (title, said));
    }
}

fn of_installation(key: &str, cause: &str, said: &str) -> AboutIncident {
    let mut about = AboutIncident { evidence: Vec::new(), said: said.to_owned(), ..about(IncidentKind::Operator, &[]) };
    (about.incident.cause_key, about.incident.cause) = (key.to_owned(), cause.to_owned());
    about
}

#[test]
fn of_the_installation_it_is_said_what_is_wrong_what_it_means_and_where_to_look() {
    let (cause, said) = ("Region EU is without workers", "Nobody looks from there. Start its workers.");
    let open = || of_installation("region:EU:silent", cause, said);
    let over = |closed_as, said: &str| {
        let mut over = of_installation("region:EU:silent", cause, said);
        (over.incident.closed_at, over.incident.ended_at) = (Some(BEGAN + 12 * MINUTE), Some(BEGAN + 12 * MINUTE));
        over.incident.closed_as = Some(closed_as);
        over
    };
    let mut taken = open();
    (taken.incident.acknowledged_at, taken.incident.acknowledged_by) = (Some(BEGAN), Some("anna".to_owned()));
    use AlertEvent as E;
    for (event, about, tone, title, words) in [
        (E::Opened, open(), Tone::Warning, cause, said),
        (E::Updated, open(), Tone::Warning, "Still: Region EU is without workers", said),
        (
            E::Reminder,
            open(),
            Tone::Warning,
            "Still: Region EU is without workers",
            "For 30 min, and nobody has acknowledged it. Nobody looks from there. Start its workers.",
        ),
        (E::Acknowledged, taken, Tone::Note, "Acknowledged: Region EU is without workers", "anna takes care of it."),
        (
            E::Resolved,
            over(ClosedAs::Recovered, "It votes again."),
            Tone::Good,
            "Region EU has workers again",
            "After 12 min. It votes again.",
        ),
        (
            E::Resolved,
            over(ClosedAs::Retired, "Nobody expects it any more."),
            Tone::Note,
            "Not looked at any more: region EU is without workers",
            "After 12 min. Nobody expects it any more.",
        ),
    ] {
        let message = told_of(event, about, BEGAN + 30 * MINUTE);
        assert_eq!((message.tone, message.title.as_str(), message.said.as_str()), (tone, title, words));
        assert!(
            message.facts.contains(&("Look at", "https://up.example.org/probes".to_owned())),
            "{:?}",
            message.facts
        );
        for settings in all_kinds() {
            let sent = render(&message, &settings);
            assert!(!sent.contains("A website"), "{sent}");
        }
    }
    let bad = opened(of_installation("queue:away", "The queue cannot be reached", "No hub reaches Redis."));
    assert_eq!((bad.tone, bad.facts.iter().any(|(name, _)| *name == "Look at")), (Tone::Bad, false));
    for (key, severity) in [("queue:away", "critical"), ("region:EU:silent", "warning"), ("of:a:newer", "warning")] {
        let message = opened(of_installation(key, "x", "y"));
        let event: Value = serde_json::from_str(&render(&message, &all_kinds()[6])).unwrap();
        assert_eq!(
            (&event["payload"]["severity"], &event["payload"]["source"]),
            (&severity.into(), &"BetterUptime".into())
        );
        let alerts: Value = serde_json::from_str(&render(&message, &all_kinds()[7])).unwrap();
        assert_eq!(alerts[0]["labels"]["severity"], severity);
        assert_eq!(alerts[0]["labels"]["alertname"], "InstallationInTrouble");
    }
}

#[test]
fn a_message_tells_what_a_reader_needs_first() {
    let message = opened(about(IncidentKind::Outage, &["https://www.example.com/a?token=hunter2"]));
    let text = message.text();
    for expected in [
        "Website: https://www.example.com/a?…",
        "Since: 2026-11-18 11:06 UTC",
        "Seen from: INDIA: The server refused the connection",
        "Details: https://up.example.org/incidents/5",
        "Acknowledge: https://up.example.org/acknowledge/t0ken",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    for settings in all_kinds() {
        let sent = render(&message, &settings);
        assert!(!sent.contains("hunter2") && !sent.contains("s3cret"), "{sent}");
    }
}

#[test]
fn nobody_is_asked_to_acknowledge_what_is_over_or_taken() {
    let over = told_of(AlertEvent::Resolved, closed(IncidentKind::Outage, ClosedAs::Recovered), BEGAN + 20 * MINUTE);
    assert_eq!((over.links.acknowledge, over.links.page.is_some()), (None, true));
}

#[test]
fn of_many_websites_ten_are_named() {
    let urls: Vec<String> = (0..500).map(|n| format!("https://host.example/{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let message = opened(about(IncidentKind::Outage, &urls));
    assert_eq!(message.title, "500 websites are down");
    assert_eq!((message.list.len(), message.more), (10, 490));
    assert!(message.text().contains("and 490 more"));
    for settings in all_kinds() {
        let sent = render(&message, &settings);
        assert!(sent.len() < 16_384, "{} bytes of {}", sent.len(), settings.kind());
        // PagerDuty takes 512 KB, and names them too.
        assert!(sent.contains("490") || sent.contains("500,"), "{}", sent.replace('x', ""));
    }
}

#[test]
fn t271_a_mail_is_one_message_to_one_set_of_people() {
    let mut about = about(IncidentKind::Outage, &["https://www.example.com/"]);
    about.incident.cause = EVIL.repeat(100);
    let mut message = opened(about);
    message.title = format!("{EVIL} {}", "x".repeat(10_000));
    let mail = render(&message, &email());
    assert!(mail.is_ascii());
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    assert_eq!(mail, render(&message, &email()), "the same bytes each time");
    // A folded line begins with a blank.
    let headers: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])).collect();
    let mut names: Vec<&str> = headers.iter().map(|line| line.split(':').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "Auto-Submitted",
            "Content-Type",
            "Date",
            "From",
            "In-Reply-To",
            "MIME-Version",
            "Message-ID",
            "References",
            "Subject",
            "To"
        ],
        "{head}"
    );
    assert!(head.contains("To: ops@example.com, night@example.com"), "{head}");
    assert!(!head.contains("\r\nBcc"), "{head}");
    assert!(mail.lines().all(|line| line.len() <= 998), "no line is too long for SMTP");
    let (text, html) = body.split_once("text/html").unwrap();
    assert!(text.contains("text/plain") && !html.contains("<script>"), "{html}");
}

#[test]
fn t272_mentions_and_markup_in_names_are_inert_in_slack() {
    let mut about = about(IncidentKind::Outage, &["https://www.example.com/"]);
    about.incident.cause = EVIL.to_owned();
    let slack = json(&opened(about), 2);
    let text = slack.to_string();
    assert!(!text.contains("<!channel>") && !text.contains("<script>"), "{text}");
    assert!(text.contains("&lt;!channel&gt;"), "{text}");
    for block in slack["blocks"].as_array().unwrap() {
        let markdown = block["text"]["type"] == "mrkdwn";
        let is_links = block["text"]["text"].as_str().is_some_and(|text| text.starts_with("<https://up.example.org/"));
        assert_eq!(markdown, is_links, "only our own links are formatted: {block}");
    }
    assert!(slack["blocks"].as_array().unwrap().len() <= 50);
}

#[test]
fn t272_mentions_and_markup_in_names_are_inert_in_discord_and_telegram() {
    let mut about = about(IncidentKind::Outage, &["https://www.example.com/"]);
    about.incident.cause = EVIL.to_owned();
    let message = opened(about);
    let discord = json(&message, 3);
    assert_eq!(discord["allowed_mentions"], serde_json::json!({"parse": []}));
    let said = discord["embeds"][0]["description"].as_str().unwrap();
    assert!(
        said.contains("\\@everyone") && said.contains("\\[x\\]\\(javascript\\:1\\)") && said.contains("\\`a\\`"),
        "{said}"
    );
    assert!(discord.get("content").is_none());
    let telegram = json(&message, 4);
    assert!(telegram.get("parse_mode").is_none() && telegram.get("entities").is_none());
    let text = telegram["text"].as_str().unwrap();
    assert!(text.encode_utf16().count() <= 4_096 && text.contains("<!channel>"), "as text: {text}");
}

#[test]
fn the_webhook_is_as_documented() {
    let message = opened(about(IncidentKind::Outage, &["https://www.example.com/?token=hunter2"]));
    let webhook = json(&message, 1);
    assert_eq!((&webhook["type"], &webhook["version"]), (&"incident.opened".into(), &1.into()));
    assert_eq!(webhook["timestamp"], "2026-11-18T11:06:46.000Z");
    let data = &webhook["data"];
    assert_eq!(data["title"], "www.example.com?… is down");
    assert_eq!(data["incident"]["began_at"], "2026-11-18T11:06:40.000Z");
    assert_eq!(data["incident"]["closed_at"], Value::Null);
    assert_eq!(data["websites"][0]["url"], "https://www.example.com/?…");
    assert_eq!(data["regions"][0]["class"], "connect_refused");
    assert_eq!(data["acknowledge_url"], "https://up.example.org/acknowledge/t0ken");
    let over = told_of(AlertEvent::Resolved, closed(IncidentKind::Outage, ClosedAs::Recovered), BEGAN + 20 * MINUTE);
    let over = json(&over, 1);
    assert_eq!(
        (&over["type"], &over["data"]["incident"]["lasted_ms"]),
        (&"incident.resolved".into(), &(12 * MINUTE).into())
    );
}

#[test]
fn pagerduty_is_told_of_one_thing_from_begin_to_end() {
    let opened = json(&opened(about(IncidentKind::Outage, &["https://www.example.com/"])), 6);
    assert_eq!((&opened["event_action"], &opened["payload"]["severity"]), (&"trigger".into(), &"critical".into()));
    for field in ["summary", "source", "severity"] {
        assert!(opened["payload"][field].is_string(), "{field}");
    }
    let over = told_of(AlertEvent::Resolved, closed(IncidentKind::Outage, ClosedAs::Recovered), BEGAN + 20 * MINUTE);
    let over = json(&over, 6);
    assert_eq!((&over["event_action"], &over["dedup_key"]), (&"resolve".into(), &opened["dedup_key"]));
    let taken = told_of(AlertEvent::Acknowledged, about(IncidentKind::Outage, &["https://a.example/"]), BEGAN);
    assert_eq!(json(&taken, 6)["event_action"], "acknowledge");
}

#[test]
fn alertmanager_sees_the_same_labels_from_begin_to_end() {
    let opened = json(&opened(about(IncidentKind::Outage, &["https://www.example.com/"])), 7);
    let over = told_of(AlertEvent::Resolved, closed(IncidentKind::Outage, ClosedAs::Recovered), BEGAN + 20 * MINUTE);
    let over = json(&over, 7);
    assert_eq!(opened[0]["labels"], over[0]["labels"]);
    assert_eq!(opened[0]["startsAt"], "2026-11-18T11:06:40.000Z");
    assert_eq!(over[0]["endsAt"], "2026-11-18T11:18:40.000Z");
    assert!(opened[0]["endsAt"].as_str() > Some("2026-12"), "it does not end by itself after minutes");
    for value in opened[0]["labels"].as_object().unwrap().values() {
        assert!(value.as_str().is_some_and(|value| value.len() <= 200));
    }
}

#[test]
fn a_summary_says_what_was_held_back_and_what_goes_on() {
    let open = |n: u128| HeldIncident {
        incident_id: IncidentId(Uuid::from_u128(n)),
        cause: "No connection in time".to_owned(),
        began_at: BEGAN,
        url: format!("https://h{n}.example/"),
        website_count: 3,
    };
    let held = HeldBack { alerts: 37, open: (0..10).map(open).collect(), open_count: 14, closed_count: 1 };
    let message = Message::summary(AlertId(Uuid::from_u128(9)), held, links(), BEGAN + 5 * MINUTE);
    assert_eq!(message.title, "37 alerts were held back");
    assert_eq!(message.said, "This channel had reached its messages an hour. 14 incidents go on, 1 is over.");
    assert_eq!(message.list[0], "h0.example and 2 more: No connection in time (for 5 min)");
    assert!(message.text().contains("and 4 more"));
    for settings in all_kinds() {
        assert!(render(&message, &settings).contains("37"), "{}", settings.kind());
    }
    assert_eq!(json(&message, 1)["data"]["held_back"]["open_incidents"], 14);
}
