//! What operators are told of the installation: by two hubs at once, on both databases, over a real connection.

use std::path::Path;
use std::sync::Arc;

use hub::model::{ChannelDraft, Heartbeat, IncidentFilter, IncidentLine, MadeBy, NetworkState, TakenOn, UtcMs};
use hub::operator::Watch;
use hub::queue::{Nowhere, Queue};
use hub::vital::{Part, Vitals};

use super::{MINUTE, Receiver, SECOND, World, draft, on_both, raw, turn, webhook};

on_both! {
    i6_workers_that_are_gone_are_told_once_and_again_when_they_are_back
    t164_dead_letters_are_told_and_that_there_are_more
    only_operators_are_told_and_only_where_they_want_it
    t188_a_region_that_is_blind_is_told
    damaged_blocks_of_history_are_told_once_and_when_there_are_none_any_more
}

/// A hub whose parts all move.
fn hub_of(world: &World, name: &str) -> Watch {
    let (vitals, queue) = (Vitals::default(), Queue::Nowhere(Arc::new(Nowhere::default())));
    vitals.queue(true);
    vitals.moved(Part::Ingest);
    vitals.moved(Part::Schedule);
    vitals.moved(Part::Review);
    vitals.moved(Part::Alert);
    Watch::new(
        world.store.clone(),
        queue,
        vitals,
        name,
        world.directory.as_ref().map_or(Path::new("."), |directory| directory.path()),
    )
}

impl World {
    async fn beat(&self, region: &str, network: NetworkState, at: UtcMs) {
        let beat = Heartbeat { sent_at: at, network, ..Heartbeat::default() };
        let beats = [(region.parse().expect("a region"), "a".parse().expect("a worker"), beat, at)];
        self.store.record_heartbeats(&beats, at).await.expect("a heartbeat");
    }

    async fn lines(&self) -> Vec<IncidentLine> {
        self.store.incidents(self.account, IncidentFilter::default(), None, 100).await.expect("incidents")
    }

    async fn only(&self) -> IncidentLine {
        let mut all = self.lines().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// Both hubs look every ten seconds, at the same moment.
async fn look(hubs: &mut [Watch; 2], from: UtcMs, until: UtcMs) {
    let [one, two] = hubs;
    let mut at = from;
    while at <= until {
        let (one, two) = tokio::join!(one.look(at), two.look(at));
        one.expect("a look");
        two.expect("a look");
        at += 10 * SECOND;
    }
}

async fn i6_workers_that_are_gone_are_told_once_and_again_when_they_are_back(world: World) {
    let receiver = Receiver::taking();
    let channel = world.channel("hook", webhook(&receiver)).await;
    let start = world.now;
    let (mut hubs, mut sender) = ([hub_of(&world, "one"), hub_of(&world, "two")], world.sender());
    look(&mut hubs, start - 60 * SECOND, start - 50 * SECOND).await;
    for ago_s in [60, 30, 0] {
        world.beat("EU", NetworkState::Works, start - ago_s * SECOND).await;
        world.beat("USA", NetworkState::Works, start - ago_s * SECOND).await;
    }
    look(&mut hubs, start - 40 * SECOND, start + 70 * SECOND).await;
    assert_eq!(world.lines().await, [], "whoever is started again within a minute is no news");
    look(&mut hubs, start + 80 * SECOND, start + 120 * SECOND).await;
    turn(&mut sender, start + 120 * SECOND).await;
    let line = world.only().await;
    assert_eq!((line.websites, line.failing, line.first_website), (0, 0, None));
    assert_eq!((line.incident.cause_key.as_str(), line.incident.began_at), ("regions:silent", start));
    let got = receiver.got();
    assert_eq!(got.len(), 1, "two hubs and two regions, one message");
    let json = got[0].json();
    assert_eq!((&json["type"], &json["data"]["incident"]["kind"]), (&"incident.opened".into(), &"operator".into()));
    assert_eq!(json["data"]["title"], "No region measures: no worker is heard of");
    let text = json["data"]["text"].as_str().expect("a text");
    assert!(text.contains("unknown, not down") && text.contains("Regions: EU, USA."), "{text}");

    // One is back, and told when it has been for a while; of the other it is told now that it is not.
    for at in [130, 140, 150, 160] {
        world.beat("EU", NetworkState::Works, start + at * SECOND).await;
        look(&mut hubs, start + at * SECOND, start + at * SECOND).await;
    }
    turn(&mut sender, start + 160 * SECOND).await;
    let mut titles: Vec<_> = receiver.got()[1..].iter().map(|got| got.json()["data"]["title"].clone()).collect();
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["A region measures again", "Region USA is without workers"]);
    assert_eq!(world.count(&channel, hub::model::AlertState::Delivered).await, 3);
    let closed: Vec<_> = world.lines().await.into_iter().filter(|line| line.incident.closed_at.is_some()).collect();
    assert_eq!((closed.len(), closed[0].incident.incident_id), (1, line.incident.incident_id));
}

async fn t188_a_region_that_is_blind_is_told(world: World) {
    let receiver = Receiver::taking();
    world.channel("hook", webhook(&receiver)).await;
    let start = world.now;
    let mut hubs = [hub_of(&world, "one"), hub_of(&world, "two")];
    for at in (0..=80).step_by(10) {
        let network = if at < 10 { NetworkState::Works } else { NetworkState::CutOff };
        world.beat("EU", network, start + at * SECOND).await;
        world.beat("USA", NetworkState::Works, start + at * SECOND).await;
        look(&mut hubs, start + at * SECOND, start + at * SECOND).await;
        assert_eq!(world.lines().await.len(), usize::from(at >= 70), "at {at} s");
    }
    assert_eq!(world.only().await.incident.cause_key, "region:EU:cut_off");
    assert_eq!(world.only().await.incident.began_at, start + 10 * SECOND);
    for at in (90..=130).step_by(10) {
        world.beat("EU", NetworkState::Works, start + at * SECOND).await;
        world.beat("USA", NetworkState::Works, start + at * SECOND).await;
        look(&mut hubs, start + at * SECOND, start + at * SECOND).await;
        assert_eq!(world.only().await.incident.closed_at.is_some(), at >= 120, "at {at} s");
    }
    turn(&mut world.sender(), start + 130 * SECOND).await;
    let titles: Vec<_> = receiver.got().iter().map(|got| got.json()["data"]["title"].clone()).collect();
    assert_eq!(titles, ["Region EU is cut off from what it watches", "Region EU reaches what it watches again"]);
}

async fn t164_dead_letters_are_told_and_that_there_are_more(world: World) {
    let receiver = Receiver::taking();
    let settings = ChannelDraft { reminds_ms: Some(30 * MINUTE), ..draft(webhook(&receiver)) };
    world.channel_with(settings).await;
    let (start, mut sender) = (world.now, world.sender());
    let mut hub = hub_of(&world, "one");
    let letter = |n: u8, at| {
        let store = world.store.clone();
        let reason = format!("max_deliveries: Workers were given it {n} times and never finished it.");
        async move { store.dead_letter("betteruptime:website:EU", &reason, &[n], at).await.expect("a letter") }
    };
    letter(3, start).await;
    hub.look(start + SECOND).await.expect("a look");
    turn(&mut sender, start + SECOND).await;
    let json = receiver.got()[0].json();
    assert_eq!(json["data"]["title"], "Messages were given up and wait as dead letters");
    assert!(json["data"]["text"].as_str().expect("a text").contains("Checks nobody finished: 1"), "{json}");
    // Reminders go by the channel, as of any incident; whoever takes it on ends them.
    assert_eq!(world.store.remind(start + 31 * MINUTE).await.expect("reminders"), 1);
    turn(&mut sender, start + 31 * MINUTE).await;
    assert!(receiver.got()[1].json()["data"]["title"].as_str().expect("a title").starts_with("Still: Messages"));
    let id = world.only().await.incident.incident_id;
    let taken = world.store.acknowledge_incident(world.account, id, "anna", start + 32 * MINUTE).await;
    assert_eq!(taken.expect("an answer"), Some(TakenOn::Now));
    turn(&mut sender, start + 32 * MINUTE).await;
    letter(4, start + 40 * MINUTE).await;
    hub.look(start + 41 * MINUTE).await.expect("a look");
    turn(&mut sender, start + 41 * MINUTE).await;
    assert_eq!(receiver.got().len(), 3, "more of them are told once an hour at most");
    hub.look(start + 61 * MINUTE).await.expect("a look");
    turn(&mut sender, start + 61 * MINUTE).await;
    assert_eq!(receiver.got()[3].kind(), "incident.updated");
    raw!(world, pool => {
        sqlx::query("delete from dead_letter").execute(pool).await.expect("they are discarded");
    });
    hub.look(start + 62 * MINUTE).await.expect("a look");
    turn(&mut sender, start + 62 * MINUTE).await;
    let last = receiver.got()[4].json();
    assert_eq!(
        (&last["type"], &last["data"]["title"]),
        (&"incident.resolved".into(), &"There are no dead letters any more".into())
    );
}

async fn only_operators_are_told_and_only_where_they_want_it(world: World) {
    let (wanted, unwanted, strange) = (Receiver::taking(), Receiver::taking(), Receiver::taking());
    world.channel("wanted", webhook(&wanted)).await;
    let quiet = ChannelDraft { tells_operator: false, ..draft(webhook(&unwanted)) };
    let quiet = world.channel_with(quiet).await;
    assert!(!world.again(&quiet).await.tells_operator);
    let stranger = world.store.create_account("eve", "hash", MadeBy::Anybody, world.now).await.expect("an account");
    let theirs = world.store.add_channel(stranger.account_id, &draft(webhook(&strange)), world.now).await;
    theirs.expect("a channel").expect("room for it");
    let mut hub = hub_of(&world, "one");
    world.store.dead_letter("s", "refused: x", b"x", world.now).await.expect("a letter");
    hub.look(world.now).await.expect("a look");
    turn(&mut world.sender(), world.now).await;
    assert_eq!((wanted.got().len(), unwanted.got().len(), strange.got().len()), (1, 0, 0));
    let theirs = world.store.incidents(stranger.account_id, IncidentFilter::default(), None, 10).await;
    assert_eq!(theirs.expect("incidents"), []);
    // Who is an operator no more hears that it is no concern of his.
    raw!(world, pool => {
        sqlx::query("update account set by_open_sign_up = true").execute(pool).await.expect("strangers all");
    });
    hub.look(world.now + SECOND).await.expect("a look");
    assert_eq!(world.only().await.incident.closed_as, Some(hub::model::ClosedAs::Retired));
}

async fn damaged_blocks_of_history_are_told_once_and_when_there_are_none_any_more(world: World) {
    let receiver = Receiver::taking();
    world.channel("hook", webhook(&receiver)).await;
    let start = world.now;
    let (mut hubs, mut sender) = ([hub_of(&world, "one"), hub_of(&world, "two")], world.sender());
    world.beat("EU", NetworkState::Works, start - 10 * SECOND).await;
    let insert = "insert into sealed_tick (website_id, from_at, region_id, to_at, ticks, sealed_at, keys, packed, \
        damaged_at, damage) values ($1, 86400000, 'EU', 86400000, 1, 0, $2, $2, 5, 'its checksum is wrong')";
    raw!(world, pool => sqlx::query(insert).bind(uuid::Uuid::from_u128(7)).bind(b"x".as_slice()).execute(pool).await
        .map(|_| ()).expect("a block"));
    look(&mut hubs, start - 30 * SECOND, start).await;
    turn(&mut sender, start).await;
    let line = world.only().await;
    assert_eq!(line.incident.cause_key, "history:damaged");
    let put_back = "update sealed_tick set damaged_at = null, damage = null";
    raw!(world, pool => sqlx::query(put_back).execute(pool).await.map(|_| ()).expect("put back"));
    look(&mut hubs, start + 10 * SECOND, start + 20 * SECOND).await;
    turn(&mut sender, start + 20 * SECOND).await;
    assert_eq!(world.only().await.incident.closed_as, Some(hub::model::ClosedAs::Recovered));
    let got = receiver.got();
    assert_eq!(got.len(), 2, "its begin and its end");
    let text = got[0].json()["data"]["text"].as_str().expect("a text").to_owned();
    assert!(text.contains("website 00000000-0000-0000-0000-000000000007, 1970-01-02, from EU"), "{text}");
}
