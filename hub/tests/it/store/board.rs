//! The dashboard: who stands where, page by page.

use hub::http::pages::Mark;
use hub::model::{BoardPart, BoardPlace, JobPlan, JobSchedule, Outcome, Tag, Ties, WebsiteId, WebsiteSettings};

use super::{Fixture, MINUTE, region_tick};

on_both! {
    the_order_is_that_of_the_marks_whichever_way_one_goes
    a_place_whose_website_is_gone_is_the_begin_of_its_state
}

/// Websites in all states there are, some of them in more ways than one.
async fn many(f: &Fixture) -> (hub::model::AccountId, Vec<(Mark, String, WebsiteId)>) {
    let account = f.account("ann").await.account_id;
    let states = ["down", "degraded", "unknown", "silent", "odd", "up", "paused", "new"];
    for (n, state) in states.iter().cycle().take(3 * states.len()).enumerate() {
        // Names in another order than they are added, some over http, and some that only the end tells from another.
        let scheme = if n % 5 == 0 { "http" } else { "https" };
        let url = format!("{scheme}://{}{}.example/{state}", ["b", "a-b", "a", "B"][n % 4], 30 - n);
        let settings = WebsiteSettings { interval_ms: MINUTE, ..WebsiteSettings::new(url) };
        let website = f.store.add_website(account, &settings, f.now - 60 * MINUTE).await.expect("a website");
        if *state == "silent" {
            f.feed(&[region_tick(&website, "a", f.now, Outcome::Up)]).await;
        }
    }
    for name in ["backup", "restore"] {
        let schedule = JobSchedule::Every { period_ms: 60 * MINUTE };
        let plan = JobPlan { name: name.to_owned(), schedule, grace_ms: MINUTE };
        f.store.add_job(account, &plan, f.now - 60 * MINUTE).await.expect("a job");
    }
    f.execute(
        "update website_state set verdict = 'down' where website_id in (select website_id from website where url like '%/down'); \
         update website_state set verdict = 'degraded' where website_id in (select website_id from website where url like '%/degraded'); \
         update website_state set verdict = 'up' where website_id in (select website_id from website where url like '%/up'); \
         update website_state set verdict = 'newer' where website_id in (select website_id from website where url like '%/odd'); \
         update website_state set verdict = 'unknown' where website_id in (select website_id from website where url like '%/silent'); \
         update website_state set fresh_until_at = null where website_id in (select website_id from website where url like '%/unknown'); \
         update job set pinged_at = 5 where website_id in (select website_id from website where url = 'backup'); \
         update website set paused = not paused where url like '%/paused'",
    )
    .await;
    let board = f.store.board(account, f.now).await.expect("the board");
    let name = |url: &str| url.strip_prefix("https://").unwrap_or(url).to_owned();
    let mut expected: Vec<_> =
        board.iter().map(|row| (Mark::of(row), name(&row.website.settings.url), row.website.website_id)).collect();
    expected.sort();
    (account, expected)
}

fn seen(part: &BoardPart) -> Vec<(Mark, String, WebsiteId)> {
    let name = |url: &str| url.strip_prefix("https://").unwrap_or(url).to_owned();
    let one = |(rank, row): &(u8, hub::model::BoardRow)| {
        assert_eq!(Mark::of(row) as u8, *rank, "{}", row.website.settings.url);
        (Mark::of(row), name(&row.website.settings.url), row.website.website_id)
    };
    part.rows.iter().map(one).collect()
}

async fn the_order_is_that_of_the_marks_whichever_way_one_goes(f: Fixture) {
    let (account, expected) = many(&f).await;
    let mut counts = [0_i64; 6];
    expected.iter().for_each(|(mark, ..)| counts[*mark as usize] += 1);
    assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
    let read = async |place| f.store.board_part(account, None, place, 4, 9, f.now).await.expect("a part");
    let (mut found, mut place, mut last) = (Vec::new(), BoardPlace::First, None);
    while last.is_none() {
        let part = read(place).await;
        assert_eq!((part.counts, part.passed), (counts, found.len() as i64));
        found.extend(seen(&part));
        match part.next() {
            Some(cursor) => place = BoardPlace::After(cursor),
            None => last = Some(part),
        }
    }
    assert_eq!(found, expected);
    // And back again: each page ends where the one after it begins, but for the first, which is a whole one.
    let mut last = last.expect("a last one");
    let mut end = expected.len() - last.rows.len();
    while let Some(cursor) = last.before() {
        last = read(BoardPlace::Before(cursor)).await;
        let begin = end.saturating_sub(4);
        assert_eq!((seen(&last), last.passed), (expected[begin..begin + 4].to_vec(), begin as i64));
        end = begin;
    }
    assert_eq!(last.passed, 0);
    // The same of those with a tag; one that is part of another's name is another.
    let (tag, other): (Tag, Tag) = ("eu %".parse().unwrap(), "eu".parse().unwrap());
    for (n, (.., id)) in expected.iter().enumerate() {
        let tags = if n % 3 == 0 { vec![other.clone(), tag.clone()] } else { vec!["x eu".parse().unwrap()] };
        f.store.set_ties(account, *id, &Ties { tags, parent_id: None }).await.expect("tags");
    }
    let tagged: Vec<_> = expected.iter().step_by(3).cloned().collect();
    for tag in [tag, other] {
        let part = f.store.board_part(account, Some(&tag), BoardPlace::First, 100, 2, f.now).await.expect("a part");
        assert_eq!((seen(&part), part.count()), (tagged.clone(), tagged.len() as i64));
        assert_eq!(part.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["eu", "eu %"], "two at most");
    }
    let stranger = f.account("bob").await.account_id;
    let nothing = f.store.board_part(stranger, None, place, 4, 9, f.now).await.expect("a part");
    assert_eq!(nothing, BoardPart::default());
}

async fn a_place_whose_website_is_gone_is_the_begin_of_its_state(f: Fixture) {
    let (account, expected) = many(&f).await;
    let first = f.store.board_part(account, None, BoardPlace::First, 8, 9, f.now).await.expect("a part");
    let cursor = first.next().expect("more");
    f.store.delete_website(account, cursor.id).await.expect("a deletion");
    let begin = expected.iter().position(|(mark, ..)| *mark as u8 == cursor.rank).expect("its state");
    let part = f.store.board_part(account, None, BoardPlace::After(cursor), 3, 9, f.now).await.expect("a part");
    assert_eq!(part.passed, begin as i64);
    assert_eq!(part.rows[0].1.website.website_id, expected[begin].2);
    // Behind all there are is the first page.
    let last = hub::model::BoardCursor { rank: 5, id: expected.last().expect("one").2 };
    let part = f.store.board_part(account, None, BoardPlace::After(last), 3, 9, f.now).await.expect("a part");
    assert_eq!((part.passed, part.rows.len()), (0, 3));
}
