//! Invented websites in every state, for tests and for `examples/preview.rs`.

use probe::wire::{
    Blame, Certificate, CheckKind, Class, Delays, Failure, Note, Outcome, Phase, Phases, Tick, UtcMs, WebsiteId,
};
use uuid::Uuid;

use crate::http::pages::Mark;
use crate::model::enrolment::{Access, KnownProbe, Place};
use crate::model::late::Marks;
use crate::model::region::Load;
use crate::model::roll_up::{CountedTick, RollUp};
use crate::model::{
    Account, AccountId, BoardPart, BoardRow, ContentInput, FieldErrors, Kept, KeptLetter, LetterId, MadeBy,
    NetworkState, Options, OptionsInput, RecentTick, RegionId, RegionState, SecretText, Span, StoredTick, Ties,
    Transition, Uptime, Website, WebsiteKind, WebsiteSettings, WebsiteState, Worker,
};
use crate::store::{Latency, Series, SeriesAsked, UptimeOver};

/// 2026-11-24 02:30:00 UTC.
pub const NOW: UtcMs = 1_795_487_400_000;

/// Texts that would like to be more than texts.
pub const HOSTILE: &str = r#"<script>alert(1)</script>"onload="alert(2)' {{ 7*7 }} {% raw %} ]]> </title></svg>"#;

pub fn account(username: &str) -> Account {
    let made_by = MadeBy::Owner;
    Account { account_id: AccountId(Uuid::from_u128(7)), username: username.to_owned(), created_at: NOW, made_by }
}

pub fn region(slug: &str) -> RegionId {
    slug.parse().expect("a slug")
}

pub fn failure(class: Class, phase: Phase, detail: &str) -> Failure {
    Failure { class, phase, blame: Blame::Target, detail: detail.to_owned() }
}

/// A website as seen from some regions; `outcomes` are of the newest tick of each.
pub fn row(n: u32, url: &str, verdict: Outcome, outcomes: &[(&str, Outcome)], reason: &str) -> BoardRow {
    let website_id = WebsiteId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)));
    let settings = WebsiteSettings::new(url.to_owned());
    let account_id = account("").account_id;
    let website = Website {
        website_id,
        account_id,
        kind: WebsiteKind::Http,
        settings,
        paused: false,
        created_at: NOW - 9_000_000_000,
        is_unreadable: false,
        revision: 1,
    };
    // A website without a look yet waits for its first.
    let known = if verdict == Outcome::Unknown && !outcomes.is_empty() { None } else { Some(NOW + 400_000) };
    let state = WebsiteState {
        fresh_until_at: known,
        ..WebsiteState::new(website_id, verdict, NOW - 7_500_000, reason.to_owned())
    };
    let regions = outcomes.iter().enumerate().map(|(i, (slug, o))| region_state(n + i as u32, slug, *o)).collect();
    let down_ms = if verdict == Outcome::Down { 7_500_000 } else { i64::from(n % 3) * 60_000 };
    let uptime_24h = Uptime { up_ms: 86_400_000 - down_ms, down_ms, ..Uptime::default() };
    BoardRow { website, state, regions, uptime_24h, ties: Ties::default(), maintenance_until: None, pinged_at: None }
}

fn region_state(n: u32, slug: &str, outcome: Outcome) -> RegionState {
    let failure = match outcome {
        Outcome::Up => None,
        Outcome::Degraded => Some(failure(Class::Slow, Phase::Judge, "3412 ms, slower than the 2000 ms asked for")),
        Outcome::Down => Some(failure(Class::ConnectTimeout, Phase::Connect, "No connection to 192.0.2.7:443 in 10 s")),
        Outcome::Unknown => Some(Failure {
            blame: Blame::Probe,
            ..failure(Class::DnsUnavailable, Phase::Dns, "No name server could be asked")
        }),
    };
    let wait_us = 40_000 + n * 7_919 % 160_000;
    let phases = match outcome {
        Outcome::Up | Outcome::Degraded => Phases {
            dns_us: Some(4_200 + n * 13 % 9_000),
            connect_us: Some(12_345 + n * 97 % 20_000),
            tls_us: Some(28_900),
            send_us: Some(120),
            wait_us: Some(wait_us),
            receive_us: Some(8_100),
        },
        Outcome::Down => Phases { dns_us: Some(3_100), connect_us: Some(996_900), ..Phases::default() },
        Outcome::Unknown => Phases { dns_us: Some(10_000), ..Phases::default() },
    };
    let recent = (0..10_u32).map(|i| RecentTick {
        slot_at: NOW - i64::from(i) * 180_000 - i64::from(n % 7),
        attempt: 0,
        outcome: if i < 2 || (i + n).is_multiple_of(9) { outcome } else { Outcome::Up },
        status: Some(200),
        total_us: phases.sum_us() * (60 + (i * 37 + n) % 60) / 100,
    });
    RegionState {
        region_id: region(slug),
        worker_id: "pi-1.local".parse().expect("a name"),
        slot_at: NOW - 7_123,
        attempt: 0,
        received_at: NOW - 6_900,
        outcome,
        failure,
        phases,
        total_us: phases.sum_us(),
        status: Some(200),
        failing_streak: 0,
        failing_since_at: None,
        good_streak: 3,
        certificate_not_after_at: Some(NOW + 1_900_000_000),
        recent: recent.collect(),
    }
}

/// Websites in every state, with long and hostile texts.
pub fn rows() -> Vec<BoardRow> {
    use Outcome::{Degraded, Down, Unknown, Up};
    let all = |o| [("EU-WEST", o), ("INDIA", o), ("USA", o)];
    let long =
        format!("https://a-rather-long-host-name.department.example.org/{}?token=secret", "very/long/path/".repeat(20));
    let mut rows = vec![
        row(1, "https://example.com/", Up, &all(Up), "3 of 3 regions up"),
        row(
            2,
            "https://shop.example.com/basket",
            Down,
            &[("EU-WEST", Down), ("INDIA", Down), ("USA", Up)],
            "2 of 3 regions down in connect; rule: more than half of reporting, at least two",
        ),
        row(
            3,
            "https://api.example.com/v1/health",
            Degraded,
            &all(Degraded),
            "3 of 3 regions slow: 3412 ms, more than 2000 ms",
        ),
        row(
            4,
            "http://intranet.example.com:8080/",
            Unknown,
            &all(Unknown),
            "No fresh tick from any region since 02:11",
        ),
        row(5, "https://new.example.com/", Unknown, &[], ""),
        row(6, "https://old.example.com/", Unknown, &all(Up), ""),
        row(7, &long, Up, &[("EU-WEST", Up), ("INDIA", Unknown), ("USA", Up)], "2 of 2 reporting regions up"),
        row(8, "https://example.net/%22onload=%22%3Cb%3E", Down, &all(Down), HOSTILE),
    ];
    rows[5].website.paused = true;
    rows[4].uptime_24h = Uptime { unknown_ms: 86_400_000, ..Uptime::default() };
    rows[6].uptime_24h = Uptime { up_ms: 30_000_000, down_ms: 5_000, unknown_ms: 56_395_000, ..Uptime::default() };
    rows
}

/// Many in three regions, a few of them in trouble, tagged.
pub fn many() -> Vec<BoardRow> {
    let mut many = rows();
    for n in 20..60_u32 {
        let url = format!("https://{}{n}.example.com/", ["shop", "api", "blog", "status"][n as usize % 4]);
        let all = |o| [("EU-WEST", o), ("INDIA", o), ("USA", o)];
        let mut row = row(n, &url, Outcome::Up, &all(Outcome::Up), "3 of 3 regions up");
        row.ties.tags = vec![["eu", "shop", "internal"][n as usize % 3].parse().expect("a tag")];
        many.push(row);
    }
    many
}

/// All of them on one page, as the database sorts them.
pub fn part(rows: &[BoardRow]) -> BoardPart {
    let mut part = BoardPart::default();
    let mut rows: Vec<(Mark, &BoardRow)> = rows.iter().map(|row| (Mark::of(row), row)).collect();
    rows.sort_by_key(|(mark, row)| (*mark, row.website.settings.url.clone()));
    for (mark, row) in rows {
        part.counts[mark as usize] += 1;
        part.tags.extend(row.ties.tags.iter().cloned());
        part.rows.push((mark as i64, row.clone()));
    }
    part
}

/// Ticks of every outcome, newest first.
pub fn ticks(row: &BoardRow) -> Vec<StoredTick> {
    let kinds = [CheckKind::Manual, CheckKind::Confirm, CheckKind::Scheduled, CheckKind::Scheduled, CheckKind::First];
    let mut ticks = Vec::new();
    for (i, kind) in kinds.into_iter().enumerate() {
        for region in &row.regions {
            let slot_at = NOW - 180_000 * i as i64 - 7_123;
            let mut failure = region.failure.clone();
            if let Some(failure) = failure.as_mut().filter(|_| i == 1) {
                failure.detail = HOSTILE.to_owned();
            }
            let tick = Tick {
                website_id: row.website.website_id,
                slot_at,
                attempt: 0,
                kind,
                started_at: slot_at,
                outcome: region.outcome,
                failure,
                phases: region.phases,
                total_us: region.total_us,
                status: if region.outcome == Outcome::Down { None } else { Some(200) },
                remote: None,
                body_bytes: 512,
                truncated: false,
                hops: Vec::new(),
                certificate: Some(certificate()).filter(|_| region.outcome == Outcome::Up),
                answer: None,
                notes: match (i, region.outcome) {
                    (0, Outcome::Up) => vec![Note::TlsUnverified],
                    (1, Outcome::Up) => vec![Note::RedirectDowngrade, Note::TlsUnverified],
                    _ => Vec::new(),
                },
                delays: Delays {
                    publish_ms: Some(2),
                    queue_ms: Some(15),
                    thread_us: (i != 2).then_some(310),
                    report_us: (i != 2).then_some(1_040),
                },
            };
            let (region_id, worker_id) = (region.region_id.clone(), region.worker_id.clone());
            let mut stored = StoredTick::received(region_id, worker_id, slot_at + 200, tick);
            stored.marks = Marks { late: i == 2, clamped: i == 3 };
            ticks.push(stored);
        }
    }
    ticks
}

fn certificate() -> Certificate {
    Certificate {
        not_after_at: NOW + 1_900_000_000,
        not_before_at: NOW - 5_900_000_000,
        issuer: "R11".to_owned(),
        issuer_organization: Some("Let's Encrypt".to_owned()),
        subject: "example.com".to_owned(),
        names: ["example.com", "www.example.com", "shop.example.com"].map(str::to_owned).to_vec(),
        names_total: 5,
        chain: Vec::new(),
        tls_version: Some("TLSv1.3".to_owned()),
    }
}

/// Options of every kind.
pub fn options() -> std::sync::Arc<Options> {
    let row = |kind: &str, place: &str, value: &str| ContentInput {
        kind: kind.to_owned(),
        place: place.to_owned(),
        value: value.to_owned(),
    };
    let typed = OptionsInput {
        method: "POST".to_owned(),
        headers: SecretText::new("Content-Type: application/json\nX-Api-Key: hunter2"),
        body: SecretText::new("{\n  \"query\": \"{ health }\"\n}"),
        sign_in: "basic".to_owned(),
        username: "watcher".to_owned(),
        password: SecretText::new("hunter2"),
        accept: "200-299, 301".to_owned(),
        content: vec![
            row("contains", "", "healthy"),
            row("json_equals", "/data/health", "ok"),
            row("header_equals", "Content-Type", "application/json"),
        ],
        slow_ms: "1500".to_owned(),
        certificate_days: "14".to_owned(),
        insecure_tls: true,
        ..OptionsInput::default()
    };
    typed.parse(Kept::Nothing, &mut FieldErrors::default()).shared()
}

/// Changes of verdict, newest first.
pub fn transitions(row: &BoardRow) -> Vec<Transition> {
    let change = |at, from, to, reason: &str| Transition {
        website_id: row.website.website_id,
        at,
        decided_at: at + 1_200,
        from,
        to,
        reason: reason.to_owned(),
    };
    vec![
        change(NOW - 7_500_000, Outcome::Up, row.state.verdict, &row.state.reason),
        change(NOW - 9_000_000_000, Outcome::Unknown, Outcome::Up, "3 of 3 regions up"),
    ]
}

/// Figures of a website that was added a hundred days ago, and of one that was added the day before yesterday.
pub fn figures(is_young: bool) -> ([UptimeOver; 4], [Latency; 4]) {
    let windows = crate::model::uptime::windows_of_days(NOW, [1, 7, 30, 90]);
    let begin = if is_young { NOW - 200_000_000 } else { 0 };
    let over = |window: Span| {
        let span = Span { from_at: window.from_at.max(begin), ..window };
        let ms = span.to_at - span.from_at;
        let (down_ms, unknown_ms, maintenance_ms) = (ms / 900, ms / 150, ms / 48);
        let up_ms = ms - down_ms - unknown_ms - maintenance_ms;
        UptimeOver { span, uptime: Some(Uptime { up_ms, down_ms, unknown_ms, maintenance_ms, ..Uptime::default() }) }
    };
    let latency = |span: Span| {
        let mut roll_up = RollUp::default();
        for n in 0..1_000_u32 {
            roll_up.latency.record(80_000 + n * n / 4);
        }
        Latency { span, regions: [(region("INDIA"), roll_up)].into() }
    };
    (windows.map(over), windows.map(latency))
}

/// What a page draws of a website's past.
pub struct InventedPast {
    pub series: Series,
    pub latencies: [Latency; 4],
    pub outages: Vec<Span>,
    pub days: std::collections::BTreeMap<UtcMs, Uptime>,
}

/// Three regions with a gap, a slow evening and two outages, as of now; of a young one there are two days.
pub fn past(asked: SeriesAsked, is_young: bool) -> InventedPast {
    let (hour, day) = (3_600_000_i64, 86_400_000_i64);
    let begin = if is_young { NOW - 2 * day } else { 0 };
    let mut series = Series::new();
    let SeriesAsked { span, piece_ms, .. } = asked;
    for (n, slug) in ["EU-WEST", "INDIA", "USA"].into_iter().enumerate() {
        let mut pieces = std::collections::BTreeMap::new();
        let mut at = span.from_at;
        while at < span.to_at.min(NOW - hour) {
            let piece = u32::try_from((at - span.from_at) / piece_ms).expect("a piece");
            if at >= begin && piece % 23 != 9 + n as u32 {
                pieces.insert(at, piece_of(piece, n as u32));
            }
            at += piece_ms;
        }
        series.insert(region(slug), pieces);
    }
    let ms = span.to_at - span.from_at;
    let outage = |from: i64, long: i64| Span {
        from_at: span.from_at + ms * from / 100,
        to_at: span.from_at + ms * (from + long) / 100,
    };
    let mut days = std::collections::BTreeMap::new();
    for n in 0..120_i64 {
        let at = NOW - NOW.rem_euclid(day) - n * day;
        let mut uptime = Uptime { up_ms: if n == 0 { NOW - at } else { day }, ..Uptime::default() };
        match n {
            3 | 40 => (uptime.down_ms, uptime.up_ms) = (17 * 60_000, uptime.up_ms - 17 * 60_000),
            12 => (uptime.degraded_ms, uptime.up_ms) = (2 * hour, uptime.up_ms - 2 * hour),
            20..23 => (uptime.unknown_ms, uptime.up_ms) = (day, 0),
            30 => (uptime.maintenance_ms, uptime.up_ms) = (day, 0),
            _ => {}
        }
        if at >= begin && n != 60 {
            days.insert(at, uptime);
        }
    }
    let latencies = figures(is_young).1.map(|latency| Latency { regions: whole(&series), ..latency });
    InventedPast { series, latencies, outages: vec![outage(41, 3), outage(70, 0)], days }
}

fn whole(series: &Series) -> std::collections::BTreeMap<RegionId, RollUp> {
    let all = |pieces: &std::collections::BTreeMap<UtcMs, RollUp>| {
        let mut all = RollUp::default();
        pieces.values().for_each(|piece| all.merge(piece));
        all
    };
    series.iter().map(|(region, pieces)| (region.clone(), all(pieces))).collect()
}

fn piece_of(piece: u32, region: u32) -> RollUp {
    let mut roll_up = RollUp::default();
    let evening = if piece % 24 > 17 { 60_000 } else { 0 };
    for n in 0..60_u32 {
        let wait = 30_000
            + region * 45_000
            + evening
            + (n * n * 31 + piece * 7_919) % 24_000
            + if n > 56 { 130_000 } else { 0 };
        let phases = Phases {
            dns_us: Some(2_000 + (n * 37 + piece * 11) % 4_000),
            connect_us: Some(12_000 + region * 9_000 + piece % 5 * 400),
            tls_us: Some(26_000 + region * 9_000),
            send_us: Some(90),
            wait_us: Some(wait),
            receive_us: Some(4_000 + piece % 7 * 300),
        };
        let outcome = if piece % 29 == 10 && n < 9 { Outcome::Down } else { Outcome::Up };
        roll_up.count(&CountedTick { outcome, late: false, total_us: phases.sum_us(), phases });
    }
    roll_up
}

/// Workers in every state.
pub fn probes() -> Vec<KnownProbe> {
    let seen = |name: &str, seen_at, network, clock_offset_ms, excused| Worker {
        worker_id: name.parse().expect("a name"),
        seen_at,
        version: "0.1.0".to_owned(),
        concurrency: 50,
        checks: 123_456,
        clock_offset_ms,
        network,
        excused,
        load: Load { in_flight: 3, checks_per_minute: (excused != 7).then_some(240) },
    };
    let of = |region_id: &str, name: &str, seen, access| KnownProbe {
        place: Place { region: region(region_id), worker: name.parse().expect("a name") },
        seen,
        access,
    };
    use NetworkState::{CutOff, NoNames, Unasked, Works};
    vec![
        of(
            "EU-WEST",
            "a-rather-long-host-name.department.example",
            Some(seen("a", NOW - 4_000, Unasked, 3, 0)),
            Some(Access::Own),
        ),
        of("EU-WEST", "pi-1", Some(seen("pi-1", NOW - 7_000, CutOff, -125_000, 1_234)), Some(Access::Own)),
        of("INDIA", "pi-2", Some(seen("pi-2", NOW - 90_000_000, Works, 240, 7)), Some(Access::Shared)),
        of("INDIA", "pi-4", Some(seen("pi-4", NOW - 3_000, NoNames, 12, 0)), Some(Access::Own)),
        of("INDIA", "pi-3", None, Some(Access::Own)),
        of("USA", "a", Some(seen("a", NOW - 90_000_000, Unasked, 0, 0)), Some(Access::Off)),
    ]
}

/// Letters of every kind, newest first.
pub fn letters() -> Vec<KeptLetter> {
    let tick = ticks(&rows()[0]).remove(0).tick;
    let json = serde_json::to_string(&tick).expect("JSON");
    let expired = format!(
        "{{\"entry_id\":\"1795487300000-0\",\"reason\":\"expired\",\"detail\":\"It waited 75 s and may wait 60 s.\",\"website_id\":\"{}\"}}",
        tick.website_id
    );
    let tick_stream = "betteruptime:tick:EU-WEST:pi-1";
    let of = |n: u32, stream: &str, kind: &str, reason: &str, raw: &[u8]| KeptLetter {
        letter_id: LetterId(Uuid::from_u128(u128::from(n))),
        stream: stream.to_owned(),
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        raw: raw.to_vec(),
        created_at: NOW - 47_000 * i64::from(n),
        replay_asked_at: (n == 2).then_some(NOW),
        replay_note: if n == 1 {
            "Replayed 2026-11-24 02:20 UTC: The website it was about is gone.".to_owned()
        } else {
            String::new()
        },
    };
    vec![
        of(
            1,
            tick_stream,
            "not_assigned",
            "not_assigned: the website is not watched from this region",
            json.as_bytes(),
        ),
        of(2, tick_stream, "expired", "expired: It waited 75 s and may wait 60 s.", expired.as_bytes()),
        of(
            3,
            tick_stream,
            "not_understood",
            "schema version 9 is not understood; this program speaks 1",
            format!("v=9\nkind=tick\nbody={json}\n").as_bytes(),
        ),
        of(4, "betteruptime:website:INDIA", "max_deliveries", "max_deliveries: it was given out 3 times", b""),
        of(5, tick_stream, "hub_failed", &format!("hub_failed: {HOSTILE}"), HOSTILE.as_bytes()),
        of(6, HOSTILE, HOSTILE, HOSTILE, b"\xff\xfe\x00<script>alert(1)</script>"),
    ]
}
