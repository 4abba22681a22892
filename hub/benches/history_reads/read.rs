//! What pages ask of the store, and how long it takes.

use std::cell::RefCell;

use hub::http::pages::website::{CHANGES_READ, Window};
use hub::model::sealed::DAY_MS;
use hub::model::{AccountId, BoardFilter, BoardOrder, BoardPlace, IncidentFilter, Span, UtcMs, WebsiteId};
use hub::store::{Store, StoryAsked};
use sqlx::PgPool;
use uuid::Uuid;

use crate::fill::Place;
use crate::timing::{Times, table};
use crate::{SIZES, beside, naive};

/// Questions of each kind about one website, and about all.
const ONE: usize = 300;
const ALL: usize = 100;
/// As pages ask.
const PAGE: i64 = 100;
const TICKS_OF_A_PAGE: i64 = 40;
const BOARD: i64 = 200;
const TAGS: usize = 50;

/// One size.
struct Subject {
    store: Store,
    account: AccountId,
    websites: Vec<WebsiteId>,
    /// End of the last day there is.
    now: UtcMs,
}

impl Subject {
    async fn open(url: &str) -> Option<(Self, String)> {
        let pool = PgPool::connect(url).await.ok()?;
        let place = Place::read(&pool).await?;
        let account: Uuid = sqlx::query_scalar("select account_id from account where username = 'ann'")
            .fetch_one(&pool)
            .await
            .expect("ann");
        let sql = "select website_id from website where account_id = $1 order by website_id";
        let websites: Vec<Uuid> = sqlx::query_scalar(sql).bind(account).fetch_all(&pool).await.expect("websites");
        let sql = "select (select coalesce(sum(ticks), 0)::bigint from sealed_tick) + (select count(*) from tick), \
            (pg_database_size(current_database()) / 1000000)::bigint, (pg_total_relation_size('sealed_tick') / 1000000)::bigint, \
            (pg_total_relation_size('roll_up') / 1000000)::bigint";
        let (ticks, all, sealed, rolled): (i64, i64, i64, i64) =
            sqlx::query_as(sql).fetch_one(&pool).await.expect("sizes");
        pool.close().await;
        let store = Store::open_postgres(url).await.expect("a store");
        store.migrate(false).await.expect("the schema");
        let subject = Self {
            store,
            account: AccountId(account),
            websites: websites.into_iter().map(WebsiteId).collect(),
            now: place.next + DAY_MS,
        };
        let size = format!("{ticks} ticks: {all} MB, of that sealed {sealed}, roll-ups {rolled}");
        Some((subject, size))
    }

    fn website(&self, n: usize) -> WebsiteId {
        self.websites[n * 7_919 % self.websites.len()]
    }

    fn days(&self, days: i64) -> Span {
        Span { from_at: self.now - days * DAY_MS, to_at: self.now }
    }

    /// All that the page of a website reads, with a window drawn.
    async fn website_page(&self, id: WebsiteId, window: Window) {
        let (store, account) = (&self.store, self.account);
        let windows = [1, 7, 30, 90].map(|days| self.days(days));
        let (longest, series) = (Some(self.days(365)), Some(window.series(self.now)));
        let wanted = StoryAsked { windows: &windows, longest, series, changes: CHANGES_READ };
        let story = store.website_story(account, id, &wanted, self.now).await.expect("a story");
        assert!(story.is_some_and(|story| story.latencies.len() == 4));
        store.ticks(account, id, None, TICKS_OF_A_PAGE).await.expect("ticks");
        store.incidents_of_website(account, id, 5).await.expect("incidents");
    }

    async fn ticks(&self, n: usize, before: Option<UtcMs>) {
        let found = self.store.ticks(self.account, self.website(n), before, 100).await.expect("ticks");
        assert_eq!(found.len(), 100);
    }

    async fn measure(&self) -> Vec<(String, String)> {
        let (store, account, now) = (&self.store, self.account, self.now);
        let lines = RefCell::new(Vec::new());
        let told = |what: &str, times: Times| lines.borrow_mut().push((what.to_owned(), times.words()));
        for order in BoardOrder::ALL {
            let filter = BoardFilter { order, ..BoardFilter::default() };
            let times = Times::of(ALL, async |_| {
                let part =
                    store.board_part(account, &filter, BoardPlace::First, BOARD, TAGS, now).await.expect("a part");
                assert_eq!((part.rows.len() as i64, part.count()), (BOARD, self.websites.len() as i64));
            });
            told(&format!("dashboard by {}: 1,000 websites counted, 200 shown", order.as_str()), times.await);
        }
        let times = Times::of(ALL, async |_| drop(store.recent_page(account, None, PAGE).await.expect("a page")));
        told("list: the first 100 websites", times.await);
        let times = Times::of(ALL, async |_| drop(store.recent_page(account, None, 2_001).await.expect("a page")));
        told("the ancestor's list: all 1,000, 10 newest ticks each", times.await);
        let filter = IncidentFilter::default();
        let times =
            Times::of(ALL, async |_| drop(store.incidents(account, filter, None, 51).await.expect("incidents")));
        told("incidents: the newest 50", times.await);
        let open = IncidentFilter { open_only: true, ..filter };
        let times = Times::of(ALL, async |_| drop(store.incidents(account, open, None, 101).await.expect("incidents")));
        told("incidents: those that go on", times.await);
        for window in [Window::Day, Window::Week, Window::Quarter] {
            let times = Times::of(ONE, async |n| self.website_page(self.website(n), window).await);
            told(&format!("a website's page, all of it, {} drawn", window.as_str()), times.await);
        }
        for (words, days) in [("24 h", 1), ("7 d", 7), ("30 d", 30), ("90 d", 90)] {
            let times = Times::of(ONE, async |n| {
                let found = store.uptimes(account, self.website(n), &[self.days(days)]).await.expect("uptimes");
                assert!(found.is_some());
            });
            told(&format!("uptime, {words}"), times.await);
        }
        let times = Times::of(ONE, async |n| {
            let found = store.latencies(account, self.website(n), &[self.days(90)]).await.expect("latencies");
            let p95 = found.into_iter().flatten().flat_map(|window| window.regions.into_values());
            assert_eq!(p95.filter_map(|region| region.latency.quantile_us(950)).count(), 5);
        });
        told("p95 by region, 90 d", times.await);
        told("newest 100 ticks", Times::of(ONE, async |n| self.ticks(n, None).await).await);
        let sealed = now - DAY_MS;
        // A website with an interval of half an hour has 240 ticks a day.
        let middle = sealed - DAY_MS / 2;
        let has_sealed =
            store.ticks(account, self.website(0), Some(middle), 1).await.is_ok_and(|ticks| !ticks.is_empty());
        if has_sealed {
            told(
                "100 ticks before noon of a sealed day",
                Times::of(ONE, async |n| self.ticks(n, Some(middle)).await).await,
            );
        } else {
            lines.borrow_mut().push(("100 ticks before noon of a sealed day".to_owned(), "–".to_owned()));
        }
        lines.into_inner()
    }
}

/// Prints the tables.
pub async fn measure(url: &str) {
    let (mut sizes, mut lines): (Vec<String>, Vec<(String, Vec<String>)>) = (Vec::new(), Vec::new());
    for (name, _) in SIZES {
        let Some((subject, size)) = Subject::open(&beside(url, name)).await else {
            println!("{name} is not there.");
            continue;
        };
        println!("{name}: {size}");
        sizes.push(name.replace("history_", ""));
        for (n, (question, words)) in subject.measure().await.into_iter().enumerate() {
            match lines.get_mut(n) {
                Some((_, times)) => times.push(words),
                None => lines.push((question, vec![words])),
            }
        }
        subject.store.close().await;
    }
    println!("\nMilliseconds, p50 and p99, one question after the other:\n");
    table("what is asked", &sizes, &lines);
    naive::measure(url).await;
}
