use askama::Template;

use super::account::SignPage;
use super::dashboard::{Board, BoardPage};
use super::delete::DeletePage;
use super::invented::{HOSTILE, NOW, row, rows, ticks, transitions};
use super::landing::LandingPage;
use super::trouble::TroublePage;
use super::website::WebsitePage;
use super::website_form::{FormPage, Typed};
use super::{assets, unless_known};
use crate::http::{Method, Request};
use crate::model::{FieldError, FieldErrors, Outcome, WebsiteSettings};

/// Every page, with hostile text wherever somebody else may put text.
fn all_pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add = |name: &str, html: Result<String, askama::Error>| pages.push((name.to_owned(), html.unwrap()));
    let mut rows = rows();
    // Stored URLs are in normal form, which has no such signs; the pages do not lean on that.
    rows[7].website.settings.url = format!("https://{HOSTILE}");
    let errors = FieldErrors(vec![FieldError::new("url", HOSTILE, HOSTILE), FieldError::new("username", "", HOSTILE)]);
    let typed = Typed {
        url: HOSTILE.into(),
        interval_s: HOSTILE.into(),
        timeout_s: HOSTILE.into(),
        regions: vec![HOSTILE.into()],
    };
    let regions = ["INDIA", "USA"].map(|r| r.parse().unwrap());
    add("board", BoardPage::new(HOSTILE, &rows).and_then(|p| p.render()));
    add("board-empty", BoardPage::new(HOSTILE, &[]).and_then(|p| p.render()));
    for (n, row) in rows.iter().enumerate() {
        let page = WebsitePage::new(HOSTILE, row, &ticks(row), &transitions(row), NOW);
        add(&format!("website-{n}"), page.and_then(|p| p.render()));
    }
    add("landing", LandingPage::new(true).render());
    add("signup", SignPage::up(true).again(HOSTILE, errors.clone()).notice(HOSTILE).render());
    add("signin", SignPage::sign_in(true).again(HOSTILE, errors.clone()).render());
    add("new", FormPage::add(HOSTILE, &regions, typed.clone(), errors.clone()).render());
    add("edit", FormPage::edit(HOSTILE, &rows[7].website, &regions, typed, errors).render());
    add("delete", DeletePage::new(HOSTILE, &rows[7].website).render());
    add("trouble", TroublePage::new(500, HOSTILE, Some(HOSTILE)).render());
    pages
}

#[test]
fn text_from_others_is_inert_on_every_page() {
    for (name, html) in all_pages() {
        for harmful in ["<script>alert", "\"onload=", "]]> </title>", "alert(2)'"] {
            assert!(!html.contains(harmful), "{name} has {harmful}");
        }
        assert!(!html.contains("style=") && !html.contains(" onclick"), "{name} has inline code");
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn a_hundred_websites_fit_in_60_kb_with_style_and_script() {
    let rows: Vec<_> = (0..100)
        .map(|n| {
            row(
                n,
                &format!("https://site-{n}.example.com/"),
                Outcome::Up,
                &[("LOCAL", Outcome::Up)],
                "1 of 1 regions up",
            )
        })
        .collect();
    let page = BoardPage::new("owner", &rows).unwrap().render().unwrap();
    let bytes = page.len() + assets::STYLE.body().len() + assets::SCRIPT.body().len();
    assert!(bytes <= 60 * 1_024, "{bytes} bytes, {} of them the page", page.len());
}

#[test]
fn trouble_comes_first() {
    let html = Board::new(&rows()).render().unwrap();
    let at = |word: &str| html.find(&format!("<span>{word}</span>")).unwrap();
    let places = ["Down", "Degraded", "Unknown", "Pending", "Up", "Paused"].map(at);
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.contains("2 of 7 are down, 1 is degraded, 1 is unknown, 1 is pending, 1 is paused"));
}

#[test]
fn a_refused_form_keeps_what_was_typed_and_names_the_field() {
    let typed = Typed { url: "example.com".into(), ..Typed::of(&WebsiteSettings::new(String::new())) };
    let remedy = "This address needs http:// or https:// in front.";
    let errors = FieldErrors(vec![FieldError::new("url", "example.com", remedy)]);
    let html = FormPage::add("owner", &[], typed, errors).render().unwrap();
    assert!(html.contains("value=\"example.com\"") && html.contains("aria-describedby=\"url-error\""));
    assert!(html.contains(&format!("id=\"url-error\">{remedy}")), "{html}");
    assert!(!html.contains("type=\"checkbox\""), "one region or none needs no choice");
}

#[test]
fn a_fragment_the_browser_has_is_not_sent_again() {
    let mut request = Request {
        method: Method::Get,
        path: "/websites/fragment".into(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Vec::new(),
        client: [127, 0, 0, 1].into(),
        request_id: String::new(),
    };
    let first = unless_known(&request, "<p>1".into());
    let (_, etag) = first.headers.iter().find(|(n, _)| *n == "etag").unwrap();
    request.headers.push(("if-none-match".into(), etag.clone()));
    assert_eq!(unless_known(&request, "<p>1".into()).status, 304);
    assert_eq!(unless_known(&request, "<p>2".into()).status, 200);
}
