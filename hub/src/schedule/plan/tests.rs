use std::collections::HashSet;

use super::*;
use crate::model::courtesy::regions_asking;
use crate::model::{AccountId, Region, WebsiteKind, WebsiteSettings, slots};
use uuid::Uuid;

fn website(n: u128, interval_ms: i64) -> Website {
    let settings = WebsiteSettings { interval_ms, ..WebsiteSettings::new("http://a.example/".into()) };
    let (website_id, account_id) = (WebsiteId(Uuid::from_u128(n)), AccountId(Uuid::nil()));
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

fn region(name: &str) -> RegionId {
    name.parse().unwrap()
}

/// Website, region and slot of all that is due in these seconds.
fn due(plan: &Plan, seconds: std::ops::Range<i64>) -> Vec<(WebsiteId, RegionId, UtcMs)> {
    let all = seconds.flat_map(|second| {
        let due = plan.second(second);
        assert!(due.is_sorted_by_key(|d| d.slot_at) && due.iter().all(|d| d.slot_at.div_euclid(1_000) == second));
        due
    });
    all.filter_map(|d| plan.of(&d).map(|(w, r)| (w.website_id, r.clone(), d.slot_at))).collect()
}

#[test]
fn every_website_is_due_once_per_region_and_interval() {
    let mut plan = Plan::default();
    plan.region_alive(&region("A"), 0);
    (0..100).for_each(|n| plan.put(&website(n, 10_000)));
    plan.region_alive(&region("B"), 0);
    let found = due(&plan, 0..30);
    assert_eq!(found.len(), 100 * 2 * 3);
    assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
    for (id, place, slot_at) in found {
        let phase = slots::phase_ms(id, &place, 10_000);
        assert_eq!(slots::next_slot_at(phase, 10_000, slot_at), slot_at, "the contract between hubs");
    }
    assert_eq!((plan.rate_per_s(&region("A")), plan.rate_per_s(&region("C"))), (10.0, 0.0));
}

#[test]
fn an_edit_replaces_the_old_slots_and_a_reload_does_not_double_them() {
    let mut plan = Plan::default();
    plan.region_alive(&region("A"), 0);
    plan.put(&website(1, 10_000));
    plan.put(&website(1, 10_000));
    let before = plan.second(slots::phase_ms(WebsiteId(Uuid::from_u128(1)), &region("A"), 10_000) / 1_000);
    assert_eq!((due(&plan, 0..10).len(), before.len()), (1, 1));
    plan.put(&Website { revision: 2, ..website(1, 30_000) });
    assert_eq!(due(&plan, 10..40).len(), 1);
    assert!(plan.of(&before[0]).is_none(), "what was due before the edit is not checked as after it");
    plan.remove(WebsiteId(Uuid::from_u128(1)));
    assert_eq!((due(&plan, 0..100), plan.len()), (vec![], 0));
    plan.put(&website(2, 10_000));
    assert_eq!(due(&plan, 0..10).len(), 1, "a place that was left is taken again");
}

#[test]
fn websites_that_are_gone_after_a_reading_are_forgotten() {
    let mut plan = Plan::default();
    plan.region_alive(&region("A"), 0);
    (0..10).for_each(|n| plan.put(&website(n, 10_000)));
    plan.begin_reading();
    (5..12).for_each(|n| plan.put(&website(n, 10_000)));
    plan.end_reading();
    assert_eq!((plan.len(), due(&plan, 0..10).len()), (7, 7));
}

#[test]
fn a_region_that_appears_watches_what_is_there() {
    let mut plan = Plan::default();
    plan.put(&website(1, 10_000));
    let mut choosy = website(2, 10_000);
    choosy.settings.regions = vec![region("B")];
    plan.put(&choosy);
    assert!(plan.region_alive(&region("A"), 5) && !plan.region_alive(&region("A"), 6));
    assert_eq!(due(&plan, 0..10).len(), 1);
    assert!(plan.is_live(&region("A"), 35_000) && !plan.is_live(&region("A"), 35_006));
}

#[test]
fn a_region_that_is_gone_for_long_takes_nothing_from_what_the_others_may_ask() {
    let mut plan = Plan::new(Limit::per_s(1));
    (0..8).for_each(|n| plan.put(&website(n, 10_000)));
    let share = |plan: &Plan| plan.crowded().values().copied().fold(1.0, f64::min);
    plan.region_alive(&region("A"), 0);
    assert_eq!(share(&plan), 1.0, "0.8 a second");
    plan.region_alive(&region("B"), 0);
    let of_two = share(&plan);
    assert!((0.5..0.57).contains(&of_two), "1.6 a second: {of_two}");

    let worker = |seen_at| Worker {
        worker_id: "w".parse().unwrap(),
        seen_at,
        version: String::new(),
        concurrency: 1,
        checks: 0,
        clock_offset_ms: 0,
        network: crate::model::NetworkState::Works,
        excused: 0,
        load: crate::model::region::Load::default(),
    };
    let seen = |at: [UtcMs; 2]| {
        [("A", at[0]), ("B", at[1])].map(|(name, at)| Region {
            region_id: region(name),
            created_at: 0,
            workers: vec![worker(at), worker(0)],
        })
    };
    let day = 86_400_000;
    for (seen_at, expected) in [([day, day - 60_000], of_two), ([day, day - 600_000], 1.0), ([day, day], of_two)] {
        plan.regions_asking(regions_asking(&seen(seen_at), day));
        assert_eq!(share(&plan), expected, "{seen_at:?}");
        assert_eq!(plan.is_asking(&region("B")), seen_at[1] > day - 600_000, "{seen_at:?}");
    }
    assert_eq!(plan.live_regions(0).len(), 2, "both are still sent checks while they live");

    // One that another hub has stored, and that is heard of here after it was read, is one region still.
    plan.regions_asking(["A", "B", "C"].map(region).into());
    let of_three = share(&plan);
    assert!(plan.region_alive(&region("C"), day) && of_three < of_two);
    assert_eq!(share(&plan), of_three);
}

#[test]
fn t201_slots_that_were_passed_over_are_a_number_and_a_clock_set_back_uses_no_name_twice() {
    let mut plan = Plan::default();
    plan.region_alive(&region("A"), 0);
    (0..1_000).for_each(|n| plan.put(&website(n, 10_000)));
    let before: HashSet<_> = due(&plan, 0..20).into_iter().collect();
    assert_eq!((before.len(), plan.count(30_000)), (2_000, 3_000));
    for shift_ms in 1..=3 {
        plan.shift(shift_ms, 0);
        let again: HashSet<_> = due(&plan, 0..20).into_iter().collect();
        assert_eq!((again.len(), again.intersection(&before).count()), (2_000, 0));
    }
}

/// Shares as they follow from all websites at once.
fn crowded_by_hand(websites: &HashMap<u128, Website>, regions: i64, limit: Limit) -> HashMap<HostKey, f64> {
    let mut per_day: HashMap<HostKey, i64> = HashMap::new();
    for website in websites.values() {
        let settings = &website.settings;
        let from = if settings.regions.is_empty() { regions } else { settings.regions.len() as i64 };
        *per_day.entry(HostKey::of(&settings.url)).or_default() += from * (86_400_000 / settings.interval_ms);
    }
    let share = |(host, n): (HostKey, i64)| (host, limit.share(n as f64 / 86_400.0));
    per_day.into_iter().map(share).filter(|(_, share)| *share < 1.0).collect()
}

#[test]
fn what_a_host_is_asked_for_is_known_however_many_websites_come_and_go() {
    let limit = Limit::per_s(1);
    let (mut plan, mut websites, mut chance) = (Plan::new(limit), HashMap::new(), 88_172_645_463_325_252_u64);
    let (mut regions, mut were_crowded) = (0, 0);
    for step in 0..1_200 {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        let n = u128::from(chance % 40);
        if step % 300 == 0 {
            regions += 1;
            plan.region_alive(&region(&format!("R{regions}")), 0);
        } else if chance >> 60 == 0 {
            websites.remove(&n);
            plan.remove(WebsiteId(Uuid::from_u128(n)));
        } else {
            let mut one = website(n, [10_000, 16_000, 60_000][(chance >> 20) as usize % 3]);
            one.settings.url = format!("http://{}.example/", (chance >> 30) % 20);
            one.settings.regions = if chance >> 40 & 3 == 0 { vec![region("A"), region("B")] } else { Vec::new() };
            one.revision = step;
            plan.put(&one);
            websites.insert(n, one);
        }
        let expected = crowded_by_hand(&websites, regions, limit);
        were_crowded += expected.len();
        assert_eq!(
            plan.crowded().keys().collect::<HashSet<_>>(),
            expected.keys().collect::<HashSet<_>>(),
            "step {step}"
        );
        assert!(expected.iter().all(|(host, share)| (plan.crowded()[host] - share).abs() < 1e-9), "step {step}");
    }
    assert!(were_crowded > 500, "{were_crowded}");
    websites.keys().for_each(|n| plan.remove(WebsiteId(Uuid::from_u128(*n))));
    assert_eq!((plan.len(), plan.crowded().len()), (0, 0));
}
