use super::*;
use crate::model::WebsiteKind;
use crate::model::courtesy::is_used;
use crate::model::{
    AccountId, CheckKind, Outcome, RegionState, Standing, StoredTick, Tick, Transition, WebsiteId, WebsiteState, slots,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const URL: &str = "http://a.example/";

fn website(n: u128) -> Website {
    let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new(URL.into()) };
    let (website_id, account_id) = (WebsiteId(uuid::Uuid::from_u128(n)), AccountId(uuid::Uuid::nil()));
    Website {
        website_id,
        account_id,
        kind: WebsiteKind::Http,
        settings,
        paused: false,
        created_at: 0,
        is_unreadable: false,
        revision: 1,
    }
}

fn crowded(share: f64) -> HashMap<HostKey, f64> {
    if share < 1.0 { HashMap::from([(HostKey::of(URL), share)]) } else { HashMap::new() }
}

fn tick(website: &Website, slot_at: UtcMs) -> StoredTick {
    let tick = format!(
        r#"{{"website_id":"{}","slot_at":{slot_at},"attempt":0,"kind":"scheduled","started_at":{slot_at},
            "outcome":"up","phases":{{}},"total_us":1}}"#,
        website.website_id
    );
    let tick: Tick = serde_json::from_str(&tick).expect("a tick");
    assert_eq!(tick.kind, CheckKind::Scheduled);
    StoredTick::received("A".parse().expect("a region"), "w".parse().expect("a worker"), slot_at + 12_000, tick)
}

/// What the record of a website says that is up all the time and looked at as the schedule does, by what ingest does
/// every few seconds. `share_at` is what its host gets; `is_told` whether ingest knows.
fn record(n: u128, until: UtcMs, share_at: impl Fn(UtcMs) -> f64, is_told: bool) -> Vec<Transition> {
    let (website, shares) = (website(n), Shares::default());
    let region = "A".parse().expect("a region");
    let phase_ms = slots::phase_ms(website.website_id, &region, MINUTE);
    let unknown = Outcome::Unknown;
    let mut state = WebsiteState::new(website.website_id, unknown, 0, String::new());
    let (mut regions, mut changes, mut due) = (Vec::<RegionState>::new(), Vec::new(), Vec::new());
    for now in (0..until).step_by(5_000) {
        let slot_at = slots::next_slot_at(phase_ms, MINUTE, now);
        if slot_at < now + 5_000 && is_used(website.website_id, &region, MINUTE, slot_at, share_at(now)) {
            due.push(tick(&website, slot_at));
        }
        if is_told {
            shares.tell(&crowded(share_at(now)), now);
        }
        let mut standing = Standing::new(shares.paced(website.clone(), now), 0, state.clone(), regions.clone(), now);
        for tick in due.extract_if(.., |tick| tick.received_at <= now) {
            assert!(!standing.marks(&tick).late);
            changes.extend(standing.count(&tick, now, UtcMs::MAX).transitions);
        }
        let stored = standing.changed_state().cloned();
        changes.extend(standing.expire(now).transitions);
        state = standing.exact_state().filter(|s| s.verdict != state.verdict).cloned().or(stored).unwrap_or(state);
        for seen in standing.changed_regions() {
            regions = vec![seen.clone()];
        }
    }
    changes
}

#[test]
fn what_a_crowded_host_is_looked_at_is_enough_to_be_known() {
    let is_up = |changes: &[Transition]| changes.iter().map(|t| t.to).eq([Outcome::Up]);
    for share in [1.0, 0.96, 0.5, 0.34, 0.1, 0.03] {
        for n in 0..4 {
            let changes = record(n, 8 * HOUR, |_| share, true);
            assert!(is_up(&changes), "{share}: {changes:?}");
        }
    }
    let without = record(0, 8 * HOUR, |_| 0.1, false);
    assert!(without.len() > 10, "this is about shares that make a difference: {without:?}");
}

#[test]
fn a_share_that_changes_makes_nothing_unknown() {
    let is_up = |changes: &[Transition]| changes.iter().map(|t| t.to).eq([Outcome::Up]);
    for n in 0..6 {
        let changes_at = 4 * HOUR + n * 97_000;
        let turn = |before: f64, after: f64| move |at| if at < changes_at { before } else { after };
        for (before, after) in [(1.0, 0.05), (0.05, 1.0), (0.05, 0.4), (0.3, 0.2)] {
            let changes = record(n as u128, 8 * HOUR, turn(before, after), true);
            assert!(is_up(&changes), "{before} {after}: {changes:?}");
        }
        // Websites go one by one, for an hour.
        let slowly = |at: UtcMs| 0.04 * 1.2_f64.powi(((at - changes_at) / (4 * MINUTE)).clamp(0, 17) as i32);
        let changes = record(n as u128, 8 * HOUR, slowly, true);
        assert!(is_up(&changes), "{changes:?}");
    }
}

#[test]
fn what_is_gone_is_missed_as_soon_as_what_was_seen_before_has_run_out() {
    let shares = Shares::default();
    let every = |now| shares.paced(website(1), now).settings.interval_ms / MINUTE;
    shares.tell(&crowded(0.1), 0);
    assert_eq!((every(0), every(1 << 40), shares.of(URL), shares.of("http://b.example/")), (10, 10, 0.1, 1.0));
    shares.tell(&crowded(0.5), HOUR);
    let stale = |every: i64| 2 * every * MINUTE + 25_000;
    assert_eq!([HOUR, HOUR + stale(10) - 1, HOUR + stale(10)].map(every), [10, 10, 2]);
    shares.tell(&crowded(1.0), 2 * HOUR);
    assert_eq!([2 * HOUR, 2 * HOUR + stale(2)].map(every), [2, 1]);
    shares.tell(&crowded(0.05), 3 * HOUR);
    assert_eq!((every(3 * HOUR), shares.of(URL)), (20, 0.05));
    // However often it changes, little is remembered.
    for n in 1..100_i32 {
        shares.tell(&crowded(0.05 * 1.02_f64.powi(n)), 3 * HOUR + i64::from(n));
    }
    assert_eq!(every(3 * HOUR + 100), 20);
    assert!(shares.hosts.read().unwrap().values().all(|host| host.before.len() <= REMEMBERED));
    shares.tell(&crowded(1.0), 4 * HOUR);
    shares.tell(&HashMap::from([(HostKey::of("http://b.example/"), 0.5)]), 100 * HOUR);
    assert_eq!(shares.hosts.read().unwrap().len(), 1, "a host that is not crowded any more is forgotten");
}
