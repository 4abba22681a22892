//! Files of other programs, of our own making in the forms they document, imported and then exported.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use sqlx::Connection as _;

use super::{Place, on_both, websites};
use crate::client::token;

on_both! {
    what_kuma_backed_up_is_watched
    what_kuma_has_in_its_database_is_watched
    what_gatus_watches_is_watched
}

fn what_kuma_backed_up_is_watched(place: &Place) {
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    let backup = json!({
        "version": "1.23.11",
        "notificationList": [{"id": 1, "name": "Chat", "active": true, "isDefault": true,
            "config": json!({"type": "discord", "discordWebhookUrl": "https://discord.com/api/webhooks/1/hunter2"}).to_string()}],
        "monitorList": [
            {"id": 1, "name": "Shop", "type": "http", "url": "https://shop.example/", "interval": 60, "active": true,
             "accepted_statuscodes": ["200-299", "301"], "maxredirects": 0, "basic_auth_user": "ann", "basic_auth_pass": "hunter2",
             "notificationIDList": {"1": true}, "tags": [{"tag_id": 1, "monitor_id": 1, "name": "shop", "value": ""}]},
            {"id": 2, "name": "Nightly", "type": "push", "interval": 86400, "active": true},
            {"id": 3, "name": "Router", "type": "ping", "hostname": "192.0.2.1", "interval": 60, "active": true},
            {"id": 4, "name": "Evil", "type": "http", "url": "javascript:alert(1)", "interval": 60, "active": true},
        ],
    });
    place.write("kuma.json", &backup.to_string());
    let said = place.run(&["import", "kuma", "kuma.json", "--secrets-out", "secrets.env"], &[], "");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        !said.out.contains("hunter2") && !said.err.contains("hunter2") && !said.out.contains("javascript"),
        "{said:?}"
    );
    assert!(said.err.contains("Carried: websites 1, jobs 1, channels 1, maintenance 0."), "{said:?}");
    for lost in ["monitor \"Router\"", "A monitor of type ping", "monitor \"Evil\"", "needs http:// or https://"] {
        assert!(said.err.contains(lost), "{lost}\n{said:?}");
    }
    let secrets = std::fs::metadata(place.path().join("secrets.env")).unwrap();
    assert_eq!(secrets.permissions().mode() & 0o777, 0o600);
    place.write("ours.yaml", &said.out);
    let applied = place.run(&["apply", "ours.yaml", "--secrets", "secrets.env"], &[], "");
    assert!(applied.code == Some(0) && applied.out.contains("To add: 3."), "{applied:?}");
    assert_eq!(websites(&hub, &ann).len(), 2);
    let exported = place.run(&["export"], &[], "");
    let plan = place.run(&["plan", "-", "--check"], &[], &exported.out);
    assert!(plan.code == Some(0) && plan.out.contains("As they should be: 3."), "{exported:?}{plan:?}");
    assert!(!exported.out.contains("hunter2"), "T279: {exported:?}");
}

fn what_kuma_has_in_its_database_is_watched(place: &Place) {
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join("kuma.db")).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(
            "create table monitor (id integer primary key autoincrement, name varchar(150), active boolean default 1, \
               user_id integer, interval integer default 20, url text, type varchar(20), maxretries integer default 0, \
               ignore_tls boolean default 0, upside_down boolean default 0, maxredirects integer default 10, \
               accepted_statuscodes_json text default '[\"200-299\"]', keyword varchar(255), invert_keyword boolean default 0, \
               method text default 'GET', body text, headers text, basic_auth_user text, basic_auth_pass text, \
               auth_method varchar(250), timeout double default 0, parent integer, json_path text, expected_value text, \
               json_path_operator text, push_token varchar(32), description text); \
             create table notification (id integer primary key, name varchar(255), active boolean default 1, config text); \
             create table tag (id integer primary key, name varchar(255), color varchar(255)); \
             create table monitor_tag (id integer primary key, monitor_id integer, tag_id integer, value text); \
             create table maintenance (id integer primary key, title varchar(150)); \
             insert into monitor (id, name, type) values (1, 'Web', 'group'); \
             insert into monitor (id, name, type, url, interval, timeout, parent, ignore_tls) \
               values (2, 'Shop', 'http', 'https://shop.example/', 60, 48.0, 1, 1); \
             insert into monitor (id, name, type, url, keyword, active) values (3, 'Word', 'keyword', 'https://word.example/', 'fine', 0); \
             insert into monitor (id, name, type, url, json_path, expected_value, json_path_operator) \
               values (4, 'Json', 'json-query', 'https://json.example/', 'status', 'ok', '=='); \
             insert into monitor (id, name, type) values (5, 'Port', 'port'); \
             insert into tag values (1, 'eu', '#fff'); insert into monitor_tag values (1, 2, 1, 'west'); \
             insert into maintenance values (1, 'Upgrade'); \
             insert into notification values (1, 'Pager', 1, '{\"type\": \"PagerDuty\", \"pagerdutyIntegrationKey\": \"hunter2hunter2hunter2hunter2hunt\"}');",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
    });
    let before = std::fs::read(place.path().join("kuma.db")).unwrap();
    let said = place.run(&["import", "kuma", "kuma.db", "--apply"], &[], "");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(std::fs::read(place.path().join("kuma.db")).unwrap(), before, "nothing is written to it");
    assert!(said.err.contains("Carried: websites 3, jobs 0, channels 1, maintenance 0."), "{said:?}");
    assert!(said.err.contains("monitor \"Port\"") && said.err.contains("maintenance \"Upgrade\""), "{said:?}");
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{said:?}");
    let list = websites(&hub, &ann);
    let shop = list.iter().find(|website| website["url"] == "https://shop.example/").unwrap();
    assert_eq!((&shop["tags"], &shop["timeout_s"], list.len()), (&json!(["eu: west", "web"]), &json!(48), 3));
    assert_eq!(list.iter().find(|website| website["url"] == "https://word.example/").unwrap()["paused"], json!(true));
    let exported = place.run(&["export"], &[], "");
    let plan = place.run(&["plan", "-", "--check"], &[], &exported.out);
    assert!(plan.code == Some(0) && plan.out.contains("As they should be: 4."), "{exported:?}{plan:?}");
    place.write("none.db", "SQLite format 3\0 and no more");
    assert_eq!(place.run(&["import", "kuma", "none.db"], &[], "").code, Some(1));
    assert_eq!(place.run(&["import", "kuma", "-"], &[], "{}").code, Some(1));
}

fn what_gatus_watches_is_watched(place: &Place) {
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    place.write(
        "gatus.yaml",
        "alerting:\n  slack: {webhook-url: \"${SLACK}\"}\n\
         maintenance: {start: \"23:00\", duration: 1h, every: [Monday]}\n\
         endpoints:\n- name: front\n  group: core\n  url: https://front.example/\n  interval: 30s\n  \
         headers: {X-Key: hunter2}\n  conditions: [\"[STATUS] == 200\", \"[BODY].ok == true\"]\n  \
         maintenance-windows: [{start: \"04:00\", duration: 30m}]\n\
         - {name: port, url: \"tcp://a.example:22\", conditions: [\"[CONNECTED] == true\"]}\n\
         external-endpoints:\n- {name: nightly, token: hunter2, heartbeat: {interval: 24h}}\n",
    );
    let missing = place.run(&["import", "gatus", "gatus.yaml", "--apply"], &[], "");
    assert!(missing.code == Some(1) && missing.err.contains("Give the webhook's address"), "{missing:?}");
    let secrets = [("SLACK", "https://hooks.slack.com/services/hunter2")];
    let said = place.run(&["import", "gatus", "gatus.yaml", "--apply"], &secrets, "");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("Carried: websites 1, jobs 1, channels 1, maintenance 2."), "{said:?}");
    assert!(said.err.contains("endpoint \"port\"") && !said.out.contains("hunter2"), "{said:?}");
    assert_eq!(websites(&hub, &ann).len(), 2);
    let exported = place.run(&["export"], &[], "");
    let plan = place.run(&["plan", "-", "--check"], &[], &exported.out);
    assert!(plan.code == Some(0) && plan.out.contains("As they should be: 5."), "{exported:?}{plan:?}");
    assert!(!exported.out.contains("hunter2"), "T279: {exported:?}");
}
