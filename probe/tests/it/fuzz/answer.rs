//! Answers of servers, against a second reading.

use std::sync::{Arc, Mutex};

use probe::engine::Engine;
use probe::wire::{Class, Content, MAX_TICK_BYTES, Outcome};
use testbed::server::Server;

use super::fuzz;
use crate::checks::{owner, run_on, short};

/// Whether bytes are an answer of RFC 9112 that may count as up: its own reading, apart from the engine's. Bare line feeds
/// and empty lines before the answer are taken, as the RFC lets recipients do.
fn is_good(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        let Some(first) = line(&mut rest) else { return false };
        if first.is_empty() {
            continue;
        }
        let Some(status) = status(first) else { return false };
        let (mut chunked, mut other, mut length) = (false, false, None);
        loop {
            let Some(field) = line(&mut rest) else { return false };
            if field.is_empty() {
                break;
            }
            let field = String::from_utf8_lossy(field).to_ascii_lowercase();
            let Some((name, value)) = field.split_once(':') else { return false };
            match name {
                // Another coding than chunked at the end means that the connection's end is that of the body.
                "transfer-encoding" => {
                    chunked = value.rsplit(',').next().unwrap().trim() == "chunked";
                    other = !chunked;
                }
                "content-length" => length = value.trim().parse::<usize>().ok(),
                _ => {}
            }
        }
        return match status {
            100 | 102..=199 => continue,
            204 => true,
            200..=299 if chunked => is_chunked(rest),
            200..=299 => other || length.is_none_or(|length| rest.len() >= length),
            _ => false,
        };
    }
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let found = &rest[..end];
    *rest = &rest[end + 1..];
    Some(found.strip_suffix(b"\r").unwrap_or(found))
}

fn status(line: &[u8]) -> Option<u16> {
    let code = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let (code, reason) = code.split_at_checked(3)?;
    let digits = code.iter().all(u8::is_ascii_digit) && (reason.is_empty() || reason[0] == b' ');
    digits.then(|| std::str::from_utf8(code).unwrap().parse().unwrap())
}

fn is_chunked(mut rest: &[u8]) -> bool {
    loop {
        let Some(size) = line(&mut rest) else { return false };
        let size = size.split(|byte| *byte == b';').next().unwrap().trim_ascii();
        if size.is_empty() || !size.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        let Ok(size) = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16) else { return false };
        // RFC 9112, 8: with this chunk the body is complete, whatever becomes of the trailers.
        if size == 0 {
            return true;
        }
        let Some((_, after)) = rest.split_at_checked(size) else { return false };
        rest = after;
        if line(&mut rest) != Some(b"") {
            return false;
        }
    }
}

#[test]
fn the_second_reading_tells_good_from_bad() {
    for good in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 103 X\r\n\r\nHTTP/1.0 299\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nA: b\r\n\r\n",
    ] {
        assert!(is_good(good.as_bytes()), "{good}");
    }
    for bad in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        "HTTP/1.1 404 OK\r\n\r\n",
        "HTTP/1.1 101 X\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "200 OK\r\n\r\n",
    ] {
        assert!(!is_good(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn fuzz_any_answer_is_a_tick_in_time() {
    let seeds: [&[u8]; 8] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nServer: x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x02\0\xfd\xffhi\xac*\x93\xd8\x02\0\0\0",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}",
    ];
    let words: [&[u8]; 18] = [
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"HTTP/1.1 ",
        b"200",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Location: //\r\n",
        b"Location: file:///\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"\0",
        b"\xff",
        b"-1",
        b" ",
        b":",
        b"HTTP/1.1 101 X\r\n\r\n",
    ];
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let saying = Arc::clone(&said);
    let server = Server::start(move |_, mut stream| {
        stream.head();
        let bytes = saying.lock().unwrap().clone();
        stream.say(bytes);
        stream.close();
    });
    // Only the server itself may be reached, wherever a redirect leads.
    let engine = Engine::new(owner()).unwrap();
    fuzz(|random| {
        let bytes = if random.one_in(16) {
            random.bytes(200)
        } else {
            let seed = random.pick(&seeds).to_vec();
            random.mutate(&seed, &words)
        };
        if String::from_utf8_lossy(&bytes).to_ascii_lowercase().split("location").skip(1).any(|rest| {
            // A redirect that a mutation made lead to an address elsewhere is not followed here.
            rest.split('\n').next().unwrap_or_default().chars().any(|c| c.is_ascii_digit())
        }) {
            return;
        }
        said.lock().unwrap().clone_from(&bytes);
        let mut target = short(server.url("/"), 1_000);
        if random.one_in(2) {
            target.expect.content = vec![
                random
                    .pick(&[
                        Content::Contains("hi".into()),
                        Content::Lacks("bye".into()),
                        Content::Matches("h.*o".into()),
                        Content::JsonEquals { pointer: "/ok".into(), value: true.into() },
                        Content::HeaderEquals { name: "Server".into(), value: "x".into() },
                    ])
                    .clone(),
            ];
        }
        let tick = run_on(&engine, target);
        if tick.outcome == Outcome::Up {
            assert!(is_good(&bytes), "{:?}: {tick:?}", String::from_utf8_lossy(&bytes));
        }
        assert!(!matches!(tick.failure.as_ref().map(|f| f.class), Some(Class::ProbeError)), "{tick:?}");
        assert!(serde_json::to_string(&tick).unwrap().len() <= MAX_TICK_BYTES);
    });
}
