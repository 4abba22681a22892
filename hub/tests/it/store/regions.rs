//! Regions and their workers.

use hub::model::{Heartbeat, NetworkState, RegionId, UtcMs, WorkerId};

use super::Fixture;

on_both! {
    heartbeats_make_regions
    a_worker_says_how_much_it_does
    t203_a_sign_of_life_from_the_future_gives_way_to_one_of_now
    t188_since_when_a_worker_is_blind_in_which_way_is_kept
}

async fn heartbeats_make_regions(f: Fixture) {
    let beat = |sent_at: UtcMs, checks| Heartbeat {
        version: "0.1.0".into(),
        started_at: 0,
        sent_at,
        concurrency: 50,
        in_flight: 0,
        checks,
        expired: 0,
        refused: 0,
        buffered: 0,
        dropped: 0,
        lost: 0,
        network: if checks == 1 { NetworkState::Works } else { NetworkState::CutOff },
        excused: checks,
        stopping: false,
        ..Heartbeat::default()
    };
    let of = |worker: &str, beat, at| ("INDIA".parse().expect("a region"), worker.parse().expect("a worker"), beat, at);
    let nul = Heartbeat { version: "0.1\0.0".into(), ..beat(1_000, 3) };
    let late = of("pi-1", beat(0, 7), 100);
    let beats =
        [of("pi-1", beat(900, 1), 1_000), of("pi-1", beat(2_250, u64::MAX), 2_000), of("pi-0", nul, 1_000), late];
    f.store.record_heartbeats(&beats, 2_500).await.expect("heartbeats, whatever their version says");
    let regions = f.store.regions().await.expect("regions");
    let seen: Vec<_> =
        regions[0].workers.iter().map(|w| (w.worker_id.as_str(), w.seen_at, w.clock_offset_ms)).collect();
    assert_eq!((regions.len(), seen), (1, vec![("pi-0", 1_000, 0), ("pi-1", 2_000, 250)]));
    let told: Vec<_> = regions[0].workers.iter().map(|w| (w.network, w.excused)).collect();
    assert_eq!(told, [(NetworkState::CutOff, 3), (NetworkState::CutOff, i64::MAX as u64)]);
}

async fn a_worker_says_how_much_it_does(f: Fixture) {
    let (region, worker): (RegionId, WorkerId) =
        ("INDIA".parse().expect("a region"), "pi-1".parse().expect("a worker"));
    let (f, region, worker) = (&f, &region, &worker);
    let beat = async |after_s: i64, checks: u64| {
        let beat = Heartbeat { in_flight: 7, checks, ..Heartbeat::default() };
        let at = f.now + after_s * 1_000;
        f.store.record_heartbeats(&[(region.clone(), worker.clone(), beat, at)], at).await.expect("a heartbeat");
        let load = f.store.regions().await.expect("regions")[0].workers[0].load;
        assert_eq!(load.in_flight, 7);
        load.checks_per_minute
    };
    assert_eq!(beat(0, 1_000).await, None, "heard of once");
    assert_eq!(beat(30, 1_100).await, None, "for less than a minute");
    assert_eq!(beat(60, 1_240).await, Some(240));
    assert_eq!(beat(90, 9_000).await, Some(240), "until the next minute is over");
    assert_eq!(beat(120, 1_360).await, Some(120));
    assert_eq!(beat(180, 5).await, None, "it began anew");
    assert_eq!(beat(250, 75).await, Some(60));
    assert_eq!(beat(900, 80).await, None, "nobody knows what it did meanwhile");
    assert_eq!(beat(960, u64::MAX).await.map(|count| count > 0), Some(true), "whatever it says of itself");
}

async fn t203_a_sign_of_life_from_the_future_gives_way_to_one_of_now(f: Fixture) {
    let (region, worker) = ("INDIA".parse().expect("a region"), "pi-1".parse().expect("a worker"));
    let (hour, now) = (3_600_000, f.now);
    let [ahead, right] =
        [now + hour, now].map(|at| [(RegionId::clone(&region), WorkerId::clone(&worker), Heartbeat::default(), at)]);
    f.store.record_heartbeats(&ahead, now + hour).await.expect("a clock that is an hour ahead");
    f.store.record_heartbeats(&right, now).await.expect("it was set right");
    let seen = f.store.regions().await.expect("regions").iter().map(|region| region.workers[0].seen_at).max();
    assert_eq!(seen, Some(now));
}

async fn t188_since_when_a_worker_is_blind_in_which_way_is_kept(f: Fixture) {
    let (region, worker): (RegionId, WorkerId) =
        ("INDIA".parse().expect("a region"), "pi-1".parse().expect("a worker"));
    let s = 1_000;
    let mut told = Vec::new();
    for (at, network, finds_no_names) in [
        (1, NetworkState::Unasked, false),
        (2, NetworkState::Works, false),
        (3, NetworkState::Works, true),
        (4, NetworkState::Unasked, true),
        (5, NetworkState::CutOff, true),
        (6, NetworkState::CutOff, false),
        (7, NetworkState::Works, true),
        (8, NetworkState::Works, false),
    ] {
        let beat = Heartbeat { network, finds_no_names, sent_at: at * s, ..Heartbeat::default() };
        let beats = [(region.clone(), worker.clone(), beat, at * s)];
        f.store.record_heartbeats(&beats, at * s).await.expect("a heartbeat");
        let workers = f.store.watched_workers().await.expect("the workers");
        told.push((workers[0].network, workers[0].network_since_at / s));
    }
    use NetworkState::{CutOff, NoNames, Unasked, Works};
    assert_eq!(
        told,
        [(Unasked, 1), (Works, 1), (NoNames, 3), (NoNames, 3), (CutOff, 5), (CutOff, 5), (NoNames, 7), (Works, 8)]
    );
}
