//! Words of others on every page there is (T152): planted in each column that holds some, read back from the DOM of a real
//! Chromium. What a page shows must be text: no element, no attribute and no address that came from it.

use std::collections::BTreeMap;
use std::time::Duration;

use fantoccini::Client;
use hub::http::Method;
use hub::http::route::{Kind, ROUTES};
use serde_json::json;

use crate::browser::{Driver, awaited, type_into};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::database;
use crate::tenants::{anns_things, kind_of, path_of};

/// Ends tags, attributes, scripts, comments, CDATA and templates, and turns the direction of writing.
const HOSTILE: &str = "</textarea></title><script>window.pwned=1</script>\"onload='pwned=1' x=\"'><img src=x onerror=pwned=1>\
    <svg onload=pwned=1>]]>--><a href=\"javascript:pwned=1\">{{7*7}}${7*7}<%=7*7%>\u{202e}&lt;b&gt;";

/// What may not be there: what runs, loads or sends, unless it is ours.
const FOREIGN: &str = r"
    const runs = name => name.startsWith('on');
    const leads = (name, value) => ['href', 'src', 'action', 'formaction', 'xlink:href', 'data', 'srcdoc'].includes(name)
        && /^[\s\u0000-\u001f]*(javascript|data|vbscript):/i.test(value);
    const ours = url => url.startsWith(location.origin + '/static/');
    const isForeign = e => [...e.attributes].some(a => runs(a.name) || leads(a.name, a.value))
        || (e.localName === 'script' && !ours(e.src)) || (e.localName === 'link' && !ours(e.href) && !e.href.startsWith(location.origin + '/status-pages/'))
        || (e.localName === 'form' && new URL(e.action, location).origin !== location.origin)
        || ['iframe', 'object', 'embed', 'base', 'img', 'style'].includes(e.localName)
        || (e.localName === 'a' && /^https?:/.test(e.href) && new URL(e.href).origin !== location.origin
            && !e.relList.contains('noopener') && !e.relList.contains('noreferrer'));
    const found = [...document.querySelectorAll('*')].filter(isForeign).map(e => e.outerHTML.slice(0, 300));
    return {found, pwned: window.pwned === 1, shown: document.documentElement.textContent.includes('window.pwned=1')};
";

/// Columns that hold words of users, of what is watched, or of workers.
const PLANTED: [(&str, &str); 28] = [
    ("website", "url"),
    ("website_state", "reason"),
    ("transition", "reason"),
    ("region_state", "detail"),
    ("tick", "detail"),
    ("tick", "remote"),
    ("tick", "certificate_issuer"),
    ("tick", "certificate_subject"),
    ("tick", "tls_version"),
    ("incident", "cause"),
    ("incident", "acknowledged_by"),
    ("incident_website", "url"),
    ("channel", "name"),
    ("alert", "channel_name"),
    ("alert", "said"),
    ("maintenance", "name"),
    ("api_key", "name"),
    ("dead_letter", "reason"),
    ("session", "agent"),
    ("session", "address"),
    ("audit", "object"),
    ("worker", "version"),
    ("status_page", "name"),
    ("status_page", "about"),
    ("status_component", "name"),
    ("status_component", "section"),
    ("status_post", "title"),
    ("status_update", "said"),
];

fn plant(runtime: &tokio::runtime::Runtime, url: &str, has: &mut BTreeMap<String, String>) {
    runtime.block_on(async {
        let pool = sqlx::PgPool::connect(url).await.unwrap();
        let website = uuid::Uuid::parse_str(&has["website"]).unwrap();
        let now = hub::clock::now();
        for sql in [
            "update website set paused = true",
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
             values ($1, $2, 1, $2, 'Unknown', 'Down', '')",
            "insert into tick (website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, \
             class, phase, blame, detail, total_us, body_bytes, truncated) values ($1, $2, 'INDIA', 0, 'pi-1', $2, 'Scheduled', \
             $2, 'Down', 'connect_refused', 'connect', 'target', '', 1, 0, false)",
            "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) \
             values ($1, 'betteruptime:tick:INDIA:pi-1', '', decode('3c7363726970743e', 'hex'), $2)",
            "insert into region (region_id, created_at) values ('INDIA', $2) on conflict do nothing",
            "insert into worker (region_id, worker_id, seen_at, version, concurrency, checks, clock_offset_ms) \
             values ('INDIA', 'pi-1', $2, '', 1, 1, 0)",
        ] {
            // Each names both, though it may need none.
            let sql = format!("with given as (select $1::uuid, $2::bigint) {sql}");
            sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(website).bind(now).execute(&pool).await.unwrap();
        }
        has.insert("letter".to_owned(), website.to_string());
        for (table, column) in PLANTED {
            // Where it was null it says nothing to anybody; an address stays one in front.
            let sql = format!("update {table} set {column} = coalesce({column}, '') || $1");
            sqlx::query(sqlx::AssertSqlSafe(sql.as_str())).bind(HOSTILE).execute(&pool).await.unwrap();
        }
        sqlx::query("update website set url = $1 where kind = 'http'")
            .bind(format!("https://example.com/{HOSTILE}"))
            .execute(&pool)
            .await
            .unwrap();
    });
}

async fn look(browser: &Client, base: &str, path: &str, shown: &mut u32) {
    browser.goto(&format!("{base}{path}")).await.unwrap();
    let found = browser.execute(FOREIGN, vec![]).await.unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(found["found"], json!([]), "{path}");
    assert_eq!(found["pwned"], json!(false), "{path}");
    *shown += u32::from(found["shown"] == json!(true));
}

#[test]
fn t152_t153_words_of_others_are_text_on_every_page() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let told = Told::start(directory.path(), &[("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)]);
    let driver = Driver::start();
    let mut has = anns_things(&runtime, &told, &url);
    plant(&runtime, &url, &mut has);

    let shown = runtime.block_on(async {
        let browser = driver.browser().await;
        browser.goto(&format!("{}/signin", told.base)).await.unwrap();
        type_into(&browser, "#username", "ann").await;
        type_into(&browser, "#password", "correct horse").await;
        browser.find(fantoccini::Locator::Css("button.main")).await.unwrap().click().await.unwrap();
        awaited(&browser, "nav[aria-label=Main]", Duration::from_secs(10)).await;
        let mut shown = 0;
        for route in ROUTES.iter().filter(|route| route.method == Method::Get && route.kind == Kind::Page) {
            let is_download = route.pattern.ends_with(".csv");
            if is_download || route.pattern == "/signup" {
                continue;
            }
            let named = route.pattern.contains("/:");
            let path = match named {
                true if route.pattern.starts_with("/acknowledge/") || route.pattern.contains("/:token") => continue,
                true => path_of(route.pattern, &has[kind_of(route.pattern)]),
                false => route.pattern.to_owned(),
            };
            look(&browser, &told.base, &path, &mut shown).await;
        }
        // What is given back to whoever typed it.
        for path in ["/?q=", "/?tag=", "/incidents?kind=", "/signin?next=", "/settings?said="] {
            let typed: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
            look(&browser, &told.base, &format!("{path}{typed}"), &mut shown).await;
        }
        browser.close().await.unwrap();
        shown
    });
    // That the words were there at all.
    assert!(shown >= 15, "{shown} pages showed them");
}
