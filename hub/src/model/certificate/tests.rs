use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::model::{
    AccountId, Blame, CheckKind, Delays, Failure, Options, Phases, Standing, WebsiteId, WebsiteKind, WebsiteSettings,
};

const HOUR_MS: i64 = 3_600_000;
/// End of the certificate that most tests are about: it lives for 90 days.
const END: UtcMs = 1_800_000_000_000;

fn lives(days: i64, ends_at: UtcMs) -> Certificate {
    Certificate { not_before_at: ends_at - days * DAY_MS, not_after_at: ends_at, ..Certificate::default() }
}

/// A website that is looked at every three hours.
struct World {
    website: Website,
    watched_since_at: UtcMs,
    state: WebsiteState,
    regions: Vec<RegionState>,
    notices: Vec<Notice>,
}

impl World {
    fn new(days: Option<u16>) -> Self {
        let mut options = Options::clone(&Options::standard());
        options.expect.certificate_days = days;
        let website_id = WebsiteId(Uuid::from_u128(1));
        let settings = WebsiteSettings {
            interval_ms: 3 * HOUR_MS,
            options: Arc::new(options),
            ..WebsiteSettings::new("https://a.example/".to_owned())
        };
        let account_id = AccountId(Uuid::from_u128(1));
        let (paused, is_unreadable, created_at, revision) = (false, false, 0, 1);
        Self {
            website: Website {
                website_id,
                account_id,
                kind: WebsiteKind::Http,
                settings,
                paused,
                is_unreadable,
                created_at,
                revision,
            },
            watched_since_at: 0,
            state: WebsiteState::new(website_id, Outcome::Unknown, 0, String::new()),
            regions: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn tick(&self, region: &str, slot_at: UtcMs, certificate: Option<Certificate>) -> StoredTick {
        let tick = Tick {
            website_id: self.website.website_id,
            slot_at,
            attempt: 0,
            kind: CheckKind::Scheduled,
            started_at: slot_at,
            outcome: Outcome::Up,
            failure: None,
            phases: Phases::default(),
            total_us: 1,
            status: Some(200),
            remote: None,
            body_bytes: 0,
            truncated: false,
            hops: Vec::new(),
            certificate,
            answer: None,
            notes: Vec::new(),
            delays: Delays::default(),
        };
        StoredTick::received(region.parse().unwrap(), "w".parse().unwrap(), slot_at + 1_000, tick)
    }

    /// As an ingest transaction does.
    fn count(&mut self, tick: &StoredTick, now: UtcMs) -> usize {
        let (state, regions) = (self.state.clone(), self.regions.clone());
        let mut standing = Standing::new(self.website.clone(), self.watched_since_at, state, regions, now);
        let counted = standing.count(tick, now, UtcMs::MAX);
        if let Some(state) = standing.exact_state() {
            self.state = state.clone();
        }
        for changed in standing.changed_regions() {
            self.regions.retain(|region| region.region_id != changed.region_id);
            self.regions.push(changed.clone());
        }
        let before = self.notices.len();
        self.notices.extend(counted.notices);
        self.notices.len() - before
    }

    fn see(&mut self, region: &str, slot_at: UtcMs, certificate: &Certificate) -> usize {
        let tick = self.tick(region, slot_at, Some(certificate.clone()));
        self.count(&tick, slot_at + 1_000)
    }

    /// From `days` to `until` days before [`END`], every interval, from all of `regions`.
    fn watch(&mut self, regions: &[&str], days: i64, until: i64, certificate: &Certificate) {
        let (mut at, end) = (END - days * DAY_MS, END - until * DAY_MS);
        while at < end {
            for (n, region) in (0..).zip(regions) {
                self.see(region, at + n * 60_000, certificate);
            }
            at += self.website.settings.interval_ms;
        }
    }

    /// Notices as "21 d", "renewed".
    fn told(&self) -> Vec<String> {
        let said = |notice: &Notice| match notice {
            Notice::CertificateNears { step_ms, .. } => format!("{} d", step_ms / DAY_MS),
            Notice::CertificateRenewed { .. } => "renewed".to_owned(),
            other => format!("{other:?}"),
        };
        self.notices.iter().map(said).collect()
    }
}

#[test]
fn steps_go_by_the_life_of_the_certificate_or_as_its_owner_says() {
    // (life, asked for, days left, the step in hours)
    for (life, asked, left, step) in [
        (90, None, 22, None),
        (90, None, 21, None),
        (90, None, 20, Some(21 * 24)),
        (90, None, 13, Some(14 * 24)),
        (90, None, 6, Some(7 * 24)),
        (90, None, 0, Some(24)),
        (90, None, -5, Some(24)),
        (398, None, 20, Some(21 * 24)),
        (47, None, 15, None),
        (47, None, 13, Some(14 * 24)),
        (24, None, 7, None),
        (24, None, 6, Some(7 * 24)),
        (6, None, 3, None),
        (6, None, 1, Some(48)),
        (6, None, 0, Some(24)),
        (90, Some(0), 0, None),
        (90, Some(40), 39, Some(40 * 24)),
        (90, Some(40), 20, Some(21 * 24)),
        (90, Some(5), 6, None),
        (90, Some(5), 4, Some(5 * 24)),
        (6, Some(30), 4, None),
        (6, Some(30), 2, Some(3 * 24)),
        (0, None, 0, None),
    ] {
        let certificate = lives(life, END);
        let first = first_ms(&certificate, asked);
        let found = first.and_then(|first_ms| step_ms(END, first_ms, END - left * DAY_MS));
        assert_eq!(found, step.map(|hours| hours * HOUR_MS), "{life} days, {asked:?} asked for, {left} left");
    }
    let (hostile, other) = (Certificate { not_after_at: i64::MIN, not_before_at: i64::MAX, ..lives(1, 0) }, i64::MIN);
    assert_eq!(first_ms(&hostile, None), None);
    assert_eq!(step_ms(i64::MIN, DAY_MS, i64::MAX), Some(DAY_MS));
    assert!(first_ms(&Certificate { not_before_at: other, ..lives(1, i64::MAX) }, Some(365)).is_some());
}

#[test]
fn whatever_is_degraded_for_its_certificate_has_been_told_of() {
    // The rule of the probe's judge, by which a look is degraded.
    for life in 1..400 {
        let degraded_ms = WEEK_MS.min(life * DAY_MS / 3);
        assert!(first_ms(&lives(life, END), None) >= Some(degraded_ms), "{life}");
    }
}

#[test]
fn each_step_is_told_once_and_then_its_renewal() {
    let mut world = World::new(None);
    let old = lives(90, END);
    world.watch(&["a", "b", "c"], 30, 0, &old);
    assert_eq!(world.told(), ["21 d", "14 d", "7 d", "1 d"]);
    let at: Vec<_> = world
        .notices
        .iter()
        .filter_map(|n| if let Notice::CertificateNears { at, .. } = n { Some(*at) } else { None })
        .collect();
    assert_eq!(at, [21, 14, 7, 1].map(|days| END - days * DAY_MS), "when it came so near, not when it was seen");
    let new = lives(90, END + 85 * DAY_MS);
    world.watch(&["a", "b", "c"], 0, -1, &new);
    assert_eq!(world.told(), ["21 d", "14 d", "7 d", "1 d", "renewed"]);
    let Some(Notice::CertificateRenewed { at, until, .. }) = world.notices.last() else {
        panic!("{:?}", world.notices)
    };
    assert_eq!((*at, *until), (END + 2 * 60_000, Some(new.not_after_at)), "with the last region");
    assert_eq!(world.state.near_end, None);
}

#[test]
fn what_is_found_late_is_told_by_the_step_it_is_at() {
    let mut world = World::new(None);
    world.watched_since_at = END - 10 * DAY_MS;
    world.watch(&["a"], 10, 8, &lives(90, END));
    let [Notice::CertificateNears { at, ends_at, step_ms, reason, .. }] = world.notices.as_slice() else {
        panic!("{:?}", world.notices)
    };
    assert_eq!((*ends_at, *step_ms, *at), (END, 14 * DAY_MS, END - 10 * DAY_MS), "not before it was watched");
    assert_eq!(reason, "It is seen from a.");
}

#[test]
fn the_earliest_end_decides_the_beginning_and_all_regions_the_end() {
    let mut world = World::new(None);
    let (old, new) = (lives(90, END), lives(90, END + 60 * DAY_MS));
    world.watch(&["a"], 23, 22, &new);
    world.watch(&["b"], 22, 19, &old);
    assert_eq!(world.told(), ["21 d"], "one region is enough");
    for n in 0..24 {
        world.see("a", END - 19 * DAY_MS + n * 3 * HOUR_MS, &new);
        world.see("b", END - 19 * DAY_MS + n * 3 * HOUR_MS + 60_000, &old);
    }
    assert_eq!(world.told(), ["21 d"]);
    world.watch(&["a", "b"], 15, 13, &new);
    assert_eq!(world.told(), ["21 d", "renewed"]);
}

#[test]
fn a_region_that_is_silent_has_not_renewed_anything_until_it_is_gone() {
    let mut world = World::new(None);
    let (old, new) = (lives(90, END), lives(90, END + 60 * DAY_MS));
    world.watch(&["a", "b"], 20, 19, &old);
    let last = world.regions.iter().map(|region| region.received_at).max().unwrap();
    for hours in (1..24).step_by(3) {
        world.see("a", last + hours * HOUR_MS, &new);
    }
    assert_eq!(world.told(), ["21 d"]);
    for hours in [25, 28, 31] {
        world.see("a", last + hours * HOUR_MS, &new);
    }
    assert_eq!(world.told(), ["21 d", "renewed"], "a day later");
}

#[test]
fn one_server_of_two_that_was_forgotten_makes_no_chatter() {
    let mut world = World::new(None);
    let (old, new) = (lives(90, END), lives(90, END + 60 * DAY_MS));
    world.watch(&["a"], 13, 12, &old);
    // In turns, two looks each, for five days.
    for n in 0..40 {
        let seen = if n / 2 % 2 == 0 { &new } else { &old };
        world.see("a", END - 12 * DAY_MS + n * 3 * HOUR_MS, seen);
    }
    assert_eq!(world.told(), ["14 d", "renewed", "14 d"]);
    let Some(Notice::CertificateNears { reason, .. }) = world.notices.last() else { panic!("{:?}", world.notices) };
    assert!(reason.starts_with("It had been renewed, and is shown again"), "{reason}");
    world.watch(&["a"], 6, 3, &new);
    assert_eq!(world.told(), ["14 d", "renewed", "14 d", "renewed"], "after so long without the old one");
}

#[test]
fn short_lives_that_are_renewed_in_time_are_never_told_of() {
    // (life, renewed after)
    for (life, after) in [(6, 3), (10, 6), (45, 30), (47, 31), (90, 60)] {
        let mut world = World::new(None);
        for n in 0..60 {
            let begin = END + n * after * DAY_MS;
            let certificate = lives(life, begin + life * DAY_MS);
            for hours in (0..after * 24).step_by(12) {
                world.see("a", begin + hours * HOUR_MS, &certificate);
            }
        }
        assert_eq!(world.told(), Vec::<String>::new(), "{life} days, renewed after {after}");
    }
}

#[test]
fn t201_a_clock_that_is_set_back_tells_no_step_again() {
    let mut world = World::new(None);
    let old = lives(90, END);
    world.watch(&["a", "b"], 15, 13, &old);
    assert_eq!(world.told(), ["21 d", "14 d"]);
    world.watch(&["a", "b"], 16, 12, &old);
    assert_eq!(world.told(), ["21 d", "14 d"], "by three days");
    // By so much that it was never near its end.
    world.watch(&["a", "b"], 60, 58, &old);
    assert_eq!(world.told(), ["21 d", "14 d", "renewed"]);
}

#[test]
fn what_is_refused_for_its_end_is_an_outage_alone_and_one_that_was_told_stays_until_it_is_renewed() {
    let expired = |world: &World, at| {
        let mut tick = world.tick("a", at, Some(lives(90, END)));
        tick.tick.outcome = Outcome::Down;
        let (phase, blame, detail) = (Phase::Tls, Blame::Target, "It ended.".to_owned());
        tick.tick.failure = Some(Failure { class: Class::TlsExpired, phase, blame, detail });
        tick
    };
    let mut world = World::new(None);
    let tick = expired(&world, END + HOUR_MS);
    assert_eq!(world.count(&tick, END + HOUR_MS + 1_000), 0, "{:?}", world.notices);
    let mut world = World::new(None);
    world.watch(&["a"], 2, 0, &lives(90, END));
    for n in 1..9 {
        let tick = expired(&world, END + n * 3 * HOUR_MS);
        world.count(&tick, tick.received_at);
    }
    assert_eq!((world.told(), world.state.near_end.is_some()), (vec!["7 d".to_owned(), "1 d".to_owned()], true));
    // Where nobody looks whether it is valid it is told of.
    let mut world = World::new(None);
    let mut tick = world.tick("a", END + HOUR_MS, Some(lives(90, END)));
    tick.tick.notes = vec![Note::TlsUnverified];
    assert_eq!((world.count(&tick, tick.received_at), world.told()), (1, vec!["1 d".to_owned()]));
}

#[test]
fn a_certificate_that_was_refused_is_not_the_websites() {
    let mut world = World::new(None);
    let mut tick = world.tick("a", END - 5 * DAY_MS, Some(lives(90, END)));
    tick.tick.outcome = Outcome::Down;
    let (phase, blame, detail) = (Phase::Tls, Blame::Target, String::new());
    tick.tick.failure = Some(Failure { class: Class::TlsUntrusted, phase, blame, detail });
    world.count(&tick, tick.received_at);
    assert_eq!((world.told().len(), world.regions[0].certificate_not_after_at), (0, None));
    // Nor does a look that failed before say that it is gone; one that is answered without any does.
    world.watch(&["a"], 4, 3, &lives(90, END));
    tick.tick.certificate = None;
    tick.tick.slot_at = END - 3 * DAY_MS;
    tick.received_at = tick.tick.slot_at;
    world.count(&tick, tick.received_at);
    assert_eq!(world.regions[0].certificate_not_after_at, Some(END));
    for hours in [3, 6, 9] {
        let tick = world.tick("a", END - 3 * DAY_MS + hours * HOUR_MS, None);
        world.count(&tick, tick.received_at);
    }
    assert_eq!(world.told(), ["7 d", "renewed"]);
    assert!(matches!(world.notices.last(), Some(Notice::CertificateRenewed { until: None, .. })));
}

/// Numbers that are random enough, and the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Steps of each certificate that was warned of, in order, and whether one is open: each nearer than the one before.
fn courses(world: &World) -> Vec<(UtcMs, i64)> {
    let (mut told, mut open) = (Vec::new(), None);
    for notice in &world.notices {
        match notice {
            Notice::CertificateNears { ends_at, step_ms, .. } => {
                assert!(open.is_none_or(|before| *step_ms < before), "again: {notice:?}");
                open = Some(*step_ms);
                told.push((*ends_at, *step_ms));
            }
            Notice::CertificateRenewed { .. } => assert!(open.take().is_some(), "an end without a beginning"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open, world.state.near_end.map(|near| near.step_ms), "what is told is what is known");
    told
}

#[test]
fn i9_each_step_is_told_once_at_most_and_in_whatever_order_regions_are_read() {
    for seed in 1..40 {
        let mut dice = Dice(seed * 7_919);
        let regions = &["a", "b", "c", "d"][..1 + dice.roll(4) as usize];
        // Each region for itself, or all alike.
        let (is_alike, mut renewed_on) = (seed % 2 == 0, -24);
        let (mut in_order, mut shuffled) = (World::new(None), World::new(None));
        let mut certificates: Vec<Certificate> = regions.iter().map(|_| lives(90, END)).collect();
        for day in -24..36 {
            for certificate in &mut certificates {
                if !is_alike && dice.roll(12) == 0 {
                    let left = [3, 10, 18, 60][dice.roll(4) as usize];
                    *certificate = lives(90, END + (day + left) * DAY_MS + HOUR_MS / 2);
                }
            }
            if is_alike && day - renewed_on > 5 && dice.roll(8) == 0 {
                let left = [4, 10, 18, 60][dice.roll(4) as usize];
                certificates.fill(lives(90, END + (day + left) * DAY_MS + HOUR_MS / 2));
                renewed_on = day;
            }
            // Each day a chunk that is read in any order, some of it twice.
            let mut ticks = Vec::new();
            for n in 0..8 {
                for (place, region) in regions.iter().enumerate() {
                    let at = END + day * DAY_MS + n * 3 * HOUR_MS + place as i64 * 60_000;
                    ticks.push(in_order.tick(region, at, Some(certificates[place].clone())));
                }
            }
            let now = ticks.iter().map(|tick| tick.received_at).max().unwrap();
            for tick in &ticks {
                in_order.count(tick, now);
            }
            for n in (1..ticks.len()).rev() {
                ticks.swap(n, dice.roll(n as u64 + 1) as usize);
            }
            ticks.extend(ticks[..ticks.len() / 3].to_vec());
            for tick in &ticks {
                shuffled.count(tick, now);
            }
        }
        let (known, found) = (courses(&in_order), courses(&shuffled));
        if is_alike {
            assert_eq!(known, found, "{seed}");
            let near = |world: &World| world.state.near_end.map(|near| (near.ends_at, near.step_ms));
            assert_eq!(near(&in_order), near(&shuffled), "{seed}");
        }
    }
}
