use super::*;

fn refused(texts: &[&str]) {
    for text in texts {
        let error = normalise(text).expect_err(text);
        assert!(error.field == "url" && error.remedy.ends_with('.'), "{text}: {error}");
    }
}

fn stored(pairs: &[(&str, &str)]) {
    for (typed, stored) in pairs {
        assert_eq!(normalise(typed).as_deref(), Ok(*stored), "{typed}");
        assert_eq!(normalise(stored).as_deref(), Ok(*stored), "the stored form is its own normal form");
    }
}

#[test]
fn t065_what_is_no_http_address_is_refused() {
    refused(&[
        "",
        "example.com",
        "ftp://a/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:,x",
        "ws://a/",
        "wss://a/",
        "//a/",
        "http:a",
        "http:/a",
        "http://",
        "http:// a/",
        "http://a b/",
        "http://a%00b/",
    ]);
}

#[test]
fn t066_a_password_in_the_address_is_refused_with_where_it_belongs_and_not_repeated() {
    for text in ["http://user:pa%20ss@host/", "http://user@host/", "http://:pa%20ss@host/", "https://a:25@[::1"] {
        let error = normalise(text).unwrap_err();
        assert!(!error.to_string().contains("pa%20ss"), "{error}");
    }
    assert!(normalise("http://user:pa%20ss@host/").unwrap_err().remedy.contains("More settings, Sign in"));
}

#[test]
fn t066_no_part_of_a_password_is_repeated_wherever_it_stands_and_however_it_is_cut() {
    for (typed, back) in [
        ("http://user:hunter2@host/", "http://host/"),
        ("HTTPS://user:hunter2@host/", "HTTPS://host/"),
        ("http:///user:hunter2@host/", "http://host/"),
        ("http://\\user:hunter2@host/", "http://host/"),
        ("http://\\/\\user:hunter2@host/", "http://host/"),
        ("http://user:hun/hunter2@host/", "http://host/"),
        ("http://user:hun#hunter2@host/", "http://host/"),
        ("http://user:hun?hunter2@host/", "http://host/"),
        ("http://user:hun\\hunter2@host/", "http://host/"),
        ("http://user:h@hunter2@host:99999/", "http://host:99999/"),
        ("http:/user:hunter2@host/", "host/"),
        ("http:user:hunter2@host/", "host/"),
        ("user:hunter2@host", "host"),
        ("hunter2://user@host", "host"),
        ("ftp://user:hunter2@host", "host"),
        ("  https://user:hunter2@host", "https://host"),
        ("http://us\ter:hunter2@host/", "http://host/"),
        ("http://user:hunter2@", "http://"),
        ("https://user:hunter2@[::1", "https://[::1"),
    ] {
        let error = normalise(typed).expect_err(typed).to_string();
        assert!(!error.contains("hun") && !error.contains("user"), "{typed}: {error}");
        assert_eq!(without_credentials(typed), back, "{typed}");
    }
    for fine in ["https://example.com/@user", "http://example.com/?mail=a@b", "http://example.com/#@"] {
        assert_eq!(without_credentials(fine), fine);
        normalise(fine).unwrap();
    }
}

#[test]
fn t067_one_spelling_is_stored() {
    stored(&[
        ("HTTP://EXAMPLE.com", "http://example.com/"),
        (" https://example.com:443/a/../b?q#f ", "https://example.com/b?q"),
        ("http://example.com:80", "http://example.com/"),
        ("http://example.com/./a/%2e%2e/b", "http://example.com/b"),
        ("https://example.com?q", "https://example.com/?q"),
        ("https://example.com:80/", "https://example.com:80/"),
    ]);
}

#[test]
fn t068_a_port_is_a_number_from_1_to_65535() {
    refused(&[
        "http://a:0/",
        "http://a:65536/",
        "http://a:65616/",
        "http://a:-1/",
        "http://a:8o80/",
        "http://a:/",
        "http://a:",
        "http://a:?q",
        "http://[::1]:/",
        "https://a:99999999999999999999/",
    ]);
    stored(&[("http://a:65535/", "http://a:65535/"), ("http://[::1]:8080", "http://[::1]:8080/")]);
}

#[test]
fn t069_ports_of_other_protocols_are_refused() {
    for port in [22, 25, 110, 143, 587, 2_049, 5_060, 6_000, 6_667, 6_697, 10_080] {
        refused(&[&format!("http://a:{port}/"), &format!("https://a:{port}/x")]);
    }
    for port in [3_000, 8_080, 8_443, 9_000] {
        normalise(&format!("http://a:{port}/")).unwrap();
    }
    assert!(BAD_PORTS.is_sorted());
}

#[test]
fn t070_international_names_are_stored_as_punycode() {
    stored(&[
        ("http://m\u{fc}nchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://M\u{dc}NCHEN.example/", "http://xn--mnchen-3ya.example/"),
        ("http://mu\u{308}nchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://xn--mnchen-3ya.example/", "http://xn--mnchen-3ya.example/"),
        ("http://example\u{3002}com/", "http://example.com/"),
    ]);
}

#[test]
fn t071_names_that_cannot_be_are_refused() {
    let label = "x".repeat(64);
    let name = format!("{}.example", ["x".repeat(49).as_str(); 5].join(".")); // 257 bytes
    refused(&[
        "http://xn--example-.com/",
        "http://xn--example.com/",
        "http://xn--/",
        "http://xn--a.example/",
        "http://a..b/",
        "http://.a/",
        "http://./",
        "http://a../",
        &format!("http://{label}/"),
        &format!("http://{label}.example/"),
        &format!("http://{name}/"),
    ]);
    assert!(name.len() > 253);
    let longest = format!("{}.examples", ["x".repeat(60).as_str(); 4].join("."));
    assert_eq!(longest.len(), 252);
    normalise(&format!("http://{longest}/")).unwrap();
    normalise(&format!("http://{}.example/", "x".repeat(63))).unwrap();
}

#[test]
fn t073_odd_spellings_of_an_address_become_the_address() {
    stored(&[
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0/", "http://0.0.0.0/"),
    ]);
}

#[test]
fn t074_addresses_in_brackets_are_addresses_or_refused() {
    stored(&[("http://[::ffff:10.0.0.1]/", "http://[::ffff:a00:1]/"), ("http://[::]/", "http://[::]/")]);
    refused(&["http://[fe80::1%25eth0]/", "http://[v1.x]/", "http://[::1", "http://::1/", "http://[]/"]);
}

#[test]
fn t076_an_address_has_at_most_2048_bytes() {
    let of = |bytes: usize| format!("http://a.example/{}", "x".repeat(bytes - 17));
    assert_eq!(normalise(&of(2_048)).map(|url| url.len()), Ok(2_048));
    refused(&[&of(2_049)]);
    // It is the stored form that counts: three bytes for one here.
    refused(&[&format!("http://a.example/{}", "\u{e9}".repeat(1_000))]);
}

#[test]
fn t077_a_query_may_hold_a_secret_and_is_not_repeated() {
    let error = normalise("http://a:25/?token=hunter2").unwrap_err();
    assert!(!error.to_string().contains("hunter2") && error.to_string().contains("http://a:25/"), "{error}");
    assert!(!normalise("ftp://a/?token=hunter2").unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn t080_spellings_of_one_target_are_one_target() {
    let spellings = [
        "https://example.com",
        "HTTPS://Example.COM:443/",
        "https://example.com/#top",
        " https://example.com/a/.. ",
        "https://ex\u{ad}ample.com/", // a soft hyphen is no letter
    ];
    for spelling in spellings {
        assert_eq!(normalise(spelling).as_deref(), Ok("https://example.com/"), "{spelling}");
    }
    // Other paths and a dot at the end are other addresses of the same host.
    for other in ["https://example.com/", "http://example.com:8080/x?y", "https://EXAMPLE.com./"] {
        let url = normalise(other).unwrap();
        assert_eq!(crate::model::host_of(&url).as_deref(), Some("example.com"), "{other}");
    }
}
