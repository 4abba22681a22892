//! Messages at programs that others wrote: a real Alertmanager, what verifies Standard Webhooks in Python; and what a test
//! leaves behind at PagerDuty.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hub::model::{AlertEvent, AlertState, ChannelSettings, SecretText, TryResult};
use serde_json::{Value, json};

use super::{HOOK_SECRET, Receiver, SECOND, World, alerts, on_both, raw, turn, webhook};
use crate::client::call;
use crate::services::{free_port, wait_until};

on_both! {
    what_a_test_opens_at_pagerduty_is_resolved_at_once
}

async fn what_a_test_opens_at_pagerduty_is_resolved_at_once(world: World) {
    let receiver =
        Receiver::answering(&["202 Accepted", "202 Accepted", "202 Accepted", "429 Too Many Requests", "400 Bad"]);
    let routing_key = SecretText::new("0123456789abcdef0123456789abcdef");
    let server = Some(receiver.server.url("").trim_end_matches('/').to_owned());
    let channel = world.channel("rota", ChannelSettings::Pagerduty { routing_key, server }).await;
    let sender = alerts(Duration::from_secs(5));
    let tried = sender.test(&world.store, &channel, world.now).await;
    assert_eq!(tried.result, TryResult::Delivered);
    let sent: Vec<Value> = receiver.got().iter().map(super::Got::json).collect();
    let actions: Vec<&str> = sent.iter().map(|one| one["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!((&sent[0]["dedup_key"], &sent[0]["routing_key"]), (&sent[1]["dedup_key"], &sent[1]["routing_key"]));
    let test = world.alerts(&channel).await.remove(0);
    assert_eq!((test.event, test.state), (AlertEvent::Test, AlertState::Delivered));
    let tries = world.store.alert_tries(world.account, test.alert_id).await.unwrap();
    assert_eq!(tries.len(), 2, "the log shows both: {tries:?}");
    assert!(tries[1].said.starts_with("The test was ended there: It answered 202"), "{tries:?}");
    // What could not be ended is said.
    let tried = sender.test(&world.store, &channel, world.now + SECOND).await;
    assert_eq!(tried.result, TryResult::Delivered);
    assert!(tried.said.contains("resolve it by hand") && tried.said.contains("429"), "{tried:?}");
    // What was not begun needs no end.
    let tried = sender.test(&world.store, &channel, world.now + 2 * SECOND).await;
    assert_eq!((tried.result, receiver.got().len()), (TryResult::GivenUp, 5));
}

/// A real Alertmanager, of loopback alone; ends with the value.
struct Alertmanager {
    child: Child,
    base: String,
    _directory: tempfile::TempDir,
}

impl Alertmanager {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's prometheus-alertmanager; install it, or run ./test.sh, which does");
        let listens = || std::net::TcpStream::connect(&address).is_ok();
        wait_until("Alertmanager to listen", Duration::from_secs(15), listens);
        Self { child, base: format!("http://{address}"), _directory: directory }
    }

    /// What it holds for going on, by the incident they are about.
    fn active(&self, id: &str) -> Vec<Value> {
        let (status, found) = call("GET", &format!("{}/api/v2/alerts", self.base), None, None);
        assert_eq!(status, 200, "{found}");
        found.as_array().unwrap().iter().filter(|alert| alert["labels"]["id"] == id).cloned().collect()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_alertmanager_shows_an_incident_until_it_is_over() {
    let world = World::sqlite().await;
    let alertmanager = tokio::task::block_in_place(Alertmanager::start);
    let channel =
        world.channel("am", ChannelSettings::Alertmanager { url: SecretText::new(alertmanager.base.as_str()) }).await;
    let incident = world.incident(1).await;
    let evil = "<b>{{ .Labels }}</b> \"\\ \u{202e}\u{5e9} \u{1f525}".repeat(200);
    raw!(world, pool => {
        sqlx::query("update incident set cause = $2, cause_key = $2 where incident_id = $1")
            .bind(incident.0).bind(&evil).execute(pool).await.expect("the incident");
    });
    let opened = world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
    turn(&mut world.sender(), world.now).await;
    let sent = world.state(opened).await;
    assert_eq!(sent.state, AlertState::Delivered, "{sent:?}");
    let shown = tokio::task::block_in_place(|| alertmanager.active(&incident.to_string()));
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(
        (&shown[0]["labels"]["alertname"], &shown[0]["status"]["state"]),
        (&json!("WebsiteDown"), &json!("active"))
    );
    assert_eq!(shown[0]["annotations"]["summary"], "host1.example is down");
    assert_eq!(shown[0]["generatorURL"], json!(format!("https://up.example.org/incidents/{incident}")));
    // Every other message is taken, too.
    for event in [AlertEvent::Updated, AlertEvent::Acknowledged, AlertEvent::Reminder] {
        let id = world.alert(incident, event, &channel, world.now + SECOND).await;
        turn(&mut world.sender(), world.now + SECOND).await;
        assert_eq!(world.state(id).await.state, AlertState::Delivered, "{event}");
    }
    let tried = alerts(Duration::from_secs(5)).test(&world.store, &channel, world.now).await;
    assert_eq!(tried.result, TryResult::Delivered, "{tried:?}");
    world.close(incident, world.now).await;
    let resolved = world.alert(incident, AlertEvent::Resolved, &channel, world.now + 2 * SECOND).await;
    turn(&mut world.sender(), world.now + 2 * SECOND).await;
    assert_eq!(world.state(resolved).await.state, AlertState::Delivered);
    tokio::task::block_in_place(|| {
        wait_until("it to be over there", Duration::from_secs(5), || {
            alertmanager.active(&incident.to_string()).is_empty()
        });
    });
}

/// What `docs/ALERTS.md` shows for Python, over lines of JSON; and the library of Standard Webhooks, where it is installed.
fn verify(lines: &[Value]) -> Vec<bool> {
    let docs = include_str!("../../../../docs/ALERTS.md");
    let shown =
        docs.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program in the docs");
    let around = r#"
import json, sys
try:
    from standardwebhooks import Webhook
except ImportError:
    Webhook = None

for line in sys.stdin:
    one = json.loads(line)
    found = is_ours(one["secret"], one["headers"], one["body"].encode())
    if Webhook:
        try:
            Webhook(one["secret"]).verify(one["body"], one["headers"])
            assert found, "the library takes what the program does not"
        except Exception as error:
            assert not found, error
    print(json.dumps(found), flush=True)
"#;
    let mut child = Command::new("python3")
        .args(["-c", &format!("{shown}{around}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = child.stdin.take().expect("its input");
    for line in lines {
        writeln!(stdin, "{line}").expect("python3");
    }
    drop(stdin);
    let output = child.wait_with_output().expect("python3");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line == "true").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t268_a_program_of_others_finds_the_signatures_good() {
    let world = World::sqlite().await;
    let receiver = Receiver::taking();
    let plain = world.channel("plain", webhook(&receiver)).await;
    let new = "whsec_CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
    let ChannelSettings::Webhook { url, secret, .. } = webhook(&receiver) else { panic!("a webhook") };
    let changing = ChannelSettings::Webhook { url, secret: SecretText::new(new), old_secret: Some(secret) };
    let changing = world.channel("changing", changing).await;
    world.opened(1, &plain).await;
    world.opened(2, &changing).await;
    turn(&mut world.sender(), hub::clock::now()).await;
    let mut lines = Vec::new();
    for name in ["host1.example", "host2.example"] {
        let got = receiver.got().into_iter().find(|got| got.body.contains(name)).expect("a message");
        let headers: Value = ["webhook-id", "webhook-timestamp", "webhook-signature"]
            .map(|name| (name.to_owned(), Value::String(got.header(name))))
            .into_iter()
            .collect::<serde_json::Map<_, _>>()
            .into();
        let changed = got.body.replacen("down", "up", 1);
        for (secret, body) in [(HOOK_SECRET, &got.body), (new, &got.body), (HOOK_SECRET, &changed)] {
            lines.push(json!({"secret": secret, "headers": headers, "body": body}));
        }
    }
    let found = tokio::task::block_in_place(|| verify(&lines));
    assert_eq!(found, [true, false, false, true, true, false]);
}
