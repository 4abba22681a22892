//! How time was spent: kept days and verdicts agree, whatever became known late.

use hub::model::roll_up::Grain;
use hub::model::{AccountId, Outcome, Span, Uptime, UtcMs, Website, WebsiteSettings};

use super::maintenance::plan;
use super::roll_up::Random;
use super::{Fixture, MINUTE, region_tick};

on_both! {
    latency_begins_where_counting_has_come_to
    a_worked_example
    kept_days_say_what_the_verdicts_say
    figures_of_all_are_those_of_each
    what_becomes_known_late_corrects_the_days_it_touches
    a_day_is_not_replaced_by_what_is_counted_from_less
    maintenance_of_the_past_stays_in_the_days
    a_website_is_not_unknown_before_it_was_added
    days_that_a_wrong_clock_counted_are_not_told
    a_website_of_yesterday_has_its_figures_among_all
}

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Fixture {
    pub(super) async fn website_since(&self, account: AccountId, created_at: UtcMs) -> Website {
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new("https://example.com/".into()) };
        self.store.add_website(account, &settings, created_at).await.expect("a website")
    }

    async fn spent(&self, website: &Website, from_at: UtcMs, to_at: UtcMs) -> Uptime {
        let windows = [Span { from_at, to_at }];
        let found = self.store.uptimes(website.account_id, website.website_id, &windows).await.expect("a read");
        found.expect("the website")[0].uptime.expect("not too many changes")
    }

    /// A look a minute with this outcome, taken in as it comes; verdicts run out where nothing comes.
    pub(super) async fn looks(&self, website: &Website, from: UtcMs, minutes: i64, outcome: Outcome) {
        for n in 0..minutes {
            let tick = region_tick(website, "a", from + n * MINUTE, outcome);
            self.store.ingest(std::slice::from_ref(&tick), tick.received_at).await.expect("ingest");
        }
    }

    async fn forget_days(&self) {
        self.execute("delete from uptime_day").await;
    }
}

async fn latency_begins_where_counting_has_come_to(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website_since(account, f.now - 3 * DAY).await;
    let (now, window) = (f.now, [Span { from_at: f.now - 2 * DAY, to_at: f.now }]);
    let told = async || {
        let found = f.store.latencies(website.account_id, website.website_id, &window).await.expect("a read");
        found.expect("the website").pop().expect("a window").span
    };
    for _ in 0..5 {
        f.store.roll_up_some(now, 100).await.expect("a batch");
    }
    let end = Grain::Hour.settled_until(now);
    assert_eq!(told().await, Span { from_at: end - 5 * HOUR, to_at: end });
    f.roll(now).await;
    assert_eq!(told().await, Span { from_at: Grain::Hour.start_of(now - 2 * DAY), to_at: end });
}

/// The example of docs/ARCHITECTURE.md: of a day 23 h up, of which 30 min are announced maintenance, 30 min down, 30 min
/// unknown.
async fn a_worked_example(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - DAY);
    let website = f.website_since(account, midnight).await;
    f.store
        .add_maintenance(account, &plan(hub::model::Scope::All, midnight + 20 * HOUR, "once", 30), midnight)
        .await
        .expect("added");
    f.looks(&website, midnight, 1, Outcome::Up).await;
    f.transition(&website, midnight + 10 * HOUR, Outcome::Up, Outcome::Down).await;
    f.transition(&website, midnight + 10 * HOUR + 30 * MINUTE, Outcome::Down, Outcome::Up).await;
    f.transition(&website, midnight + 15 * HOUR, Outcome::Up, Outcome::Unknown).await;
    f.transition(&website, midnight + 15 * HOUR + 30 * MINUTE, Outcome::Unknown, Outcome::Up).await;
    let example = Uptime {
        up_ms: 22 * HOUR + 30 * MINUTE,
        down_ms: 30 * MINUTE,
        unknown_ms: 30 * MINUTE,
        maintenance_ms: 30 * MINUTE,
        ..Uptime::default()
    };
    let by_verdicts = f.spent(&website, midnight, midnight + DAY).await;
    assert_eq!(by_verdicts, example);
    f.roll(midnight + DAY + 11 * MINUTE).await;
    assert_eq!(f.count("select count(*) from uptime_day").await, 1);
    f.execute("delete from transition").await;
    let by_day = f.spent(&website, midnight, midnight + DAY).await;
    assert_eq!(by_day, example, "the day is kept");
    assert_eq!(format!("{:.4} {:.4}", by_day.ratio().expect("a ratio"), by_day.coverage()), "0.9783 0.9787");
    let stranger = f.account("stranger").await.account_id;
    let window = [Span { from_at: midnight, to_at: midnight + DAY }];
    assert_eq!(f.store.uptimes(stranger, website.website_id, &window).await.expect("a read"), None);
}

impl Fixture {
    /// A change of verdict past the verdict's rules.
    pub(super) async fn transition(&self, website: &Website, at: UtcMs, from: Outcome, to: Outcome) {
        let sql = "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) \
            values ($1, $2, 0, $2, $3, $4, '')";
        let (id, from, to) = (website.website_id.0, from.as_str(), to.as_str());
        match &self.url {
            Some(url) => {
                let pool = sqlx::PgPool::connect(url).await.expect("Postgres");
                sqlx::query(sql).bind(id).bind(at).bind(from).bind(to).execute(&pool).await.expect("a change");
            }
            None => {
                let pool = super::sqlite(self.directory.path()).await;
                sqlx::query(sql).bind(id).bind(at).bind(from).bind(to).execute(&pool).await.expect("a change");
            }
        }
    }
}

async fn kept_days_say_what_the_verdicts_say(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 4 * DAY);
    let website = f.website_since(account, midnight + 5 * HOUR).await;
    let mut random = Random(6);
    // Four days of looks now and then: up, down, and nobody there.
    let mut at = midnight + 5 * HOUR;
    while at < midnight + 4 * DAY {
        let outcome = [Outcome::Up, Outcome::Up, Outcome::Down][random.below(3) as usize];
        f.looks(&website, at, 4, outcome).await;
        at += random.below(9 * HOUR) + 4 * MINUTE;
        f.expire(at).await;
        if random.below(4) == 0 {
            f.roll(at).await;
        }
    }
    f.expire(midnight + 4 * DAY).await;
    let end = midnight + 4 * DAY;
    f.roll(end + 11 * MINUTE).await;
    assert_eq!(f.count("select count(*) from uptime_day").await, 4);
    let windows: Vec<_> = (0..40)
        .map(|_| {
            let from = midnight + 5 * HOUR + random.below(end - midnight - 5 * HOUR);
            (from, from + random.below(end - from) + 1)
        })
        .chain([(midnight + 5 * HOUR, end), (midnight + DAY, midnight + 3 * DAY)])
        .collect();
    let mut by_days = Vec::new();
    for (from, to) in &windows {
        let spent = f.spent(&website, *from, *to).await;
        assert_eq!(spent.window_ms(), to - from);
        by_days.push(spent);
    }
    f.forget_days().await;
    for ((from, to), by_days) in windows.iter().zip(by_days) {
        assert_eq!(f.spent(&website, *from, *to).await, by_days);
    }
}

async fn figures_of_all_are_those_of_each(f: Fixture) {
    let midnight = Grain::Day.start_of(f.now - 5 * DAY);
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let mut random = Random(11);
    let mut websites = Vec::new();
    for n in 0..8 {
        let account = if n % 2 == 0 { ann } else { bob };
        // Some on the hour, some within it; one at the begin of a day, one after the last.
        let created_at =
            midnight + [0, 5 * HOUR, DAY, DAY + 77_777, 2 * DAY + HOUR, 3 * DAY, 4 * DAY + HOUR, 12_345][n];
        websites.push(f.website_since(account, created_at).await);
    }
    for (account, hour, minutes) in [(ann, 3, 60), (ann, 3, 90), (bob, 23, 120)] {
        let daily = plan(hub::model::Scope::All, midnight + hour * HOUR, "daily", minutes);
        f.store.add_maintenance(account, &daily, midnight).await.expect("added");
    }
    let one = plan(hub::model::Scope::Website(websites[0].website_id), midnight + 30 * HOUR, "once", 600);
    f.store.add_maintenance(ann, &one, midnight).await.expect("added");
    let end = midnight + 5 * DAY;
    for (n, website) in websites.iter().enumerate() {
        // One changes never, others more and more often.
        let (mut at, mut before) = (website.created_at, Outcome::Unknown);
        while at < end && n != 3 {
            let after = [Outcome::Up, Outcome::Down, Outcome::Degraded, Outcome::Unknown][random.below(4) as usize];
            f.transition(website, at, before, after).await;
            before = after;
            at += random.below(40 * HOUR / (n as i64 + 1)) + MINUTE;
        }
    }
    let windows_to = |to_at: UtcMs| [DAY, 3 * DAY, 30 * DAY, 2 * HOUR].map(|ms| Span { from_at: to_at - ms, to_at });
    let compare = async |to_at: UtcMs, may_miss: bool| {
        let windows = windows_to(to_at);
        let (all, left_out) = f.store.all_watched(100).await.expect("a read");
        assert_eq!((all.len(), left_out), (8, 0));
        let found = f.store.uptimes_of_all(&all, 100, &windows).await.expect("a read");
        let mut told = 0;
        for (watched, found) in all.iter().zip(found) {
            let (account, id) = (watched.website.account_id, watched.website.website_id);
            let each = f.store.uptimes(account, id, &windows).await.expect("a read").expect("the website");
            for (of_all, of_one) in found.iter().zip(each) {
                told += usize::from(of_all.is_some());
                assert!(of_all.is_some() || may_miss, "{id} {:?}", of_one.span);
                assert!(
                    of_all.is_none() || *of_all == of_one.uptime,
                    "{id} {:?}: {of_all:?}, {:?}",
                    of_one.span,
                    of_one.uptime
                );
            }
        }
        told
    };
    compare(end, false).await; // by verdicts alone
    f.roll(midnight + 2 * DAY + HOUR).await;
    compare(end, false).await;
    compare(end - 7 * HOUR, false).await;
    f.roll(end + 11 * MINUTE).await;
    compare(end, false).await;
    compare(end - 7 * HOUR, false).await;
    // A day that is not counted yet costs figures, and gives no wrong ones.
    f.execute("delete from uptime_day where website_id = (select website_id from website order by website_id limit 1)")
        .await;
    assert!(compare(end, true).await < 32);
    let (some, left_out) = f.store.all_watched(3).await.expect("a read");
    assert_eq!((some.len(), left_out), (3, 5));
}

async fn what_becomes_known_late_corrects_the_days_it_touches(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 3 * DAY);
    let website = f.website_since(account, midnight).await;
    f.looks(&website, midnight, 3, Outcome::Up).await;
    let (from, to) = (midnight + 3 * MINUTE, midnight + 2 * DAY);
    // A hub counts while nobody has said yet that the website is unknown since the first night.
    f.roll(to + 11 * MINUTE).await;
    assert_eq!(f.spent(&website, from, to).await.up_ms, to - from);
    let changes = f.expire(to + HOUR).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(f.count("select count(*) from roll_up_due where what = 'verdicts'").await, 1);
    f.roll(to + 2 * HOUR).await;
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
    let spent = f.spent(&website, from, to).await;
    assert_eq!((spent.up_ms, spent.window_ms()), (changes[0].at - from, to - from));
    f.forget_days().await;
    assert_eq!(f.spent(&website, from, to).await, spent);
    // What changes in time is not noted.
    f.looks(&website, to + 3 * HOUR, 2, Outcome::Up).await;
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
}

async fn a_day_is_not_replaced_by_what_is_counted_from_less(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 3 * DAY);
    let website = f.website_since(account, midnight).await;
    f.transition(&website, midnight, Outcome::Unknown, Outcome::Up).await;
    f.transition(&website, midnight + HOUR, Outcome::Up, Outcome::Down).await;
    f.transition(&website, midnight + 2 * HOUR, Outcome::Down, Outcome::Up).await;
    f.transition(&website, midnight + 2 * DAY, Outcome::Up, Outcome::Unknown).await;
    let (from, to) = (midnight, midnight + 2 * DAY);
    f.roll(to + 11 * MINUTE).await;
    let spent = f.spent(&website, from, to).await;
    assert_eq!((spent.up_ms, spent.down_ms, spent.unknown_ms), (47 * HOUR, HOUR, 0));
    // Somebody tidied up; something that came late has the days counted again.
    f.execute("delete from transition").await;
    f.execute(
        "insert into roll_up_due (website_id, what, starts_at) select website_id, 'verdicts', day_at from uptime_day \
         order by day_at limit 1",
    )
    .await;
    f.roll(to + 12 * MINUTE).await;
    assert_eq!(f.count("select count(*) from roll_up_due").await, 0);
    assert_eq!(f.spent(&website, from, to).await, spent);
}

async fn maintenance_of_the_past_stays_in_the_days(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 2 * DAY);
    let website = f.website_since(account, midnight).await;
    f.store
        .add_maintenance(account, &plan(hub::model::Scope::All, midnight + HOUR, "daily", 60), midnight)
        .await
        .expect("added");
    f.looks(&website, midnight, 1, Outcome::Up).await;
    f.roll(midnight + 2 * DAY + 11 * MINUTE).await;
    let spent = f.spent(&website, midnight, midnight + 2 * DAY).await;
    assert_eq!(spent.maintenance_ms, 2 * HOUR);
    f.execute("delete from maintenance").await;
    assert_eq!(f.spent(&website, midnight, midnight + 2 * DAY).await, spent);
}

async fn a_website_is_not_unknown_before_it_was_added(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website_since(account, f.now - HOUR).await;
    f.looks(&website, f.now - HOUR, 3, Outcome::Up).await;
    let windows = [30 * DAY, DAY, HOUR / 2].map(|ms| Span { from_at: f.now - ms, to_at: f.now });
    let found = f.store.uptimes(account, website.website_id, &windows).await.expect("a read").expect("the website");
    let spans: Vec<_> = found.iter().map(|one| one.span.from_at - f.now).collect();
    assert_eq!(spans, [-HOUR, -HOUR, -HOUR / 2]);
    assert_eq!(found[0].uptime.map(|u| u.window_ms()), Some(HOUR));
    let before = [Span { from_at: f.now - 3 * DAY, to_at: f.now - 2 * DAY }];
    let found = f.store.uptimes(account, website.website_id, &before).await.expect("a read").expect("the website");
    assert_eq!(found[0].uptime, Some(Uptime::default()));
}

async fn days_that_a_wrong_clock_counted_are_not_told(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 3 * DAY);
    let website = f.website_since(account, midnight).await;
    f.looks(&website, midnight, 1, Outcome::Up).await;
    // Two days ahead for a moment.
    f.roll(midnight + HOUR).await;
    f.roll(midnight + 2 * DAY + HOUR).await;
    assert_eq!(f.count("select count(*) from uptime_day").await, 2);
    f.roll(midnight + HOUR).await;
    f.transition(&website, midnight + 12 * HOUR, Outcome::Up, Outcome::Down).await;
    f.transition(&website, midnight + 18 * HOUR, Outcome::Down, Outcome::Up).await;
    // Over, and not counted again yet.
    let spent = f.spent(&website, midnight, midnight + DAY).await;
    assert_eq!((spent.down_ms, spent.window_ms()), (6 * HOUR, DAY));
    f.roll(midnight + DAY + 11 * MINUTE).await;
    assert_eq!(f.spent(&website, midnight, midnight + DAY).await, spent);
}

async fn a_website_of_yesterday_has_its_figures_among_all(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 3 * DAY);
    // Later in the day in which the window of 24 hours begins.
    let website = f.website_since(account, midnight + 18 * HOUR).await;
    f.looks(&website, midnight + 18 * HOUR, 1, Outcome::Up).await;
    f.roll(midnight + 19 * HOUR).await;
    f.transition(&website, midnight + 30 * HOUR, Outcome::Up, Outcome::Down).await;
    f.roll(midnight + 2 * DAY + 11 * MINUTE).await;
    let to_at = midnight + 40 * HOUR;
    let windows = [DAY, 30 * DAY].map(|ms| Span { from_at: to_at - ms, to_at });
    let (all, _) = f.store.all_watched(10).await.expect("a read");
    let found = f.store.uptimes_of_all(&all, 10, &windows).await.expect("a read").pop().expect("the website");
    let each = f.store.uptimes(account, website.website_id, &windows).await.expect("a read").expect("the website");
    assert!(found.iter().all(Option::is_some), "{found:?}");
    assert_eq!(found, each.into_iter().map(|one| one.uptime).collect::<Vec<_>>());
}
