//! Checks that are run against hostile targets, and what each of them must keep.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use probe::engine::{AddressPolicy, Engine, EngineConfig, ResolverConfig};
use probe::wire::{
    Blame, Check, CheckKind, Class, Content, Expectations, Method, Outcome, RequestOptions, Target, Tick, WebsiteId,
};
use testbed::measure::resident_kib;
use testbed::name_server::NameServer;
use testbed::server::Server;

/// A good answer.
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// An owner's engine that asks no name server.
pub(crate) fn owner() -> EngineConfig {
    EngineConfig {
        policy: AddressPolicy::owner(),
        resolver: ResolverConfig::Fixed { servers: Vec::new(), hosts: Vec::new() },
        ..EngineConfig::default()
    }
}

/// The same where these names are known.
pub(crate) fn knowing(hosts: &[(&str, &str)]) -> EngineConfig {
    let hosts = hosts.iter().map(|(name, address)| ((*name).to_owned(), address.parse().unwrap())).collect();
    EngineConfig { resolver: ResolverConfig::Fixed { servers: Vec::new(), hosts }, ..owner() }
}

/// The same where names are asked of a server.
pub(crate) fn asking_of(servers: &[&NameServer]) -> EngineConfig {
    let servers = servers.iter().map(|server| server.address).collect();
    EngineConfig { resolver: ResolverConfig::Fixed { servers, hosts: Vec::new() }, ..owner() }
}

/// An engine for people who do not know each other: public addresses only.
pub(crate) fn public(config: EngineConfig) -> EngineConfig {
    EngineConfig { policy: AddressPolicy::public_only(), ..config }
}

pub(crate) fn check(target: Target) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at: 1_000,
        attempt: 0,
        kind: CheckKind::Scheduled,
        deadline_at: i64::MAX,
        published_at: 0,
        target,
    }
}

/// Runs a check on an engine, and asserts the budget, phases that add up, and a sentence fit to be stored.
pub(crate) fn run_on(engine: &Engine, target: Target) -> Tick {
    let budget = Duration::from_millis(u64::from(target.timeout_ms) + 500);
    let started = Instant::now();
    let tick = engine.run(&check(target));
    let took = started.elapsed();
    assert!(took <= budget, "took {took:?}: {tick:?}");
    assert_eq!(tick.total_us, tick.phases.sum_us());
    let missing = took.saturating_sub(Duration::from_micros(u64::from(tick.total_us)));
    // Less than any phase takes that a test waits for; a busy machine may keep the processor for a while.
    assert!(missing < Duration::from_millis(600), "{missing:?} are in no phase: {tick:?}");
    assert_eq!(tick.outcome == Outcome::Up, tick.failure.is_none(), "{tick:?}");
    if let Some(failure) = &tick.failure {
        assert!(failure.detail.len() <= 512 && failure.detail.bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert_eq!(failure.blame == Blame::Target, tick.outcome != Outcome::Unknown, "{tick:?}");
    }
    tick
}

/// The same on an engine of its own, whose next check on another target must not be affected.
pub(crate) fn run_with(config: EngineConfig, target: Target) -> Tick {
    let loopback = config.policy.allows(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let engine = Engine::new(config).unwrap();
    let tick = run_on(&engine, target);
    // P3, with the other side of the connection in the same process.
    let resident = resident_kib();
    assert!(resident < 64 * 1024, "{resident} KiB are resident");
    if loopback {
        let neighbour = Server::answering(OK);
        let next = run_on(&engine, Target::get(neighbour.url("/")));
        assert_eq!((next.outcome, next.status), (Outcome::Up, Some(200)), "the next check: {next:?}");
    }
    tick
}

pub(crate) fn run(target: Target) -> Tick {
    run_with(owner(), target)
}

pub(crate) fn get(url: impl Into<String>) -> Tick {
    run(short(url, 5_000))
}

/// The answer of a server that says this to everyone.
pub(crate) fn answer(bytes: impl Into<Vec<u8>>) -> Tick {
    get(Server::answering(bytes).url("/"))
}

pub(crate) fn short(url: impl Into<String>, timeout_ms: u32) -> Target {
    Target { timeout_ms, ..Target::get(url) }
}

pub(crate) fn asking(method: Method, url: impl Into<String>) -> Target {
    Target { request: RequestOptions { method, ..RequestOptions::default() }, ..short(url, 5_000) }
}

pub(crate) fn expecting(expect: Expectations, url: impl Into<String>) -> Target {
    Target { expect, ..short(url, 5_000) }
}

/// With one expectation of head or body.
pub(crate) fn with_content(content: Content, url: impl Into<String>) -> Target {
    expecting(Expectations { content: vec![content], ..Expectations::default() }, url)
}

/// Whose body must hold this text.
pub(crate) fn containing(text: &str, url: impl Into<String>) -> Target {
    with_content(Content::Contains(text.to_owned()), url)
}

pub(crate) fn class(tick: &Tick) -> Option<Class> {
    tick.failure.as_ref().map(|failure| failure.class)
}

pub(crate) fn detail(tick: &Tick) -> &str {
    tick.failure.as_ref().map_or("", |failure| &failure.detail)
}

pub(crate) fn blame(tick: &Tick) -> Option<(Class, Blame)> {
    tick.failure.as_ref().map(|failure| (failure.class, failure.blame))
}

/// Down with this class.
#[track_caller]
pub(crate) fn assert_down(tick: &Tick, expected: Class) {
    assert_eq!((tick.outcome, class(tick)), (Outcome::Down, Some(expected)), "{tick:?}");
}

/// Unknown with this class and blame.
#[track_caller]
pub(crate) fn assert_unknown(tick: &Tick, expected: Class, blamed: Blame) {
    assert_eq!((tick.outcome, blame(tick)), (Outcome::Unknown, Some((expected, blamed))), "{tick:?}");
}

#[track_caller]
pub(crate) fn assert_up(tick: &Tick) {
    assert_eq!(tick.outcome, Outcome::Up, "{tick:?}");
}
