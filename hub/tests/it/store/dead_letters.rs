//! Dead letters in the store, and their replay as far as it needs no queue.

use hub::model::{KeptLetter, LetterFilter, LetterId, Outcome, Replay, UtcMs};
use hub::replay::{self, Replayed};
use hub::schedule::{Command, Scheduler};

use super::{Fixture, MINUTE, region_tick};

const STREAM: &str = "betteruptime:tick:a:w1";

on_both! {
    letters_are_listed_in_pages_and_by_what_they_are
    many_are_discarded_or_asked_for_in_pieces
    a_result_is_replayed_once_and_its_letter_goes_with_it
    a_check_is_replayed_by_a_look_at_its_website
    what_still_fails_stays_with_its_new_reason
    an_asked_replay_is_done_by_one_hub
}

async fn put(f: &Fixture, reason: &str, raw: &[u8], at: UtcMs) {
    f.store.dead_letter(STREAM, reason, raw, at).await.expect("a dead letter");
}

async fn all(f: &Fixture) -> Vec<KeptLetter> {
    f.store.kept_letters(&LetterFilter::default(), None, 1_000).await.expect("letters")
}

async fn only(f: &Fixture) -> KeptLetter {
    let mut letters = all(f).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    letters.remove(0)
}

async fn letters_are_listed_in_pages_and_by_what_they_are(f: Fixture) {
    for n in 0..25_i64 {
        // Several in one millisecond: the id decides.
        put(&f, "expired: old", format!("e{n}").as_bytes(), f.now - n / 10).await;
    }
    put(&f, "body is not understood: x", b"1", f.now).await;
    put(&f, "kind \"a:b\" is not expected on this stream", b"2", f.now - 1).await;
    put(&f, "kind: of its own", b"3", f.now - 1).await;
    put(&f, ":", b"4", f.now - 1).await;
    f.store.dead_letter("betteruptime:website:a", "max_deliveries: 3", b"5", f.now).await.expect("a dead letter");

    let kinds = f.store.dead_letter_kinds(10).await.expect("kinds");
    let kinds: Vec<(&str, i64)> = kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(kinds, [("expired", 10), ("kind", 1), ("max_deliveries", 1), ("not_understood", 3)]);
    assert_eq!(f.store.dead_letter_streams().await.expect("streams"), [STREAM, "betteruptime:website:a"]);

    for filter in [LetterFilter::default(), LetterFilter::new("expired", ""), LetterFilter::new("expired", STREAM)] {
        let whole = f.store.kept_letters(&filter, None, 1_000).await.expect("letters");
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = f.store.kept_letters(&filter, after, 7).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = Some(last.cursor().to_string().parse().expect("a cursor"));
            walked.extend(page);
        }
        assert_eq!(walked, whole);
        assert!(whole.is_sorted_by_key(|letter| std::cmp::Reverse((letter.created_at, letter.letter_id))));
        let expected = if filter.kind.is_some() { 25 } else { 30 };
        assert_eq!(whole.len(), expected);
        assert_eq!(f.store.count_dead_letters(&filter, 1_000).await.expect("a count"), expected as i64);
        assert_eq!(f.store.count_dead_letters(&filter, 12).await.expect("a count"), 12);
    }
    let other = LetterFilter::new("expired", "betteruptime:website:a");
    assert_eq!(f.store.kept_letters(&other, None, 10).await.expect("letters"), []);
}

async fn many_are_discarded_or_asked_for_in_pieces(f: Fixture) {
    for n in 0..30_i64 {
        put(&f, if n % 3 == 0 { "refused: x" } else { "expired: x" }, format!("{n}").as_bytes(), f.now - n).await;
    }
    let (expired, everything) = (LetterFilter::new("expired", ""), LetterFilter::default());
    // Those of the last ten milliseconds came after somebody was asked whether he is sure.
    let until = f.now - 10;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(f.store.ask_for_replay(&expired, until, f.now, 10).await.expect("asked"));
    }
    assert_eq!(asked, [10, 4, 0]);
    assert_eq!(f.store.count_asked_letters(&everything, 100).await.expect("a count"), 14);
    assert_eq!(f.store.count_asked_letters(&LetterFilter::new("refused", ""), 100).await.expect("a count"), 0);
    assert!(
        all(&f).await.iter().all(|l| l.replay_asked_at.is_some() == (l.kind == "expired" && l.created_at <= until))
    );
    let mut gone = Vec::new();
    for _ in 0..3 {
        gone.push(f.store.discard_dead_letters(&expired, until, 10).await.expect("discarded"));
    }
    assert_eq!(gone, [10, 4, 0]);
    assert_eq!(f.store.count_dead_letters(&everything, 100).await.expect("a count"), 16);
    let one = all(&f).await.remove(0).letter_id;
    assert!(f.store.discard_dead_letter(one).await.expect("discarded"));
    assert!(!f.store.discard_dead_letter(one).await.expect("not there"));
    assert!(f.store.kept_letter(one).await.expect("an answer").is_none());
}

async fn a_result_is_replayed_once_and_its_letter_goes_with_it(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let (scheduler, _inbox) = Scheduler::channel();
    let tick = region_tick(&website, "a", f.now - MINUTE, Outcome::Up);
    let json = serde_json::to_string(&tick.tick).expect("JSON");
    let entry = format!("v=1\nkind=tick\nbody={json}\n");
    put(&f, "schema version 1 is not understood; this program speaks 0", entry.as_bytes(), f.now).await;
    let letter = only(&f).await;
    assert_eq!(letter.website_id(), Some(website.website_id));
    let done = replay::replay(&f.store, &scheduler, &letter, f.now).await.expect("a replay");
    assert_eq!((done, all(&f).await), (Replayed::Stored, vec![]));
    // Who had it on his screen clicks again; and the same result in another letter.
    let again = replay::replay(&f.store, &scheduler, &letter, f.now).await.expect("a replay");
    assert_eq!(again, Replayed::Known);
    put(&f, "hub_failed: the hub panicked on it", json.as_bytes(), f.now).await;
    let again = replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
    assert_eq!((again, all(&f).await), (Replayed::Known, vec![]));
    assert_eq!(f.count("select count(*) from tick").await, 1);
}

async fn a_check_is_replayed_by_a_look_at_its_website(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    let (scheduler, mut inbox) = Scheduler::channel();
    let of = |n: u32| {
        format!(
            "{{\"entry_id\":\"{n}-0\",\"reason\":\"expired\",\"detail\":\"It waited.\",\"website_id\":\"{}\"}}",
            website.website_id
        )
    };
    for n in 0..3 {
        put(&f, "expired: It waited.", of(n).as_bytes(), f.now).await;
    }
    for letter in all(&f).await {
        assert_eq!(letter.replay(), Replay::Check(website.website_id));
        let done = replay::replay(&f.store, &scheduler, &letter, f.now).await.expect("a replay");
        assert_eq!(done, Replayed::Checked);
    }
    assert_eq!(all(&f).await, []);
    // One look serves all three: the target is not to be flooded.
    assert!(matches!(inbox.try_next(), Some(Command::CheckNow(id, _)) if id == website.website_id));
    assert_eq!(inbox.try_next(), None);

    put(&f, "expired: It waited.", of(9).as_bytes(), f.now).await;
    f.store.set_paused(website.account_id, website.website_id, true, f.now).await.expect("paused");
    let done = replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
    assert!(matches!(&done, Replayed::Stays(why) if why.contains("paused")), "{done:?}");
    assert!(only(&f).await.replay_note.contains("paused"));
    assert!(f.store.delete_website(website.account_id, website.website_id).await.expect("deleted"));
    let done = replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
    assert!(matches!(&done, Replayed::Stays(why) if why.contains("gone")), "{done:?}");
}

async fn what_still_fails_stays_with_its_new_reason(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let regions = vec!["b".parse().expect("a region")];
    let settings =
        hub::model::WebsiteSettings { regions, ..hub::model::WebsiteSettings::new("https://a.example/".into()) };
    let website = f.store.add_website(account, &settings, f.now - 60 * MINUTE).await.expect("a website");
    let (scheduler, _inbox) = Scheduler::channel();
    let tick = region_tick(&website, "a", f.now - MINUTE, Outcome::Up);
    let json = serde_json::to_string(&tick.tick).expect("JSON");
    put(&f, "old words", format!("v=1\nkind=tick\nbody={json}\n").as_bytes(), f.now).await;
    for _ in 0..2 {
        let done = replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
        assert!(matches!(done, Replayed::Stays(_)), "{done:?}");
        let letter = only(&f).await;
        assert_eq!(letter.kind, "not_assigned");
        assert!(letter.replay_note.contains("not watched from"), "{letter:?}");
    }
    let letter = only(&f).await;
    assert!(f.store.discard_dead_letter(letter.letter_id).await.expect("discarded"));

    put(&f, "old words", b"v=9\nkind=tick\nbody={}\n", f.now).await;
    replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
    assert_eq!(only(&f).await.reason, "schema version 9 is not understood; this program speaks 1");
    f.store.discard_dead_letter(only(&f).await.letter_id).await.expect("discarded");

    // A worker's word about a check that an older hub did not understand is a letter about that check now.
    let told = "{\"entry_id\":\"1-0\",\"reason\":\"refused\",\"detail\":\"It does not know x.\"}";
    put(&f, "kind \"dead_letter\"", format!("v=1\nkind=dead_letter\nbody={told}\n").as_bytes(), f.now - 5).await;
    let done = replay::replay(&f.store, &scheduler, &only(&f).await, f.now).await.expect("a replay");
    let letter = only(&f).await;
    assert_eq!((done, letter.kind.as_str(), letter.created_at), (Replayed::Understood, "refused", f.now - 5));
}

async fn an_asked_replay_is_done_by_one_hub(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    for n in 0..20 {
        let tick = region_tick(&website, "a", f.now - (30 - n) * MINUTE, Outcome::Up);
        put(&f, "hub_failed: x", &serde_json::to_vec(&tick.tick).expect("JSON"), f.now).await;
    }
    put(&f, "hub_failed: x", b"", f.now).await;
    f.store.ask_for_replay(&LetterFilter::default(), f.now, f.now, 100).await.expect("asked");
    let hubs: Vec<_> = (0..3)
        .map(|_| {
            let (store, now) = (f.store.clone(), f.now);
            tokio::spawn(async move {
                let (scheduler, _inbox) = Scheduler::channel();
                replay::step(&store, &scheduler, now).await
            })
        })
        .collect();
    let mut done = 0;
    for hub in hubs {
        done += hub.await.expect("a task").expect("a turn");
    }
    assert_eq!((done, f.count("select count(*) from tick").await), (21, 20));
    let left = only(&f).await;
    assert_eq!((left.replay_asked_at, left.raw.len()), (None, 0));
    assert!(left.replay_note.contains("can only be discarded"), "{left:?}");
    assert!(!f.store.take_replay(LetterId(uuid::Uuid::nil())).await.expect("an answer"));
}
