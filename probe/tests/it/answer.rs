//! Answers as a whole: good ones, none at all, and those that end too soon.

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use probe::engine::Engine;
use probe::wire::{Class, Expectations, Outcome, Phase};
use testbed::measure::wait_for;
use testbed::server::Server;

use crate::checks::{OK, answer, assert_down, assert_up, class, expecting, get, owner, run, run_on, short};

#[test]
fn t001_a_plain_answer_is_up_and_its_phases_are_all_there() {
    let server = Server::answering(OK);
    let tick = get(server.url("/a?token=secret"));
    assert_up(&tick);
    assert_eq!((tick.status, tick.body_bytes, tick.truncated), (Some(200), 2, false));
    assert_eq!(tick.remote, Some(server.address));
    let present: Vec<&str> = tick.phases.named().iter().filter(|(_, us)| us.is_some()).map(|(name, _)| *name).collect();
    assert_eq!(present, ["connect", "send", "wait", "receive"], "no DNS for a literal, no TLS for http");
    assert_eq!(tick.hops.len(), 1);
    assert_eq!(tick.hops[0].url, server.url("/a"), "the query may hold secrets");
    assert!(tick.notes.is_empty());
}

#[test]
fn t002_silence_ends_at_the_budget_as_first_byte_timeout() {
    let server = Server::start(|_, mut stream| stream.hold());
    let engine = Engine::new(owner()).unwrap();
    let started = Instant::now();
    let tick = run_on(&engine, short(server.url("/"), 1_000));
    assert!(started.elapsed() >= Duration::from_millis(1_000));
    assert_down(&tick, Class::FirstByteTimeout);
    assert_eq!(tick.failure.unwrap().phase, Phase::Wait);
    assert!(tick.phases.wait_us.unwrap() >= 900_000);
    wait_for("the socket to be closed", Duration::from_secs(5), || (server.open() == 0).then_some(()));
}

#[test]
fn t004_a_closed_port_is_refused_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tick = get(format!("http://{closed}/"));
    assert_down(&tick, Class::ConnectRefused);
    assert!(tick.total_us < 1_000_000, "of the five seconds it has: {tick:?}");
    assert_eq!((tick.status, tick.remote), (None, None));
}

#[test]
fn t049_an_empty_reply_is_tried_once_more_and_both_tries_are_visible() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.cut();
    });
    let tick = get(server.url("/"));
    assert_down(&tick, Class::EmptyReply);
    assert_eq!((tick.hops.len(), server.connections()), (2, 2));
    let server = Server::start(|number, mut stream| {
        stream.head();
        if number > 0 {
            stream.say(OK);
        }
    });
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!(tick.hops.iter().map(|hop| hop.status).collect::<Vec<_>>(), [None, Some(200)]);
}

#[test]
fn t050_two_answers_back_to_back_are_one_and_a_connection_that_is_not_used_again() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say(OK);
        stream.say("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        stream.hold();
    });
    let tick = get(server.url("/"));
    assert_up(&tick);
    assert_eq!((tick.status, tick.body_bytes), (Some(200), 2));
    wait_for("the socket to be closed", Duration::from_secs(5), || (server.open() == 0).then_some(()));
    assert_eq!(server.heads().len(), 1);
}

#[test]
fn t050_an_answer_before_the_request_is_an_answer() {
    let server = Server::start(|_, mut stream| {
        stream.say(OK);
        stream.hold();
    });
    assert_up(&get(server.url("/")));
}

#[test]
fn a_slow_answer_is_degraded() {
    let (sender, finished) = channel();
    let server = Server::start(move |_, mut stream| {
        stream.head();
        stream.pause(Duration::from_millis(60));
        let _ = stream.write_all(OK.as_bytes());
        let _ = sender.send(());
    });
    let tick = run(expecting(Expectations { slow_ms: Some(50), ..Expectations::default() }, server.url("/")));
    finished.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!((tick.outcome, class(&tick)), (Outcome::Degraded, Some(Class::Slow)));
    // The server may have the request before the probe has got its processor back and begins to wait.
    assert!(tick.phases.send_us.unwrap() + tick.phases.wait_us.unwrap() >= 60_000);
    assert_up(&run(expecting(Expectations { slow_ms: Some(4_000), ..Expectations::default() }, server.url("/"))));
}

#[test]
fn the_body_of_an_error_page_is_read_and_its_status_is_told() {
    let tick = answer("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    assert_down(&tick, Class::HttpStatus);
    assert_eq!((tick.status, tick.body_bytes, tick.answer.as_deref()), (Some(503), 4, Some("busy")));
    assert_eq!(tick.failure.unwrap().phase, Phase::Judge);
}
