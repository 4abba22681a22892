//! `plan`, `apply`, `export` and `import`, as processes beside running hubs, on both databases.

mod imports;
mod races;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{call, page, token};
use crate::process::{Hub, KEY, Target};
use crate::services::{database, wait_until};

/// A hub's place: what it is started with, and where.
struct Place {
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    fn sqlite() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    fn postgres() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = runtime.block_on(database());
        let environment = vec![("DATABASE_URL".to_owned(), url), ("JWT_SECRET_KEY".to_owned(), KEY.to_owned())];
        Self { directory: tempfile::tempdir().unwrap(), environment }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn hub(&self) -> Hub {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Hub::start(self.path(), &environment)
    }

    fn command(&self, arguments: &[&str], secrets: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_betteruptime-hub"));
        let environment = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        command.env_clear().envs(environment).envs(secrets.iter().copied()).current_dir(self.path()).args(arguments);
        command
    }

    /// Runs a command; `input` comes on its standard input.
    fn run(&self, arguments: &[&str], secrets: &[(&str, &str)], input: &str) -> Said {
        let mut command = self.command(arguments, secrets);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Said::of(&child.wait_with_output().unwrap())
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path().join(file), text).unwrap();
    }

    /// That a file which was exported finds no difference.
    fn exports_the_same(&self) -> String {
        let exported = self.run(&["export"], &[], "");
        assert_eq!(exported.code, Some(0), "{exported:?}");
        let plan = self.run(&["plan", "-", "--check"], &[], &exported.out);
        assert_eq!(plan.code, Some(0), "{}\n{plan:?}", exported.out);
        assert!(plan.out.contains("To add: 0. To change: 0. To remove: 0."), "{plan:?}");
        exported.out
    }
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

fn websites(hub: &Hub, ann: &str) -> Vec<Value> {
    let list = call("GET", &hub.url("/api/v1/websites?limit=100"), Some(ann), None).1;
    list["websites"].as_array().cloned().unwrap_or_default()
}

const SECRETS: [(&str, &str); 2] = [("HOOK", "https://hook.example/hunter2"), ("X_KEY", "hunter2")];

fn file(target: &Target, path: &str, interval_s: i64) -> String {
    format!(
        "channels:\n- {{name: Hook, kind: webhook, url: {{env: HOOK}}, is_on: false}}\n\
         websites:\n- key: shop\n  url: {}\n  interval_s: {interval_s}\n  tags: [shop]\n  parent: base\n  request: {{headers: {{X-Key: {{env: X_KEY}}}}}}\n\
         - {{key: base, url: {}, paused: true, uptime_goal_percent: 99.9}}\n\
         jobs:\n- {{name: Backup, cron: \"0 3 * * *\", time_zone: Europe/Berlin}}\n\
         maintenance:\n- {{name: Night, tag: shop, time_zone: UTC, starts: \"2031-01-01T02:00\", repeats: daily, duration_minutes: 30}}\n",
        target.url(path),
        target.url("/base"),
    )
}

fn status_pages_are_kept_in_a_file(place: &Place) {
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    let file = |shop: &str, api: &str, more: &str| {
        format!(
            "websites:\n- {{key: shop, url: \"https://shop.example.com/\", paused: true}}\n- {{key: api, url: \"https://api.example.com/\", paused: true}}\n\
             channels:\n- {{key: mail, name: Mail, kind: email, server: mail.example.com, from: a@example.com, to: [b@example.com], is_on: false}}\n\
             status_pages:\n- key: one\n  name: Acme\n  slug: {shop}\n  accent: \"#1a7f5a\"\n  mail_channel: mail\n  tells_outages: false\n\
             \x20 about: \"Two lines.\\nOr more: yes\"\n  sections:\n  - name: Web\n    components:\n    - {{website: shop, name: \"Shop: \\\"ours\\\"\"}}\n\
             \x20 - components:\n    - {{website: api, name: API}}\n\
             - {{key: two, name: Acme, slug: {api}, access: password}}\n{more}"
        )
    };
    place.write("ours.yaml", &file("acme", "acme-2", ""));
    let applied = place.run(&["apply", "ours.yaml"], &[], "");
    assert!(applied.code == Some(0) && applied.out.contains("To add: 5."), "{applied:?}");
    let pages = || call("GET", &hub.url("/api/v1/status-pages"), Some(&ann), None).1["status_pages"].clone();
    let before = pages();
    assert_eq!(
        (&before[0]["slug"], &before[0]["sections"][0]["components"][0]["name"]),
        (&json!("acme"), &json!("Shop: \"ours\"")),
        "{before}"
    );
    let exported = place.exports_the_same();
    assert!(exported.contains("status_pages:") && exported.contains("mail_channel: mail"), "{exported}");
    // What a file does not keep stays: the password.
    let url = hub.url(&format!("/api/v1/status-pages/{}", before[1]["id"].as_str().unwrap()));
    assert_eq!(call("PATCH", &url, Some(&ann), Some(&json!({"password": "open sesame"}))).0, 200);
    // They change places, and are the same pages.
    place.write("ours.yaml", &file("acme-2", "acme", ""));
    let applied = place.run(&["apply", "ours.yaml"], &[], "");
    assert!(applied.code == Some(0) && applied.out.contains("slug  acme -> acme-2"), "{applied:?}");
    let after = pages();
    assert_eq!(
        (&after[0]["id"], &after[0]["slug"], &after[1]["has_password"]),
        (&before[0]["id"], &json!("acme-2"), &json!(true)),
        "{after}"
    );
    let (status, page) = page(&hub.url(""), &format!("/status-pages/{}", before[0]["id"].as_str().unwrap()), &ann);
    assert!(status == 200 && page.contains("Kept in the file"), "{page}");
    // Somebody changes one by hand; and one that is not in the file any more goes.
    let url = hub.url(&format!("/api/v1/status-pages/{}", before[0]["id"].as_str().unwrap()));
    assert_eq!(call("PATCH", &url, Some(&ann), Some(&json!({"name": "Other", "sections": []}))).0, 200);
    let plan = place.run(&["plan", "ours.yaml", "--check"], &[], "");
    assert!(
        plan.code == Some(2) && plan.out.contains("name      Other -> Acme") && plan.out.contains("sections"),
        "{plan:?}"
    );
    place.write("ours.yaml", "websites: []");
    let applied = place.run(&["apply", "ours.yaml", "--prune"], &[], "");
    assert_eq!((applied.code, pages()), (Some(0), json!([])), "{applied:?}");
}

#[test]
fn status_pages_are_kept_in_a_file_on_sqlite() {
    status_pages_are_kept_in_a_file(&Place::sqlite());
}

#[test]
fn status_pages_are_kept_in_a_file_on_postgres() {
    status_pages_are_kept_in_a_file(&Place::postgres());
}

fn a_file_holds_at_once(place: &Place) {
    let target = Target::start();
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    place.write("ours.yaml", &file(&target, "/one", 3_600));
    let plan = place.run(&["plan", "ours.yaml", "--check"], &SECRETS, "");
    assert_eq!((plan.code, websites(&hub, &ann).len()), (Some(2), 0), "{plan:?}");
    assert!(plan.out.contains("+ website      shop    http://") && plan.out.contains("To add: 5."), "{plan:?}");
    let applied = place.run(&["apply", "ours.yaml"], &SECRETS, "");
    assert_eq!((applied.code, applied.out.contains("Done.")), (Some(0), true), "{applied:?}");
    // Checked at once, though its interval is an hour.
    wait_until("the first look", Duration::from_secs(10), || target.hits_of("/one") > 0);
    assert!(target.last().contains("hunter2"), "{}", target.last());
    let plan = place.run(&["plan", "ours.yaml", "--check", "--json"], &[], "");
    let told: Value = serde_json::from_str(&plan.out).unwrap_or_else(|_| panic!("{plan:?}"));
    assert_eq!(
        (plan.code, &told["is_drift"], told["items"].as_array().map(Vec::len)),
        (Some(0), &json!(false), Some(5))
    );
    let exported = place.exports_the_same();
    let again = place.run(&["apply", "ours.yaml"], &SECRETS, "");
    assert!(again.code == Some(0) && again.out.contains("Nothing was to be done."), "{again:?}");

    // Another address, and the same website.
    let before = websites(&hub, &ann);
    let id = before.iter().find(|website| website["tags"] == json!(["shop"])).map(|website| website["id"].clone());
    let path = format!("/websites/{}", id.as_ref().and_then(Value::as_str).unwrap());
    for path in [format!("{path}/edit"), path] {
        let (status, page) = page(&hub.url(""), &path, &ann);
        assert!(status == 200 && page.contains("Kept in the file “default” as <code>shop</code>"), "{path} {page}");
    }
    place.write("ours.yaml", &file(&target, "/two", 1_800));
    let applied = place.run(&["apply", "ours.yaml"], &SECRETS, "");
    assert!(applied.code == Some(0) && applied.out.contains("interval_s  3600 -> 1800"), "{applied:?}");
    wait_until("a look at the other address", Duration::from_secs(10), || target.hits_of("/two") > 0);
    let after = websites(&hub, &ann);
    let shop = after.iter().find(|website| Some(&website["id"]) == id.as_ref()).expect("the same website");
    assert_eq!((&shop["url"], after.len()), (&json!(target.url("/two")), before.len()));

    // Somebody changes it by hand.
    let url = hub.url(&format!("/api/v1/websites/{}", id.as_ref().and_then(Value::as_str).unwrap()));
    assert_eq!(call("PATCH", &url, Some(&ann), Some(&json!({"interval_s": 900, "paused": true}))).0, 200);
    let drift = place.run(&["plan", "ours.yaml", "--check"], &[], "");
    assert!(drift.code == Some(2) && drift.out.contains("interval_s  900 -> 1800"), "{drift:?}");
    assert!(drift.out.contains("Not set here, so what is stored stays: HOOK, X_KEY."), "{drift:?}");
    assert_eq!(place.run(&["plan", "ours.yaml"], &[], "").code, Some(0), "without --check it is no end of its own");
    assert_eq!(place.run(&["apply", "ours.yaml"], &[], "").code, Some(0));

    // What nobody keeps is left alone, what the file kept goes when asked.
    assert_eq!(call("POST", &hub.url("/website"), Some(&ann), Some(&json!({"url": "http://own.example"}))).0, 201);
    place.write("ours.yaml", "version: 1\n");
    let plan = place.run(&["plan", "ours.yaml", "--check"], &[], "");
    assert!(plan.code == Some(2) && plan.out.contains("--prune removes it"), "{plan:?}");
    assert!(plan.out.contains("Not in this file and left alone: website own-example."), "{plan:?}");
    assert_eq!((place.run(&["apply", "ours.yaml"], &[], "").code, websites(&hub, &ann).len()), (Some(0), 4));
    let pruned = place.run(&["apply", "ours.yaml", "--prune"], &[], "");
    assert!(pruned.code == Some(0) && pruned.out.contains("To remove: 5."), "{pruned:?}");
    let left = websites(&hub, &ann);
    assert_eq!((left.len(), &left[0]["url"]), (1, &json!("http://own.example/")));

    let lines = call("GET", &hub.url("/api/v1/audit?kind=website"), Some(&ann), None).1.to_string();
    for told in ["command line", "added", "changed", "deleted", "interval_s", "1800"] {
        assert!(lines.contains(told), "{told}: {lines}");
    }
    let log = hub.process.log() + &lines;
    for text in [&exported, &plan.out, &plan.err, &applied.out, &applied.err, &drift.out, &log] {
        assert!(!text.contains("hunter2"), "T279, I11: {text}");
    }
}

fn what_is_wrong_is_told_at_once_and_changes_nothing(place: &Place) {
    let hub = place.hub();
    assert_eq!(place.run(&["export"], &[], "").code, Some(1), "there is no account");
    let ann = token(&hub.url(""), "ann", "correct horse");
    let text = "websites:\n- {url: https://a.example}\n- {url: \"javascript:alert(1)\"}\n- {url: https://b.example, regions: [MOON]}\n";
    for command in ["plan", "apply"] {
        let said = place.run(&[command, "-"], &[], text);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        for expected in ["standard input has 2 problems; nothing was changed:", "line 3: ", "line 4: "] {
            assert!(said.err.contains(expected), "{expected}\n{said:?}");
        }
    }
    assert_eq!(websites(&hub, &ann).len(), 0);
    let nobody = place.run(&["plan", "-", "--account", "bob"], &[], "version: 1");
    assert!(nobody.code == Some(1) && nobody.err.contains("there is no account \"bob\""), "{nobody:?}");
    assert_eq!(place.run(&["plan", "-", "--account", "ANN", "--check"], &[], "version: 1").code, Some(0));
    assert_eq!(place.run(&["plan", "missing.yaml"], &[], "").code, Some(1));
}

macro_rules! on_both {
    ($($name:ident)+) => {
        mod on_sqlite { $(#[test] fn $name() { super::$name(&$crate::manifest::Place::sqlite()); })+ }
        mod on_postgres { $(#[test] fn $name() { super::$name(&$crate::manifest::Place::postgres()); })+ }
    };
}
use on_both;

on_both! {
    a_file_holds_at_once
    what_is_wrong_is_told_at_once_and_changes_nothing
}
