use serde_json::{Value, json};

use super::*;
use crate::model::manifest::{Action, Context, Manifest, Plan, State};
use crate::model::retention::Retention;
use crate::model::{SecretText, TargetRules};

const NOW: i64 = 1_795_487_400_000;

/// What an import makes of an account that has nothing.
fn plan(import: &Import) -> Plan {
    let context = Context {
        rules: &TargetRules::default(),
        retention: Retention { days: 400 },
        regions: &[],
        now: NOW,
        secrets: &|reference| {
            let known = import.secrets.iter().find(|(name, _)| *name == reference.to_string());
            Ok(Some(known.map_or_else(|| SecretText::new("https://hooks.slack.com/services/x"), |(_, s)| s.clone())))
        },
        new_id: &uuid::Uuid::now_v7,
        random: &|| [0; 32],
    };
    let manifest = Manifest::read(&import.yaml, &State::default(), &context);
    let manifest = manifest.unwrap_or_else(|problems| panic!("{}{problems:#?}", import.yaml));
    Plan::new(&manifest, &State::default(), false, NOW)
}

fn lost(import: &Import) -> String {
    import.not_carried.iter().map(|lost| format!("{}: {}\n", lost.what, lost.why)).collect()
}

fn counts(import: &Import) -> Vec<usize> {
    import.counts.iter().map(|(_, count)| *count).collect()
}

fn backup() -> Value {
    let monitor = |id: i64, name: &str, kind: &str, more: Value| {
        let mut monitor = json!({"id": id, "name": name, "type": kind, "interval": 60, "active": true, "maxredirects": 10,
            "accepted_statuscodes": ["200-299"], "method": "GET", "timeout": 48});
        let (Some(monitor), Some(more)) = (monitor.as_object_mut(), more.as_object()) else { panic!("maps") };
        monitor.extend(more.clone());
        Value::Object(monitor.clone())
    };
    let notification =
        |name: &str, config: Value| json!({"id": 1, "name": name, "active": true, "config": config.to_string()});
    json!({
        "version": "1.23.11",
        "notificationList": [
            notification("Mail", json!({"type": "smtp", "smtpHost": "smtp.example.com", "smtpPort": 465, "smtpSecure": true,
                "smtpUsername": "ops", "smtpPassword": "hunter2", "smtpFrom": "Ops <ops@example.com>", "smtpTo": "Ann <ann@example.com>, bob@example.com"})),
            notification("Slack", json!({"type": "slack", "slackwebhookURL": "https://hooks.slack.com/services/hunter2"})),
            notification("Wrong", json!({"type": "slack", "slackwebhookURL": "javascript:alert(1)"})),
            notification("Signal", json!({"type": "signal", "signalURL": "http://10.0.0.1"})),
            notification("Ntfy", json!({"type": "ntfy", "ntfyserverurl": "https://ntfy.sh", "ntfytopic": "hunter2", "ntfyAuthenticationMethod": "none"})),
            notification("Hook", json!({"type": "webhook", "webhookURL": "https://hook.example/hunter2", "webhookContentType": "json"})),
        ],
        "monitorList": [
            monitor(1, "Web", "group", json!({})),
            monitor(2, "Shop", "http", json!({"url": "https://shop.example/?key=1", "parent": 1, "maxretries": 3, "ignoreTls": true,
                "tags": [{"name": "env", "value": "prod"}, {"name": "eu", "value": ""}],
                "basic_auth_user": "ann", "basic_auth_pass": "hunter2", "authMethod": "basic", "interval": 20})),
            monitor(3, "Word", "keyword", json!({"url": "https://word.example", "keyword": "all: \"fine\"", "method": "POST",
                "body": "{\"a\": \"hunter2\"}", "headers": "{\"X-Key\": \"hunter2\", \"Accept\": \"text/html\", \"Authorization\": \"Bearer hunter2\"}", "active": false})),
            monitor(4, "No word", "keyword", json!({"url": "https://word.example/no", "keyword": "error", "invertKeyword": true, "accepted_statuscodes": ["200-299", "404"]})),
            monitor(5, "Json", "json-query", json!({"url": "https://json.example", "jsonPath": "$.checks[0].ok", "expectedValue": "true"})),
            monitor(6, "Expression", "json-query", json!({"url": "https://json.example", "jsonPath": "$sum(a)", "expectedValue": "5"})),
            monitor(7, "Backup", "push", json!({"interval": 3600, "maxretries": 2, "retryInterval": 600})),
            monitor(8, "Router", "ping", json!({"hostname": "10.0.0.1"})),
            monitor(9, "Upside", "http", json!({"url": "https://a.example", "upsideDown": true})),
            monitor(10, "Proxy", "http", json!({"url": "https://a.example", "proxyId": 3})),
            monitor(11, "Script", "http", json!({"url": "javascript:alert(1)"})),
            monitor(12, "Shop", "http", json!({"url": "https://shop.example/other", "authMethod": "ntlm"})),
        ],
    })
}

#[test]
fn kuma_comes_over_and_what_does_not_is_told() {
    let import = kuma(&backup());
    assert_eq!(counts(&import), [4, 1, 4, 0], "{}\n{}", import.yaml, lost(&import));
    assert_eq!(plan(&import).count(Action::Add), 9);
    let told = lost(&import);
    for expected in [
        "notification \"Wrong\": ",
        "notification \"Signal\": A notification of type signal",
        "notification \"Hook\": Its receiver gets other JSON here",
        "monitor \"Expression\": \"$sum(a)\" is more than a path",
        "monitor \"Backup\": It has another address to report to here",
        "monitor \"Router\": A monitor of type ping",
        "monitor \"Upside\": It is up when its website is down",
        "monitor \"Proxy\": It is asked through a proxy",
        "monitor \"Script\": This address needs http:// or https:// in front.",
        "monitor \"Shop\": It signs in by ntlm",
        "retries of 1 monitors: ",
        "1 groups: They are tags now.",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    for expected in [
        "key: shop\n",
        "tags: [",
        "env: prod",
        "user_agent",
        "contains: \"all: \\\"fine\\\"\"",
        "lacks: error",
        "accept: \"200-299, 404\"",
        "json: /checks/0/ok\n",
        "equals: true",
        "period_s: 3600",
        "grace_s: 1200",
        "paused: true",
        "username: ann",
        "token: {env: WORD_TOKEN}",
        "timeout_s: 20",
    ] {
        assert_eq!(import.yaml.contains(expected), expected != "user_agent", "{expected}\n{}", import.yaml);
    }
    assert!(!import.yaml.contains("hunter2") && !told.contains("hunter2"), "{}{told}", import.yaml);
    assert!(!import.yaml.contains("javascript") && import.secrets.len() == 8, "{:?}", import.secrets);
}

#[test]
fn what_is_in_a_group_that_is_off_is_paused() {
    let import = kuma(&json!({"monitorList": [
        {"id": 1, "name": "Outer", "type": "group", "active": false},
        {"id": 2, "name": "Inner", "type": "group", "active": true, "parent": 1},
        {"id": 3, "name": "Shop", "type": "http", "url": "https://shop.example/", "active": true, "parent": 2},
        {"id": 4, "name": "Ring", "type": "group", "active": true, "parent": 4},
        {"id": 5, "name": "Backup", "type": "push", "active": true, "parent": 4},
    ]}));
    assert_eq!(
        (import.yaml.matches("paused: true").count(), counts(&import)),
        (1, vec![1, 1, 0, 0]),
        "{}",
        import.yaml
    );
}

#[test]
fn kuma_may_be_anything_at_all() {
    for odd in [
        json!(null),
        json!([]),
        json!({"monitorList": 5}),
        json!({"monitorList": [5, {}, {"type": "http"}, {"type": 7, "name": []}]}),
        json!({"notificationList": [{"config": "{"}, {"config": "5"}, {"config": 5}, {}]}),
    ] {
        let import = kuma(&odd);
        assert_eq!(counts(&import), [0, 0, 0, 0], "{odd}");
        assert_eq!(plan(&import).items.len(), 0);
    }
}

const GATUS: &str = r#"
x-base: &base
  interval: 1m30s
  client: {timeout: 5s, insecure: true}
alerting:
  slack: {webhook-url: "https://hooks.slack.com/services/hunter2"}
  discord: {webhook-url: "${DISCORD_URL}"}
  teams: {webhook-url: "https://teams.example"}
  email: {from: ops@example.com, password: "${MAIL}", host: smtp.example.com, port: 587, to: "ann@example.com,bob@example.com"}
maintenance: {start: "23:00", duration: 1h, timezone: Europe/Berlin, every: [Monday, Thursday]}
web: {port: 8080}
endpoints:
  - <<: *base
    name: front
    group: Core
    url: https://front.example/health
    headers: {Authorization: "Bearer ${TOKEN}", X-Key: hunter2}
    conditions:
      - "[STATUS] == any(200, 429)"
      - "[RESPONSE_TIME] < 500"
      - "[CERTIFICATE_EXPIRATION] > 48h"
      - "[BODY].status == UP"
      - "[BODY] == pat(*all fine*)"
      - "[BODY] != pat(*error*)"
      - "[CONNECTED] == true"
    maintenance-windows: [{start: "04:00", duration: 30m}]
  - {name: query, url: "https://api.example/graphql", graphql: true, body: "{ me }", conditions: ["[STATUS] < 300"], enabled: false}
  - {name: any, url: "https://any.example"}
  - {name: len, url: "https://len.example", conditions: ["len([BODY].data) < 5"]}
  - {name: tcp, url: "tcp://a.example:22", conditions: ["[CONNECTED] == true"]}
  - {name: dns, url: 1.1.1.1, dns: {query-name: a.example, query-type: A}}
  - {name: script, url: "javascript:alert(1)"}
  - {name: var, url: "https://${HOST}/", conditions: ["[STATUS] == 200"]}
  - {name: oauth, url: "https://o.example", client: {oauth2: {token-url: "https://o.example"}}}
external-endpoints:
  - {name: backup, group: Core, token: hunter2, heartbeat: {interval: 24h}}
  - {name: silent, token: hunter2}
"#;

#[test]
fn gatus_comes_over_and_what_does_not_is_told() {
    let import = gatus(GATUS, NOW).expect("YAML");
    let told = lost(&import);
    assert_eq!(counts(&import), [3, 1, 3, 2], "{}\n{told}", import.yaml);
    for expected in [
        "alerting.teams: There is no such channel here.",
        "web: These settings are about the program itself.",
        "endpoint \"Core/front\": \"[RESPONSE_TIME] < 500\": who is slower is degraded here, not down.",
        "endpoint \"len\": Condition \"len([BODY].data) < 5\" cannot be said here.",
        "endpoint \"tcp\": It asks by tcp",
        "endpoint \"dns\": It asks by dns",
        "endpoint \"script\": ",
        "endpoint \"var\": Its address holds a variable",
        "endpoint \"oauth\": client.oauth2 is not known here.",
        "external endpoint \"Core/backup\": It has another address",
        "external endpoint \"silent\": It has no heartbeat",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    for expected in [
        "interval_s: 90",
        "timeout_s: 5",
        "insecure_tls: true",
        "accept: \"200, 429\"",
        "slow_ms: 500",
        "certificate_days: 2",
        "json: /status\n",
        "equals: UP",
        "contains: all fine",
        "lacks: error",
        "token: {env: TOKEN}",
        "url: {env: DISCORD_URL}",
        "accept: 100-599",
        "accept: 100-299",
        "repeats: weekly:mon,thu",
        "website: core-front",
        "period_s: 86400",
    ] {
        assert!(
            import.yaml.contains(expected) || import.yaml.contains(&expected.replace(": ", ": \"")),
            "{expected}\n{}",
            import.yaml
        );
    }
    assert!(!import.yaml.contains("hunter2") && !import.yaml.contains("javascript") && !told.contains("hunter2"));
    assert_eq!(import.secrets.len(), 3, "{:?}", import.secrets);
    assert!(gatus("a: [", NOW).is_err());
}

#[test]
fn spans_and_paths_are_read_as_they_are_written_there() {
    for (text, ms) in [
        ("1m30s", Some(90_000)),
        ("500ms", Some(500)),
        ("1.5h", Some(5_400_000)),
        ("", None),
        ("5", None),
        ("x", None),
        ("99999h", None),
    ] {
        assert_eq!(span::span_ms(text), ms, "{text}");
    }
    for (path, found) in [
        ("$", Some("")),
        ("", Some("")),
        ("$.a.b[0].c", Some("/a/b/0/c")),
        ("a.b", Some("/a/b")),
        (".a", Some("/a")),
        ("[0]", Some("/0")),
        ("$sum(a)", None),
        ("a[*]", None),
        ("a..b", None),
        ("a.b c", None),
        ("a[-1]", None),
    ] {
        assert_eq!(pointer::pointer(path).as_deref(), found, "{path}");
    }
}
