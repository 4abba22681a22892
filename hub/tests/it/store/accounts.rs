//! Accounts, sessions, and what is whose.

use hub::model::{MadeBy, Origin, Outcome, Session, SessionKey};
use hub::store::{Conflict, StoreError};

use super::{Fixture, MINUTE, round};

on_both! {
    a_username_is_taken_without_regard_to_case
    of_two_first_visitors_one_becomes_the_owner
    a_session_lives_until_it_is_ended
    a_password_that_was_changed_starts_no_session
    a_program_that_signs_in_each_minute_signs_nobody_out
    nobody_sees_or_changes_anothers_website
}

async fn a_username_is_taken_without_regard_to_case(f: Fixture) {
    f.account("Änn").await;
    let again = f.store.create_account("äNN", "hash", MadeBy::Anybody, f.now).await;
    assert!(matches!(again, Err(StoreError::Conflict(Conflict::UsernameTaken))), "{again:?}");
    let (account, hash) = f.store.credentials("ÄNN").await.expect("credentials").expect("the account");
    assert_eq!((account.username.as_str(), hash.as_str()), ("Änn", "hash"));
    f.store.set_password_hash(account.account_id, "new").await.expect("set");
    assert_eq!(f.store.credentials("änn").await.expect("credentials").map(|c| c.1), Some("new".to_owned()));
    assert_eq!(f.count("select count(*) from account").await, 1);
    assert_eq!(f.store.count_strangers().await.expect("count"), 0);
    f.store.create_account("bob", "hash", MadeBy::Anybody, f.now).await.expect("an account");
    assert_eq!(f.store.count_strangers().await.expect("count"), 1);
}

async fn of_two_first_visitors_one_becomes_the_owner(f: Fixture) {
    let tries: Vec<_> = (0..8)
        .map(|n| {
            let store = f.store.clone();
            tokio::spawn(async move { store.create_first_account(&format!("user{n}"), "hash", 1).await })
        })
        .collect();
    let mut made = 0;
    for one in tries {
        made += usize::from(one.await.expect("a task").expect("an answer").is_some());
    }
    assert_eq!((made, f.count("select count(*) from account").await), (1, 1));
}

async fn a_session_lives_until_it_is_ended(f: Fixture) {
    let account = f.account("ann").await;
    let (one, two) = (SessionKey([1; 32]), SessionKey([2; 32]));
    for key in [one, two] {
        let made = f.store.create_session(account.account_id, key, &Origin::default(), None, 1_000).await;
        assert!(made.expect("a session"));
    }
    f.store.touch_session(one, 5_000).await.expect("touch");
    f.store.touch_session(one, 4_000).await.expect("touch");
    let session = f.store.session(one, None).await.expect("a read").expect("the session");
    assert_eq!(
        (session.account, session.created_at, session.seen_at, session.expires_at),
        (account.clone(), 1_000, 5_000, 1_000 + Session::LIFE_MS)
    );
    f.store.end_session(one).await.expect("end");
    assert_eq!(f.store.session(one, None).await.expect("a read"), None);
    f.store.end_sessions_of(account.account_id).await.expect("end");
    assert_eq!(f.store.session(two, None).await.expect("a read"), None);
}

/// Whoever is being looked at while the password is changed is not in afterwards.
async fn a_password_that_was_changed_starts_no_session(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (one, two) = (SessionKey([1; 32]), SessionKey([2; 32]));
    let start = async |key, proof| {
        f.store.create_session(account, key, &Origin::default(), Some(proof), f.now).await.expect("an answer")
    };
    assert!(start(one, "hash").await);
    assert!(f.store.change_password(account, "hash", "another").await.expect("a change"));
    assert!(!start(two, "hash").await);
    let now_there =
        (f.store.session(one, None).await.expect("a read"), f.store.session(two, None).await.expect("a read"));
    assert_eq!(now_there, (None, None));
    assert!(start(two, "another").await);
}

async fn a_program_that_signs_in_each_minute_signs_nobody_out(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let start = async |n: u8, now| {
        f.store.create_session(account, SessionKey([n; 32]), &Origin::default(), None, now).await.expect("an answer")
    };
    assert!(start(0, f.now).await);
    f.store.touch_session(SessionKey([0; 32]), f.now + 2 * MINUTE).await.expect("touch");
    for n in 1..=120_u8 {
        assert!(start(n, f.now + (2 + i64::from(n)) * MINUTE).await);
    }
    let there = f.store.sessions_of(account, f.now + 122 * MINUTE).await.expect("sessions");
    assert_eq!(i64::try_from(there.len()), Ok(Session::MOST));
    let is_there = |n: u8| there.iter().any(|line| line.session_key == SessionKey([n; 32]));
    assert!(is_there(0) && !is_there(21) && is_there(22));
}

async fn nobody_sees_or_changes_anothers_website(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let website = f.website(ann).await;
    let id = website.website_id;
    f.feed(&round(&website, f.now - MINUTE, [("a", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)])).await;

    let s = &f.store;
    assert_eq!(s.website(bob, id).await.expect("a read"), None);
    assert_eq!(s.edit_website(bob, id, 1, &website.settings, f.now).await.expect("no"), None);
    assert_eq!(s.set_paused(bob, id, true, f.now).await.expect("no"), None);
    assert!(!s.delete_website(bob, id).await.expect("no"));
    assert_eq!(s.websites(bob).await.expect("a read"), []);
    assert_eq!(s.board(bob, f.now).await.expect("a read"), []);
    assert_eq!(s.board_row(bob, id, f.now).await.expect("a read"), None);
    assert_eq!(s.ticks(bob, id, None, 10).await.expect("a read"), []);
    assert_eq!(s.transitions(bob, id, 10).await.expect("a read"), []);

    assert_eq!(s.website(ann, id).await.expect("a read"), Some(website));
    assert_eq!(s.ticks(ann, id, None, 10).await.expect("a read").len(), 3);
    assert_eq!(s.board(ann, f.now).await.expect("a read").len(), 1);
}
