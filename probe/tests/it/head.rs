//! Heads of answers: interim ones, strange status lines, fields without end.

use std::time::{Duration, Instant};

use probe::wire::{Class, Outcome, Phase};
use testbed::measure::wait_for;
use testbed::server::Server;

use crate::checks::{OK, answer, assert_down, assert_up, detail, get, run, short};

#[test]
fn t018_a_dripped_head_ends_at_the_budget() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.drip(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(500)), Duration::from_millis(50));
    });
    let tick = run(short(server.url("/"), 1_000));
    assert_down(&tick, Class::BodyTimeout);
    assert!(tick.total_us >= 900_000, "{tick:?}");
}

#[test]
fn t038_interim_answers_are_passed_over() {
    for interim in ["100 Continue", "103 Early Hints"] {
        assert_up(&answer(format!("HTTP/1.1 {interim}\r\n\r\n{OK}")));
    }
    let tick = answer(format!("{}{OK}", "HTTP/1.1 102 Processing\r\n\r\n".repeat(3)));
    assert_up(&tick);
    assert_eq!((tick.status, tick.body_bytes), (Some(200), 2));
    let apart = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        stream.pause(Duration::from_millis(100));
        stream.say(OK);
    });
    assert_up(&get(apart.url("/")));
}

#[test]
fn t039_interim_answers_without_end_are_a_head_too_large() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say_for_ever("HTTP/1.1 102 Processing\r\n\r\n".repeat(100));
    });
    let started = Instant::now();
    assert_down(&get(server.url("/")), Class::HeaderTooLarge);
    // Without an end to it, the check would have lasted its five seconds.
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn t040_switching_protocols_unasked_is_a_protocol_error() {
    assert_down(&answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), Class::HttpProtocol);
    let h2c = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI";
    assert_down(&answer(h2c), Class::HttpProtocol);
}

#[test]
fn t041_answers_that_have_no_body_are_judged_without_what_follows_them() {
    for status in ["204 No Content", "205 Reset Content", "304 Not Modified"] {
        for length in ["", "Content-Length: 5\r\n"] {
            let server = Server::start(move |_, mut stream| {
                stream.head();
                stream.say(format!("HTTP/1.1 {status}\r\n{length}\r\nhello"));
                // 205 without a length would otherwise be a body that ends with the connection.
                if status.starts_with("205") && length.is_empty() {
                    return stream.close();
                }
                stream.hold();
            });
            let tick = run(short(server.url("/"), 2_000));
            if status.starts_with("304") {
                assert_down(&tick, Class::HttpStatus);
            } else {
                assert_up(&tick);
            }
            assert_eq!(tick.status, status[..3].parse().ok());
            if !status.starts_with("205") {
                assert_eq!(tick.body_bytes, 0);
            }
            wait_for("the socket to be closed", Duration::from_secs(5), || (server.open() == 0).then_some(()));
        }
    }
}

#[test]
fn t042_http_1_0_ends_with_the_connection_and_http_0_9_is_no_http() {
    let tick = answer("HTTP/1.0 200 OK\r\n\r\nhello");
    assert_up(&tick);
    assert_eq!(tick.body_bytes, 5);
    assert_down(&answer("<html>hello</html>\n"), Class::HttpProtocol);
}

#[test]
fn t043_status_lines_are_read_strictly() {
    assert_up(&answer("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"));
    assert_up(&answer("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"));
    for status in ["099", "1000", "", "abc"] {
        assert_down(&answer(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")), Class::HttpProtocol);
    }
    let tick = answer("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n");
    assert_down(&tick, Class::HttpStatus);
    assert_eq!((tick.status, tick.failure.unwrap().phase), (Some(999), Phase::Judge));
}

#[test]
fn t044_other_protocols_are_quoted_in_printable_ascii() {
    for banner in
        ["SSH-2.0-OpenSSH_9.9\r\n", "-ERR unknown command\r\n", "ICY 200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n"]
    {
        let tick = answer(banner);
        assert_down(&tick, Class::HttpProtocol);
        assert!(detail(&tick).contains(&banner[..6]));
    }
    let tick = answer(b"\x00\xff\x1b[31m\n<script>".repeat(100));
    assert_down(&tick, Class::HttpProtocol);
    let quoted = detail(&tick).rsplit("begins with \"").next().unwrap().trim_end_matches("\".");
    assert!(quoted.len() <= 64, "{quoted}");
}

#[test]
fn t045_heads_have_limits() {
    let fields = |count: usize| (0..count).map(|i| format!("X-{i}: y\r\n")).collect::<String>();
    let with = |fields: &str| answer(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"));
    assert_up(&with(&fields(120)));
    assert_down(&with(&fields(129)), Class::HeaderTooMany);
    assert_up(&with(&format!("X: {}\r\n", "y".repeat(60 * 1024))));
    assert_down(&with(&format!("X: {}\r\n", "y".repeat(66 * 1024))), Class::HeaderTooLarge);
    let many_long: String = (0..66).map(|i| format!("X-{i}: {}\r\n", "y".repeat(1024))).collect();
    assert_down(&with(&many_long), Class::HeaderTooLarge);
    let endless = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 200 OK\r\nX: ");
        stream.say_for_ever([b'y'; 4096]);
    });
    assert_down(&get(endless.url("/")), Class::HeaderTooLarge);
}

#[test]
fn t046_control_bytes_in_fields_are_protocol_errors_and_latin_1_is_not() {
    let with = |field: &[u8]| {
        let mut bytes = b"HTTP/1.1 200 OK\r\n".to_vec();
        bytes.extend(field);
        bytes.extend(b"\r\nContent-Length: 0\r\n\r\n");
        answer(bytes)
    };
    assert_up(&with(b"X-Name: M\xfcnchen"));
    for field in [&b"X: a\0b"[..], b"X: a\x01b", b"X: a\x7fb", b"X\0: a", b"X Y: a", b": a", b"no colon"] {
        let tick = with(field);
        assert_eq!(
            (tick.outcome, crate::checks::class(&tick)),
            (Outcome::Down, Some(Class::HttpProtocol)),
            "{field:?}"
        );
    }
}

#[test]
fn t046_a_folded_field_is_a_protocol_error_that_says_so() {
    for fold in [" ", "\t"] {
        let tick = answer(format!("HTTP/1.1 200 OK\r\nX-Long: a\r\n{fold}b\r\nContent-Length: 0\r\n\r\n"));
        assert_down(&tick, Class::HttpProtocol);
        assert!(detail(&tick).contains("fold"), "{}", detail(&tick));
    }
}

#[test]
fn t047_lengths_that_contradict_are_protocol_errors_and_chunked_wins() {
    for lengths in [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: -1",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: 2, 3",
        "Content-Length: two",
        "Content-Length: 99999999999999999999",
    ] {
        let tick = answer(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nhi!"));
        assert_eq!(crate::checks::class(&tick), Some(Class::HttpProtocol), "{lengths}: {tick:?}");
    }
    for order in ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3"]
    {
        let tick = answer(format!("HTTP/1.1 200 OK\r\n{order}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        assert_up(&tick);
        assert_eq!(tick.body_bytes, 5);
    }
}
