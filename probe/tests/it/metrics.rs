//! `METRICS_LISTEN`: the real binary, asked as Prometheus asks it, and as others do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::redis_worker::{OK, Redis, Worker, check};
use testbed::measure::wait_for;
use testbed::port;
use testbed::server::{Server, head, hold};

/// A worker of this Redis that shows its metrics, and where.
fn listening(redis_port: u16, settings: &[(&str, &str)]) -> (Worker, u16) {
    let port = port::free();
    let listen = format!("127.0.0.1:{port}");
    let worker = Worker::start_with(redis_port, "2", &[&[("METRICS_LISTEN", listen.as_str())], settings].concat());
    wait_for("the listener", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
    (worker, port)
}

/// The whole answer to bytes.
fn asked(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn got(port: u16, target: &str) -> String {
    asked(port, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"))
}

fn figure(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn a_worker_tells_what_it_does_and_what_waits_while_redis_is_away() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let (mut worker, port) = listening(redis.port, &[]);
    let url = website.url("/");
    for slot in 1..=3 {
        redis.publish("*", &check(slot, &url));
    }
    wait_for("three checks", Duration::from_secs(15), || {
        (figure(&got(port, "/metrics"), "betteruptime_probe_checks_total") == Some(3.0)).then_some(())
    });
    let text = got(port, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("betteruptime_probe_info{region=\"eu\",worker=\"w\",version="), "{text}");
    for name in
        ["betteruptime_probe_checks_limit", "betteruptime_probe_clock_offset_seconds", "betteruptime_probe_hangs"]
    {
        assert!(figure(&text, name).is_some(), "{name} in {text}");
    }
    let resident = figure(&text, "process_resident_memory_bytes").unwrap();
    assert!((1e6..1e8).contains(&resident), "{resident}");
    // I11: no word of where Redis is, or how it is spoken to.
    assert!(!text.contains("redis") && !text.contains(&redis.port.to_string()), "{text}");
    assert!(worker.stop().success());
    assert!(worker.log().contains(&format!("http://127.0.0.1:{port}/metrics")), "{}", worker.log());
}

#[test]
fn one_check_is_told_under_the_names_of_the_blackbox_exporter() {
    // Nobody is there: what is shown does not wait for Redis.
    let (_worker, port) = listening(port::free(), &[]);
    let website = Server::answering(OK);
    let up = got(port, &format!("/probe?module=http_2xx&target={}", website.url("/x%3Fy")));
    assert_eq!((figure(&up, "probe_success"), figure(&up, "probe_http_status_code")), (Some(1.0), Some(200.0)), "{up}");
    let phases = ["resolve", "connect", "tls", "processing", "transfer"]
        .map(|phase| figure(&up, &format!("probe_http_duration_seconds{{phase=\"{phase}\"}}")).unwrap());
    let total = figure(&up, "probe_duration_seconds").unwrap();
    assert!(total > 0.0 && (phases.iter().sum::<f64>() - total).abs() < 1e-5, "{phases:?} {total}");
    assert_eq!(figure(&up, "probe_http_ssl"), Some(0.0));

    let broken = Server::answering("HTTP/1.1 500 Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let down = got(port, &format!("/probe?target={}", broken.url("/")));
    assert_eq!((figure(&down, "probe_success"), figure(&down, "probe_http_status_code")), (Some(0.0), Some(500.0)));
    let other = got(port, "/probe?target=http://127.0.0.1/&module=icmp");
    assert!(other.starts_with("HTTP/1.1 400") && other.contains("there is only http_2xx"), "{other}");
}

#[test]
fn t091_what_the_worker_may_not_reach_nobody_reaches_through_it() {
    let mut redis = Redis::start();
    let own = format!("/probe?target=http://127.0.0.1:{}/", redis.port);
    let website = Server::answering(OK);
    {
        let (_strict, port) = listening(redis.port, &[("ALLOW_PRIVATE", "")]);
        let refused = got(port, &format!("/probe?target={}", website.url("/")));
        assert_eq!(figure(&refused, "probe_success"), Some(0.0), "{refused}");
        assert_eq!(website.connections(), 0);
    }
    let (_allowed, port) = listening(redis.port, &[]);
    // Then it has both of its connections, and knows where its Redis is.
    redis.publish("*", &check(1, &website.url("/")));
    wait_for("a tick", Duration::from_secs(15), || (redis.slots().len() == 1).then_some(()));
    let mut connections = || {
        let stats: String = redis.run(&["INFO", "stats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    let before = connections();
    let own = got(port, &own);
    assert_eq!(
        (figure(&own, "probe_success"), figure(&own, "probe_http_status_code")),
        (Some(0.0), Some(0.0)),
        "{own}"
    );
    assert_eq!(connections(), before, "nobody came to Redis");
}

#[test]
fn t122_browsers_floods_and_slow_ones_get_little() {
    let (_worker, port) = listening(port::free(), &[]);
    let page = |fields: &str| asked(port, &format!("GET /metrics HTTP/1.1\r\n{fields}\r\n\r\n"));
    assert!(page("Host: evil.example").starts_with("HTTP/1.1 403"));
    assert!(page("Host: localhost\r\nSec-Fetch-Site: cross-site").starts_with("HTTP/1.1 403"));
    let post = asked(port, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    let huge = asked(port, &format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000)));
    assert!(huge.is_empty() || huge.starts_with("HTTP/1.1 431"), "{huge}");
    // Eight that wait for a website, then one too many; when one goes there is room again.
    let slow = Server::start(|_, mut stream| {
        head(&mut stream);
        hold(&mut stream);
    });
    let target = format!("GET /probe?target={} HTTP/1.1\r\nHost: localhost\r\n\r\n", slow.url("/"));
    let mut held: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(target.as_bytes()).unwrap();
            stream
        })
        .collect();
    wait_for("all of them to be asked for", Duration::from_secs(8), || (slow.connections() == 8).then_some(()));
    let refused = got(port, "/metrics");
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused:?}");
    let mut answer = String::new();
    held[0].set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    held[0].read_to_string(&mut answer).unwrap();
    assert_eq!(figure(&answer, "probe_success"), Some(0.0), "{answer}");
    drop(held);
    wait_for("room", Duration::from_secs(15), || got(port, "/metrics").starts_with("HTTP/1.1 200").then_some(()));
}

#[test]
fn it_listens_on_loopback_alone_and_goes_on_where_it_cannot_listen() {
    let mut redis = Redis::start();
    let website = Server::answering(OK);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (listen, said) in [("0.0.0.0:9465", "others reach"), (taken.as_str(), "cannot be listened on")] {
        let ticks = redis.slots().len();
        let mut worker = Worker::start_with(redis.port, "1", &[("METRICS_LISTEN", listen)]);
        redis.publish("*", &check(i64::try_from(ticks).unwrap() + 1, &website.url("/")));
        wait_for("its tick", Duration::from_secs(15), || (redis.slots().len() > ticks).then_some(()));
        assert!(worker.log().contains(said) && worker.stop().success(), "{listen}: {}", worker.log());
    }
    // What stands among a hub's settings is the hub's, whose port a probe that starts first would take.
    let free = format!("127.0.0.1:{}", port::free());
    let ticks = redis.slots().len();
    let of_hub = [("METRICS_LISTEN", free.as_str()), ("DATABASE_URL", "postgres://nowhere")];
    let mut worker = Worker::start_with(redis.port, "1", &of_hub);
    redis.publish("*", &check(i64::try_from(ticks).unwrap() + 1, &website.url("/")));
    wait_for("its tick", Duration::from_secs(15), || (redis.slots().len() > ticks).then_some(()));
    assert!(worker.log().contains("left to it") && TcpStream::connect(&free).is_err(), "{}", worker.log());
    assert!(worker.stop().success());
    let probe = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
        .env_clear()
        .envs([("REDIS_URL", "redis://127.0.0.1:1"), ("CONSUMER_GROUP_REGION_ID", "eu"), ("WORKER_ID", "w")])
        .env("METRICS_LISTEN", "9465")
        .output()
        .unwrap();
    let said = String::from_utf8(probe.stderr).unwrap();
    assert!(probe.status.code() == Some(2) && said.contains("METRICS_LISTEN is \"9465\""), "{said}");
}
