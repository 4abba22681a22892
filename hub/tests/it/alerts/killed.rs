//! I4 with real hubs: one that is killed between committing and recording, at each point in between, and one that comes
//! after it. The receiver gets the message, once more at most, with the same id and the same bytes.

use std::path::Path;
use std::time::Duration;

use hub::model::{AlertEvent, AlertState, Outcome, TryResult, WebsiteSettings};

use super::{Got, Receiver, World, draft, raw, webhook};
use crate::process::{Hub, KEY, run_to_its_end};
use crate::services::{self, free_port, wait_until};

/// Between the commit of an alert and the commit of what came of it, in order; and how often the receiver got the message by
/// then.
const POINTS: [(&str, usize); 4] = [("alert.claimed", 0), ("alert.kept", 0), ("alert.sent", 1), ("alert.recorded", 1)];

/// A hub's life until it ends at a fail point. Panics when it does not.
fn dies(directory: &Path, environment: &[(&str, &str)], point: &str) {
    let environment = [environment, &[("FAIL_POINT", point)]].concat();
    let log = run_to_its_end(directory, &environment);
    assert!(log.contains(&format!("ends at the fail point {point}")), "it ended elsewhere:\n{log}");
}

impl World {
    /// Leaves its database to hubs.
    async fn shut(self) {
        raw!(self, pool => pool.close().await);
        self.store.close().await;
    }

    /// As when a minute has passed since the last claim.
    async fn leases_end(&self) {
        raw!(self, pool => {
            sqlx::query("update alert set claimed_until = claimed_until - 60000 where claimed_until is not null")
                .execute(pool).await.expect("the leases");
        });
    }
}

/// That all of them are one message.
fn is_one(got: &[Got]) {
    for one in got {
        assert_eq!((one.header("webhook-id"), &one.body), (got[0].header("webhook-id"), &got[0].body), "I4");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_a_hub_that_is_killed_anywhere_between_commit_and_record_tells_once_more_at_most() {
    let url = services::database().await;
    let world = World::on_postgres(&url).await;
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::taking();
    let channel = world.channel("hook", webhook(&receiver)).await;
    let environment = [("DATABASE_URL", url.as_str()), ("JWT_SECRET_KEY", KEY)];
    let mut before = 0;
    for (n, (point, sent)) in (1..).zip(POINTS) {
        let incident = world.incident(n).await;
        // Over, so that hubs write nothing more about it.
        world.close(incident, world.now).await;
        let id = world.alert(incident, AlertEvent::Opened, &channel, world.now).await;
        tokio::task::block_in_place(|| dies(directory.path(), &environment, point));
        assert_eq!(receiver.got().len() - before, sent, "until {point}");
        // What it told goes on; what is sent again stays as it was.
        raw!(world, pool => {
            sqlx::query("update incident set cause = 'Another' where incident_id = $1")
                .bind(incident.0).execute(pool).await.expect("the incident");
        });
        world.leases_end().await;
        let mut next = Hub::start(directory.path(), &environment);
        let is_told = async || world.state(id).await.state == AlertState::Delivered;
        for _ in 0..400 {
            if is_told().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert!(is_told().await, "{point}: {:?}\n{}", world.state(id).await, next.process.log());
        assert_eq!(next.process.terminate(), Some(0));
        let got = receiver.got().split_off(before);
        let want = if point == "alert.sent" { 2 } else { 1 };
        assert_eq!(got.len(), want, "{point}");
        assert!(got.iter().all(|one| one.header("webhook-id") == id.to_string()), "{point}");
        is_one(&got);
        assert_eq!(got[0].body.contains("Another"), point == "alert.claimed", "what was kept is sent: {point}");
        let tries = world.store.alert_tries(world.account, id).await.unwrap();
        assert_eq!(tries.iter().filter(|one| one.result == TryResult::Delivered).count(), 1, "{point}");
        before = receiver.got().len();
    }
}

/// Embedded, from the failing look on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_a_hub_that_is_killed_before_it_tells_of_an_outage_tells_it_when_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("data");
    std::fs::create_dir(&state).unwrap();
    let receiver = Receiver::taking();
    let url = format!("http://127.0.0.1:{}/", free_port()); // where nobody listens
    let world = World::on_sqlite(&state).await;
    let account = world.account;
    let channel = world.store.add_channel(account, &draft(webhook(&receiver)), world.now).await.unwrap().unwrap();
    let settings = WebsiteSettings { interval_ms: 10_000, timeout_ms: 2_000, ..WebsiteSettings::new(url) };
    let website = world.store.add_website(account, &settings, world.now).await.unwrap();
    world.shut().await;
    tokio::task::block_in_place(|| dies(directory.path(), &[], "alert.claimed"));
    let world = World::on_sqlite(&state).await;
    let row = world.store.board_row(account, website.website_id, world.now).await.unwrap();
    assert_eq!(row.unwrap().state.verdict, Outcome::Down);
    let waiting = world.alerts(&channel).await.pop().expect("what was committed");
    world.leases_end().await;
    world.shut().await;
    assert_eq!((waiting.state, waiting.tries, waiting.event), (AlertState::Waiting, 0, AlertEvent::Opened));
    assert_eq!(receiver.got().len(), 0, "it died before it sent");
    let mut hub = Hub::start(directory.path(), &[]);
    tokio::task::block_in_place(|| wait_until("the message", Duration::from_secs(10), || !receiver.got().is_empty()));
    assert_eq!(hub.process.terminate(), Some(0));
    let world = World::on_sqlite(&state).await;
    assert_eq!(world.state(waiting.alert_id).await.state, AlertState::Delivered);
    let opened: Vec<Got> = receiver.got().into_iter().filter(|one| one.kind() == "incident.opened").collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].header("webhook-id"), waiting.alert_id.to_string());
}
