//! Many websites, one cause.

use super::*;

on_both! {
    five_hundred_websites_of_one_host_are_one_incident_and_one_message_a_channel
    people_hear_of_growth_once_a_minute
    websites_that_went_without_a_word_are_mended
    what_is_down_without_an_incident_gets_one
    lists_go_on_where_they_ended
}

async fn hosted(f: &Fixture, account: AccountId, n: usize) -> Vec<Website> {
    let mut all = Vec::new();
    for n in 0..n {
        all.push(f.website_at(account, &format!("https://shop.example/{n}")).await);
    }
    all
}

fn batch(websites: &[Website], slot_at: UtcMs, outcome: Outcome, n: i64) -> Vec<StoredTick> {
    websites.iter().flat_map(|website| rounds(website, slot_at, outcome, n)).collect()
}

async fn five_hundred_websites_of_one_host_are_one_incident_and_one_message_a_channel(f: Fixture) {
    let account = f.account("ann").await.account_id;
    for name in ["chat", "mail", "phone"] {
        f.channel(name, true, false, 0).await;
    }
    let websites = hosted(&f, account, 500).await;
    let start = f.now - 20 * MINUTE;
    f.store.ingest(&batch(&websites, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    assert_eq!(f.incidents(account).await.len(), 0);
    let began = std::time::Instant::now();
    f.store.ingest(&batch(&websites, start + MINUTE, Outcome::Down, 1), start + MINUTE + 2_000).await.expect("ingest");
    println!("500 websites down: {:?}", began.elapsed());
    let line = f.only(account).await;
    assert_eq!((line.websites, line.failing, line.incident.began_at), (500, 500, start + MINUTE));
    assert_eq!(f.told().await, ["opened waiting chat", "opened waiting mail", "opened waiting phone"]);
    let id = line.incident.incident_id;
    assert_eq!(f.store.incident_websites(account, id, 1_000).await.expect("websites").len(), 500);
    let story = f.store.incident_for_alert(id).await.expect("a read").expect("the incident");
    assert_eq!((story.count, story.failing, story.websites.len(), story.events.len()), (500, 500, 20, 100));
    let began = std::time::Instant::now();
    f.store.ingest(&batch(&websites, start + 2 * MINUTE, Outcome::Up, 2), start + 4 * MINUTE).await.expect("ingest");
    println!("500 websites up: {:?}", began.elapsed());
    let line = f.only(account).await;
    assert_eq!((line.failing, line.incident.closed_as), (0, Some(ClosedAs::Recovered)));
    assert_eq!(f.outbox().await.iter().filter(|row| row.0 == "resolved").count(), 3);
    assert_eq!(f.outbox().await.len(), 6);
}

async fn people_hear_of_growth_once_a_minute(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("boss", true, false, 60 * MINUTE).await;
    f.channel("mail", true, false, 0).await;
    let websites = hosted(&f, account, 12).await;
    let start = f.now - 20 * MINUTE;
    f.store.ingest(&batch(&websites, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    let down = |some: std::ops::Range<usize>, at: UtcMs| batch(&websites[some], at, Outcome::Down, 1);
    let at = start + MINUTE;
    f.store.ingest(&down(0..2, at), at + 1_000).await.expect("ingest");
    f.deliver().await;
    f.execute("update alert set state = 'waiting', tries = 0 where channel_name = 'boss'").await;
    for n in 1..6_usize {
        let later = at + 1_000 + 5_000 * n as i64;
        f.store.ingest(&down(2 * n..2 * n + 2, at), later).await.expect("ingest");
        assert_eq!(f.store.review_incidents(later).await.expect("a review").grown, 0, "a storm is no news");
    }
    let line = f.only(account).await;
    assert_eq!(line.websites, 12);
    assert_eq!(f.store.review_incidents(at + 61_000).await.expect("a review").grown, 1);
    assert_eq!(f.store.review_incidents(at + 200_000).await.expect("a review").grown, 0, "told");
    // Whoever waits will hear all of it when his time comes.
    let told = ["opened waiting boss", "opened delivered mail", "updated waiting mail"];
    assert_eq!(f.told().await, told);
    assert_eq!(f.outbox().await.last().map(|row| row.1), Some(12), "as many as there are");
    // What was not sent when it ended is of no use.
    f.store.ingest(&batch(&websites, at + MINUTE, Outcome::Up, 2), at + 4 * MINUTE).await.expect("ingest");
    let told = ["opened cancelled boss", "opened delivered mail", "updated cancelled mail", "resolved waiting mail"];
    assert_eq!(f.told().await, told);
}

async fn websites_that_went_without_a_word_are_mended(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let websites = hosted(&f, account, 4).await;
    let start = f.now - 20 * MINUTE;
    f.store.ingest(&batch(&websites, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    f.store.ingest(&batch(&websites, start + MINUTE, Outcome::Down, 1), start + MINUTE + 2_000).await.expect("ingest");
    // A hub of an older version saw to three of them.
    let ids: Vec<String> = websites.iter().map(|w| w.website_id.0.simple().to_string()).collect();
    let id = |n: usize| if f.url.is_some() { format!("'{}'", ids[n]) } else { format!("x'{}'", ids[n]) };
    f.execute(format!("delete from website where website_id = {}", id(0)).leak()).await;
    f.execute(format!("update website set paused = not paused where website_id = {}", id(1)).leak()).await;
    f.execute(format!("update website_state set verdict = 'up' where website_id = {}", id(2)).leak()).await;
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look").mended, 3);
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look").mended, 0);
    let line = f.only(account).await;
    assert_eq!((line.failing, line.websites, line.incident.closed_at), (1, 4, None));
    // What is well in one way may fail in another, and what nothing will tell the end of is over.
    f.execute("update website_state set verdict = 'up', flapping_since_at = 1 where verdict = 'down'").await;
    f.execute("update incident set kind = 'flapping'").await;
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look").mended, 0);
    f.execute("update website_state set flapping_since_at = null").await;
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look").mended, 1);
    assert_eq!(f.only(account).await.incident.closed_as, Some(ClosedAs::Recovered));
}

async fn what_is_down_without_an_incident_gets_one(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let websites = hosted(&f, account, 3).await;
    let start = f.now - 20 * MINUTE;
    f.store.ingest(&batch(&websites, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    f.store.ingest(&batch(&websites, start + MINUTE, Outcome::Down, 1), start + MINUTE + 2_000).await.expect("ingest");
    assert_eq!(f.store.open_missed(f.now).await.expect("a look"), 0);
    // A hub of an older version decided on it.
    f.execute("delete from incident").await;
    assert_eq!(f.store.open_missed(f.now).await.expect("a look"), 3);
    assert_eq!(f.store.open_missed(f.now).await.expect("a look"), 0);
    let line = f.only(account).await;
    assert_eq!((line.failing, line.incident.began_at), (3, start + MINUTE));
    assert_eq!(f.told().await, ["opened waiting mail"]);
}

async fn lists_go_on_where_they_ended(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut ids = Vec::new();
    for n in 0..7 {
        let website = f.website_at(account, &format!("https://{n}.example/")).await;
        let start = f.now - (40 - 2 * (n / 3)) * MINUTE;
        f.feed(&rounds(&website, start, Outcome::Up, 1)).await;
        f.feed(&rounds(&website, start + MINUTE, Outcome::Down, 1)).await;
        ids.push(website.website_id);
    }
    let all = f.incidents(account).await;
    assert_eq!(all.len(), 7);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page =
            f.store.incidents(account, IncidentFilter { open_only: true, ..IncidentFilter::default() }, after, 2);
        let page = page.await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.cursor().to_string().parse().expect("a cursor"));
        seen.extend(page);
    }
    assert_eq!(seen, all);
    let of = |website, kind| IncidentFilter { website, kind, open_only: false };
    let one = f.store.incidents(account, of(Some(ids[3]), Some(IncidentKind::Outage)), None, 10).await.expect("one");
    assert_eq!(one.iter().map(|line| line.first_website).collect::<Vec<_>>(), [Some(ids[3])]);
    let none =
        f.store.incidents(account, of(Some(ids[3]), Some(IncidentKind::Flapping)), None, 10).await.expect("none");
    assert_eq!(none, []);
}

/// Eight hubs at once, each with some websites of one host: nobody opens a second incident, and none is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hubs_that_see_one_host_fail_at_once_make_one_incident() {
    let f = Fixture::postgres().await;
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let websites = hosted(&f, account, 64).await;
    let start = f.now - 20 * MINUTE;
    f.store.ingest(&batch(&websites, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    for (turn, outcome) in [Outcome::Down, Outcome::Up, Outcome::Down].into_iter().enumerate() {
        let at = start + (1 + 3 * turn as i64) * MINUTE;
        let hubs: Vec<_> = (0..8)
            .map(|hub| {
                let (store, mine) = (f.store.clone(), batch(&websites[8 * hub..8 * hub + 8], at, outcome, 2));
                tokio::spawn(async move { store.ingest(&mine, at + 2 * MINUTE).await.expect("ingest").new })
            })
            .collect();
        for hub in hubs {
            assert_eq!(hub.await.expect("a hub"), 48);
        }
    }
    let all = f.incidents(account).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all[0].websites, all[0].failing, all[0].incident.closed_at), (64, 64, None));
    assert_eq!((all[1].websites, all[1].failing, all[1].incident.closed_as), (64, 0, Some(ClosedAs::Recovered)));
    let opened: Vec<_> = f.outbox().await.into_iter().map(|row| row.0).collect();
    assert_eq!(opened.iter().filter(|event| *event == "opened").count(), 2);
    assert_eq!(opened.iter().filter(|event| *event == "resolved").count(), 1);
}

/// A hub that stands still in the middle of its work holds one account's verdicts, and nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t210_an_account_that_is_held_keeps_its_own_waiting_only() {
    let f = Fixture::postgres().await;
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let start = f.now - 20 * MINUTE;
    let (held, well) = (hosted(&f, ann, 3).await, f.website_at(ann, "https://well.example/").await);
    let free = hosted(&f, bob, 3).await;
    let all = [&held[..], &free[..], std::slice::from_ref(&well)].concat();
    f.store.ingest(&batch(&all, start, Outcome::Up, 1), start + 2_000).await.expect("ingest");
    let pool = sqlx::PgPool::connect(f.url.as_ref().expect("Postgres")).await.expect("Postgres");
    let mut other = pool.begin().await.expect("a transaction");
    let hold = "select from account where username = 'ann' for no key update";
    sqlx::query(hold).execute(&mut *other).await.expect("a lock");
    let down = [batch(&held, start + MINUTE, Outcome::Down, 1), batch(&free, start + MINUTE, Outcome::Down, 1)];
    let ticks = [down.concat(), rounds(&well, start + MINUTE, Outcome::Up, 1)].concat();
    let began = std::time::Instant::now();
    let done = f.store.ingest_read(&ticks, start + MINUTE + 2_000, UtcMs::MAX, false).await.expect("ingest");
    assert!(began.elapsed().as_secs() < 2, "nobody waits");
    assert_eq!(done.busy, held.iter().map(|website| website.website_id).collect());
    assert_eq!(done.new, 12, "those of others, and one in which nothing changes");
    assert_eq!((f.incidents(ann).await.len(), f.incidents(bob).await.len()), (0, 1));
    other.rollback().await.expect("the end");
    let done = f.store.ingest_read(&ticks, start + MINUTE + 3_000, UtcMs::MAX, false).await.expect("ingest");
    assert_eq!((done.new, done.known, done.busy.len()), (9, 12, 0));
    assert_eq!(f.incidents(ann).await.len(), 1);
}
