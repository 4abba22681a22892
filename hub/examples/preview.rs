//! Writes every page with invented data into a directory, to be looked at:
//! `cargo run -p hub --example preview -- <directory>`.

use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use hub::http::assets;
use hub::http::pages::account::SignPage;
use hub::http::pages::dashboard::BoardPage;
use hub::http::pages::delete::DeletePage;
use hub::http::pages::landing::LandingPage;
use hub::http::pages::trouble::TroublePage;
use hub::http::pages::website::WebsitePage;
use hub::http::pages::website_form::{FormPage, Typed};
use hub::model::{self, FieldError, FieldErrors, Outcome, WebsiteSettings};

#[path = "../src/http/pages/invented.rs"]
#[allow(missing_docs, dead_code, unreachable_pub, clippy::expect_used)]
mod invented;

fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(1).context("give the directory to write to")?;
    let directory = Path::new(&directory);
    std::fs::create_dir_all(directory.join("static"))?;
    for asset in [&assets::STYLE, &assets::SCRIPT, &assets::ICON] {
        std::fs::write(directory.join(asset.url().trim_start_matches('/')), asset.body())?;
    }
    let write = |name: &str, html: String| {
        let html = html.replace("\"/static/", "\"static/");
        std::fs::write(directory.join(format!("{name}.html")), html)
    };
    let (rows, who) = (invented::rows(), "maria");
    let up: Vec<_> = (0..5)
        .map(|n| {
            let url = format!("https://site-{n}.example.com/");
            invented::row(n, &url, Outcome::Up, &[("LOCAL", Outcome::Up)], "1 of 1 regions up")
        })
        .collect();
    write("board", BoardPage::new(who, &rows)?.render()?)?;
    write("board-up", BoardPage::new(who, &up)?.render()?)?;
    write("board-empty", BoardPage::new(who, &[])?.render()?)?;
    for (name, row) in ["up", "down", "degraded", "unknown", "pending", "paused", "long", "hostile"].iter().zip(&rows) {
        let (ticks, changes) = (invented::ticks(row), invented::transitions(row));
        let page = WebsitePage::new(who, row, &ticks, &changes, invented::NOW)?;
        write(&format!("website-{name}"), page.render()?)?;
    }
    let regions = ["EU-WEST", "INDIA", "USA"].map(invented::region);
    let mut settings = WebsiteSettings::new("https://example.com/".to_owned());
    settings.regions = vec![invented::region("INDIA")];
    let typed = Typed { url: "example.com".to_owned(), timeout_s: "90".to_owned(), ..Typed::of(&settings) };
    let errors = FieldErrors(vec![
        FieldError::new("url", "example.com", "This address needs http:// or https:// in front."),
        FieldError::new("timeout_s", "90", "Give whole seconds from 1 to 60."),
    ]);
    write("new", FormPage::add(who, &[], Typed::empty(), FieldErrors::default()).render()?)?;
    write("new-wrong", FormPage::add(who, &regions, typed, errors).render()?)?;
    let typed = Typed::of(&settings);
    write("edit", FormPage::edit(who, &rows[1].website, &regions, typed, FieldErrors::default()).render()?)?;
    write("delete", DeletePage::new(who, &rows[1].website).render()?)?;
    write("landing", LandingPage::new(true).render()?)?;
    write("signup", SignPage::up(true).render()?)?;
    write(
        "signin",
        SignPage::sign_in(false)
            .again(who, FieldErrors::default())
            .notice("Username or password is wrong.")
            .render()?,
    )?;
    write("trouble", TroublePage::new(404, "", Some(who)).render()?)?;
    Ok(())
}

// `invented` is shared with the unit tests, where it finds the model under this name.
const _: fn(&model::Website) = |_| {};
