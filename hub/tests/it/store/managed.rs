//! What is kept in files: plans written in one transaction, and who hears of it.

use hub::model::manifest::{Action, Context, Manifest, Plan, Problem, Space, State};
use hub::model::retention::Retention;
use hub::model::{AccountId, SecretText, TargetRules, WebsiteId};
use hub::store::{Applied, Changes};
use uuid::Uuid;

use super::Fixture;

on_both! {
    a_plan_is_written_whole_or_not_at_all
    what_is_read_again_is_what_was_written
    hubs_hear_of_it
}

fn read(f: &Fixture, text: &str, state: &State) -> Result<Manifest, Vec<Problem>> {
    let context = Context {
        rules: &TargetRules::default(),
        retention: Retention { days: 400 },
        regions: &[],
        now: f.now,
        secrets: &|_| Ok(Some(SecretText::new("https://hooks.slack.com/services/x"))),
        new_id: &Uuid::now_v7,
        random: &|| [7; 32],
    };
    Manifest::read(text, state, &context)
}

async fn plan(f: &Fixture, account: AccountId, text: &str) -> Plan {
    let state = f.store.managed_state(account).await.expect("the account");
    Plan::new(&read(f, text, &state).expect("a file"), &state, true, f.now)
}

async fn apply(f: &Fixture, account: AccountId, text: &str) -> Plan {
    let plan = plan(f, account, text).await;
    let applied = f.store.apply_manifest(account, &plan.name, &plan.writes, f.now).await;
    assert_eq!(applied.expect("an answer"), Applied::Done);
    plan
}

const FILE: &str = r#"
channels:
- {key: a, name: A, kind: slack, url: {env: A}, second_channel: b}
- {key: b, name: B, kind: slack, url: {env: B}, is_on: false}
websites:
- {key: one, url: "https://one.example", parent: two, tags: [x], retention_days: 3, paused: true}
- {key: two, url: "https://two.example", interval_s: 60}
jobs:
- {key: job, name: Job, period_s: 60, parent: one}
maintenance:
- {key: m, name: M, website: job, time_zone: UTC, starts: "2031-01-01T02:00", repeats: daily, duration_minutes: 30}
"#;

async fn what_is_read_again_is_what_was_written(f: Fixture) {
    let account = f.account("ann").await.account_id;
    assert_eq!(apply(&f, account, FILE).await.count(Action::Add), 6);
    let again = plan(&f, account, FILE).await;
    assert_eq!((again.count(Action::Keep), again.writes.len()), (6, 0), "{again:?}");
    // Places, keys and dependencies change at once.
    let other = FILE
        .replace("key: one", "key: x")
        .replace("key: two", "key: one")
        .replace("key: x", "key: two")
        .replace("parent: two", "parent: one")
        .replace("is_on: false", "is_on: true")
        .replace("period_s: 60", "period_s: 120")
        .replace("duration_minutes: 30", "duration_minutes: 45");
    // Keys changed places: what has the key is the object, so addresses change.
    assert_eq!(apply(&f, account, &other).await.count(Action::Change), 5);
    assert_eq!(plan(&f, account, &other).await.writes, []);
    let marks = f.store.managed_of(account, Space::Websites).await.expect("marks");
    let mut keys: Vec<&str> = marks.values().map(|managed| managed.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["job", "one", "two"]);
    let stranger = f.account("bob").await.account_id;
    let id = *marks.keys().next().expect("one");
    assert_eq!(
        f.store.managed(stranger, Space::Websites, id).await.expect("an answer"),
        None,
        "of others nothing is told"
    );
    assert!(f.store.managed(account, Space::Websites, id).await.expect("an answer").is_some());
    assert_eq!(f.store.managed_state(stranger).await.expect("nothing").objects.len(), 0);
    // What others have is neither changed nor removed.
    let removed = plan(&f, account, "version: 1").await;
    assert_eq!(
        f.store.apply_manifest(stranger, "default", &removed.writes, f.now).await.expect("an answer"),
        Applied::Done
    );
    assert_eq!(f.store.managed_state(account).await.expect("all").objects.len(), 6);
    assert_eq!(apply(&f, account, "version: 1").await.count(Action::Remove), 6);
    assert_eq!(f.store.managed_state(account).await.expect("nothing").objects.len(), 0);
}

async fn a_plan_is_written_whole_or_not_at_all(f: Fixture) {
    let account = f.account("ann").await.account_id;
    apply(&f, account, FILE).await;
    let plan = plan(
        &f,
        account,
        &FILE.replace("interval_s: 60", "interval_s: 90").replace("key: job, name: Job", "key: job, name: Work"),
    )
    .await;
    assert_eq!(plan.count(Action::Change), 2);
    let two = f.store.websites(account).await.expect("websites").into_iter().find(|w| w.settings.url.contains("two"));
    let two = two.expect("the website");
    f.store.set_paused(account, two.website_id, true, f.now).await.expect("an edit");
    let applied = f.store.apply_manifest(account, "default", &plan.writes, f.now).await.expect("an answer");
    assert_eq!(applied, Applied::Meanwhile);
    let names: Vec<String> =
        f.store.websites(account).await.expect("websites").into_iter().map(|w| w.settings.url).collect();
    assert!(names.contains(&"Job".to_owned()), "{names:?}");
    // Two that were planned at the same time and add the same.
    let (first, second) = (
        super::managed::plan(&f, account, "websites: [{key: n, url: \"https://n.example\"}]").await,
        super::managed::plan(&f, account, "websites: [{key: n, url: \"https://n.example\"}]").await,
    );
    let mut done = Vec::new();
    for plan in [first, second] {
        let adds: Vec<_> = plan
            .writes
            .into_iter()
            .filter(|write| {
                write.kind() == hub::model::manifest::Kind::Website
                    && matches!(write, hub::model::manifest::Write::Add { .. })
            })
            .collect();
        done.push(f.store.apply_manifest(account, "default", &adds, f.now).await.expect("an answer"));
    }
    assert_eq!(done, [Applied::Done, Applied::Meanwhile]);
    // As many channels as there may be.
    let many: String = (0..60).map(|n| format!("- {{name: C{n}, kind: slack, url: {{env: A}}}}\n")).collect();
    let plan = super::managed::plan(&f, account, &format!("name: more\nchannels:\n{many}")).await;
    let applied = f.store.apply_manifest(account, "more", &plan.writes, f.now).await.expect("an answer");
    assert_eq!(applied, Applied::TooMany(hub::model::manifest::Kind::Channel));
    assert_eq!(f.store.channels(account).await.expect("channels").len(), 2);
}

async fn hubs_hear_of_it(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut position = f.store.changes_position().await.expect("a position");
    apply(&f, account, FILE).await;
    let of_file = |ids: Vec<WebsiteId>| ids.len();
    let heard = match &mut position {
        Some(position) => match f.store.changes_since(position).await.expect("changes") {
            Changes::Some(changes) => of_file(changes.into_iter().map(|change| change.website_id).collect()),
            Changes::TooMany => 0,
        },
        None => {
            let beside = f.store.changed_beside().await.expect("changes");
            let last = beside.last().expect("some").0;
            f.store.forget_beside(last).await.expect("done");
            assert_eq!(f.store.changed_beside().await.expect("changes"), []);
            beside.len()
        }
    };
    assert!(heard >= 2, "{heard}");
}
