//! The dashboard: who stands where, page by page.

use hub::http::pages::Mark;
use hub::model::{
    BoardFilter, BoardOrder, BoardPart, BoardPlace, JobPlan, JobSchedule, Outcome, Tag, Ties, WebsiteId,
    WebsiteSettings,
};

use super::{Fixture, MINUTE, region_tick};

on_both! {
    the_order_is_that_of_the_marks_whichever_way_one_goes
    a_place_whose_website_is_gone_is_the_begin_of_its_state
    what_is_asked_for_is_found_in_every_order_page_by_page
    many_are_tagged_at_once_and_keep_their_other_tags
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
    let one = |(rank, row): &(i64, hub::model::BoardRow)| {
        assert_eq!(Mark::of(row) as i64, *rank, "{}", row.website.settings.url);
        (Mark::of(row), name(&row.website.settings.url), row.website.website_id)
    };
    part.rows.iter().map(one).collect()
}

async fn the_order_is_that_of_the_marks_whichever_way_one_goes(f: Fixture) {
    let (account, expected) = many(&f).await;
    let mut counts = [0_i64; 6];
    expected.iter().for_each(|(mark, ..)| counts[*mark as usize] += 1);
    assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
    let all = BoardFilter::default();
    let read = async |place| f.store.board_part(account, &all, place, 4, 9, f.now).await.expect("a part");
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
        let filter = BoardFilter { tag: Some(tag), ..BoardFilter::default() };
        let part = f.store.board_part(account, &filter, BoardPlace::First, 100, 2, f.now).await.expect("a part");
        assert_eq!((seen(&part), part.count()), (tagged.clone(), tagged.len() as i64));
        assert_eq!(part.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["eu", "eu %"], "two at most");
    }
    let stranger = f.account("bob").await.account_id;
    let nothing = f.store.board_part(stranger, &all, place, 4, 9, f.now).await.expect("a part");
    assert_eq!(nothing, BoardPart::default());
}

async fn a_place_whose_website_is_gone_is_the_begin_of_its_state(f: Fixture) {
    let (account, expected) = many(&f).await;
    let all = BoardFilter::default();
    let first = f.store.board_part(account, &all, BoardPlace::First, 8, 9, f.now).await.expect("a part");
    let cursor = first.next().expect("more");
    f.store.delete_website(account, cursor.id).await.expect("a deletion");
    let begin = expected.iter().position(|(mark, ..)| *mark as i64 == cursor.rank).expect("its state");
    let part = f.store.board_part(account, &all, BoardPlace::After(cursor), 3, 9, f.now).await.expect("a part");
    assert_eq!(part.passed, begin as i64);
    assert_eq!(part.rows[0].1.website.website_id, expected[begin].2);
    // Behind all there are is the first page.
    let last = hub::model::BoardCursor { rank: 5, id: expected.last().expect("one").2 };
    let part = f.store.board_part(account, &all, BoardPlace::After(last), 3, 9, f.now).await.expect("a part");
    assert_eq!((part.passed, part.rows.len()), (0, 3));
}

async fn what_is_asked_for_is_found_in_every_order_page_by_page(f: Fixture) {
    let (account, expected) = many(&f).await;
    for (n, (.., id)) in expected.iter().enumerate() {
        let tags: Vec<Tag> =
            [vec![], vec!["b", "z"], vec!["a b"], vec!["a"]][n % 4].iter().map(|tag| tag.parse().unwrap()).collect();
        f.store.set_ties(account, *id, &Ties { tags, parent_id: None }).await.expect("tags");
    }
    let pages = async |filter: &BoardFilter| {
        let (mut rows, mut place) = (Vec::new(), BoardPlace::First);
        loop {
            let part = f.store.board_part(account, filter, place, 5, 9, f.now).await.expect("a part");
            assert_eq!(part.passed, rows.len() as i64, "{filter:?}");
            rows.extend(part.rows.iter().map(|(_, row)| row.clone()));
            match part.next() {
                Some(cursor) => place = BoardPlace::After(cursor),
                None => {
                    assert_eq!(part.count(), rows.len() as i64, "{filter:?}");
                    return rows;
                }
            }
        }
    };
    let by = |order| BoardFilter { order, ..BoardFilter::default() };
    let name = |row: &hub::model::BoardRow| {
        let url = &row.website.settings.url;
        url.strip_prefix("https://").unwrap_or(url).to_owned()
    };
    let all = pages(&by(BoardOrder::Name)).await;
    assert!(all.len() == expected.len() && all.iter().map(name).is_sorted());
    let slowest = pages(&by(BoardOrder::Slowest)).await;
    let took = |row: &hub::model::BoardRow| row.regions.iter().map(|region| region.total_us).max().unwrap_or(0);
    assert!(slowest.iter().map(took).is_sorted_by(|a, b| a >= b) && took(&slowest[0]) > 0);
    let tagged = pages(&by(BoardOrder::Tag)).await;
    let key = |row: &hub::model::BoardRow| {
        let tag = row.ties.tags.first().map_or("\u{10fffd}".to_owned(), Tag::to_string);
        (format!("{tag},"), Mark::of(row), name(row))
    };
    assert!(tagged.len() == expected.len() && tagged.iter().map(key).is_sorted());
    for (rank, mark) in Mark::ALL.into_iter().enumerate() {
        let filter = BoardFilter { state: Some(rank as u8), ..by(BoardOrder::Name) };
        let found = pages(&filter).await;
        assert!(found.iter().all(|row| Mark::of(row) == mark) && found.len() >= 3, "{mark:?}");
        let part = f.store.board_part(account, &filter, BoardPlace::First, 1, 9, f.now).await.expect("a part");
        assert_eq!(part.counts.iter().sum::<i64>(), expected.len() as i64, "the others are counted too");
    }
    let filter = BoardFilter { text: Some("/down".to_owned()), ..BoardFilter::default() };
    assert!(pages(&filter).await.iter().all(|row| row.website.settings.url.ends_with("/down")));
    let filter = BoardFilter { text: Some("' or %".to_owned()), state: Some(0), ..BoardFilter::default() };
    assert!(pages(&filter).await.is_empty());
}

async fn many_are_tagged_at_once_and_keep_their_other_tags(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let stranger = f.account("bob").await.account_id;
    let mut ids = Vec::new();
    for (n, owner) in [account, account, account, stranger].into_iter().enumerate() {
        let settings = WebsiteSettings::new(format!("https://{n}.example/"));
        ids.push(f.store.add_website(owner, &settings, f.now).await.expect("a website").website_id);
    }
    let tags = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect::<Vec<Tag>>();
    let full: Vec<String> = (0..Tag::MOST).map(|n| format!("t{n}")).collect();
    let full = tags(&full.iter().map(String::as_str).collect::<Vec<_>>());
    f.store.set_ties(account, ids[1], &Ties { tags: tags(&["z"]), parent_id: Some(ids[0]) }).await.expect("ties");
    f.store.set_ties(account, ids[2], &Ties { tags: full.clone(), parent_id: None }).await.expect("ties");
    let tag: Tag = "eu".parse().unwrap();
    let mut changed = f.store.tag_websites(account, &ids, &tag, true).await.expect("tags");
    changed.sort();
    assert_eq!(changed, ids[..2], "one has as many as it may have, and one is another's");
    let of = async |id| f.store.ties_of_website(account, id).await.expect("ties").expect("theirs");
    assert_eq!(of(ids[1]).await, Ties { tags: tags(&["eu", "z"]), parent_id: Some(ids[0]) });
    assert_eq!(of(ids[2]).await.tags, full);
    assert_eq!(f.store.tag_websites(account, &ids, &tag, true).await.expect("tags"), [], "they are so already");
    assert_eq!(f.store.tag_websites(account, &ids[..1], &tag, false).await.expect("tags"), ids[..1]);
    assert_eq!((of(ids[0]).await.tags, of(ids[1]).await.tags.len()), (Vec::new(), 2));
}
