//! Each condition: when it begins, when it does not yet, when it is over; what explains what; and random histories.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::*;
use crate::model::NetworkState;

const S: i64 = 1_000;
const NOW: UtcMs = 1_000_000 * S;
const LONG_AGO: UtcMs = 1;

fn hub(name: &str) -> HubReport {
    HubReport { name: name.to_owned(), seen_at: NOW, hears_since_at: Some(LONG_AGO), ..HubReport::default() }
}

/// Heard of `ago` seconds ago, for long before that.
fn worker(region: &str, name: &str, ago_s: i64) -> WatchedWorker {
    WatchedWorker {
        region_id: region.parse().unwrap(),
        worker_id: name.parse().unwrap(),
        seen_at: NOW - ago_s * S,
        alive_since_at: LONG_AGO,
        network: NetworkState::Works,
        network_since_at: LONG_AGO,
        clock_offset_ms: 0,
        clock_wrong_since_at: None,
        stopped_at: None,
        flooded_at: None,
    }
}

fn known(workers: Vec<WatchedWorker>) -> Known {
    Known { looked_at: NOW, hubs: vec![hub("one")], workers, ..Known::default() }
}

/// Keys of what would begin.
fn begins(known: &Known) -> Vec<String> {
    let judged = judge(known, NOW);
    let counted = count(AccountId(Uuid::nil()), Vec::new(), &BTreeSet::new(), &judged, NOW, || IncidentId(Uuid::nil()));
    assert!(counted.changed.iter().all(|course| course.tells_opened && course.is_open()));
    counted.changed.into_iter().map(|course| course.incident.cause_key).collect()
}

/// How an open incident of this condition would end: `None`: it goes on.
fn ends(known: &Known, condition: &Condition) -> Option<ClosedAs> {
    let finding = Finding { since_at: LONG_AGO, said: String::new(), is_explained: false };
    let id = IncidentId(Uuid::nil());
    let open = begin(AccountId(Uuid::nil()), id, condition.to_string(), condition, &finding, NOW - 600 * S);
    let open = Course { is_changed: false, tells_opened: false, events: Vec::new(), ..open };
    let counted = count(AccountId(Uuid::nil()), vec![open], &BTreeSet::new(), &judge(known, NOW), NOW, || id);
    let ended = counted.changed.into_iter().find(|course| course.incident.cause_key == condition.to_string())?;
    assert!(ended.tells_resolved && ended.incident.closed_at == Some(NOW));
    ended.incident.closed_as
}

fn of_worker(condition: fn(RegionId, WorkerId) -> Condition, region: &str, name: &str) -> Condition {
    condition(region.parse().unwrap(), name.parse().unwrap())
}

fn of_region(condition: fn(RegionId) -> Condition, region: &str) -> Condition {
    condition(region.parse().unwrap())
}

fn all() -> Vec<Condition> {
    let mut all = vec![
        Condition::AllSilent,
        Condition::AllCutOff,
        Condition::QueueAway,
        Condition::DeadLetters,
        Condition::StoreLow,
        Condition::StoreFull,
        Condition::HistoryDamaged,
    ];
    all.extend(
        [Condition::RegionSilent, Condition::RegionCutOff, Condition::RegionNoNames, Condition::QueueLag]
            .map(|of| of_region(of, "EU-1")),
    );
    let ways = [Condition::WorkerSilent, Condition::WorkerCutOff, Condition::WorkerNoNames];
    for of in ways.into_iter().chain([Condition::WorkerClock, Condition::WorkerFloods]) {
        all.push(of_worker(of, "EU-1", "pi.local_1"));
    }
    all.extend([Condition::HubSilent, Condition::HubLate, Condition::HubDeaf].map(|of| of("a:b-3001".to_owned())));
    all
}

#[test]
fn a_key_names_one_condition_and_each_has_words_of_its_own() {
    let keys: BTreeSet<String> = all().iter().map(ToString::to_string).collect();
    assert_eq!(keys.len(), 19);
    for condition in all() {
        assert_eq!(condition.to_string().parse(), Ok(condition.clone()));
        for words in
            [condition.words(), over_words(&condition, ClosedAs::Recovered), over_words(&condition, ClosedAs::Retired)]
        {
            assert!(!words.title.ends_with('.') && words.said.ends_with('.'), "{words:?}");
        }
    }
    for unknown in ["", "worker", "worker:EU:silent", "region:a b:silent", "moon:full", "worker:a/b:new_word"] {
        assert_eq!(unknown.parse::<Condition>(), Err(UnknownKey), "{unknown}");
        assert_eq!(Condition::tone_of(unknown), Tone::Warning);
    }
}

#[test]
fn a_worker_that_is_started_again_within_a_minute_is_no_news() {
    let silent = of_worker(Condition::WorkerSilent, "EU", "b");
    let of = |ago_s| known(vec![worker("EU", "a", 3), worker("EU", "b", ago_s)]);
    for ago_s in [0, 34, 36, 74] {
        assert!(begins(&of(ago_s)).is_empty(), "{ago_s} s");
    }
    assert_eq!(begins(&of(75)), ["worker:EU/b:silent"]);
    assert_eq!(silent.tone(), Tone::Warning, "another does its work");
    // It ends when it has been back for a while, not with its first word.
    assert_eq!(ends(&of(40), &silent), None);
    let mut back = of(0);
    back.workers[1].alive_since_at = NOW - 19 * S;
    assert_eq!(ends(&back, &silent), None);
    back.workers[1].alive_since_at = NOW - 20 * S;
    assert_eq!(ends(&back, &silent), Some(ClosedAs::Recovered));
}

#[test]
fn who_stops_by_himself_is_revoked_or_was_not_heard_of_for_a_day_is_not_expected() {
    let silent = of_worker(Condition::WorkerSilent, "EU", "b");
    let mut stopped = known(vec![worker("EU", "a", 3), worker("EU", "b", 600)]);
    stopped.workers[1].stopped_at = Some(NOW - 600 * S);
    assert!(begins(&stopped).is_empty());
    assert_eq!(ends(&stopped, &silent), Some(ClosedAs::Retired));
    // All of them: somebody has to look all the same.
    stopped.workers[0].seen_at = NOW - 600 * S;
    stopped.workers[0].stopped_at = Some(NOW - 600 * S);
    assert_eq!(begins(&stopped), ["regions:silent"]);
    let revoked = known(vec![worker("EU", "a", 3)]);
    assert_eq!(ends(&revoked, &silent), Some(ClosedAs::Retired));
    let forgotten = known(vec![worker("EU", "a", 3), worker("EU", "b", 86_400), worker("ASIA", "c", 90_000)]);
    assert!(begins(&forgotten).is_empty());
    assert_eq!(ends(&forgotten, &silent), Some(ClosedAs::Retired));
    assert_eq!(ends(&forgotten, &of_region(Condition::RegionSilent, "ASIA")), Some(ClosedAs::Retired));
}

#[test]
fn t242_what_is_greater_explains_what_is_less() {
    let world =
        |asia_s, a_s, b_s| known(vec![worker("ASIA", "c", asia_s), worker("EU", "a", a_s), worker("EU", "b", b_s)]);
    assert_eq!(begins(&world(3, 90, 90)), ["region:EU:silent"], "and none of its workers");
    assert_eq!(begins(&world(3, 90, 50)), [""; 0], "the other one is about to be silent, too");
    assert_eq!(begins(&world(90, 90, 90)), ["regions:silent"], "and none of the regions");
    assert_eq!(begins(&world(80, 80, 70)), [""; 0], "all are about to be");
    assert_eq!(Condition::AllSilent.tone(), Tone::Bad);
    // Weeks later nobody measures still.
    assert_eq!(begins(&world(900_000, 900_000, 900_000)), ["regions:silent"]);
    // One comes back: what is left is told now.
    let mut back = world(3, 90, 90);
    assert_eq!(ends(&back, &Condition::AllSilent), Some(ClosedAs::Recovered));
    assert_eq!(ends(&back, &of_region(Condition::RegionSilent, "EU")), None);
    back.workers[0].alive_since_at = NOW - 5 * S;
    assert_eq!(ends(&back, &Condition::AllSilent), None);
    assert!(begins(&known(Vec::new())).is_empty(), "nobody was ever expected");
}

#[test]
fn silence_counts_only_while_somebody_listens() {
    let mut deaf = known(vec![worker("EU", "a", 3_000)]);
    deaf.hubs[0].hears_since_at = None;
    assert!(begins(&deaf).is_empty(), "a hub that hears nothing tells nothing of it");
    assert_eq!(ends(&deaf, &Condition::AllSilent), None, "and ends nothing");
    for (s, expected) in [(60, 0), (75, 1)] {
        deaf.hubs[0].hears_since_at = Some(NOW - s * S);
        assert_eq!(begins(&deaf).len(), expected, "a hub that has heard for {s} s");
    }
    // Another has listened all the time.
    deaf.hubs[0].hears_since_at = None;
    deaf.hubs.push(hub("two"));
    assert_eq!(begins(&deaf), ["regions:silent"]);
    // But what a hub said before it died is of no use.
    deaf.hubs[1].seen_at = NOW - 40 * S;
    assert!(begins(&deaf).is_empty());
    let mut clock_was_ahead = known(vec![worker("EU", "a", -3_600)]);
    assert!(begins(&clock_was_ahead).is_empty());
    clock_was_ahead.workers.push(worker("EU", "b", 1));
    assert!(begins(&clock_was_ahead).is_empty());
}

#[test]
fn who_was_off_for_days_with_all_of_it_gets_his_time_to_report() {
    let mut world = known(vec![worker("EU", "a", 3 * 86_400)]);
    world.hubs[0].hears_since_at = Some(NOW - 10 * S);
    assert!(begins(&world).is_empty(), "the hub has only begun to listen");
    world.hubs[0].hears_since_at = Some(NOW - 75 * S);
    assert_eq!(begins(&world), ["regions:silent"]);
}

#[test]
fn without_the_queue_one_thing_is_told_and_not_all_that_follows() {
    let mut away = known(vec![worker("EU", "a", 500), worker("ASIA", "b", 500)]);
    (away.hubs[0].hears_since_at, away.hubs[0].queue_away_since_at) = (None, Some(NOW - 59 * S));
    assert!(begins(&away).is_empty());
    away.hubs[0].queue_away_since_at = Some(NOW - 60 * S);
    assert_eq!(begins(&away), ["queue:away"]);
    // One of two hubs: that one is told, and no worker is silent since the other hears them.
    away.hubs.push(hub("two"));
    away.workers.iter_mut().for_each(|worker| worker.seen_at = NOW - 3 * S);
    assert_eq!(begins(&away), ["hub:one:queue"]);
    let deaf = Condition::HubDeaf("one".to_owned());
    assert_eq!((ends(&away, &deaf), ends(&away, &Condition::QueueAway)), (None, Some(ClosedAs::Recovered)));
    let mut back = known(Vec::new());
    for (s, expected) in [(5, None), (20, Some(ClosedAs::Recovered))] {
        back.hubs[0].hears_since_at = Some(NOW - s * S);
        assert_eq!((ends(&back, &deaf), ends(&back, &Condition::QueueAway)), (expected, expected), "{s} s");
    }
}

#[test]
fn t188_whoever_is_blind_is_told_when_he_is_for_a_minute() {
    let blind = |name: &str, s| WatchedWorker {
        network: NetworkState::CutOff,
        network_since_at: NOW - s * S,
        ..worker("EU", name, 3)
    };
    let with = |workers: Vec<WatchedWorker>| known([workers, vec![worker("ASIA", "c", 3)]].concat());
    assert!(begins(&with(vec![blind("a", 59)])).is_empty());
    assert_eq!(begins(&with(vec![blind("a", 60)])), ["region:EU:cut_off"]);
    assert_eq!(begins(&with(vec![blind("a", 60), worker("EU", "b", 3)])), ["worker:EU/a:cut_off"]);
    assert!(begins(&with(vec![blind("a", 60), blind("b", 5)])).is_empty(), "not clear yet");
    assert_eq!(begins(&known(vec![blind("a", 60)])), ["regions:cut_off"], "no other region can tell");
    let region = of_region(Condition::RegionCutOff, "EU");
    let works = |s| with(vec![WatchedWorker { network_since_at: NOW - s * S, ..worker("EU", "a", 3) }]);
    assert_eq!((ends(&works(29), &region), ends(&works(30), &region)), (None, Some(ClosedAs::Recovered)));
    let silent = with(vec![WatchedWorker { seen_at: NOW - 50 * S, ..blind("a", 90) }]);
    assert_eq!(ends(&silent, &region), None, "who is silent does not say that it works");
}

#[test]
fn t188_whoever_finds_no_names_is_told_when_he_does_not_for_a_minute() {
    let of = |name: &str, network, s| WatchedWorker { network, network_since_at: NOW - s * S, ..worker("EU", name, 3) };
    let lost = |name: &str, s| of(name, NetworkState::NoNames, s);
    let with = |workers: Vec<WatchedWorker>| known([workers, vec![worker("ASIA", "c", 3)]].concat());
    assert!(begins(&with(vec![lost("a", 59)])).is_empty());
    assert_eq!(begins(&with(vec![lost("a", 60)])), ["region:EU:no_names"]);
    assert_eq!(begins(&known(vec![lost("a", 60)])), ["region:EU:no_names"], "what has an address can be told");
    assert_eq!(begins(&with(vec![lost("a", 60), worker("EU", "b", 3)])), ["worker:EU/a:no_names"]);
    let region = of_region(Condition::RegionNoNames, "EU");
    let other_way = with(vec![of("a", NetworkState::CutOff, 60)]);
    assert_eq!((begins(&other_way), ends(&other_way, &region)), (vec!["region:EU:cut_off".to_owned()], None));
    let cut = of_region(Condition::RegionCutOff, "EU");
    assert_eq!(ends(&with(vec![lost("a", 30)]), &cut), Some(ClosedAs::Recovered), "canaries answer");
    let finds = |s| with(vec![of("a", NetworkState::Works, s)]);
    assert_eq!((ends(&finds(29), &region), ends(&finds(30), &region)), (None, Some(ClosedAs::Recovered)));
}

#[test]
fn who_was_blind_before_an_update_is_not_so_since_1970() {
    let mut world =
        known(vec![WatchedWorker { network: NetworkState::CutOff, network_since_at: 0, ..worker("EU", "a", 3) }]);
    assert!(begins(&world).is_empty(), "as migrated");
    world.workers[0].network_since_at = NOW - 60 * S;
    assert_eq!(begins(&world), ["regions:cut_off"]);
}

#[test]
fn t198_a_clock_that_is_wrong_by_more_than_a_minute_for_some_signs_of_life() {
    let of = |offset_ms, wrong_s: Option<i64>| {
        let mut wrong = worker("EU", "a", 3);
        (wrong.clock_offset_ms, wrong.clock_wrong_since_at) = (offset_ms, wrong_s.map(|s| NOW - s * S));
        known(vec![wrong])
    };
    for offset_ms in [300 * S, -300 * S, 86_400 * S, 60_001] {
        assert_eq!(begins(&of(offset_ms, Some(15))), ["worker:EU/a:clock"]);
    }
    assert!(begins(&of(300 * S, Some(14))).is_empty(), "one that was held up on its way looks like that");
    assert!(begins(&of(60 * S, None)).is_empty());
    let clock = of_worker(Condition::WorkerClock, "EU", "a");
    assert_eq!(ends(&of(31 * S, None), &clock), None);
    assert_eq!(ends(&of(-29 * S, None), &clock), Some(ClosedAs::Recovered));
}

#[test]
fn t233_floods_and_lags_have_a_begin_and_an_end() {
    let mut world = known(vec![worker("EU", "a", 3)]);
    world.workers[0].flooded_at = Some(NOW);
    world.lags.insert("EU".parse().unwrap(), 30 * S);
    assert_eq!(begins(&world), ["worker:EU/a:flood", "queue:EU:lag"]);
    let (flood, lag) = (of_worker(Condition::WorkerFloods, "EU", "a"), of_region(Condition::QueueLag, "EU"));
    for (s, lag_s, flooded, lagged) in
        [(599, 10, None, None), (600, 9, Some(ClosedAs::Recovered), Some(ClosedAs::Recovered))]
    {
        world.workers[0].flooded_at = Some(NOW - s * S);
        world.lags.insert("EU".parse().unwrap(), lag_s * S);
        assert_eq!((ends(&world, &flood), ends(&world, &lag)), (flooded, lagged));
    }
    world.lags.clear();
    assert_eq!(ends(&world, &lag), None, "nobody can tell");
    // What waits for a region without workers is told by that.
    world.lags.insert("EU".parse().unwrap(), 900 * S);
    world.workers[0].seen_at = NOW - 100 * S;
    assert_eq!(begins(&world), ["regions:silent"]);
}

#[test]
fn t164_dead_letters_are_told_and_once_an_hour_that_there_are_more() {
    let mut world = Known { hubs: Vec::new(), ..known(Vec::new()) };
    world.letters = LetterCount {
        count: 3,
        newest_at: Some(NOW - 10 * S),
        oldest_at: Some(NOW - 50 * S),
        kinds: vec![("Checks nobody finished".to_owned(), 3)],
    };
    let judged = judge(&world, NOW);
    let new_id = || IncidentId(Uuid::nil());
    let account = AccountId(Uuid::nil());
    let mut begun = count(account, Vec::new(), &BTreeSet::new(), &judged, NOW, new_id).changed;
    let course = begun.remove(0);
    assert_eq!((course.incident.cause_key.as_str(), course.incident.began_at), ("dead_letters", NOW - 50 * S));
    assert!(course.events[0].said.contains("Checks nobody finished: 3."), "{:?}", course.events);
    let later = |newest_at, now| {
        let letters = LetterCount { newest_at: Some(newest_at), ..world.letters.clone() };
        let judged = judge(&Known { letters, ..world.clone() }, now);
        count(account, vec![course.clone()], &BTreeSet::new(), &judged, now, new_id)
    };
    assert_eq!(later(NOW + 1, NOW + 3_599 * S), Counted::default(), "not more often");
    assert_eq!(later(NOW - 10 * S, NOW + 7_200 * S), Counted::default(), "none came since");
    let grown = later(NOW + 1, NOW + 3_600 * S).grown;
    assert_eq!((grown.len(), grown[0].told_at), (1, Some(NOW + 3_600 * S)));
    assert_eq!(ends(&known(Vec::new()), &Condition::DeadLetters), Some(ClosedAs::Recovered));
}

#[test]
fn t209_little_room_is_told_before_there_is_none() {
    let gib = 1024 * 1024 * 1024;
    let with = |free, total| {
        let mut world = known(Vec::new());
        world.hubs[0].space = Some((free, total));
        world
    };
    for (free, total, is_low) in [
        (2 * gib - 1, 1_000 * gib, true),
        (2 * gib, 1_000 * gib, false),
        (gib / 2, 16 * gib, true),
        (gib, 16 * gib, false),
        (gib / 20, gib / 4, false),
        (gib / 50, gib / 4, true),
        (0, 0, false),
    ] {
        assert_eq!(begins(&with(free, total)), if is_low { vec!["store:low"] } else { vec![] }, "{free} of {total}");
    }
    assert_eq!(ends(&with(5 * gib / 2, 1_000 * gib), &Condition::StoreLow), None);
    assert_eq!(ends(&with(3 * gib, 1_000 * gib), &Condition::StoreLow), Some(ClosedAs::Recovered));
    let mut full = with(1, 1_000 * gib);
    full.hubs[0].full_at = Some(NOW - 59 * S);
    assert_eq!(begins(&full), ["store:full"]);
    full.hubs[0].full_at = Some(NOW - 119 * S);
    assert_eq!(ends(&full, &Condition::StoreFull), None);
    full.hubs[0].full_at = Some(NOW - 120 * S);
    assert_eq!(ends(&full, &Condition::StoreFull), Some(ClosedAs::Recovered));
}

#[test]
fn t275_hubs_that_are_silent_or_stand_still() {
    let mut world = known(Vec::new());
    world.hubs.push(HubReport { seen_at: NOW - 59 * S, ..hub("two") });
    assert!(begins(&world).is_empty());
    world.hubs[1].seen_at = NOW - 60 * S;
    assert_eq!(begins(&world), ["hub:two:silent"]);
    let (silent, late) = (Condition::HubSilent("two".to_owned()), Condition::HubLate("two".to_owned()));
    assert_eq!((ends(&world, &silent), ends(&world, &late)), (None, None), "what it said last says nothing of now");
    world.hubs.pop();
    assert_eq!(ends(&world, &silent), Some(ClosedAs::Retired), "it took its leave");
    let of = |since_s: Option<i64>, at_s: Option<i64>| {
        let mut world = known(Vec::new());
        let (since, at) = (since_s.map(|s| NOW - s * S), at_s.map(|s| NOW - s * S));
        world.hubs.push(HubReport { late: "the schedule".into(), late_since_at: since, late_at: at, ..hub("two") });
        world
    };
    assert!(begins(&of(Some(29), Some(0))).is_empty());
    assert_eq!(begins(&of(Some(30), Some(0))), ["hub:two:late"]);
    assert_eq!(late.tone(), Tone::Bad);
    assert_eq!((ends(&of(None, Some(29)), &late), ends(&of(None, Some(30)), &late)), (None, Some(ClosedAs::Recovered)));
}

#[test]
fn what_another_hub_did_knowing_more_stands() {
    let world = known(vec![worker("EU", "a", 3), worker("EU", "b", 90)]);
    let judged = judge(&world, NOW);
    let closed = BTreeSet::from(["worker:EU/b:silent".to_owned()]);
    let account = AccountId(Uuid::nil());
    let new_id = || IncidentId(Uuid::nil());
    assert_eq!(count(account, Vec::new(), &closed, &judged, NOW + S, new_id), Counted::default());
    // It was begun after this look had begun, in which all was well.
    let mut open = count(account, Vec::new(), &BTreeSet::new(), &judged, NOW + S, new_id).changed;
    open[0].tells_opened = false;
    let well = judge(&known(vec![worker("EU", "a", 3), worker("EU", "b", 3)]), NOW);
    assert_eq!(count(account, open, &BTreeSet::new(), &well, NOW + S, new_id), Counted::default());
}

/// A world that changes at random, looked at by two hubs in turn.
struct World {
    seed: u64,
    known: Known,
    is_dead: BTreeMap<usize, bool>,
}

impl World {
    fn chance(&mut self, of: u64) -> bool {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed.is_multiple_of(of)
    }

    fn go_on(&mut self, now: UtcMs) {
        for n in 0..self.known.workers.len() {
            if self.chance(25) {
                let is_dead = self.is_dead.entry(n).or_default();
                *is_dead = !*is_dead;
            }
            let (cuts, stops, wrong, floods) = (self.chance(30), self.chance(80), self.chance(50), self.chance(90));
            if self.is_dead.get(&n).copied().unwrap_or_default() {
                continue;
            }
            let worker = &mut self.known.workers[n];
            if now - worker.seen_at > 35 * S || worker.stopped_at.is_some() {
                worker.alive_since_at = now;
            }
            (worker.seen_at, worker.stopped_at) = (now, stops.then_some(now));
            if cuts {
                worker.network = match worker.network {
                    NetworkState::CutOff => NetworkState::NoNames,
                    NetworkState::NoNames | NetworkState::Unasked => NetworkState::Works,
                    NetworkState::Works => NetworkState::CutOff,
                };
                worker.network_since_at = now;
            }
            if wrong {
                worker.clock_offset_ms = if worker.clock_offset_ms == 0 { 90 * S } else { 0 };
                worker.clock_wrong_since_at = (worker.clock_offset_ms != 0).then_some(now);
            }
            worker.flooded_at = if floods { Some(now) } else { worker.flooded_at };
        }
        for n in 0..self.known.hubs.len() {
            let (dies, turns) = (self.chance(20), self.chance(15));
            let hub = &mut self.known.hubs[n];
            if dies && n > 0 {
                continue;
            }
            hub.seen_at = now;
            if turns {
                let is_away = hub.queue_away_since_at.is_some();
                (hub.hears_since_at, hub.queue_away_since_at) =
                    if is_away { (Some(now), None) } else { (None, Some(now)) };
            }
        }
        self.known.letters.count =
            if self.chance(40) { 1 - self.known.letters.count } else { self.known.letters.count };
    }
}

#[test]
fn random_histories_open_and_close_each_incident_once() {
    let (mut opened, mut closed) = (0, 0);
    for seed in 1..=400_u64 {
        let workers = vec![worker("EU", "a", 0), worker("EU", "b", 0), worker("ASIA", "c", 0), worker("USA", "d", 0)];
        let known = Known { hubs: vec![hub("one"), hub("two")], ..known(workers) };
        let mut world = World { seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), known, is_dead: BTreeMap::new() };
        let mut open: Vec<Course> = Vec::new();
        let mut number = 0_u128;
        for turn in 1..=120 {
            let now = NOW + turn * 10 * S;
            world.go_on(now);
            world.known.looked_at = now;
            let judged = judge(&world.known, now);
            for hub in 0..2 {
                let mut new_id = || {
                    number += 1;
                    IncidentId(Uuid::from_u128(number))
                };
                let account = AccountId(Uuid::nil());
                let before: BTreeSet<String> = open.iter().map(|course| course.incident.cause_key.clone()).collect();
                let counted = count(account, open.clone(), &BTreeSet::new(), &judged, now, &mut new_id);
                assert!(hub == 0 || counted.changed.is_empty(), "the second one finds nothing to do");
                for course in counted.changed {
                    let key = course.incident.cause_key.clone();
                    if course.is_open() {
                        opened += 1;
                        assert!(!before.contains(&key), "{key} is open already");
                        assert!(course.tells_opened && !course.tells_resolved && course.incident.began_at <= now);
                        let is_of_one = ["region:", "worker:"].iter().any(|of| key.starts_with(of));
                        let others_are_well = matches!(judged.states[&Condition::AllSilent], State::Well(_));
                        assert!(!(is_of_one && key.ends_with(":silent")) || others_are_well, "{key} is explained");
                        open.push(Course { tells_opened: false, is_changed: false, events: Vec::new(), ..course });
                    } else {
                        closed += 1;
                        assert!(before.contains(&key) && course.tells_resolved && !course.tells_opened);
                        assert_eq!(course.events.len(), 1);
                        open.retain(|one| one.incident.cause_key != key);
                    }
                }
            }
        }
    }
    assert!(opened > 1_000 && closed > 500, "{opened} opened, {closed} closed");
}

#[test]
fn damaged_blocks_are_told_once_with_some_of_them_and_end_when_none_is_left() {
    let mut world = known(vec![worker("EU", "a", 1)]);
    assert_eq!(begins(&world), [""; 0]);
    assert_eq!(ends(&world, &Condition::HistoryDamaged), Some(ClosedAs::Recovered));
    let day = |n: u128| DamagedDay {
        website_id: WebsiteId(Uuid::from_u128(n)),
        region: "EU".to_owned(),
        from_at: 1_795_737_600_000 + 5 * S,
    };
    world.damage = DamageCount { count: 1, since_at: Some(NOW - 60 * S), some: vec![day(1)] };
    assert_eq!(begins(&world), ["history:damaged"]);
    let said = |world: &Known| match judge(world, NOW).states.remove(&Condition::HistoryDamaged) {
        Some(State::Holds(finding)) => (finding.since_at, finding.said),
        other => panic!("{other:?}"),
    };
    let (since_at, told) = said(&world);
    assert_eq!(since_at, NOW - 60 * S);
    assert!(told.ends_with("1: website 00000000-0000-0000-0000-000000000001, 2026-11-27, from EU."), "{told}");
    world.damage = DamageCount { count: 1_000, since_at: Some(LONG_AGO), some: (0..5).map(day).collect() };
    assert_eq!(ends(&world, &Condition::HistoryDamaged), None, "more of it is no other incident");
    let (_, told) = said(&world);
    assert!(told.contains("1000: website") && told.ends_with("; and more.") && told.len() < 900, "{told}");
}
