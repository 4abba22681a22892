//! A page as people see it: in Chromium, without script, on a small screen; and what it weighs.

use serde_json::json;

use super::{Told, runtime};
use crate::browser::Driver;

#[test]
fn a_page_needs_no_script_and_fits_a_small_screen() {
    let (runtime, directory, driver) = (runtime(), tempfile::tempdir().unwrap(), Driver::start());
    let told = Told::start(directory.path(), &[]);
    let long = "Averyveryverylongnamethathasnospacesinitatall".to_owned();
    let components: Vec<_> = (0..12)
        .map(|n| json!({"website_id": told.add_website(&format!("https://w{n}.example.com/")), "name": format!("{long} {n}")}))
        .collect();
    let page = json!({"name": "Acme and its very long name of a status page", "slug": "acme", "accent": "#1a7f5a",
        "about": "What we do and how it is.", "sections": [{"name": "Web", "components": components}]});
    let page = told.add_page(page);
    let post = json!({"kind": "incident", "title": long, "state": "investigating", "said": long.repeat(8)});
    assert_eq!(told.api("POST", &format!("/status-pages/{page}/posts"), Some(&post)).0, 201);
    runtime.block_on(async {
        let browser = driver.without_script(320).await;
        browser.goto(&format!("{}/s/acme", told.base)).await.unwrap();
        assert!(browser.title().await.unwrap().contains("– Acme"));
        let width = browser.execute("return [document.documentElement.scrollWidth, innerWidth, document.querySelectorAll('script').length, document.querySelectorAll('.bars rect').length]", vec![]).await.unwrap();
        let number = |n: usize| width[n].as_i64().unwrap();
        assert!(number(0) <= number(1) && number(1) <= 320, "{width}");
        assert_eq!((number(2), number(3)), (0, 12 * 90));
        browser.close().await.unwrap();
    });
    // All of it, packed: page, style sheet, colour.
    let packed = |path: &str| told.get_as(path, "Accept-Encoding: gzip\r\n").body.len();
    let html = told.get("/s/acme").text();
    let style = html.split("href=\"").find(|part| part.starts_with("/static/")).unwrap().split('"').next().unwrap();
    let all = packed("/s/acme") + packed(style) + packed("/s/acme/accent.css");
    assert!(all <= 30 * 1024, "{all} bytes");
}
