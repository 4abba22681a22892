//! A certificate near its end, from a real handshake to a real receiver: the engine looks at a TLS server, the hub takes it in
//! and tells.

use std::sync::Arc;

use hub::model::{Class, IncidentFilter, IncidentKind, Outcome, StoredTick, Website, WebsiteSettings};
use probe::engine::{Engine, EngineConfig};
use probe::wire::{Check, CheckKind, Target, Tick};
use testbed::pki::{Authority, Identity};
use testbed::server::Server;

use super::{AddressPolicy, HOUR, MINUTE, Receiver, World, on_both, turn, webhook};

on_both! {
    a_certificate_that_ends_in_ten_days_is_told_and_its_renewal
}

const DAY: i64 = 24 * HOUR;
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
/// What a look is told to find, which it does not.
const WANTED: &str = "Welcome";

/// A look at the server that shows `identity`, as a worker makes it; its slot is `slot_at`.
fn look(website: &Website, authority: &Authority, identity: &Identity, slot_at: i64) -> StoredTick {
    let server = Server::answering_tls(identity.server_config(), OK);
    let config =
        EngineConfig { policy: AddressPolicy::owner(), extra_roots: vec![authority.der()], ..EngineConfig::default() };
    let mut target = Target::get(server.url("/"));
    target.expect = website.settings.options.expect.clone();
    let check = Check {
        website_id: website.website_id,
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        deadline_at: i64::MAX,
        published_at: 0,
        target,
    };
    let engine = Engine::new(config).expect("an engine");
    let tick = Tick { started_at: slot_at, ..engine.run(&check) };
    StoredTick::received("eu".parse().expect("a region"), "w".parse().expect("a worker"), slot_at + 1_000, tick)
}

async fn a_certificate_that_ends_in_ten_days_is_told_and_its_renewal(world: World) {
    let receiver = Receiver::taking();
    world.channel("hook", webhook(&receiver)).await;
    let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://shop.example/".into()) };
    let start = world.now - 30 * MINUTE;
    let website = world.store.add_website(world.account, &settings, start).await.expect("a website");
    let authority = Authority::root("Test Root");
    let lives = |days: i64| {
        let (from, to) = (world.now - 80 * DAY, world.now + days * DAY);
        authority.issue_between(&["127.0.0.1"], from / 1_000, to / 1_000)
    };
    let (old, new) = (lives(10), lives(60));
    let mut sender = world.sender();
    let tick = look(&website, &authority, &old, start + MINUTE);
    assert_eq!((tick.tick.outcome, tick.tick.answer.as_deref()), (Outcome::Up, None), "{tick:?}");
    for n in 1..4 {
        let mut tick = tick.clone();
        (tick.tick.slot_at, tick.received_at) = (start + n * MINUTE, start + n * MINUTE + 1_000);
        world.store.ingest(&[tick], start + n * MINUTE + 2_000).await.expect("ingest");
    }
    turn(&mut sender, world.now).await;
    let got = receiver.got();
    assert_eq!(got.len(), 1, "{got:?}");
    let message = got[0].json();
    assert_eq!(message["type"], "incident.opened");
    assert_eq!(message["data"]["title"], "The certificate of shop.example ends in 10 days");
    assert_eq!(message["data"]["incident"]["kind"], "certificate");
    assert_eq!(message["data"]["regions"][0]["certificate"]["subject"], "127.0.0.1");
    for n in 4..6 {
        let tick = look(&website, &authority, &new, start + n * MINUTE);
        world.store.ingest(&[tick], start + n * MINUTE + 2_000).await.expect("ingest");
    }
    turn(&mut sender, world.now + MINUTE).await;
    let kinds: Vec<String> = receiver.got().iter().map(super::Got::kind).collect();
    assert_eq!(kinds, ["incident.opened", "incident.resolved"]);
    let over = receiver.got()[1].json();
    assert_eq!(over["data"]["title"], "The certificate of shop.example was renewed");
    assert_eq!(over["data"]["incident"]["closed_as"], "recovered");
    let all = world.store.incidents(world.account, IncidentFilter::default(), None, 9).await.expect("incidents");
    assert_eq!((all.len(), all[0].incident.kind), (1, IncidentKind::Certificate));
    // What is not as asked brings the beginning of the answer.
    let mut expecting = website.clone();
    let mut options = hub::model::Options::clone(&website.settings.options);
    options.expect.content = vec![probe::wire::Content::Contains(WANTED.to_owned())];
    expecting.settings.options = Arc::new(options);
    let tick = look(&expecting, &authority, &new, start + 7 * MINUTE).tick;
    assert_eq!(tick.failure.map(|failure| failure.class), Some(Class::KeywordMissing));
    assert_eq!(tick.answer.as_deref(), Some("ok"));
}
