//! Keys of programs, and when they end.

use hub::model::api_key::{ApiKey, ApiKeyId, Expiry, NewKey, ShownKey, written};
use hub::model::audit::{AuditFilter, Deed};
use hub::model::{InvitationKey, Role};
use hub::store::{AccountEnded, KeyAdded};
use uuid::Uuid;

use super::Fixture;

const DAY: i64 = 86_400_000;

on_both! {
    a_key_is_found_by_its_id_and_ends_when_it_is_revoked
    a_team_has_a_hundred_keys_and_those_that_expired_long_ago_make_room
    two_who_add_the_last_key_at_once_do_not_both
    a_key_ends_with_its_team
    a_key_ends_as_soon_as_its_account_is_being_deleted
    a_key_may_what_its_maker_may_now_and_ends_with_his_part_in_the_team
}

fn wanted(days: i64, now: i64) -> NewKey {
    NewKey::of("CI", &["read", "websites:write"], Expiry::Days(days), now).expect("a key")
}

async fn add(f: &Fixture, account: hub::model::AccountId, n: u128, days: i64, now: i64) -> KeyAdded {
    let id = ApiKeyId(Uuid::from_u128(n));
    let (_, hash) = written(id, [7; 32]);
    f.store.add_api_key(account, account, id, &wanted(days, now), hash, now).await.expect("an answer")
}

async fn a_key_is_found_by_its_id_and_ends_when_it_is_revoked(f: Fixture) {
    let (ann, bob) = (f.account("ann").await, f.account("bob").await);
    let id = ApiKeyId(Uuid::from_u128(1));
    let (text, hash) = written(id, [9; 32]);
    let new = wanted(90, f.now);
    let added = f.store.add_api_key(ann.account_id, ann.account_id, id, &new, hash, f.now).await.expect("an answer");
    assert_eq!(added, KeyAdded::Yes);

    let shown = ShownKey::read(text.expose()).expect("a key");
    let known = f.store.api_key(shown.api_key_id).await.expect("a read").expect("the key");
    assert_eq!((known.hash, known.account.clone(), known.person.clone()), (shown.hash, ann.clone(), ann.clone()));
    assert_eq!((known.key.scopes, known.key.expires_at, known.key.used_at), (new.scopes, new.expires_at, None));
    assert!(!known.key.is_over(f.now + 90 * DAY - 1) && known.key.is_over(f.now + 90 * DAY));
    assert_eq!(f.store.api_key(ApiKeyId(Uuid::from_u128(2))).await.expect("a read"), None);

    // Its use is written down once a minute.
    let used = |f: &Fixture| {
        let store = f.store.clone();
        async move { store.api_key(id).await.expect("a read").expect("the key").key.used_at }
    };
    f.store.touch_api_key(id, f.now).await.expect("a touch");
    f.store.touch_api_key(id, f.now + 59_999).await.expect("a touch");
    assert_eq!(used(&f).await, Some(f.now));
    f.store.touch_api_key(id, f.now + 60_000).await.expect("a touch");
    assert_eq!(used(&f).await, Some(f.now + 60_000));

    // It is ann's alone.
    let (a, b) = (ann.account_id, bob.account_id);
    assert!(f.store.api_keys(b, None).await.expect("a read").is_empty());
    assert!(f.store.api_keys(a, Some(b)).await.expect("a read").is_empty());
    assert_eq!(f.store.api_keys(a, Some(a)).await.expect("a read"), f.store.api_keys(a, None).await.expect("a read"));
    assert_eq!(f.store.revoke_api_key(b, None, id).await.expect("an answer"), None);
    assert_eq!(f.store.revoke_api_key(a, Some(b), id).await.expect("an answer"), None);
    assert_eq!(f.store.revoke_api_key(a, Some(a), id).await.expect("an answer").as_deref(), Some("CI"));
    assert_eq!(f.store.revoke_api_key(a, None, id).await.expect("an answer"), None);
    assert_eq!(f.store.api_key(id).await.expect("a read"), None);
}

async fn a_team_has_a_hundred_keys_and_those_that_expired_long_ago_make_room(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    for n in 0..100 {
        assert_eq!(add(&f, ann, n, if n < 2 { 1 } else { 300 }, f.now).await, KeyAdded::Yes);
    }
    assert_eq!(add(&f, ann, 100, 300, f.now).await, KeyAdded::TooMany);
    assert_eq!(add(&f, bob, 101, 300, f.now).await, KeyAdded::Yes);
    // Those that expired are shown for a month, then they are gone.
    assert_eq!(add(&f, ann, 102, 300, f.now + 30 * DAY).await, KeyAdded::TooMany);
    assert_eq!(add(&f, ann, 102, 300, f.now + 31 * DAY + 1).await, KeyAdded::Yes);
    let keys = f.store.api_keys(ann, None).await.expect("a read");
    assert_eq!((keys.len(), ApiKey::MOST), (99, 100));
}

async fn two_who_add_the_last_key_at_once_do_not_both(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    for n in 0..99 {
        assert_eq!(add(&f, ann, n, 300, f.now).await, KeyAdded::Yes);
    }
    let (one, two) = tokio::join!(add(&f, ann, 200, 300, f.now), add(&f, ann, 201, 300, f.now));
    assert_ne!(one, two, "one of them was the hundredth");
    assert_eq!(f.store.api_keys(ann, None).await.expect("a read").len(), 100);
}

async fn a_key_ends_with_its_team(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    assert_eq!(add(&f, ann, 1, 300, f.now).await, KeyAdded::Yes);
    f.execute("delete from account").await;
    assert_eq!(f.store.api_key(ApiKeyId(Uuid::from_u128(1))).await.expect("a read"), None);
}

async fn a_key_ends_as_soon_as_its_account_is_being_deleted(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    for (n, team) in [(1, ann), (2, bob)] {
        let id = ApiKeyId(Uuid::from_u128(n));
        let (_, hash) = written(id, [7; 32]);
        f.store.add_api_key(team, ann, id, &wanted(90, f.now), hash, f.now).await.expect("an answer");
    }
    // Her history is still there, and so is her row.
    f.website(ann).await;
    assert_eq!(f.store.end_account(ann, "hash", f.now).await.expect("an end"), AccountEnded::Done);
    for n in [1, 2] {
        assert_eq!(f.store.api_key(ApiKeyId(Uuid::from_u128(n))).await.expect("a read"), None);
    }
    assert_eq!(f.count("select count(*) from api_key").await, 0);
    // What is told of her now is not deleted with the rest.
    let deed = Deed { account: Some(ann), kind: "account".to_owned(), ..Deed::default() };
    f.store.write_audit(deed, f.now).await.expect("written");
    while f.store.delete_ended().await.expect("a step") {}
    let left = f.store.audit(None, &AuditFilter::default(), None, 10).await.expect("a read");
    assert_eq!((left.len(), left[0].deed.kind.as_str()), (1, "account"));
}

async fn a_key_may_what_its_maker_may_now_and_ends_with_his_part_in_the_team(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let team = f.store.create_team(ann, "Acme", f.now).await.expect("a team").expect("one more");
    let joins = || async {
        let link = InvitationKey([1; 32]);
        f.store.invite(team, ann, link, Role::Editor, f.now).await.expect("an answer").expect("an invitation");
        f.store.accept_invitation(link, bob, f.now).await.expect("an answer");
    };
    joins().await;
    let id = ApiKeyId(Uuid::from_u128(1));
    let (_, hash) = written(id, [7; 32]);
    f.store.add_api_key(team, bob, id, &wanted(90, f.now), hash, f.now).await.expect("an answer");
    let role = async || f.store.api_key(id).await.expect("a read").map(|known| known.role);
    assert_eq!(role().await, Some(Some(Role::Editor)));
    f.store.set_role(team, bob, Role::Viewer).await.expect("a change");
    assert_eq!(role().await, Some(Some(Role::Viewer)));
    f.store.remove_member(team, bob).await.expect("a change");
    assert_eq!(role().await, None);
    joins().await;
    assert_eq!(role().await, None, "whoever comes back makes new ones");
}
