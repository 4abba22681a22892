//! Websites paused, edited, listed for the scheduler.

use hub::model::{Outcome, Ties, WebsiteId, WebsiteSettings};
use hub::store::Edited;

use super::{Fixture, MINUTE, round, saved};

on_both! {
    a_paused_website_has_no_verdict
    an_edit_forgets_what_was_known_and_ignores_what_is_on_its_way
    settings_and_ties_are_saved_together_or_not_at_all
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

async fn settings_and_ties_are_saved_together_or_not_at_all(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (website, parent) = (f.website(account).await, f.website(account).await);
    let (id, settings) = (website.website_id, WebsiteSettings::new("https://new.example/".into()));
    let ties = |parent: WebsiteId| Ties { tags: vec!["shop".parse().unwrap()], parent_id: Some(parent) };
    let nobody = WebsiteId(uuid::Uuid::from_u128(1));
    let edit = |revision, ties: Ties| {
        let settings = settings.clone();
        let store = f.store.clone();
        async move { store.edit_website_tied(account, id, revision, &settings, Some(&ties), f.now).await.expect("an edit") }
    };
    let stored = async || {
        let website = f.store.website(account, id).await.expect("a read").expect("the website");
        (
            website.settings.url,
            website.revision,
            f.store.ties_of_website(account, id).await.expect("a read").expect("ties"),
        )
    };
    let before = stored().await;
    assert!(matches!(edit(1, ties(nobody)).await, Some(Edited::Refused(error)) if error.field == "parent"));
    assert!(matches!(edit(1, ties(id)).await, Some(Edited::Refused(_))), "itself");
    assert!(matches!(edit(7, ties(parent.website_id)).await, Some(Edited::Meanwhile(_))), "somebody saved first");
    assert_eq!(stored().await, before, "neither");
    assert!(matches!(edit(1, ties(parent.website_id)).await, Some(Edited::Saved(_))));
    assert_eq!(stored().await, ("https://new.example/".to_owned(), 2, ties(parent.website_id)), "both");
    // Added the same way.
    let count = async || f.store.ties(account).await.expect("a read").len();
    let refused = f.store.add_website_tied(account, &settings, &ties(nobody), f.now).await.expect("an answer");
    assert!(refused.is_err_and(|error| error.field == "parent"));
    let names = f.store.website_names(account, 10, &[]).await.expect("a read");
    assert_eq!((names.len(), count().await), (2, 1), "no website without what it depends on");
    let added = f.store.add_website_tied(account, &settings, &ties(parent.website_id), f.now).await.expect("an answer");
    let added = added.expect("it is added").website_id;
    assert_eq!(f.store.ties_of_website(account, added).await.expect("a read"), Some(ties(parent.website_id)));
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
