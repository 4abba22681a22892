//! Channels as their owners meet them when something is odd: a form sent twice, a newer version's channel, one that is gone.

use serde_json::json;

use crate::client::{encoded, form, form_page};
use crate::incident_pages::Told;
use crate::process::KEY;
use crate::services::database;

/// What a form of the page holds in a hidden field.
fn hidden(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn odd_channels_are_shown_and_the_others_work() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = runtime.block_on(database());
    let execute = |sql: &'static str| {
        runtime.block_on(async {
            let pool = sqlx::PgPool::connect(&url).await.unwrap();
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
        });
    };
    let told = Told::start(directory.path(), &[("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)]);
    let base = &told.base;
    let channels = || told.api("GET", "/channels", None).1["channels"].as_array().unwrap().clone();

    // Two clicks make one channel, with one secret; another name makes another, as does a form that was opened anew.
    let once = hidden(&told.page("/channels/new?kind=webhook").1, "once");
    let hook = told.receiver.url("/hook");
    let add = |name: &str, once: &str| {
        let fields = [("once", once), ("kind", "webhook"), ("name", name), ("url", hook.as_str())];
        let (status, page) = form_page(base, "/channels/new", &told.ann, &encoded(&fields));
        assert_eq!(status, 200, "{page}");
        page.split("whsec_").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned()
    };
    let secret = add("Tickets", &once);
    assert_eq!(add("Tickets", &once), secret);
    assert_eq!(channels().len(), 1);
    assert_ne!(add("Tickets, too", &once), secret, "after going back, for another");
    assert_ne!(add("Tickets", &hidden(&told.page("/channels/new?kind=webhook").1, "once")), secret);
    assert_eq!(channels().len(), 3);
    let id = channels()[0]["id"].as_str().unwrap().to_owned();
    assert!(!told.page(&format!("/channels/{id}")).1.contains(&secret), "the form's name is in no address");

    // One of a newer version.
    execute(
        "update channel set kind = 'pigeon', settings = '{\"kind\": \"pigeon\", \"loft\": \"hunter2\"}', \
             name = 'Homing' where channel_id = (select channel_id from channel order by created_at desc limit 1)",
    );
    let odd = channels().into_iter().find(|one| one["name"] == "Homing").expect("it is listed");
    assert_eq!((&odd["kind"], &odd["is_unreadable"], &odd["is_on"]), (&json!("pigeon"), &json!(true), &json!(true)));
    let path = format!("/channels/{}", odd["id"].as_str().unwrap());
    for page in ["/channels", path.as_str(), "/channels/new?kind=slack", "/incidents", "/"] {
        let (status, text) = told.page(page);
        assert!(status == 200 && !text.contains("hunter2"), "{page}: {status} {text}");
    }
    let (_, shown) = told.page(&path);
    assert!(shown.contains("newer version") && shown.contains("Homing") && !shown.contains("Send a test"), "{shown}");
    assert_eq!(told.page(&format!("{path}/edit")).0, 409);
    for action in ["edit", "test"] {
        assert_eq!(form(base, &format!("{path}/{action}"), &told.ann, "name=x"), 409, "{action}");
    }
    assert_eq!(told.api("PATCH", &path, Some(&json!({"name": "x"}))).0, 409);
    assert_eq!(told.api("POST", &format!("/channels/{id}/test"), None).1["result"], "delivered", "another works");
    assert_eq!(form(base, &format!("{path}/off"), &told.ann, ""), 303);
    assert_eq!(form(base, &format!("{path}/delete"), &told.ann, ""), 303);
    assert_eq!(channels().len(), 2);

    // One that is gone, with a message that it did not tell.
    execute(
        "insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, websites) \
             select '00000000-0000-7000-8000-000000000001', account_id, 'outage', 'k', 'Refused', 1, 1, 1 from account; \
             insert into incident_website (incident_id, website_id, url, began_at) values \
             ('00000000-0000-7000-8000-000000000001', gen_random_uuid(), 'https://gone.example/', 1); \
             insert into alert (alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, \
             created_at, due_at) select gen_random_uuid(), account_id, gen_random_uuid(), 'Gone', incident_id, 'opened', \
             0, 'dead', 1, 1 from incident",
    );
    let incident = "/incidents/00000000-0000-7000-8000-000000000001";
    let (_, page) = told.page(incident);
    assert!(page.contains("Its channel was deleted. Send it through") && !page.contains(">Send again<"), "{page}");
    let action = page.split("action=\"/alerts/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let before = told.receiver.hits_of("/hook");
    let path = format!("/alerts/{action}");
    assert_eq!(form(base, &path, &told.ann, &encoded(&[("channel", &id)])), 303);
    assert_eq!(form(base, &path, &told.ann, &encoded(&[("channel", &id)])), 409, "once");
    crate::services::wait_until("the message", std::time::Duration::from_secs(10), || {
        told.receiver.hits_of("/hook") > before
    });
    let (_, page) = told.page(incident);
    assert!(page.contains("It was sent through the channel") && !page.contains("Its channel was deleted"), "{page}");
}
