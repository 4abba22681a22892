//! What everybody gets alike is kept by the front, and what clients have is not sent again.

use serde_json::json;

use super::{assert_well, got, status};
use crate::client::{call, token};
use crate::process::Hub;
use crate::services::free_port;

/// A field of a head, which is in lower case.
fn field(head: &str, name: &str) -> String {
    let found = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("no {name}: {head}")).to_owned()
}

#[test]
fn a_public_badge_is_asked_for_once_and_a_private_one_is_never_kept() {
    let directory = tempfile::tempdir().unwrap();
    let metrics = format!("127.0.0.1:{}", free_port());
    let hub = Hub::start(directory.path(), &[("METRICS_LISTEN", &metrics)]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let website = json!({"url": "https://example.com/"});
    let id = call("POST", &format!("{base}/website"), Some(&ann), Some(&website)).1["id"].as_str().unwrap().to_owned();
    let badge = format!("/badge/{id}/status.svg");
    let own = format!("Cookie: betteruptime_session={ann}\r\n");
    // Hers alone: it says so, and nobody else gets it, also right after her.
    for _ in 0..2 {
        let (head, _) = got(hub.address, &badge, &own);
        assert!(head.starts_with("http/1.1 200") && field(&head, "cache-control").starts_with("private"), "{head}");
        assert!(!head.contains("\r\nage: "), "{head}");
        assert_eq!(status(&got(hub.address, &badge, "").0), 404);
    }

    let (changed, answer) =
        call("PATCH", &format!("{base}/api/v1/websites/{id}"), Some(&ann), Some(&json!({"is_badge_public": true})));
    assert_eq!(changed, 200, "{answer}");
    let asked = || {
        let (_, text) = got(metrics.parse().unwrap(), "/metrics", "");
        let text = String::from_utf8(text).unwrap();
        let line = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
            line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap() as u64
        };
        ["kept", "application"].map(|from| line(&format!("betteruptime_front_cache_total{{from=\"{from}\"}}")))
    };
    let before = asked();
    let (first, image) = got(hub.address, &badge, "");
    assert!(first.starts_with("http/1.1 200") && field(&first, "cache-control") == "public, max-age=60", "{first}");
    for _ in 0..20 {
        let (head, body) = got(hub.address, &badge, &own);
        assert!(field(&head, "age").parse::<u32>().unwrap() <= 10 && body == image, "{head}");
        assert!(!head.contains("set-cookie"), "{head}");
    }
    let after = asked();
    // A machine that stood still for ten seconds asks once more.
    assert!(after[1] - before[1] <= 3 && after[0] - before[0] >= 18, "{before:?} {after:?}");

    // It is known again by its tag, packed or not.
    let tag = field(&first, "etag");
    for names in [tag.clone(), format!("W/{tag}"), "*".to_owned()] {
        let (head, body) = got(hub.address, &badge, &format!("If-None-Match: {names}\r\n"));
        assert!(head.starts_with("http/1.1 304") && body.is_empty() && field(&head, "etag") == tag, "{names}: {head}");
    }
    let (head, body) = got(hub.address, &badge, "If-None-Match: \"another\"\r\n");
    assert!(head.starts_with("http/1.1 200") && body == image, "{head}");
    assert_well(&hub, "badges");
}

#[test]
fn what_the_api_said_is_not_said_again_to_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    let base = hub.url("");
    let ann = token(&base, "ann", "correct horse");
    let shows = format!("token: {ann}\r\n");
    let path = "/api/v1/channels";
    let (head, _) = got(hub.address, path, &shows);
    let tag = field(&head, "etag");
    for fields in [format!("{shows}If-None-Match: {tag}\r\n"), format!("{shows}If-None-Match: W/{tag}\r\n")] {
        let (head, body) = got(hub.address, path, &fields);
        assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
        assert!(!head.contains("\r\ncontent-type:"), "{head}");
    }
    let channel = json!({"kind": "webhook", "name": "Hook", "url": "https://hooks.example.com/1"});
    assert_eq!(call("POST", &format!("{base}{path}"), Some(&ann), Some(&channel)).0, 201);
    let (head, _) = got(hub.address, path, &format!("{shows}If-None-Match: {tag}\r\n"));
    assert!(head.starts_with("http/1.1 200") && field(&head, "etag") != tag, "{head}");
    // Without the right to see it there is nothing to have.
    let (head, _) = got(hub.address, path, &format!("If-None-Match: {tag}\r\n"));
    assert!(head.starts_with("http/1.1 401"), "{head}");
}
