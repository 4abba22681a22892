//! Invented incidents, channels and alerts in every state, for tests and for `examples/preview.rs`.

use uuid::Uuid;

use super::invented::{HOSTILE, NOW, account, failure, region};
use crate::model::{
    Alert, AlertEvent, AlertId, AlertState, AlertTry, Blame, Channel, ChannelId, ChannelSettings, Class, ClosedAs,
    Evidence, Failure, Incident, IncidentEvent, IncidentEventKind, IncidentId, IncidentKind, IncidentLine,
    IncidentWebsite, MailSecurity, MutedBy, Outcome, Phase, Phases, SecretText, SeenCertificate, TryResult, UtcMs,
    WebsiteId,
};

/// What every secret says: on no page.
pub const SECRET: &str = "hunter2";

fn incident(n: u128, kind: IncidentKind, cause: &str, began_at: UtcMs) -> Incident {
    Incident {
        incident_id: IncidentId(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + n)),
        account_id: account("").account_id,
        kind,
        cause_key: format!("website:{n}"),
        cause: cause.to_owned(),
        began_at,
        opened_at: began_at + 4_000,
        ended_at: None,
        closed_at: None,
        closed_as: None,
        acknowledged_at: None,
        acknowledged_by: None,
        muted_by: None,
    }
}

fn line(incident: Incident, url: &str, websites: i64) -> IncidentLine {
    IncidentLine {
        websites,
        failing: websites,
        first_url: url.to_owned(),
        first_website: Some(website_id(1)),
        incident,
    }
}

fn website_id(n: u128) -> WebsiteId {
    WebsiteId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n))
}

fn over(incident: Incident, lasted_ms: i64, closed_as: ClosedAs) -> Incident {
    let ended_at = incident.began_at + lasted_ms;
    Incident { ended_at: Some(ended_at), closed_at: Some(ended_at + 3_000), closed_as: Some(closed_as), ..incident }
}

/// Incidents of every kind and state, open ones first.
pub fn incidents() -> Vec<IncidentLine> {
    use IncidentKind::{Certificate, Flapping, Outage, Regional};
    let refused = "The server refused the connection, seen from EU-WEST, INDIA and USA";
    let mut shop = incident(1, Outage, refused, NOW - 750_000);
    shop.acknowledged_at = Some(NOW - 600_000);
    shop.acknowledged_by = Some("maria".to_owned());
    let mut muted = incident(4, Outage, "No answer in time", NOW - 300_000);
    muted.muted_by = Some(MutedBy::Maintenance);
    let of_host = incident(2, Outage, "No connection in time, seen from 2 of 3 regions", NOW - 3_900_000);
    let regional = incident(3, Regional, "No answer from DNS in time, seen from INDIA alone", NOW - 7_900_000);
    let flapping = incident(5, Flapping, "7 changes within an hour", NOW - 86_400_000);
    let day = 86_400_000;
    let mut ends = incident(11, Certificate, "The certificate ends on 2026-12-08", NOW - 7 * day);
    ends.cause_key = "host:mail.example.com:certificate".to_owned();
    let renewed = incident(12, Certificate, "The certificate ends on 2026-11-20", NOW - 25 * day);
    let hostile = incident(6, Outage, HOSTILE, NOW - 3 * day);
    let ended = |n, url: &str, cause: &str, days: i64, minutes: i64, closed_as| {
        line(over(incident(n, Outage, cause, NOW - days * day), minutes * 60_000, closed_as), url, 1)
    };
    let mut blind = incident(11, IncidentKind::Operator, "Region JAPAN is without workers", NOW - 1_500_000);
    blind.cause_key = "region:JAPAN:silent".to_owned();
    vec![
        line(muted, "https://wiki.example.com/", 1),
        line(shop, "https://shop.example.com/basket", 1),
        line(of_host, "https://tenant-1.example.net/", 500),
        line(regional, "https://example.com/", 1),
        line(ends, "https://mail.example.com/", 2),
        line(over(renewed, 10 * day, ClosedAs::Recovered), "https://example.com/", 1),
        IncidentLine { first_website: None, ..line(blind, "", 0) },
        line(over(flapping, 5_400_000, ClosedAs::Recovered), "https://api.example.com/v1/health", 1),
        line(over(hostile, 61_000, ClosedAs::Recovered), &format!("https://{HOSTILE}"), 3),
        ended(7, "https://old.example.com/", "The certificate has expired", 5, 2_900, ClosedAs::Changed),
        ended(8, "https://blog.example.com/", "The status is not one that counts as up", 9, 31, ClosedAs::Recovered),
        ended(9, "https://beta.example.com/", "This name does not exist in DNS", 20, 400, ClosedAs::Deleted),
        ended(10, "https://lab.example.com/", "The server could not be reached", 31, 7, ClosedAs::Paused),
    ]
}

fn seen(slug: &str, outcome: Outcome, at: UtcMs, failure: Option<Failure>) -> Evidence {
    let phases = match outcome {
        Outcome::Down => Phases { dns_us: Some(4_100), connect_us: Some(812), ..Phases::default() },
        Outcome::Up | Outcome::Degraded => Phases {
            dns_us: Some(6_100),
            connect_us: Some(21_400),
            tls_us: Some(44_000),
            send_us: Some(130),
            wait_us: Some(93_000),
            receive_us: Some(8_000),
        },
        Outcome::Unknown => Phases { dns_us: Some(90_000), ..Phases::default() },
    };
    Evidence {
        region_id: region(slug),
        worker_id: "pi-1.local".parse().expect("a name"),
        slot_at: at,
        outcome,
        failure,
        status: (outcome == Outcome::Up).then_some(200),
        phases,
        total_us: phases.sum_us(),
        certificate: phases.tls_us.map(|_| SeenCertificate {
            subject: "example.com".to_owned(),
            issuer: HOSTILE.to_owned(),
            not_after_at: NOW + 14 * 86_400_000,
        }),
        answer: (outcome == Outcome::Down).then(|| format!("<!doctype html> <title>502 Bad Gateway</title> {HOSTILE}")),
    }
}

/// What three regions saw: one refused, one fine, one blind.
pub fn evidence(at: UtcMs, detail: &str) -> Vec<Evidence> {
    let blind =
        Failure { blame: Blame::Probe, ..failure(Class::DnsUnavailable, Phase::Dns, "No name server could be asked") };
    vec![
        seen("EU-WEST", Outcome::Down, at, Some(failure(Class::ConnectRefused, Phase::Connect, detail))),
        seen("INDIA", Outcome::Down, at - 31_000, Some(failure(Class::ConnectRefused, Phase::Connect, detail))),
        seen("JAPAN", Outcome::Unknown, at - 12_000, Some(blind)),
        seen("USA", Outcome::Up, at - 47_000, None),
    ]
}

/// The timeline of an incident, in order.
pub fn events(incident: &Incident) -> Vec<IncidentEvent> {
    use IncidentEventKind::{Acknowledged, Changed, Closed, Joined, Muted, Note, Opened};
    let at = incident.began_at;
    let event = |after_ms: i64, kind, said: &str| IncidentEvent {
        at: at + after_ms,
        kind,
        website_id: Some(website_id(1)),
        said: said.to_owned(),
        said_by: None,
        evidence: Vec::new(),
    };
    let by = |event: IncidentEvent, by: &str| IncidentEvent { said_by: Some(by.to_owned()), ..event };
    let with = |event: IncidentEvent, detail: &str| IncidentEvent { evidence: evidence(at, detail), ..event };
    let refused = "192.0.2.7:443 refused the connection: nothing listens there.";
    if incident.kind == IncidentKind::Operator {
        let said = "Nobody looks from there; it has no vote until a worker reports. Start its workers, or look after their \
                    way to Redis. Its workers: pi-1, pi-2.";
        return vec![IncidentEvent { website_id: None, ..event(0, Opened, said) }];
    }
    let mut events = vec![
        with(event(0, Opened, "shop.example.com/basket is down: 2 of 3 regions; rule: more than half"), refused),
        event(31_000, Joined, "shop.example.com/cart is down for the same cause"),
        by(event(150_000, Acknowledged, "Acknowledged by maria"), "maria"),
        by(event(200_000, Note, "The new release does not start.\nRolling back."), "maria"),
        with(event(260_000, Changed, "INDIA sees another cause now: the connection was lost in the middle"), HOSTILE),
        event(300_000, Muted, "People are told no longer: maintenance began"),
        by(event(310_000, Note, HOSTILE), HOSTILE),
    ];
    if let Some(ended_at) = incident.ended_at {
        events.push(event(ended_at - at, Closed, "All is well again"));
    }
    events
}

/// Its websites: some fail still.
pub fn websites(line: &IncidentLine) -> Vec<IncidentWebsite> {
    let began_at = line.incident.began_at;
    let website = |n: i64| IncidentWebsite {
        website_id: website_id(u128::try_from(n).expect("positive")),
        url: if n == 1 { line.first_url.clone() } else { format!("https://tenant-{n}.example.net/") },
        began_at: began_at + n * 1_000,
        ended_at: line.incident.ended_at.or((n % 4 == 3).then_some(began_at + 900_000)),
    };
    (1..=line.websites.min(100)).map(website).collect()
}

pub fn channel_id(n: u128) -> ChannelId {
    ChannelId(Uuid::from_u128(0x0194_0000_0000_7000_8000_0000_0000_0000 + n))
}

/// An alert to the channel of that number.
pub fn alert(n: u128, channel: u128, event: AlertEvent, state: AlertState, said: &str) -> Alert {
    let is_about =
        !matches!(event, AlertEvent::Test | AlertEvent::ChannelBroken | AlertEvent::Summary | AlertEvent::Report);
    let created_at = NOW - 740_000 + i64::try_from(n).expect("small") * 60_000;
    Alert {
        alert_id: AlertId(Uuid::from_u128(0x0195_0000_0000_7000_8000_0000_0000_0000 + n)),
        channel_id: channel_id(channel),
        channel_name: channels()[usize::try_from(channel).expect("small") - 1].name.clone(),
        incident_id: is_about.then(|| incidents()[1].incident.incident_id),
        event,
        number: 0,
        state,
        created_at,
        due_at: created_at + 120_000,
        tries: match state {
            AlertState::Delivered => 1,
            AlertState::Dead => 4,
            AlertState::Waiting if !said.is_empty() => 2,
            AlertState::Waiting | AlertState::Cancelled | AlertState::Folded => 0,
        },
        ended_at: (state != AlertState::Waiting).then_some(created_at + 420),
        said: said.to_owned(),
    }
}

/// Alerts in every state, oldest first.
pub fn alerts() -> Vec<Alert> {
    use AlertEvent::{Acknowledged, Opened, Reminder, Resolved, Test, Updated};
    use AlertState::{Cancelled, Dead, Delivered, Folded, Waiting};
    vec![
        alert(1, 1, Opened, Delivered, "250 2.0.0 Ok: queued as 4C1F2A"),
        alert(2, 2, Opened, Dead, "The server answered 404: no_service"),
        alert(3, 3, Opened, Waiting, "No answer within 15 s"),
        alert(4, 4, Opened, Cancelled, "Somebody took it on before its time came."),
        alert(5, 1, Acknowledged, Delivered, "250 2.0.0 Ok: queued as 77A0"),
        alert(6, 1, Updated, Folded, "Told in another message: 60 an hour were reached."),
        alert(7, 1, Reminder, Waiting, ""),
        alert(8, 2, Resolved, Dead, HOSTILE),
        alert(9, 2, Test, Delivered, "The server answered 200: ok"),
    ]
}

/// Tries of an alert.
pub fn tries(alert: &Alert) -> Vec<AlertTry> {
    let one = |n: i64, result, said: &str| AlertTry {
        at: alert.created_at + n * 30_000,
        took_ms: 118 + n * 4_321,
        result,
        said: said.to_owned(),
    };
    match alert.state {
        AlertState::Delivered => vec![one(0, TryResult::Delivered, &alert.said)],
        AlertState::Dead => vec![
            one(0, TryResult::Again, "No answer within 15 s"),
            one(1, TryResult::Again, "The server answered 503"),
            one(2, TryResult::Again, HOSTILE),
            one(3, TryResult::GivenUp, &alert.said),
        ],
        AlertState::Waiting => (0..i64::from(alert.tries)).map(|n| one(n, TryResult::Again, &alert.said)).collect(),
        AlertState::Cancelled | AlertState::Folded => Vec::new(),
    }
}

/// Channels of every kind, in every state.
pub fn channels() -> Vec<Channel> {
    let secret = || SecretText::new(SECRET);
    let url = |host: &str| SecretText::new(format!("https://{host}/{SECRET}"));
    let of = |n: u128, name: &str, settings| Channel {
        channel_id: channel_id(n),
        account_id: account("").account_id,
        name: name.to_owned(),
        settings,
        unreadable: None,
        is_on: true,
        tells_regional: false,
        tells_operator: true,
        waits_ms: 0,
        reminds_ms: None,
        cap_per_hour: 60,
        second_channel_id: None,
        created_at: NOW - 9_000_000_000,
        revision: 3,
        failing_since_at: None,
        broken: None,
    };
    let mail = ChannelSettings::Email {
        server: "smtp.example.com".to_owned(),
        port: 587,
        security: MailSecurity::Starttls,
        username: "alerts".to_owned(),
        password: secret(),
        from: "BetterUptime <alerts@example.com>".to_owned(),
        to: vec!["maria@example.com".to_owned(), "ops@example.com".to_owned()],
    };
    let webhook =
        ChannelSettings::Webhook { url: url("hooks.example.com"), secret: secret(), old_secret: Some(secret()) };
    let telegram = ChannelSettings::Telegram { token: secret(), chat: "-1001234567890".to_owned(), server: None };
    let ntfy = ChannelSettings::Ntfy { server: "https://ntfy.sh".to_owned(), topic: secret(), token: Some(secret()) };
    let mut channels = vec![
        of(1, "On call", mail),
        of(2, "Slack #ops", ChannelSettings::Slack { url: url("hooks.slack.com") }),
        of(3, "Ticket system", webhook),
        of(4, "Escalation", ChannelSettings::Pagerduty { routing_key: secret(), server: None }),
        of(5, "Discord", ChannelSettings::Discord { url: url("discord.com") }),
        of(6, "Family", telegram),
        of(7, "Phones", ntfy),
        of(8, HOSTILE, ChannelSettings::Alertmanager { url: url("am.example.com:9093") }),
    ];
    let broken = "The server answered 404: no_service, for 24 h. Whoever took the webhook away can say why.";
    (channels[1].is_on, channels[1].broken) = (false, Some((NOW - 86_400_000, broken.to_owned())));
    channels[1].failing_since_at = Some(NOW - 2 * 86_400_000);
    channels[2].failing_since_at = Some(NOW - 500_000);
    channels[2].second_channel_id = Some(channel_id(1));
    (channels[3].waits_ms, channels[3].reminds_ms) = (600_000, Some(3_600_000));
    channels[0].tells_regional = true;
    channels[4].is_on = false;
    channels
}
