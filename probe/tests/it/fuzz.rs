//! Hostile input without end, for a bounded time: whatever comes in, nothing panics, hangs or is taken for good.
//!
//! Each test runs for two seconds from a seed that it prints when it fails:
//!
//! ```text
//! cargo nextest run -p probe fuzz                      as in every test run
//! FUZZ_SECONDS=600 cargo nextest run -p probe fuzz     ten minutes each
//! FUZZ_SEED=17 cargo nextest run -p probe fuzz         from this seed on, to see a failure again
//! ```
//!
//! Inputs are valid ones, changed: bytes flipped, cut, doubled, put together with others, words of the format put in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use probe::engine::{AddressKind, AddressPolicy, Engine};
use probe::wire::{Blame, Check, Class};
use probe::wire::{
    Certificate, Content, Credentials, DeadLetter, DeadReason, Delays, Expectations, Failure, Heartbeat, Hop, IpFamily,
    MAX_CHECK_BYTES, MAX_TICK_BYTES, Method, Note, Outcome, Phase, Phases, Report, RequestOptions, SecretText,
    StatusRule, Target, Tick, decode_check, decode_report, encode,
};
use testbed::server::Server;

use crate::checks::{check, owner, public, run_on, short};
use crate::request::field;

/// xorshift64*: the same numbers from the same seed, everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Changes an input in one to four places.
    fn mutate(&mut self, input: &[u8], words: &[&[u8]]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(8) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(..at)),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                4 => {
                    let end = (at + self.below(32)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, part);
                }
                5 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                6 => bytes.splice(at..at, self.bytes(8)).for_each(drop),
                _ => bytes.splice(at..at, self.pick(words).to_vec()).for_each(drop),
            }
        }
        bytes
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs `case` for the time there is, each time from the next seed; a seed that fails is printed.
fn fuzz(case: impl Fn(&mut Random)) {
    struct Seed(u64);
    impl Drop for Seed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failed with FUZZ_SEED={}", self.0);
            }
        }
    }
    let until = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 2));
    let mut seed = Seed(number("FUZZ_SEED", 1));
    let mut cases = 0u64;
    while Instant::now() < until {
        case(&mut Random::new(seed.0));
        seed.0 += 1;
        cases += 1;
    }
    println!("{cases} cases");
    assert!(cases > 0);
}

fn some<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    (!random.one_in(3)).then(|| make(random))
}

fn text(random: &mut Random) -> String {
    const PARTS: [&str; 8] = ["a", "\"", "\\", "\u{0}", "\u{e4}", "\u{1f600}", "/", "\r\n"];
    (0..random.below(12)).map(|_| *random.pick(&PARTS)).collect()
}

fn secret(random: &mut Random) -> SecretText {
    SecretText::new(text(random))
}

fn small(random: &mut Random) -> u32 {
    u32::try_from(random.next() >> 32).unwrap()
}

fn content(random: &mut Random) -> Content {
    match random.below(5) {
        0 => Content::Contains(text(random)),
        1 => Content::Lacks(text(random)),
        2 => Content::Matches(text(random)),
        3 => Content::HeaderEquals { name: text(random), value: text(random) },
        _ => {
            Content::JsonEquals { pointer: text(random), value: serde_json::json!([small(random), null, text(random)]) }
        }
    }
}

fn any_check(random: &mut Random) -> Check {
    let request = RequestOptions {
        method: *random.pick(Method::ALL),
        headers: (0..random.below(3)).map(|_| field(&text(random), &text(random))).collect(),
        body: some(random, secret),
        credentials: some(random, |random| {
            if random.one_in(2) {
                Credentials::Bearer { token: secret(random) }
            } else {
                Credentials::Basic { username: text(random), password: secret(random) }
            }
        }),
        user_agent: some(random, text),
        max_redirects: random.next().to_le_bytes()[0],
        ip_family: *random.pick(IpFamily::ALL),
        insecure_tls: random.one_in(2),
    };
    let expect = Expectations {
        accept: StatusRule((0..random.below(3)).map(|_| (200, 299)).collect()),
        content: (0..random.below(3)).map(|_| content(random)).collect(),
        slow_ms: some(random, small),
        certificate_days: some(random, |random| u16::try_from(random.below(400)).unwrap()),
        require_https: random.one_in(2),
    };
    let target = Target { url: text(random), timeout_ms: small(random), request, expect };
    Check { slot_at: i64::from(small(random)), ..check(target) }
}

fn any_phases(random: &mut Random) -> Phases {
    Phases {
        dns_us: some(random, small),
        tls_us: some(random, small),
        wait_us: some(random, small),
        ..Phases::default()
    }
}

fn any_tick(random: &mut Random) -> Tick {
    let mut tick = Tick::blank(&any_check(random), 7);
    tick.outcome = *random.pick(Outcome::ALL);
    tick.failure = some(random, |random| Failure {
        class: *random.pick(Class::ALL),
        phase: *random.pick(Phase::ALL),
        blame: *random.pick(Blame::ALL),
        detail: text(random),
    });
    tick.phases = any_phases(random);
    tick.total_us = small(random);
    tick.status = some(random, |random| u16::try_from(random.below(1000)).unwrap());
    tick.remote = some(random, |random| (IpAddr::from(small(random).to_be_bytes()), 443).into());
    tick.hops =
        (0..random.below(3)).map(|_| Hop { url: text(random), status: None, phases: any_phases(random) }).collect();
    tick.certificate = some(random, |random| Certificate {
        not_after_at: i64::from(small(random)),
        names: vec![text(random); random.below(3)],
        chain: vec![text(random); random.below(3)],
        tls_version: some(random, text),
        ..Certificate::default()
    });
    tick.notes = (0..random.below(3)).map(|_| *random.pick(Note::ALL)).collect();
    tick.delays = Delays { queue_ms: some(random, small), report_us: some(random, small), ..Delays::default() };
    tick
}

fn any_report(random: &mut Random) -> Report {
    match random.below(3) {
        0 => Report::Tick(Box::new(any_tick(random))),
        1 => Report::Heartbeat(Heartbeat {
            version: text(random),
            checks: random.next(),
            clock_offset_ms: some(random, |random| -i64::from(small(random))),
            ..Heartbeat::default()
        }),
        _ => Report::DeadLetter(DeadLetter {
            entry_id: text(random),
            reason: *random.pick(DeadReason::ALL),
            detail: text(random),
            website_id: None,
            raw: text(random),
        }),
    }
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn entry(kind: &str, body: &str) -> Fields {
    [("v", "1"), ("kind", kind), ("body", body)].map(|(k, v)| (k.into(), v.into())).to_vec()
}

fn borrowed(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
}

#[test]
fn fuzz_what_is_encoded_is_what_is_decoded() {
    fuzz(|random| {
        let order = any_check(random);
        if let Ok(body) = encode(&order, MAX_CHECK_BYTES) {
            assert_eq!(decode_check(borrowed(&entry("check", &body))), Ok(order));
        }
        let report = any_report(random);
        let (kind, body) = match &report {
            Report::Tick(tick) => ("tick", encode(tick, MAX_TICK_BYTES)),
            Report::Heartbeat(heartbeat) => ("heartbeat", encode(heartbeat, MAX_TICK_BYTES)),
            Report::DeadLetter(letter) => ("dead_letter", encode(letter, MAX_TICK_BYTES)),
        };
        if let Ok(body) = body {
            assert_eq!(decode_report(borrowed(&entry(kind, &body))), Ok(report));
        }
    });
}

#[test]
fn fuzz_the_decoder_survives_any_entry_and_means_what_it_took() {
    let words: [&[u8]; 12] = [
        b"null",
        b"\"up\"",
        b"-1",
        b"1e999",
        b"{",
        b"[[[[",
        b"\"\\ud800\"",
        b"99999999999999999999",
        b"\xff\xfe",
        b"\"target\":",
        b",\"x\":1",
        b"\0",
    ];
    fuzz(|random| {
        let body = serde_json::to_string(&any_check(random)).unwrap();
        let report = serde_json::to_string(&any_tick(random)).unwrap();
        for (kind, body) in [("check", body), ("tick", report)] {
            let mut fields = entry(kind, "");
            fields[2].1 = if random.one_in(8) { random.bytes(300) } else { random.mutate(body.as_bytes(), &words) };
            if random.one_in(4) {
                let at = random.below(fields.len());
                let changed = random.mutate(&fields[at].0.clone(), &words);
                fields[at].0 = changed;
            }
            if random.one_in(4) {
                let at = random.below(2);
                let changed = random.mutate(&fields[at].1.clone(), &words);
                fields[at].1 = changed;
            }
            if random.one_in(8) {
                let twice = random.pick(&fields).clone();
                fields.push(twice);
            }
            // What was taken is taken again when it is written anew.
            if let Ok(order) = decode_check(borrowed(&fields)) {
                let again = serde_json::to_string(&order).unwrap();
                if again.len() <= MAX_CHECK_BYTES {
                    assert_eq!(decode_check(borrowed(&entry("check", &again))), Ok(order));
                }
            }
            if let Ok(Report::Tick(tick)) = decode_report(borrowed(&fields)) {
                let again = serde_json::to_string(&tick).unwrap();
                if again.len() <= MAX_TICK_BYTES {
                    assert_eq!(decode_report(borrowed(&entry("tick", &again))), Ok(Report::Tick(tick)));
                }
            }
        }
    });
}

/// The same rules by arithmetic, from the registries of IANA and CASES D7: blocks nobody may be led to.
const NOT_PUBLIC_V4: [(&str, u32); 17] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.2.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    ("168.63.129.16", 32),
    ("100.100.100.200", 32),
];
const NOT_PUBLIC_V6: [(&str, u32); 8] = [
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("2001::", 23),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("3fff::", 20),
    ("5f00::", 16),
    ("fc00::", 7),
];

fn public_v4(address: u32) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(network, prefix)| {
        let network = u32::from(network.parse::<Ipv4Addr>().unwrap());
        (address ^ network).leading_zeros() >= *prefix
    })
}

fn public_v6(address: u128) -> bool {
    let low = u32::try_from(address & 0xffff_ffff).unwrap();
    let high = address >> 32;
    // Compatible, mapped, NAT64.
    if [0, 0xffff, 0x0064_ff9b_0000_0000_0000_0000].contains(&high) {
        return address > 1 && public_v4(low);
    }
    // Global unicast is 2000::/3 only.
    address >> 125 == 1
        && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| {
            let network = u128::from(network.parse::<Ipv6Addr>().unwrap());
            (address ^ network).leading_zeros() >= *prefix
        })
}

#[test]
fn fuzz_addresses_are_public_by_two_tables_or_by_none() {
    let policy = AddressPolicy::public_only();
    fuzz(|random| {
        for _ in 0..1_000 {
            // Near the edges of the blocks, where mistakes are.
            let (network, prefix) = *random.pick(&NOT_PUBLIC_V4);
            let base = u32::from(network.parse::<Ipv4Addr>().unwrap());
            let size = u32::MAX.checked_shr(prefix).unwrap_or(0);
            let v4 = match random.below(5) {
                0 => base.wrapping_sub(1),
                1 => base.wrapping_add(size),
                2 => base.wrapping_add(size).wrapping_add(1),
                3 => base ^ (1 << random.below(32)),
                _ => small(random),
            };
            assert_eq!(policy.allows(Ipv4Addr::from(v4).into()), public_v4(v4), "{}", Ipv4Addr::from(v4));
            let (network, prefix) = *random.pick(&NOT_PUBLIC_V6);
            let base = u128::from(network.parse::<Ipv6Addr>().unwrap());
            let size = u128::MAX >> prefix;
            let v6 = match random.below(8) {
                0 => base.wrapping_sub(1),
                1 => base | size,
                2 => (base | size).wrapping_add(1),
                3 => base ^ (1 << random.below(128)),
                4 => u128::from(v4) | 0xffff << 32,
                5 => u128::from(v4) | 0x0064_ff9b << 96,
                6 => u128::from(v4),
                _ => u128::from(random.next()) << 64 | u128::from(random.next()),
            };
            let address = IpAddr::from(Ipv6Addr::from(v6));
            assert_eq!(policy.allows(address), public_v6(v6), "{address}");
            // Whatever an operator lists, what is never a website stays closed.
            let all = AddressPolicy::with_allowed(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
            if AddressKind::of(address) == AddressKind::Never {
                assert!(!all.allows(address) && !AddressPolicy::owner().allows(address), "{address}");
            }
        }
    });
}

#[test]
fn fuzz_any_url_is_a_tick_and_never_leads_out() {
    let seeds = [
        "http://127.0.0.1:1/",
        "http://[::1]:1/a?b#c",
        "https://u:p@localhost:1/",
        "http://0x7f.1:1/../x",
        "http://[::ffff:127.0.0.1]:1/",
        "//127.0.0.1:1/",
        "HTTP://LOCALHOST:1/%zz",
        "http://2130706433:00001/",
    ];
    let words: [&[u8]; 16] = [
        b"@",
        b":",
        b"/",
        b"\\",
        b"#",
        b"?",
        b"%00",
        b"%2f",
        b"[",
        b"]",
        b"..",
        b"\t",
        b"http:",
        b":65536",
        b"xn--",
        b"\xe3\x80\x82",
    ];
    // Nothing may be dialled: no name server, and no address is allowed but public ones, of which none is tried.
    let engine = Engine::new(public(owner())).unwrap();
    fuzz(|random| {
        let seed = random.pick(&seeds).as_bytes().to_vec();
        let url = String::from_utf8_lossy(&random.mutate(&seed, &words)).into_owned();
        // A literal public address would be dialled; the rest ends before.
        if leads_out(&url) {
            return;
        }
        let tick = run_on(&engine, short(url.clone(), 1_000));
        assert_ne!(tick.outcome, Outcome::Up, "{url}: {tick:?}");
        assert_eq!(tick.remote, None, "{url}: {tick:?}");
    });
}

/// Whether a URL names a public address itself. Read by the same crate: this only keeps the test at home.
fn leads_out(text: &str) -> bool {
    let policy = AddressPolicy::public_only();
    match ::url::Url::parse(text).ok().and_then(|url| url.host().map(|host| host.to_owned())) {
        Some(::url::Host::Ipv4(address)) => policy.allows(address.into()),
        Some(::url::Host::Ipv6(address)) => policy.allows(address.into()),
        Some(::url::Host::Domain(_)) | None => false,
    }
}

/// Whether bytes can be a good answer at all: one that is taken for good must at least begin and end a head.
fn could_be_good(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let has_head = text.contains("\r\n\r\n") || text.contains("\n\n") || text.contains("\n\r\n");
    has_head && ["HTTP/1.1 2", "HTTP/1.0 2"].iter().any(|start| text.contains(start))
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
            assert!(could_be_good(&bytes), "{:?}: {tick:?}", String::from_utf8_lossy(&bytes));
        }
        assert!(!matches!(tick.failure.as_ref().map(|f| f.class), Some(Class::ProbeError)), "{tick:?}");
        assert!(serde_json::to_string(&tick).unwrap().len() <= MAX_TICK_BYTES);
    });
}
