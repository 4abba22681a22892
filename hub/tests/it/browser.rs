//! A person in real Chromium: signs up, adds a website, sees it go up, and down.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::process::{Hub, Target};
use crate::services::{free_port, wait_until};

pub struct Driver {
    child: Child,
    port: u16,
    _profile: tempfile::TempDir,
}

impl Driver {
    pub fn start() -> Self {
        let port = free_port();
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("HOME", profile.path())
            .env("TZ", "UTC")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver; install chromium-driver, or run ./test.sh, which does");
        wait_until("chromedriver to listen", Duration::from_secs(20), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port, _profile: profile }
    }

    pub async fn browser(&self) -> Client {
        self.browser_with(json!({})).await
    }

    /// As a phone of 390 px shows it.
    pub async fn phone(&self) -> Client {
        let metrics = json!({"width": 390, "height": 844, "pixelRatio": 1.0, "mobile": true, "touch": true});
        self.browser_with(json!({"deviceMetrics": metrics})).await
    }

    /// A desk's screen, in a browser that runs no script of pages.
    pub async fn desk_without_script(&self) -> Client {
        self.browser_with(json!({"withoutScript": true})).await
    }

    /// A phone's screen so wide, in a browser that runs no script of pages.
    pub async fn without_script(&self, width: u32) -> Client {
        let metrics = json!({"width": width, "height": 700, "pixelRatio": 1.0, "mobile": true, "touch": true});
        self.browser_with(json!({"deviceMetrics": metrics, "withoutScript": true})).await
    }

    async fn browser_with(&self, mut emulation: serde_json::Value) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        let mut options = json!({"args": arguments});
        if emulation.as_object_mut().and_then(|all| all.remove("withoutScript")).is_some() {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        if emulation.get("deviceMetrics").is_some() {
            options["mobileEmulation"] = emulation;
        }
        let capabilities = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let mut builder = ClientBuilder::new(hyper_util_connector());
        builder.capabilities(capabilities);
        builder.connect(&format!("http://127.0.0.1:{}", self.port)).await.expect("a browser")
    }
}

fn hyper_util_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn type_into(client: &Client, field: &str, text: &str) {
    awaited(client, field, Duration::from_secs(10)).await;
    let element = client.find(Locator::Css(field)).await.unwrap();
    element.clear().await.unwrap();
    element.send_keys(text).await.unwrap();
}

/// Clicks once. A page that keeps itself current may have replaced the element between the look for it and the click: then
/// the new one is looked for.
pub async fn press(client: &Client, selector: &str) {
    let started = std::time::Instant::now();
    loop {
        awaited(client, selector, Duration::from_secs(10)).await;
        let pressed = match client.find(Locator::Css(selector)).await {
            Ok(element) => element.click().await,
            Err(error) => Err(error),
        };
        match pressed {
            Ok(()) => return,
            Err(error) if error.is_stale_element_reference() || error.is_no_such_element() => {
                assert!(started.elapsed() < Duration::from_secs(10), "{selector} is never still: {error}");
            }
            Err(error) => panic!("{selector}: {error}"),
        }
    }
}

pub async fn awaited(client: &Client, selector: &str, wait: Duration) {
    client
        .wait()
        .at_most(wait)
        .for_element(Locator::Css(selector))
        .await
        .unwrap_or_else(|e| panic!("waited {wait:?} for {selector}: {e}"));
}

#[test]
fn a_person_signs_up_adds_a_website_and_sees_it_go_up_and_down() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, target, driver) = (Hub::start(directory.path(), &[]), Target::start(), Driver::start());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.browser().await;
        // A hub that nobody owns yet opens to the form for the first account.
        client.goto(&hub.url("/")).await.unwrap();
        type_into(&client, "#username", "ann").await;
        type_into(&client, "#password", "correct horse").await;
        press(&client, "main form button").await;
        awaited(&client, ".empty a[href='/websites/new']", Duration::from_secs(10)).await;

        press(&client, ".empty a[href='/websites/new']").await;
        type_into(&client, "#url", "example").await;
        press(&client, "main form button").await;
        awaited(&client, "#url-error", Duration::from_secs(10)).await;
        let kept = client.find(Locator::Css("#url")).await.unwrap().prop("value").await.unwrap();
        assert_eq!(kept.as_deref(), Some("example"), "the form keeps what was typed");
        type_into(&client, "#url", &target.url("/page")).await;
        press(&client, "main form button").await;
        awaited(&client, ".verdict.up", Duration::from_secs(10)).await;
        awaited(&client, ".steps rect.connect", Duration::from_secs(10)).await;

        client.goto(&hub.url("/")).await.unwrap();
        awaited(&client, "td.status.up", Duration::from_secs(10)).await;
        press(&client, ".board th a").await;
        target.stop();
        press(&client, "form[action$='/check'] button").await;
        // What each region saw comes in by itself.
        awaited(&client, ".asked td.status.down", Duration::from_secs(15)).await;
        // Three looks in a row within 2 s, then the page shows it without a reload.
        awaited(&client, ".verdict.down", Duration::from_secs(20)).await;
        client.goto(&hub.url("/")).await.unwrap();
        awaited(&client, "h1 .mark.down", Duration::from_secs(10)).await;

        press(&client, ".who button").await;
        awaited(&client, "input[autocomplete='current-password']", Duration::from_secs(10)).await;
        client.close().await.unwrap();
    });
}

#[test]
fn a_person_says_what_counts_as_up() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, target, driver) = (Hub::start(directory.path(), &[]), Target::start(), Driver::start());
    target.say("{\"status\": \"fine\"}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.browser().await;
        client.goto(&hub.url("/")).await.unwrap();
        type_into(&client, "#username", "ann").await;
        type_into(&client, "#password", "correct horse").await;
        press(&client, "main form button").await;
        awaited(&client, ".empty a[href='/websites/new']", Duration::from_secs(10)).await;
        client.goto(&hub.url("/websites/new")).await.unwrap();
        type_into(&client, "#url", &target.url("/health")).await;

        let field = |selector: &'static str| client.find(Locator::Css(selector));
        assert!(!field("#accept").await.unwrap().is_displayed().await.unwrap(), "closed unless there is a reason");
        press(&client, "details.more:has(#accept) > summary").await;
        field("#method").await.unwrap().select_by_value("POST").await.unwrap();
        type_into(&client, "#headers", "X-Api-Key: k1").await;
        type_into(&client, "#body", "ping").await;
        assert!(!field("#password").await.unwrap().is_displayed().await.unwrap(), "only what is chosen is asked for");
        press(&client, "#sign-in-basic").await;
        type_into(&client, "#username", "watcher").await;
        type_into(&client, "#password", "hunter2").await;
        type_into(&client, "#accept", "200-").await;
        let kind = field("select[name=content_kind]").await.unwrap();
        assert!(!field(".expect .place").await.unwrap().is_displayed().await.unwrap());
        kind.select_by_value("json_equals").await.unwrap();
        type_into(&client, ".expect .place", "/status").await;
        type_into(&client, "#content_1", "fine").await;
        press(&client, "main form button").await;

        // Refused for the status codes: open at the place, all kept but the password.
        awaited(&client, "#accept-error", Duration::from_secs(10)).await;
        assert!(field("#accept").await.unwrap().is_displayed().await.unwrap());
        let value = async |selector: &'static str| {
            client.find(Locator::Css(selector)).await.unwrap().prop("value").await.unwrap().unwrap_or_default()
        };
        assert_eq!((value("#method").await.as_str(), value("#body").await.as_str()), ("POST", "ping"));
        assert_eq!((value("#username").await.as_str(), value("#password").await.as_str()), ("watcher", ""));
        assert_eq!((value("#content_1").await.as_str(), value(".expect .place").await.as_str()), ("fine", "/status"));
        assert_eq!(value("#headers").await, "X-Api-Key:");
        type_into(&client, "#headers", "X-Api-Key: k1").await;
        type_into(&client, "#password", "hunter2").await;
        type_into(&client, "#accept", "200-299").await;
        press(&client, "main form button").await;
        awaited(&client, ".verdict.up", Duration::from_secs(10)).await;
        assert!(target.last().starts_with("POST /health"), "{}", target.last());

        press(&client, ".actions a[href$='/edit']").await;
        awaited(&client, "details.more[open] #headers", Duration::from_secs(10)).await;
        assert_eq!(value("#headers").await, "X-Api-Key: (set, hidden)");
        assert_eq!(value("#content_1").await, "fine");
        type_into(&client, "#content_1", "better").await;
        press(&client, "main form button").await;
        awaited(&client, ".verdict.down", Duration::from_secs(20)).await;
        assert!(target.last().contains("k1"), "{}", target.last());
        client.close().await.unwrap();
    });
}
