//! What a body has to say, in which coding, and answers that are not the website's.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use probe::engine::Engine;
use probe::wire::{Blame, Class, Content, Expectations, Outcome, Phase, Target, Tick};
use testbed::gzip;
use testbed::measure::{forget_peak, peak_kib};
use testbed::server::Server;

use crate::checks::{
    OK, answer, assert_down, assert_unknown, assert_up, containing, detail, expecting, get, owner, run, run_on,
    with_content,
};

const MIB: usize = 1024 * 1024;

fn says(body: &str) -> Server {
    coded("", body.as_bytes())
}

/// A body with fields of its own; each ends with CR LF.
fn coded(fields: &str, body: &[u8]) -> Server {
    let mut bytes = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    Server::answering(bytes)
}

fn gzipped(body: &[u8]) -> Server {
    coded("Content-Encoding: gzip\r\n", body)
}

/// What the real program makes of it.
fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").arg("-c9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    output.stdout
}

/// Down because of what was said.
#[track_caller]
fn assert_judged(tick: &Tick, expected: Class) {
    assert_down(tick, expected);
    let failure = tick.failure.as_ref().unwrap();
    assert_eq!((failure.phase, failure.blame), (Phase::Judge, Blame::Target), "{tick:?}");
    assert_eq!(tick.status, Some(200));
}

#[test]
fn t025_a_bomb_is_not_decoded_past_the_limit() {
    // A MiB that would be a GiB.
    let bomb = gzip::bomb(4 * MIB - 1_000);
    assert!((MIB - 1_000..MIB).contains(&bomb.len()), "{}", bomb.len());
    let server = gzipped(&bomb);
    let engine = Engine::new(owner()).unwrap();
    // Whatever is needed once.
    assert_up(&run_on(&engine, containing("h", says("hi").url("/"))));
    forget_peak();
    let before = peak_kib();
    let tick = run_on(&engine, containing("not there", server.url("/")));
    let grown = peak_kib().saturating_sub(before);
    assert_judged(&tick, Class::BodyTooLarge);
    // The server's thread is in this process, too.
    assert!(grown < 4 * 1024, "{grown} KiB");
    // Without a look at the body nothing is decoded; it was not asked for either.
    let tick = run_on(&engine, Target::get(server.url("/")));
    assert_up(&tick);
    assert!(server.heads()[0].to_ascii_lowercase().contains("accept-encoding: identity\r\n"));
    assert_eq!(tick.body_bytes as usize, bomb.len().min(MIB));
}

#[test]
fn t025_a_long_body_that_was_compressed_well_is_read_to_the_limit() {
    let fits = compress(&[&vec![b'a'; MIB - 3][..], b"end"].concat());
    assert_up(&run(containing("end", gzipped(&fits).url("/"))));
    let over = compress(&[&vec![b'a'; MIB + 1][..], b"end"].concat());
    assert_judged(&run(containing("end", gzipped(&over).url("/"))), Class::BodyTooLarge);
}

#[test]
fn t026_codings_we_do_not_speak_are_never_searched_as_they_are() {
    for coding in ["br", "gzip, gzip", "deflate", "zstd", "compress", "x-unknown", "identity, br"] {
        // The raw bytes hold the word.
        let server = coded(&format!("Content-Encoding: {coding}\r\n"), b"the word");
        assert_judged(&run(containing("the word", server.url("/"))), Class::EncodingUnsupported);
        assert_judged(&run(with_content(Content::Lacks("zzz".into()), server.url("/"))), Class::EncodingUnsupported);
        assert_up(&get(server.url("/")));
    }
    let twice = coded("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", b"the word");
    assert_judged(&run(containing("the word", twice.url("/"))), Class::EncodingUnsupported);
    for coding in ["identity", "Identity", ""] {
        let server = coded(&format!("Content-Encoding: {coding}\r\n"), b"the word");
        assert_up(&run(containing("the word", server.url("/"))));
    }
}

#[test]
fn t027_corrupt_gzip_matters_only_where_the_body_is_read() {
    let good = compress(b"the word ".repeat(100).as_slice());
    let mut wrong_sum = good.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 0xff;
    let mut wrong_middle = good.clone();
    wrong_middle[14..18].copy_from_slice(&[0xff; 4]);
    for bad in [
        b"the word, not compressed".to_vec(),
        good[..good.len() / 2].to_vec(),
        wrong_sum,
        wrong_middle,
        good[..10].to_vec(),
    ] {
        let server = gzipped(&bad);
        assert_up(&get(server.url("/")));
        assert_judged(&run(containing("nowhere to be found", server.url("/"))), Class::BodyDecode);
    }
}

#[test]
fn gzip_that_was_not_asked_for_is_read_all_the_same() {
    let text = "the word \u{e4} ".repeat(5_000);
    for coding in ["gzip", "x-gzip", "GZIP"] {
        for body in [compress(text.as_bytes()), gzip::stored(text.as_bytes())] {
            let server = coded(&format!("Content-Encoding: {coding}\r\n"), &body);
            assert_up(&run(containing("word \u{e4} the", server.url("/"))));
            assert_judged(&run(containing("another", server.url("/"))), Class::KeywordMissing);
            assert_judged(&run(with_content(Content::Lacks("word".into()), server.url("/"))), Class::KeywordPresent);
        }
    }
}

#[test]
fn t028_a_text_split_across_segments_is_found() {
    let server = Server::start(|_, mut stream| {
        stream.head();
        stream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nhere: k\r\n");
        stream.pause(Duration::from_millis(50));
        stream.say("3\r\neyw\r\n");
        stream.pause(Duration::from_millis(50));
        stream.say("3\r\nord\r\n0\r\n\r\n");
    });
    assert_up(&run(containing("keyword", server.url("/"))));
}

#[test]
fn t028_a_text_across_the_limit_is_not_found_within_it() {
    for (filler, found) in [(MIB - 7, true), (MIB - 3, false), (MIB + 10, false)] {
        let server = says(&format!("{}keyword{}", "x".repeat(filler), "y".repeat(1_000)));
        let tick = run(containing("keyword", server.url("/")));
        assert!(tick.truncated);
        if found {
            assert_up(&tick);
        } else {
            assert_judged(&tick, Class::KeywordMissing);
            assert!(detail(&tick).contains("within the first 1 MiB"), "{}", detail(&tick));
        }
    }
}

#[test]
fn a_body_cut_at_the_limit_is_judged_by_what_was_read() {
    let server = says(&format!("{{\"status\":\"ok\",\"x\":\"{}\"}}", "y".repeat(MIB)));
    let json = Content::JsonEquals { pointer: "/status".into(), value: "ok".into() };
    assert_judged(&run(with_content(json, server.url("/"))), Class::BodyTooLarge);
    assert_up(&run(with_content(Content::Matches("stat[a-z]s".into()), server.url("/"))));
    assert_judged(&run(with_content(Content::Matches("z+".into()), server.url("/"))), Class::KeywordMissing);
    assert_up(&run(with_content(Content::Lacks("zzz".into()), server.url("/"))));
    assert_judged(&run(with_content(Content::Lacks("status".into()), server.url("/"))), Class::KeywordPresent);
}

#[test]
fn texts_and_patterns_are_found_and_missed() {
    let server = says("All systems operational, v1.22");
    let url = || server.url("/");
    assert_up(&run(containing("operational", url())));
    assert_judged(&run(containing("Operational", url())), Class::KeywordMissing);
    assert_up(&run(with_content(Content::Lacks("error".into()), url())));
    assert_judged(&run(with_content(Content::Lacks("systems".into()), url())), Class::KeywordPresent);
    assert_up(&run(with_content(Content::Matches(r"v\d+\.\d+$".into()), url())));
    assert_judged(&run(with_content(Content::Matches("^systems".into()), url())), Class::KeywordMissing);
    let empty = says("");
    assert_judged(&run(containing("x", empty.url("/"))), Class::KeywordMissing);
}

#[test]
fn json_is_compared_by_value() {
    let server = says(r#"{"ok":true,"n":1,"list":[{"a/b":null}],"text":"\u00e4"}"#);
    let json = |pointer: &str, value: serde_json::Value| {
        run(with_content(Content::JsonEquals { pointer: pointer.into(), value }, server.url("/")))
    };
    assert_up(&json("/ok", true.into()));
    assert_up(&json("/n", 1.into()));
    assert_up(&json("/text", "\u{e4}".into()));
    assert_up(&json("/list/0/a~1b", serde_json::Value::Null));
    for (pointer, value) in
        [("/ok", false.into()), ("/ok", "true".into()), ("/none", true.into()), ("/list/1", 1.into())]
    {
        assert_judged(&json(pointer, value), Class::ExpectationFailed);
    }
    let html = says("<html>");
    let any = Content::JsonEquals { pointer: String::new(), value: 1.into() };
    assert_judged(&run(with_content(any, html.url("/"))), Class::ExpectationFailed);
    let deep = says(&"[".repeat(200_000));
    let any = Content::JsonEquals { pointer: "/0".into(), value: 1.into() };
    assert_judged(&run(with_content(any, deep.url("/"))), Class::ExpectationFailed);
}

#[test]
fn fields_of_the_head_are_compared_without_looking_at_the_body() {
    let server = coded("X-Version:  7 \r\nContent-Encoding: br\r\n", b"x");
    let header = |name: &str, value: &str| {
        run(with_content(Content::HeaderEquals { name: name.into(), value: value.into() }, server.url("/")))
    };
    assert_up(&header("x-version", "7"));
    assert_judged(&header("X-Version", "8"), Class::ExpectationFailed);
    assert_judged(&header("X-Nothing", "8"), Class::ExpectationFailed);
}

#[test]
fn the_first_expectation_that_does_not_hold_is_told_and_the_status_comes_before() {
    let content = vec![Content::Contains("hi".into()), Content::Lacks("h".into()), Content::Contains("no".into())];
    let expect = Expectations { content, ..Expectations::default() };
    let server = Server::answering(OK);
    assert_judged(&run(expecting(expect.clone(), server.url("/"))), Class::KeywordPresent);
    let bad = Server::answering("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno");
    assert_down(&run(expecting(expect, bad.url("/"))), Class::HttpStatus);
}

#[test]
fn a_bot_challenge_is_not_the_website() {
    for head in [
        "HTTP/1.1 403 Forbidden\r\ncf-mitigated: challenge\r\nserver: cloudflare",
        "HTTP/1.1 503 Busy\r\nCF-Mitigated: challenge",
        "HTTP/1.1 202 Accepted\r\nx-amzn-waf-action: challenge",
        "HTTP/1.1 405 Not Allowed\r\nx-amzn-waf-action: captcha",
        "HTTP/1.1 429 Too Many\r\nx-vercel-mitigated: challenge",
    ] {
        let tick = answer(format!("{head}\r\nContent-Length: 2\r\n\r\nhi"));
        assert_unknown(&tick, Class::EdgeBlocked, Blame::Probe);
        assert!(tick.status.is_some());
    }
    for (field, page) in [
        ("server: cloudflare", "<html><head><title>Just a moment...</title></head></html>"),
        ("x-datadome: protected", "<script src=\"https://ct.captcha-delivery.com/c.js\"></script>"),
        ("x-iinfo: 1-2", "Request unsuccessful. Incapsula incident ID: 1"),
    ] {
        let head = format!("HTTP/1.1 403 Forbidden\r\n{field}\r\nContent-Length: {}\r\n\r\n", page.len());
        assert_unknown(&answer(format!("{head}{page}")), Class::EdgeBlocked, Blame::Probe);
    }
}

#[test]
fn an_error_behind_an_edge_is_an_error() {
    for head in [
        "HTTP/1.1 403 Forbidden\r\nserver: cloudflare\r\ncf-ray: 1",
        "HTTP/1.1 503 Busy\r\nserver: cloudflare",
        "HTTP/1.1 500 No\r\nx-datadome: protected",
        "HTTP/1.1 403 Forbidden\r\nx-datadome: protected",
        "HTTP/1.1 403 Forbidden\r\nserver: AkamaiGHost",
        "HTTP/1.1 522 Origin\r\nserver: cloudflare",
    ] {
        assert_down(&answer(format!("{head}\r\nContent-Length: 2\r\n\r\nno")), Class::HttpStatus);
    }
    // A script that the edge puts into every page of the website.
    let page = "503 <script src=\"/cdn-cgi/challenge-platform/scripts/jsd/main.js\"></script>";
    let head = format!("HTTP/1.1 503 Busy\r\nserver: cloudflare\r\nContent-Length: {}\r\n\r\n", page.len());
    assert_down(&answer(format!("{head}{page}")), Class::HttpStatus);
    let tick = answer("HTTP/1.1 200 OK\r\nserver: cloudflare\r\ncf-ray: 1\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(tick.outcome, Outcome::Up);
}

#[test]
fn an_answer_that_is_not_as_asked_is_shown_by_its_beginning() {
    let page = "<html>\r\n\t<title>Ou\u{fc}ch\u{0}\u{1b}[31m</title>\n\n  <p>Sorry</p>";
    let shown = "<html> <title>Ou\u{fc}ch [31m</title> <p>Sorry</p>";
    let server = says(page);
    assert_eq!(run(containing("Welcome", server.url("/"))).answer.as_deref(), Some(shown));
    assert_eq!(run(containing("Sorry", server.url("/"))).answer, None, "it is as asked");
    assert_eq!(run(Target::get(server.url("/"))).answer, None);
    // At most so many characters, of however many bytes.
    for (text, count) in [("\u{1f980}", 200), ("a ", 199), ("\u{fc}", 200)] {
        let server = says(&text.repeat(3_000));
        let shown = run(containing("Welcome", server.url("/"))).answer.unwrap();
        assert_eq!(shown.chars().count(), count, "{shown}");
    }
    assert_eq!(run(containing("Welcome", gzipped(page.as_bytes()).url("/"))).answer, None, "encoded");
    assert_eq!(run(containing("Welcome", says(" \r\n ").url("/"))).answer, None, "nothing to see");
}
