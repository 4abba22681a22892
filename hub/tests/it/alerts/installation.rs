//! The installation in trouble, with real workers, and the switch that hears when the hub itself is.

use std::net::IpAddr;
use std::time::Duration;

use hub::operator::{DeadMan, Watch};
use hub::queue::Queue;
use hub::schedule::Scheduler;
use hub::secret::Secret;
use hub::vital::{Part, Vitals};
use testbed::name_server::{Answer, NameServer};
use testbed::server::Server;
use testbed::{namespace, test_name};
use tokio::sync::watch;

use super::{MINUTE, Receiver, SECOND, World, alerts, raw, turn, webhook};
use crate::client::{call, token};
use crate::process::{Hub, probe};
use crate::services::{Redis, wait_until};

const WITHIN: Duration = Duration::from_secs(15);

/// T242, I6: the last worker is killed, and comes back. What took a while is put into the past instead of waiting for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_a_worker_that_is_killed_is_told_once_and_its_return_too() {
    let (world, redis, directory) = (World::postgres().await, Redis::start(), tempfile::tempdir().unwrap());
    let receiver = Receiver::taking();
    world.channel("hook", webhook(&receiver)).await;
    let queue = Queue::redis(&redis.url(), None, "hub-1").expect("a queue");
    let (scheduler, inbox) = Scheduler::channel();
    drop(inbox);
    let vitals = scheduler.vitals().clone();
    let (stop, stopping) = watch::channel(false);
    let ingest = tokio::spawn(hub::ingest::run(world.store.clone(), queue.clone(), scheduler, stopping));
    let seen_at = || async {
        let workers = world.store.watched_workers().await.expect("the workers");
        workers.first().map(|worker| worker.seen_at)
    };
    let worker = probe(directory.path(), &redis.url(), "EU", "a");
    until("its first sign of life", || async { seen_at().await.is_some() && vitals.hears() }).await;
    let mut hub = Watch::new(world.store.clone(), queue, vitals.clone(), "one", directory.path());
    hub.look(hub::clock::now() - 10 * MINUTE).await.expect("a look");
    drop(worker); // kill -9
    raw!(world, pool => {
        sqlx::query("update worker set seen_at = seen_at - 200000, alive_since_at = alive_since_at - 200000")
            .execute(pool).await.expect("time goes by");
    });
    for _ in 0..3 {
        hub.look(hub::clock::now()).await.expect("a look");
    }
    turn(&mut world.sender(), hub::clock::now()).await;
    let titles = |receiver: &Receiver| -> Vec<_> {
        receiver.got().iter().map(|got| got.json()["data"]["title"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(titles(&receiver), ["No region measures: no worker is heard of"]);

    let silent_at = seen_at().await;
    let _worker = probe(directory.path(), &redis.url(), "EU", "a");
    until("its first sign of life after that", || async { seen_at().await > silent_at }).await;
    hub.look(hub::clock::now()).await.expect("a look");
    turn(&mut world.sender(), hub::clock::now()).await;
    assert_eq!(receiver.got().len(), 1, "its first word is not yet its return");
    hub.look(seen_at().await.unwrap_or_default() + 21 * SECOND).await.expect("a look");
    turn(&mut world.sender(), hub::clock::now() + MINUTE).await;
    assert_eq!(titles(&receiver)[1..], ["A region measures again"]);
    stop.send(true).expect("ingest");
    ingest.await.expect("a task").expect("ingest");
}

async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let started = std::time::Instant::now();
    while !holds().await {
        assert!(started.elapsed() < WITHIN, "waited for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The whole hub as its users run it, with a website that is watched by its name, and a name server that is never heard.
struct Nameless {
    hub: Hub,
    ann: String,
    pool: sqlx::SqlitePool,
    runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Nameless {
    fn start(network: &namespace::Network, environment: &[(&str, &str)]) -> Self {
        network.replace_file("/etc/resolv.conf", "nameserver 11.0.0.53\n");
        let directory = tempfile::tempdir().unwrap();
        let hub = Hub::start(directory.path(), environment);
        let ann = token(&hub.url(""), "ann", "correct horse");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let file = directory.path().join("data/betteruptime.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(20));
        let pool = runtime.block_on(sqlx::SqlitePool::connect_with(options)).unwrap();
        Self { hub, ann, pool, runtime, _directory: directory }
    }

    fn watch(&self, url: &str) -> String {
        let site = serde_json::json!({ "url": url });
        call("POST", &self.hub.url("/website"), Some(&self.ann), Some(&site)).1["id"].as_str().unwrap().to_owned()
    }

    fn await_tick(&self, id: &str, status: &str) {
        wait_until("a tick", Duration::from_secs(30), || {
            let (_, website) = call("GET", &self.hub.url(&format!("/status/{id}")), Some(&self.ann), None);
            website["ticks"][0]["status"] == status
        });
    }

    /// A minute goes by since the worker has said so.
    fn put_into_the_past(&self, network: &str) {
        let sql = "update worker set network_since_at = network_since_at - 100000 where network = $1";
        wait_until(&format!("a heartbeat that says {network}"), Duration::from_secs(40), || {
            let shift = sqlx::query(sql).bind(network).execute(&self.pool);
            self.runtime.block_on(shift).unwrap().rows_affected() == 1
        });
    }

    /// The one incident there is, once it is, or is not, over.
    fn only_incident(&self, is_over: bool) -> serde_json::Value {
        let all = || call("GET", &self.hub.url("/api/v1/incidents"), Some(&self.ann), None).1["incidents"].clone();
        wait_until("an incident", Duration::from_secs(20), || {
            all()[0].is_object() && all()[0]["ended_at"].is_null() != is_over
        });
        assert_eq!(all().as_array().map(Vec::len), Some(1), "and nothing is down: {}", all());
        all()[0].clone()
    }
}

/// The probe's DNS is broken and its canaries are out of reach: what it would call down is unknown, and the operator hears
/// of it. The dead man's switch hears that the hub works all the while.
#[test]
fn t188_broken_dns_is_unknown_and_an_incident_of_the_installation() {
    namespace::run(test_name!(), |network| {
        let switch = Receiver::taking();
        let url = switch.server.url("/ping/hunter2");
        let world = Nameless::start(network, &[("CANARIES", "11.8.8.8:443"), ("DEAD_MAN_URL", &url)]);
        let id = world.watch("http://www.example.com/");
        world.await_tick(&id, "Unknown");
        world.put_into_the_past("cut_off");
        let incident = world.only_incident(false);
        assert_eq!(incident["kind"], "operator");
        assert_eq!(incident["cause"], "No region can tell: all workers are cut off from what they watch");
        assert_eq!((&incident["website_count"], &incident["first_url"]), (&0.into(), &serde_json::Value::Null));
        wait_until("the dead man's switch to be told", Duration::from_secs(20), || !switch.got().is_empty());
        assert!(switch.got()[0].head.starts_with("GET /ping/hunter2 HTTP/1.1"), "{:?}", switch.got());
        let log = world.hub.process.log();
        assert!(!log.contains("hunter2"), "{log}");
    });
}

/// The probe's DNS alone is broken: the network works, so what has an address is told, and what has a name is unknown. The
/// operator hears of it, and when names are found again.
#[test]
fn t188_broken_dns_in_a_network_that_works_is_unknown_and_an_incident_of_the_installation() {
    namespace::run(test_name!(), |network| {
        let (canary, server): (IpAddr, IpAddr) = ([11, 8, 8, 8].into(), [11, 0, 0, 53].into());
        let website: IpAddr = [11, 9, 9, 9].into();
        [canary, server, website].into_iter().for_each(|address| network.elsewhere(address));
        let _canary = Server::at((canary, 443).into(), None, |_, _| ());
        let _website = Server::at((website, 80).into(), None, |_, mut stream| {
            stream.head();
            stream.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
        network.drop_to(server);
        let world = Nameless::start(network, &[("CANARIES", "11.8.8.8:443")]);
        let named = world.watch("http://www.example.com/");
        world.await_tick(&named, "Unknown");
        let addressed = world.watch("http://11.9.9.9/");
        world.await_tick(&addressed, "Up");
        world.put_into_the_past("no_names");
        let incident = world.only_incident(false);
        assert_eq!(
            (incident["kind"].as_str(), incident["cause"].as_str()),
            (Some("operator"), Some("Region LOCAL finds no names"))
        );
        let _server = NameServer::at((server, 53).into(), move |question| Answer::address(question, website));
        network.nft("flush chain inet testbed in");
        world.put_into_the_past("works");
        assert_eq!(world.only_incident(true)["id"], incident["id"]);
    });
}

fn working() -> Vitals {
    let vitals = Vitals::default();
    [Part::Schedule, Part::Ingest, Part::Review, Part::Alert, Part::Listen, Part::Store]
        .into_iter()
        .for_each(|part| vitals.moved(part));
    vitals.queue(true);
    vitals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t275_the_switch_is_told_only_while_the_hub_works() {
    let receiver = Receiver::answering(&["500 Oops", "302 Found", "200 OK"]);
    let url = || Secret::new(receiver.server.url("/hunter2"));
    let of = |vitals: &Vitals| DeadMan::new(alerts(Duration::from_secs(5)), vitals.clone(), url());
    let begun = Vitals::default();
    begun.moved(Part::Schedule);
    assert!(!of(&begun).step().await, "it has only begun");
    let vitals = working();
    vitals.queue(false);
    assert!(!of(&vitals).step().await, "nothing is measured");
    vitals.queue(true);
    vitals.full();
    assert!(!of(&vitals).step().await, "nothing is stored");
    assert_eq!(receiver.got().len(), 0);
    let mut dead_man = of(&working());
    let tried = [dead_man.step().await, dead_man.step().await, dead_man.step().await, dead_man.step().await];
    assert_eq!(tried, [false, false, true, false], "what failed is tried again; then once a minute");
    assert_eq!(receiver.got().len(), 3);
    assert!(receiver.got().iter().all(|got| got.head.starts_with("GET /hunter2 HTTP/1.1") && got.body.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_the_next_check_waits_is_told_by_the_queue() {
    let redis = Redis::start();
    let queue = Queue::redis(&redis.url(), None, "hub-1").expect("a queue");
    let region = "EU".parse().expect("a region");
    assert_eq!(queue.next_waits_ms(&region).await.expect("an answer"), None, "there is no such stream");
    queue.ensure_region(&region).await.expect("a stream");
    assert_eq!(queue.next_waits_ms(&region).await.expect("an answer"), Some(0));
    let mut connection = redis.connection();
    let (seconds, _): (i64, i64) = redis::cmd("TIME").query(&mut connection).expect("TIME");
    let old = format!("{}-0", (seconds - 45) * SECOND);
    let key = "betteruptime:website:EU";
    redis::cmd("XADD").arg(key).arg(old).arg("v").arg("1").query::<String>(&mut connection).expect("XADD");
    let waits = queue.next_waits_ms(&region).await.expect("an answer").expect("it is known");
    assert!((44 * SECOND..60 * SECOND).contains(&waits), "{waits}");
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("EU").arg("a").arg("STREAMS").arg(key).arg(">");
    read.query::<redis::Value>(&mut connection).expect("a worker that takes it");
    assert_eq!(queue.next_waits_ms(&region).await.expect("an answer"), Some(0));
    assert_eq!(queue.take_floods(), []);
}
