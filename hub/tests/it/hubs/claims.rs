//! Seconds of the schedule: whose they are.

use std::collections::BTreeMap;
use std::time::Duration;

use hub::store::{ClaimAnswer, ClaimTurn, Store};
use sqlx::Connection as _;

use crate::client::{form, token};
use crate::process::{Hub, KEY, Target, probe};
use crate::services::{Redis, database, wait_until};

struct Fixture {
    store: Store,
    url: String,
}

impl Fixture {
    async fn new() -> Self {
        let url = database().await;
        let store = Store::open_postgres(&url).await.expect("a store");
        store.migrate(false).await.expect("migrations");
        Self { store, url }
    }

    async fn turn(&self, hub: &str, turn: ClaimTurn) -> ClaimAnswer {
        let mut answer = self.store.claim_turn(hub, &turn).await.expect("a turn");
        for list in [&mut answer.held, &mut answer.made, &mut answer.taken, &mut answer.over] {
            list.sort_unstable();
        }
        answer
    }

    async fn wants(&self, hub: &str, seconds: &[i64]) -> Vec<i64> {
        self.turn(hub, ClaimTurn { wanted: seconds.to_vec(), ..ClaimTurn::default() }).await.made
    }

    async fn watches(&self, hub: &str, seconds: &[i64]) -> ClaimAnswer {
        self.turn(hub, ClaimTurn { watched: seconds.to_vec(), ..ClaimTurn::default() }).await
    }

    async fn holds(&self, hub: &str, seconds: &[i64]) -> Vec<i64> {
        self.turn(hub, ClaimTurn { held: seconds.to_vec(), ..ClaimTurn::default() }).await.held
    }

    /// As if so much time had passed since all claims were last confirmed.
    async fn age(&self, ms: i64) {
        let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
        sqlx::query("update schedule_claim set claimed_at = claimed_at - $1")
            .bind(ms)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    async fn shift(&self) -> i64 {
        self.turn("anybody", ClaimTurn::default()).await.shift_ms
    }
}

fn now_s() -> i64 {
    hub::clock::now() / 1_000
}

#[tokio::test]
async fn a_second_is_one_hubs_until_it_is_published_or_given_back_or_its_hub_falls_silent() {
    let f = Fixture::new().await;
    assert_eq!(f.wants("one", &[7, 8]).await, [7, 8]);
    assert_eq!(f.wants("two", &[7, 8, 9]).await, [9], "T203: whatever its clock says");
    assert_eq!(f.wants("one", &[8]).await, [8], "an answer that was lost is asked for again");
    assert_eq!(f.watches("two", &[7, 8]).await, ClaimAnswer::default(), "its hub lives");

    f.store.release_claims("one", 8).await.unwrap();
    assert_eq!(f.watches("two", &[7, 8]).await.taken, [8], "given back");
    f.age(3_500).await;
    assert_eq!(f.holds("one", &[7, 8]).await, [7], "confirmed, and one was lost");
    assert_eq!(f.watches("two", &[7]).await.taken, Vec::<i64>::new(), "a confirmation is a new lease");
    f.age(3_500).await;
    assert_eq!(f.watches("three", &[7, 9]).await.taken, [7, 9]);
    assert_eq!(f.watches("four", &[7, 9]).await.taken, Vec::<i64>::new(), "of two that try, one gets it");

    let marks = ClaimTurn { published: vec![7], held: vec![9], ..ClaimTurn::default() };
    assert_eq!(f.turn("one", marks.clone()).await.held, Vec::<i64>::new(), "the fence: it owns nothing any more");
    assert_eq!(f.watches("two", &[7]).await.over, Vec::<i64>::new(), "and marked nothing");
    assert_eq!(f.turn("three", marks).await.held, [9]);
    f.age(60_000).await;
    let answer = f.watches("two", &[7, 9]).await;
    assert_eq!((answer.over, answer.taken), (vec![7], vec![9]), "what is published is nobody's");
}

#[tokio::test]
async fn t215_a_jump_of_the_databases_clock_makes_no_lease_eternal() {
    let f = Fixture::new().await;
    f.wants("one", &[7]).await;
    f.age(-3_600_000).await; // set back by an hour: the lease lies in the future
    assert_eq!(f.watches("two", &[7]).await.taken, [7]);
    f.age(3_600_000).await; // ahead: all leases look old; whoever confirms first keeps
    assert_eq!(f.holds("two", &[7]).await, [7]);
    assert_eq!(f.watches("one", &[7]).await.taken, Vec::<i64>::new());
}

#[tokio::test]
async fn t201_claims_of_a_wrong_clock_go_and_all_hubs_agree_on_other_names() {
    let f = Fixture::new().await;
    let now = now_s();
    f.wants("one", &[now, now + 30, now + 3_600]).await;
    assert_eq!(f.shift().await, 0);
    f.store.drop_future_claims("two", i64::MAX).await.unwrap();
    assert_eq!(f.shift().await, 0, "its hub lives: perhaps the database's clock is behind");
    f.age(4_000).await;
    f.store.drop_future_claims("two", i64::MAX).await.unwrap();
    assert_eq!(f.wants("two", &[now, now + 30, now + 3_600]).await, [now + 3_600], "T203: hubs may be 30 s apart");
    assert_eq!(f.shift().await, 1);
    // Both find out about the same event: one change of names.
    f.store.drop_future_claims("one", now).await.unwrap();
    f.store.drop_future_claims("two", now).await.unwrap();
    assert_eq!(f.shift().await, 1);
    assert_eq!(f.wants("two", &[now, now + 30]).await, [now + 30], "what the hub itself claimed is its own error");
    f.store.drop_future_claims("three", now).await.unwrap();
    assert_eq!(f.shift().await, 1, "nothing was dropped");
}

#[tokio::test]
async fn old_claims_are_dropped_by_the_databases_clock() {
    let f = Fixture::new().await;
    f.wants("one", &[now_s() - 4_000, now_s()]).await;
    f.store.drop_old_claims().await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&f.url).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from schedule_claim").fetch_one(&mut connection).await.unwrap();
    assert_eq!(left, 1);
}

#[test]
fn a_second_lost_to_a_hub_that_dies_is_published_by_who_had_it_before() {
    const WEBSITES: usize = 40;
    /// Slots are made good for 10 s; a dead hub's are taken over within 5.
    const INTERVAL_S: i64 = 20;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (redis, url) = (Redis::start(), runtime.block_on(database()));
    let redis_url = redis.url();
    let environment = [("DATABASE_URL", url.as_str()), ("REDIS_URL", &redis_url), ("JWT_SECRET_KEY", KEY)];
    let target = Target::start();
    let hub = Hub::start(directory.path(), &environment);
    let _probe = probe(directory.path(), &redis_url, "INDIA", "a");
    wait_until("the region to report", Duration::from_secs(20), || hub.process.log().contains("A region reports"));
    let ann = token(&hub.url(""), "ann", "correct horse");
    for n in 0..WEBSITES {
        let body = format!("url={}&interval_s={INTERVAL_S}&timeout_s=5", target.url(&format!("/{n}")));
        assert_eq!(form(&hub.url(""), "/websites/new", &ann, &body), 303);
    }
    let slots = || {
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
            sqlx::query_as::<_, (uuid::Uuid, i64)>("select website_id, slot_at from tick where kind = 'scheduled'")
                .fetch_all(&mut connection)
                .await
                .unwrap()
        })
    };
    let rounds = |more: usize| {
        let before = slots().len();
        wait_until("more slots", Duration::from_secs(90), || slots().len() >= before + more * WEBSITES);
    };
    rounds(1);
    // A hub that took over all that was not published, and was killed at once.
    let taken = runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        let taken = "update schedule_claim set hub_id = 'killed' where published_at is null";
        sqlx::query(taken).execute(&mut connection).await.unwrap().rows_affected()
    });
    assert!(taken >= 2, "claims are made ahead: {taken}");
    rounds(2);
    let log = hub.process.log();
    assert!(log.contains("A second was lost") && log.contains("is taken over"), "{log}");
    let mut by_website: BTreeMap<uuid::Uuid, Vec<i64>> = BTreeMap::new();
    for (website, slot_at) in slots() {
        by_website.entry(website).or_default().push(slot_at);
    }
    assert_eq!(by_website.len(), WEBSITES);
    for (website, mut slots) in by_website {
        slots.sort_unstable();
        let is_whole = slots.windows(2).all(|w| w[1] - w[0] == INTERVAL_S * 1_000);
        assert!(is_whole, "{website}: a slot is missing: {slots:?}");
    }
}
