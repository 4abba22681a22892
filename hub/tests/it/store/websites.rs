//! Websites paused, edited, listed for the scheduler.

use hub::model::{Outcome, WebsiteId, WebsiteSettings};
use hub::store::Edited;

use super::{Fixture, MINUTE, round, saved};

on_both! {
    a_paused_website_has_no_verdict
    an_edit_forgets_what_was_known_and_ignores_what_is_on_its_way
    the_scheduler_walks_over_all_that_is_not_paused
    a_list_offers_the_oldest_and_what_is_chosen_and_nothing_of_others
}

async fn a_paused_website_has_no_verdict(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&round(&website, f.now - 3 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    let (account, id) = (website.account_id, website.website_id);
    let paused = f.store.set_paused(account, id, true, f.now - 2 * MINUTE).await.expect("pause").expect("the website");
    assert!(paused.paused && paused.revision == 2);
    f.store.set_paused(account, id, true, f.now - 2 * MINUTE + 1).await.expect("twice is harmless");
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Down)])).await;
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    assert_eq!(f.changes(&website).await.last(), Some(&(f.now - 2 * MINUTE, Outcome::Up, Outcome::Unknown)));
    assert_eq!(f.store.scheduled_website(id).await.expect("a read"), None);
    f.store.set_paused(account, id, false, f.now).await.expect("resume");
    assert!(f.store.scheduled_website(id).await.expect("a read").is_some());
    assert_eq!(f.changes(&website).await.len(), 2);
}

async fn an_edit_forgets_what_was_known_and_ignores_what_is_on_its_way(f: Fixture) {
    let website = f.website(f.account("ann").await.account_id).await;
    f.feed(&round(&website, f.now - 3 * MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    let settings = WebsiteSettings { url: "https://example.org/".into(), ..website.settings.clone() };
    let (account, id) = (website.account_id, website.website_id);
    let edited = saved(f.store.edit_website(account, id, 1, &settings, f.now - 2 * MINUTE).await);
    assert_eq!((edited.settings.url.as_str(), edited.revision), (settings.url.as_str(), 2));
    let late = f.store.edit_website(account, id, 1, &website.settings, f.now).await.expect("an answer");
    assert_eq!(late, Some(Edited::Meanwhile(edited)), "what somebody else saved first is not lost");
    let mut late =
        round(&website, f.now - 2 * MINUTE - 1, [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Down)]);
    late.iter_mut().for_each(|t| t.received_at = f.now - MINUTE);
    f.feed(&late).await;
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
    assert_eq!(f.verdict(&website).await, Outcome::Up);
}

async fn the_scheduler_walks_over_all_that_is_not_paused(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut wanted = Vec::new();
    for n in 0..7 {
        let website = f.website(account).await;
        if n == 3 {
            f.store.set_paused(account, website.website_id, true, f.now).await.expect("pause");
        } else {
            wanted.push(website.website_id);
        }
    }
    let (mut seen, mut after): (Vec<WebsiteId>, _) = (Vec::new(), None);
    loop {
        let page = f.store.scheduled_websites(after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.website_id);
        seen.extend(page.iter().map(|w| w.website_id));
    }
    wanted.sort();
    assert_eq!(seen, wanted);
}

async fn a_list_offers_the_oldest_and_what_is_chosen_and_nothing_of_others(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let hers = [f.website(ann).await, f.website(ann).await, f.website(ann).await].map(|w| w.website_id);
    let his = f.website(bob).await.website_id;
    let names = async |limit, also: &[WebsiteId]| {
        let mut ids: Vec<_> =
            f.store.website_names(ann, limit, also).await.expect("a read").into_iter().map(|w| w.website_id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(names(2, &[]).await, hers[..2]);
    assert_eq!(names(1, &[hers[2], hers[0], his]).await, [hers[0], hers[2]]);
    assert_eq!(names(0, &[his]).await, []);
}
