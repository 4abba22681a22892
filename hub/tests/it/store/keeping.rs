//! What owners decide about history.

use hub::model::{Keeping, WebsiteId};

use super::Fixture;

on_both! {
    what_is_decided_is_its_owners_alone_and_no_new_revision
}

async fn what_is_decided_is_its_owners_alone_and_no_new_revision(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let (website, other) = (f.website(ann).await, f.website(ann).await);
    let id = website.website_id;
    assert_eq!(f.store.keeping(ann, id).await.expect("keeping"), Some(Keeping::default()));
    let changes = "select count(*) from website_change";
    let before = if f.url.is_some() { f.count(changes).await } else { 0 };

    let keeping = Keeping { retention_days: Some(30), uptime_goal_ppm: Some(999_500), is_badge_public: true };
    assert!(f.store.set_keeping(ann, id, &keeping).await.expect("saved"));
    assert_eq!(f.store.keeping(ann, id).await.expect("keeping"), Some(keeping));
    let all = f.store.keepings(ann, vec![id, other.website_id]).await.expect("keepings");
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [(id, keeping)], "of those of which anything was decided");
    assert_eq!(f.store.keeping(ann, other.website_id).await.expect("keeping"), Some(Keeping::default()));

    // D24: another account sees and changes nothing.
    assert_eq!(f.store.keeping(bob, id).await.expect("keeping"), None);
    assert!(f.store.keepings(bob, vec![id]).await.expect("keepings").is_empty());
    assert!(!f.store.set_keeping(bob, id, &Keeping::default()).await.expect("not his"));
    assert!(!f.store.set_keeping(ann, WebsiteId(uuid::Uuid::nil()), &keeping).await.expect("nobody's"));
    assert_eq!(f.store.keeping(ann, id).await.expect("keeping"), Some(keeping));

    // No hub has to read the website again, and no look is asked for.
    assert_eq!(f.store.website(ann, id).await.expect("the website"), Some(website));
    if f.url.is_some() {
        assert_eq!(f.count(changes).await, before);
    }
    let none = Keeping::default();
    assert!(f.store.set_keeping(ann, id, &none).await.expect("saved"));
    assert_eq!(f.store.keeping(ann, id).await.expect("keeping"), Some(none));
}
