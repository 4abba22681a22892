//! Messages of every kind, about whatever people and servers may call things.

use super::*;
use crate::model::report::{Measured, Report, Subject, Window};
use crate::model::{Scope, Span, Uptime, WebsiteId, WebsiteKind};

/// Numbers that are the same in every run (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What texts are made of: markup of all services, their mentions, entities, letters of two, three and four bytes, right to
/// left, marks that stand on other letters, one letter of many, nothing to be seen.
const PIECES: [&str; 24] = [
    EVIL,
    "a",
    "example.com",
    "\u{1f525}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{645}\u{631}\u{62d}\u{628}\u{627}",
    "\u{202e}gpj.exe",
    "e\u{301}\u{301}\u{301}",
    "\u{6f22}\u{5b57}",
    "&<>\"'",
    "&amp;",
    "```",
    "<@everyone>",
    "<!here>",
    "<https://x.example|y>",
    "[x](https://x.example)",
    "</b><i>",
    "\\",
    "\0\u{7}\t\r\n",
    "\u{feff}\u{200b}",
    "{{ .Labels }}",
    "%0a%0d",
    " ",
];

fn text(random: &mut Random) -> String {
    let pieces = random.one(&[0, 1, 2, 5, 20, 100]);
    let same = random.below(3) == 0; // one piece alone, over and over
    let first = random.one(&PIECES);
    (0..pieces).map(|_| if same { first } else { random.one(&PIECES) }).collect()
}

fn url(random: &mut Random) -> String {
    match random.below(4) {
        0 => text(random), // as no form takes it
        1 => format!("https://example.com/{}", text(random)),
        2 => format!("https://{}.example/?token=hunter2", "x".repeat(random.one(&[1, 60]))),
        _ => "https://xn--e1afmkfd.xn--p1ai:8443/a".to_owned(),
    }
}

fn about_any(random: &mut Random) -> AboutIncident {
    let kind = random.one(&[IncidentKind::Outage, IncidentKind::Regional, IncidentKind::Flapping]);
    let count = random.one(&[0, 1, 1, 1, 2, 10]);
    let urls: Vec<String> = (0..count).map(|_| url(random)).collect();
    let mut about = about(kind, &urls.iter().map(String::as_str).collect::<Vec<_>>());
    if count == 10 {
        about.website_count = random.one(&[10, 500]);
    }
    about.incident.cause = text(random);
    about.incident.cause_key = text(random);
    about.said = text(random);
    let seen = about.evidence.remove(0);
    about.evidence = vec![seen; random.one(&[0, 1, 7, 60])];
    if random.below(2) == 0 {
        about.incident.acknowledged_at = Some(BEGAN + MINUTE);
        about.incident.acknowledged_by = Some(text(random));
    }
    if random.below(2) == 0 {
        about.incident.ended_at = Some(BEGAN + random.one(&[0, 5 * MINUTE]));
        about.incident.closed_at = about.incident.ended_at;
        about.incident.closed_as = Some(random.one(ClosedAs::ALL));
    }
    about
}

fn links_any(random: &mut Random) -> Links {
    let long = format!("https://up.example.org/{}", "a/".repeat(900));
    match random.below(3) {
        0 => Links::default(),
        1 => Links { page: Some(long.clone()), acknowledge: Some(long) },
        _ => links(),
    }
}

fn channel_any(random: &mut Random) -> Channel {
    Channel {
        channel_id: ChannelId(Uuid::from_u128(3)),
        account_id: AccountId(Uuid::from_u128(1)),
        name: text(random),
        settings: all_kinds().swap_remove(random.below(8)),
        unreadable: None,
        tells_operator: false,
        is_on: true,
        tells_regional: false,
        waits_ms: 0,
        reminds_ms: None,
        cap_per_hour: 60,
        second_channel_id: None,
        created_at: BEGAN,
        revision: 1,
        failing_since_at: Some(BEGAN),
        broken: None,
    }
}

/// A message about anything that can be told.
pub(super) fn message(event: AlertEvent, random: &mut Random) -> Message {
    let (id, now) = (AlertId(Uuid::from_u128(9)), BEGAN + 125 * MINUTE);
    let links = links_any(random);
    match event {
        AlertEvent::Test => Message::test(id, &channel_any(random), links, now),
        AlertEvent::ChannelBroken => Message::channel_broken(id, &channel_any(random), &text(random), links, now),
        AlertEvent::Report => Message::report(id, &report_any(random), links, now),
        AlertEvent::Summary => {
            let open = (0..random.one(&[0, 1, 10])).map(|n| HeldIncident {
                incident_id: IncidentId(Uuid::from_u128(n)),
                cause: text(random),
                began_at: BEGAN,
                url: url(random),
                website_count: 3,
            });
            let open: Vec<HeldIncident> = open.collect();
            let open_count = i64::try_from(open.len()).unwrap() * 2;
            Message::summary(id, HeldBack { alerts: 37, open, open_count, closed_count: 1 }, links, now)
        }
        AlertEvent::Opened
        | AlertEvent::Updated
        | AlertEvent::Acknowledged
        | AlertEvent::Resolved
        | AlertEvent::Reminder => Message::of_incident(id, event, about_any(random), links, now),
    }
}

/// A report on a website whose address or name is anything.
fn report_any(random: &mut Random) -> Report {
    let span = Span { from_at: 0, to_at: 86_400_000 };
    let subject = Subject {
        website_id: WebsiteId(Uuid::from_u128(4)),
        url: text(random),
        kind: WebsiteKind::Job,
        created_at: 0,
        goal: None,
    };
    let scope = if random.below(2) == 0 { Scope::All } else { Scope::Website(subject.website_id) };
    let measured = Measured { span, uptime: Some(Uptime::default()), latency: Default::default(), outages: Vec::new() };
    Report::new(scope, Window::days(0, 1), None, vec![(subject, measured, None)], 0, BEGAN)
}
