//! URLs of orders.

use probe::engine::{AddressPolicy, Engine};
use probe::wire::Outcome;

use super::fuzz;
use crate::checks::{owner, public, run_on, short};

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
