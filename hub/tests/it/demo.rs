//! The demo as people start it: every page has something to show, the same each time, and is fit to be read by everybody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hub::http::Method;
use hub::http::route::{Kind, ROUTES};
use serde_json::{Value, json};

use crate::client::{call, page};
use crate::process::Hub;

/// The instant of the pictures, too.
const NOW: &str = "2026-11-26T08:00:00Z";
/// In a build without optimisation, beside other tests.
const MADE_WITHIN: Duration = Duration::from_secs(240);

struct Demo {
    hub: Hub,
    token: String,
    _directory: tempfile::TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let temporary = directory.path().to_str().unwrap().to_owned();
        let arguments = [&["demo"], arguments].concat();
        let hub = Hub::start_within(MADE_WITHIN, directory.path(), &arguments, &[("TMPDIR", &temporary)]);
        let account = json!({"username": "demo", "password": "lantern-demo"});
        let (status, answer) = call("POST", &hub.url("/signin"), None, Some(&account));
        assert_eq!(status, 200, "{answer}");
        let token = answer["token"].as_str().unwrap().to_owned();
        Self { hub, token, _directory: directory }
    }

    fn still() -> Self {
        Self::start(&["--still", "--now", NOW])
    }

    fn api(&self, path: &str) -> Value {
        let (status, answer) = call("GET", &self.hub.url(&format!("/api/v1{path}")), Some(&self.token), None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Ids of a list, by what each is called.
    fn ids(&self, path: &str, list: &str, name: &str) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = self.api(path)[list].as_array().unwrap_or_else(|| panic!("{path} has no {list}")).clone();
        let ids: BTreeMap<String, String> = all.iter().map(|one| (text(&one[name]), text(&one["id"]))).collect();
        assert!(!ids.is_empty(), "{path}");
        ids
    }

    fn page(&self, path: &str) -> String {
        let (status, text) = page(&self.hub.url(""), path, &self.token);
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Every page, as it is asked for. One that is new fails the test until it is said here how.
    fn paths(&self) -> Vec<String> {
        let websites = self.ids("/websites?limit=100", "websites", "url");
        let jobs = self.ids("/jobs", "jobs", "name");
        let incidents = self.ids("/incidents?limit=100", "incidents", "cause");
        let channels = self.ids("/channels", "channels", "name");
        let windows = self.ids("/maintenance", "maintenance", "name");
        let pages = self.ids("/status-pages", "status_pages", "slug");
        let posts = self.ids(&format!("/status-pages/{}/posts", pages["lantern"]), "posts", "title");
        let website = |part: &str| {
            let found = websites.iter().find(|(url, _)| url.contains(part));
            found.unwrap_or_else(|| panic!("no website {part}: {websites:?}")).1.clone()
        };
        let some: Vec<String> =
            ["www.", "checkout.", "wholesale.", "images.", "northpay.", "tiles.", "legacy.", "auth."]
                .iter()
                .map(|part| website(part))
                .chain(jobs.values().cloned())
                .collect();
        let mut paths = Vec::new();
        for route in ROUTES.iter().filter(|route| route.method == Method::Get && route.kind == Kind::Page) {
            let pattern = route.pattern;
            if LEFT_OUT.iter().any(|(left_out, _)| *left_out == pattern) {
                continue;
            }
            let ids: Vec<String> = match pattern.split('/').nth(1) {
                _ if !pattern.contains(':') => vec![String::new()],
                Some("websites" | "reports") => some.clone(),
                Some("incidents") => incidents.values().cloned().collect(),
                Some("channels") if pattern.contains(":kind") => {
                    ["email", "webhook", "ntfy"].map(str::to_owned).to_vec()
                }
                Some("channels") => channels.values().cloned().collect(),
                Some("maintenance") => windows.values().cloned().collect(),
                Some("status-pages") => pages.values().cloned().collect(),
                Some("status-posts") => posts.values().cloned().collect(),
                _ => panic!("{pattern}: say in `paths` how it is asked for, or in `LEFT_OUT` why it is not"),
            };
            let parameter = pattern.split('/').find(|part| part.starts_with(':')).unwrap_or(":id");
            paths.extend(ids.iter().map(|id| pattern.replace(parameter, id)));
        }
        // As strangers see it.
        paths.push("/s/lantern".to_owned());
        paths.sort();
        paths
    }
}

/// Pages that are not for whoever is signed in to a demo.
const LEFT_OUT: [(&str, &str); 6] = [
    ("/design", "shown where DESIGN_PAGE is set"),
    ("/status-pages/:id/preview/:file", "what a preview is drawn with"),
    ("/acknowledge/:token", "reached by a signed link of a message"),
    ("/join/:token", "reached by an invitation's link"),
    ("/signup", "nobody signs up: the demo has its people"),
    ("/signin/code", "for who has a second factor"),
];

/// What differs between two demos of one instant, and why: what stands between these two.
const CHANCE: [(&str, &str, &str); 5] = [
    ("/settings/sessions/", "/end\"", "the name of a session is a hash of its random key"),
    ("data-etag=\"", "\"", "made of a page that tells the address of the demo, as a job's does"),
    ("name=\"once\" value=\"", "\"", "a form that is sent twice is known by it"),
    ("<p class=\"said\">", "</p>", "on /capacity, the room on the disk, which others fill"),
    ("<tr><th scope=\"row\">All else", "</tr>", "pages of a database that hold what is deleted soon"),
];

fn without_chance(text: &str, demo: &Demo) -> String {
    // Each listens on a port of its own.
    let mut text = text.replace(&demo.hub.address.to_string(), "ADDRESS");
    for (before, after, _) in CHANCE {
        let mut rest = text.as_str();
        let mut same = String::new();
        while let Some((kept, chance)) = rest.split_once(before) {
            let end = chance.find(after).unwrap_or(0);
            same += kept;
            same += before;
            rest = &chance[end..];
        }
        text = same + rest;
    }
    text
}

#[test]
fn two_demos_of_one_instant_show_the_same_pages_and_none_is_empty() {
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(Demo::still);
        (Demo::still(), one.join().unwrap())
    });
    let paths = one.paths();
    assert_eq!(paths, other.paths());
    assert!(paths.len() > 60, "{paths:?}");
    let mut differ = Vec::new();
    for path in &paths {
        let (a, b) = (without_chance(&one.page(path), &one), without_chance(&other.page(path), &other));
        for word in ["undefined", "NaN", "Some("] {
            assert!(!a.split(|c: char| !c.is_alphanumeric() && c != '(').any(|found| found == word), "{path}: {word}");
        }
        if let Some((x, y)) = a.lines().zip(b.lines()).find(|(x, y)| x != y) {
            differ.push(format!("{path}:\n  {x}\n  {y}"));
        } else if a.len() != b.len() {
            differ.push(format!("{path}: one is longer"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn a_demo_has_each_kind_of_trouble_and_nothing_that_is_made_up_contradicts_itself() {
    let demo = Demo::still();
    let websites = demo.api("/websites?limit=100")["websites"].as_array().unwrap().clone();
    let verdict = |part: &str| {
        let found = websites.iter().find(|one| one["url"].as_str().is_some_and(|url| url.contains(part)));
        found.unwrap_or_else(|| panic!("{part}"))["status"].as_str().unwrap_or_default().to_owned()
    };
    let expected = [
        ("www.", "up"),
        ("checkout.", "down"),
        ("wholesale.", "down"),
        ("images.", "degraded"),
        ("northpay.", "degraded"),
        ("tiles.", "up"),
        ("roastery.", "down"),
    ];
    for (part, wanted) in expected {
        assert_eq!(verdict(part), wanted, "{part}");
    }
    let open = demo.api("/incidents?state=open&limit=100")["incidents"].as_array().unwrap().clone();
    let mut kinds: Vec<&str> = open.iter().filter_map(|one| one["kind"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["certificate", "flapping", "outage", "regional"], "{open:#?}");
    assert!(open.iter().any(|one| one["acknowledged_by"] == "lena"), "{open:#?}");
    let all = demo.api("/incidents?limit=100")["incidents"].as_array().unwrap().len();
    assert!(all > 40, "{all}");
    // Ninety days of figures, and nothing in them that nobody looked at.
    let id = websites.iter().find(|one| one["url"].as_str().is_some_and(|url| url.contains("search."))).unwrap();
    let id = id["id"].as_str().unwrap();
    let uptime = demo.api(&format!("/websites/{id}/uptime?from=2026-08-29T00:00:00Z&to=2026-11-26T00:00:00Z"));
    let coverage = uptime["coverage_ratio"].as_f64().unwrap();
    assert!(coverage > 0.999, "{uptime:#}");
    assert!(uptime["uptime_ratio"].as_f64().is_some_and(|share| (0.99..1.0).contains(&share)), "{uptime:#}");
}

#[test]
fn the_demo_goes_on_by_itself_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let state = state.to_str().unwrap();
    let mut demo = Demo::start(&["--state-directory", state]);
    let regions = demo.api("/regions")["regions"].as_array().unwrap().len();
    assert_eq!(regions, 3);
    // A website that is not well says so by itself, from all regions: they ask it when somebody presses the button.
    let websites = demo.ids("/websites?limit=100", "websites", "url");
    let (url, id) = websites.iter().find(|(url, _)| url.contains("checkout.")).unwrap();
    assert!(url.contains(".localhost:"), "{url}");
    let before = demo.api(&format!("/websites/{id}/ticks?limit=1"))["ticks"][0]["slot_at"].clone();
    let status = crate::client::form(&demo.hub.url(""), &format!("/websites/{id}/check"), &demo.token, "");
    assert!(matches!(status, 200 | 303), "{status}");
    crate::services::wait_until("three regions to have looked", Duration::from_secs(60), || {
        let ticks = demo.api(&format!("/websites/{id}/ticks?limit=20"))["ticks"].as_array().unwrap().clone();
        let manual = ticks.iter().filter(|tick| tick["kind"] == "manual" && tick["slot_at"] != before);
        let missing =
            manual.filter(|tick| tick["class"] == "keyword_missing" || tick["failure"]["class"] == "keyword_missing");
        missing.count() == 3
    });
    assert_eq!(demo.hub.process.terminate(), Some(0));
    // A directory that has data is somebody's.
    let again = crate::process::run_demo_to_its_end(directory.path(), &["demo", "--state-directory", state]);
    assert!(again.contains("is not empty"), "{again}");
    let again = crate::process::run_demo_to_its_end(directory.path(), &["demo", "--now", NOW]);
    assert!(again.contains("give --still with it"), "{again}");
}

#[test]
fn no_page_scrolls_sideways_and_everybody_can_read_all_of_them() {
    let demo = Demo::still();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("paths");
    std::fs::write(&file, of_each_kind(&demo.paths()).join("\n")).unwrap();
    look_at_pages(&["--check", "--address", &demo.hub.address.to_string(), "--paths", file.to_str().unwrap()]);
}

#[test]
fn pages_look_as_they_did_and_the_comparison_sees_where_they_do_not() {
    // It starts a demo of its own: who signs in is seen on its pages. What differs is written to target/pages.
    look_at_pages(&["--compare", "--program", env!("CARGO_BIN_EXE_betteruptime-hub")]);
}

/// Paths that differ in their id alone are drawn alike: one of each, and some of those whose states are many.
fn of_each_kind(paths: &[String]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let is_id = |part: &str| part.len() == 36 && part.split('-').count() == 5;
    let kept = paths.iter().filter(|path| {
        let kind: Vec<&str> = path.split('/').map(|part| if is_id(part) { ":id" } else { part }).collect();
        let kind = kind.join("/");
        let most = if matches!(kind.as_str(), "/websites/:id" | "/incidents/:id") { 6 } else { 1 };
        let count = seen.entry(kind).or_default();
        *count += 1;
        *count <= most
    });
    kept.cloned().collect()
}

fn look_at_pages(arguments: &[&str]) {
    let axe = std::env::var_os("TEST_AXE").expect("TEST_AXE names axe-core; run ./test.sh, which fetches it");
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bench/pages.py");
    let said = Command::new("python3").arg(program).args(arguments).env("AXE", axe).output().expect("python3");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(said.status.success(), "{}\n{}", text(&said.stdout), text(&said.stderr));
}
