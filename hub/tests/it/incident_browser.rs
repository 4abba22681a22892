//! A person in real Chromium with nothing but a keyboard: adds a channel, tries it, takes an incident on. And every page of
//! incidents and channels on a phone.

use std::time::Duration;

use fantoccini::Client;
use fantoccini::key::Key;

use crate::browser::{Driver, awaited, type_into};
use crate::incident_pages::Told;

const SOON: Duration = Duration::from_secs(10);

/// Presses Tab until what the selector means has the focus; nothing else is touched.
async fn tab_to(client: &Client, selector: &str) {
    for _ in 0..60 {
        let found = client.execute(&format!("return document.activeElement.matches({selector:?})"), vec![]).await;
        // Between two pages there is no answer.
        if found.is_ok_and(|found| found == true) {
            return;
        }
        keys(client, &Key::Tab.to_string()).await;
    }
    panic!("the Tab key does not lead to {selector} on {}", client.current_url().await.unwrap());
}

/// Between two pages nothing takes keys: then once more.
async fn keys(client: &Client, keys: &str) {
    let started = std::time::Instant::now();
    loop {
        let sent = match client.active_element().await {
            Ok(element) => element.send_keys(keys).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => return,
            Err(error) => assert!(started.elapsed() < std::time::Duration::from_secs(10), "no key is taken: {error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Goes there by Tab and presses Enter.
async fn enter(client: &Client, selector: &str) {
    tab_to(client, selector).await;
    keys(client, &Key::Enter.to_string()).await;
}

async fn sign_in(client: &Client, base: &str) {
    client.goto(&format!("{base}/signin")).await.unwrap();
    type_into(client, "#username", "ann").await;
    type_into(client, "#password", "correct horse").await;
    keys(client, &Key::Enter.to_string()).await;
    awaited(client, "nav[aria-label=Main]", SOON).await;
}

#[test]
fn a_keyboard_is_enough_and_nothing_is_wider_than_a_phone() {
    let directory = tempfile::tempdir().unwrap();
    let (told, driver) = (Told::start(directory.path(), &[]), Driver::start());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.browser().await;
        sign_in(&client, &told.base).await;
        enter(&client, "nav a[href='/channels']").await;
        awaited(&client, ".empty a[href='/channels/new']", SOON).await;
        enter(&client, ".empty a[href='/channels/new']").await;
        awaited(&client, ".kinds", SOON).await;
        enter(&client, ".kinds a[href$='webhook']").await;
        awaited(&client, "form.channel-form", SOON).await;
        tab_to(&client, "#name").await;
        keys(&client, "Tickets").await;
        tab_to(&client, "#url").await;
        keys(&client, "nowhere").await;
        keys(&client, &Key::Enter.to_string()).await;
        awaited(&client, "#url-error", SOON).await;
        enter(&client, "a[href='#url']").await;
        tab_to(&client, "#url").await;
        keys(&client, &told.receiver.url("/hook")).await;
        keys(&client, &Key::Enter.to_string()).await;
        awaited(&client, "#secret.once", SOON).await;
        enter(&client, "main a.button").await;
        awaited(&client, "#test", SOON).await;
        enter(&client, "#test").await;
        awaited(&client, ".tested.up", SOON).await;

        let website = told.watch();
        told.website.answer_with(500);
        client.goto(&format!("{}/websites/{website}", told.base)).await.unwrap();
        enter(&client, "#check").await;
        awaited(&client, ".verdict.down", Duration::from_secs(20)).await;
        awaited(&client, "#incident", SOON).await;
        enter(&client, "#incident").await;
        awaited(&client, "#acknowledge", SOON).await;
        enter(&client, "#acknowledge").await;
        awaited(&client, ".taken", SOON).await;
        tab_to(&client, "#note").await;
        keys(&client, "The release, rolling back").await;
        enter(&client, ".note-form button").await;
        awaited(&client, ".timeline .by-hand", SOON).await;
        // Its own script shows the end without a reload.
        told.website.answer_with(200);
        awaited(&client, ".verdict .status.up", Duration::from_secs(40)).await;
        let title = client.title().await.unwrap();
        assert!(title.contains("was down"), "{title}");
        client.close().await.unwrap();

        let (_, list) = told.api("GET", "/channels", None);
        let channel = format!("/channels/{}", list["channels"][0]["id"].as_str().unwrap());
        let (_, list) = told.api("GET", "/incidents", None);
        let incident = format!("/incidents/{}", list["incidents"][0]["id"].as_str().unwrap());
        let phone = driver.phone().await;
        sign_in(&phone, &told.base).await;
        for path in [
            "/",
            "/incidents",
            "/incidents?state=open",
            &incident,
            "/channels",
            "/channels/new",
            "/channels/new?kind=email",
            &channel,
            &format!("{channel}/edit"),
            &format!("{channel}/delete"),
            "/acknowledge/x",
        ] {
            phone.goto(&format!("{}{path}", told.base)).await.unwrap();
            awaited(&phone, "main h1", SOON).await;
            let widths = "return [document.documentElement.scrollWidth, window.innerWidth]";
            let widths = phone.execute(widths, vec![]).await.unwrap();
            assert_eq!(widths, serde_json::json!([390, 390]), "{path}");
        }
        phone.close().await.unwrap();
    });
}
