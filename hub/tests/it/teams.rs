//! Teams as people meet them: invited by a link, switched between, left; and the end of an account.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, encoded, form, form_page, page, token};
use crate::process::{Hub, KEY};
use crate::services::{database, wait_until};

fn api(base: &str, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    call(method, &format!("{base}/api/v1{path}"), Some(token), body)
}

/// What a browser without a session is answered, and the cookie it gets.
fn as_stranger(base: &str, path: &str, body: Option<&str>) -> (u16, String, Option<String>) {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None).build();
    let agent: ureq::Agent = config.into();
    let mut answer = match body {
        Some(body) => agent
            .post(format!("{base}{path}"))
            .header("origin", base)
            .header("content-type", "application/x-www-form-urlencoded")
            .send(body)
            .unwrap(),
        None => agent.get(format!("{base}{path}")).call().unwrap(),
    };
    let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok()).map(|value| {
        value.split(';').next().unwrap_or_default().split_once('=').map_or(String::new(), |(_, token)| token.to_owned())
    });
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default(), cookie)
}

/// The link on a page that was just made.
fn link_of(page: &str) -> String {
    let at = page.find("/join/").unwrap_or_else(|| panic!("no link: {page}"));
    page[at..at + "/join/".len() + 64].to_owned()
}

#[test]
fn people_are_let_in_by_a_link_though_sign_ups_are_closed_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::start(directory.path(), &[]);
    people_are_let_in_by_a_link_though_sign_ups_are_closed(&hub.url(""), &hub.url(""));
}

#[test]
fn people_are_let_in_by_a_link_though_sign_ups_are_closed_on_two_hubs() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(database());
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    let hubs = (Hub::start(one.path(), &environment), Hub::start(two.path(), &environment));
    people_are_let_in_by_a_link_though_sign_ups_are_closed(&hubs.0.url(""), &hubs.1.url(""));
}

fn people_are_let_in_by_a_link_though_sign_ups_are_closed(base: &str, other_hub: &str) {
    let ann = token(base, "ann", "correct horse");
    let website = api(base, &ann, "POST", "/websites", Some(&json!({"url": "https://anns.example.com/"}))).1;
    let id = website["id"].as_str().unwrap().to_owned();

    // Looking at a link changes nothing; following it makes an account, once.
    let (status, shown) = form_page(base, "/team/invitations", &ann, "role=viewer");
    assert_eq!(status, 200, "{shown}");
    let link = link_of(&shown);
    for _ in 0..2 {
        let (status, offered, _) = as_stranger(base, &link, None);
        assert!(status == 200 && offered.contains("invited to the team ann") && offered.contains("name=\"username\""));
    }
    assert_eq!(as_stranger(base, &format!("/join/{}", "0".repeat(64)), None).0, 404);
    let who = |name: &str, password: &str| encoded(&[("username", name), ("password", password)]);
    let (status, wrong, _) = as_stranger(base, &link, Some(&who("bob", "short")));
    assert!(status == 422 && wrong.contains("password-error") && wrong.contains("value=\"bob\""), "{status} {wrong}");
    let (status, wrong, _) = as_stranger(base, &link, Some(&who("Ann", "battery staple")));
    assert!(status == 422 && wrong.contains("username-error"), "{status} {wrong}");
    let (status, _, cookie) = as_stranger(base, &link, Some(&who("bob", "battery staple")));
    let bob = cookie.expect("a session");
    assert_eq!(status, 303);
    assert_eq!(as_stranger(base, &link, Some(&who("carl", "battery staple"))).0, 404, "once");
    assert_eq!(as_stranger(base, "/signup", Some(&who("carl", "battery staple"))).0, 403, "sign-ups are closed still");

    // He sees ann's things on every hub, may not change them, and looks after nothing.
    let of_bob = |base: &str| page(base, &format!("/websites/{id}"), &bob).0;
    assert_eq!((of_bob(base), of_bob(other_hub)), (200, 200));
    assert_eq!(form(base, &format!("/websites/{id}/pause"), &bob, ""), 403);
    assert_eq!(page(base, "/probes", &bob).0, 404);
    let (_, shown) = page(base, "/team", &bob);
    assert!(shown.contains("You may look at what it has") && !shown.contains("Invite somebody"), "{shown}");

    // Another role counts at once, wherever he is.
    let (_, members) = api(base, &ann, "GET", "/members", None);
    let bobs_id = members["members"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(form(base, &format!("/team/members/{bobs_id}/role"), &ann, "role=editor"), 303);
    assert_eq!(form(other_hub, &format!("/websites/{id}/pause"), &bob, ""), 303);

    // His own team beside it: by the session, or by each request.
    let in_with = |base: &str, team: Option<&str>| {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let agent: ureq::Agent = config.into();
        let mut request = agent.get(format!("{base}/api/v1/websites")).header("token", &bob);
        if let Some(team) = team {
            request = request.header("x-team", team);
        }
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let (_, teams) = api(base, &bob, "GET", "/teams", None);
    let anns_id = teams["teams"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(teams["teams"][1]["is_this"], true, "{teams}");
    assert!(in_with(base, None).1.contains(&id) && !in_with(base, Some(&bobs_id)).1.contains(&id));
    assert_eq!(form(base, "/team/switch", &bob, &encoded(&[("team", &bobs_id)])), 303);
    assert!(!in_with(other_hub, None).1.contains(&id) && in_with(other_hub, Some(&anns_id)).1.contains(&id));
    for nobodys in [uuid::Uuid::new_v4().to_string(), "x".to_owned()] {
        assert_eq!(in_with(base, Some(&nobodys)).0, 404);
    }

    // A team of his own making, without ann.
    assert_eq!(form(base, "/team/new", &bob, &encoded(&[("name", " Side  project ")])), 303);
    let (_, shown) = page(base, "/team", &bob);
    assert!(shown.contains("<h1>Side project</h1>") && shown.contains("Delete the team"), "{shown}");
    assert_eq!(form(base, "/team/leave", &bob, ""), 409, "its last owner");
    let (_, teams) = api(base, &bob, "GET", "/teams", None);
    let side = teams["teams"].as_array().unwrap().iter().find(|one| one["name"] == "Side project").unwrap().clone();
    assert_eq!(in_with(base, side["id"].as_str()).0, 200);
    assert_eq!(api(base, &ann, "PUT", "/team", Some(&json!({"id": side["id"]}))).0, 404);

    // What bob lets in makes no accounts: he is no operator.
    let (_, made) = api(base, &bob, "POST", "/invitations", Some(&json!({"role": "owner"})));
    let link = link_of(&made.to_string());
    let (status, offered, _) = as_stranger(base, &link, None);
    assert!(status == 200 && offered.contains("makes no accounts"), "{offered}");
    assert_eq!(as_stranger(base, &link, Some(&who("carl", "battery staple"))).0, 404);
    assert_eq!(form(base, &link, &ann, ""), 303, "ann has one");
    assert_eq!(api(base, &bob, "POST", "/team/leave", None).0, 204, "ann owns it, too");

    // Out: from the next request on, on every hub.
    assert_eq!(form(base, "/team/switch", &bob, &encoded(&[("team", &anns_id)])), 303);
    assert_eq!(of_bob(other_hub), 200);
    assert_eq!(form(base, &format!("/team/members/{bobs_id}/remove"), &ann, ""), 404, "that is another team's");
    assert_eq!(form(base, "/team/switch", &ann, &encoded(&[("team", &anns_id)])), 303);
    assert_eq!(form(base, &format!("/team/members/{bobs_id}/remove"), &ann, ""), 303);
    assert_eq!((of_bob(base), of_bob(other_hub)), (404, 404));
    assert_eq!(page(base, "/", &bob).0, 200, "his own is there");
}

#[test]
fn t151_a_deleted_account_is_gone_on_every_hub() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = runtime.block_on(database());
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET_KEY", KEY),
        ("SIGNUPS", "open"),
        ("MAX_WEBSITES_PER_ACCOUNT", "2"),
    ];
    let hubs = (Hub::start(one.path(), &environment), Hub::start(two.path(), &environment));
    let (base, other) = (hubs.0.url(""), hubs.1.url(""));
    let ann = token(&base, "ann", "correct horse");
    let add =
        |n: u8| api(&base, &ann, "POST", "/websites", Some(&json!({"url": format!("https://w{n}.example.com/")})));
    assert_eq!((add(1).0, add(2).0), (201, 201));
    let (status, full) = add(3);
    assert!(status == 409 && full["title"].as_str().is_some_and(|title| title.contains("2 websites")), "{full}");
    let watched = || {
        let rows = runtime.block_on(async {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            let tables = "select (select count(*) from website) + (select count(*) from account)";
            sqlx::query_scalar::<_, i64>(tables).fetch_one(&pool).await.unwrap()
        });
        (rows, page(&other, "/", &ann).1.replace("<wbr>", "").contains("w1.example.com"))
    };
    assert_eq!(watched(), (3, true));

    let (status, wrong) = form_page(&base, "/settings/delete", &ann, &encoded(&[("password", "wrong horse")]));
    assert!(status == 422 && wrong.contains("password-error"), "{status} {wrong}");
    assert_eq!(api(&base, &ann, "DELETE", "/account", Some(&json!({"password": "wrong"}))).0, 422);
    assert_eq!(watched(), (3, true));
    assert_eq!(form(&base, "/settings/delete", &ann, &encoded(&[("password", "correct horse")])), 303);
    assert_eq!(api(&other, &ann, "GET", "/websites", None).0, 401, "out at once, on every hub");
    let account = json!({"username": "ann", "password": "correct horse"});
    assert_eq!(call("POST", &format!("{other}/signin"), None, Some(&account)).0, 400);
    wait_until("nothing to be left", Duration::from_secs(10), || watched() == (0, false));
}
