//! Second factors: begun, confirmed, used once, guessed at.

use hub::model::AccountId;
use hub::model::totp::{FactorSecret, SECRET_BYTES};

use super::{Fixture, MINUTE};

on_both! {
    factors_are_confirmed_once_and_codes_taken_once
    codes_are_looked_at_ten_times_in_a_quarter_of_an_hour
}

const SECRET: FactorSecret = FactorSecret([1; SECRET_BYTES]);

async fn confirmed(f: &Fixture, name: &str) -> AccountId {
    let account = f.account(name).await.account_id;
    assert!(f.store.begin_factor(account, &SECRET, f.now).await.unwrap());
    assert!(f.store.confirm_factor(account, &SECRET, 100, &[[1; 32], [2; 32]], f.now).await.unwrap());
    account
}

async fn factors_are_confirmed_once_and_codes_taken_once(f: Fixture) {
    let store = &f.store;
    let bob = f.account("bob").await.account_id;
    assert_eq!(store.factor(bob).await.unwrap(), None);
    assert!(store.begin_factor(bob, &FactorSecret([9; SECRET_BYTES]), f.now).await.unwrap());
    assert!(store.begin_factor(bob, &SECRET, f.now).await.unwrap(), "begun anew");
    let begun = store.factor(bob).await.unwrap().unwrap();
    assert_eq!((begun.secret, begun.confirmed_at), (SECRET, None));
    assert!(!store.use_factor_step(bob, 200).await.unwrap() && !store.replace_recovery_codes(bob, &[]).await.unwrap());
    let other = FactorSecret([9; SECRET_BYTES]);
    assert!(!store.confirm_factor(bob, &other, 100, &[], f.now).await.unwrap(), "another was begun since");

    let ann = confirmed(&f, "ann").await;
    assert!(!store.begin_factor(ann, &other, f.now).await.unwrap(), "what is confirmed stays");
    assert!(!store.confirm_factor(ann, &SECRET, 300, &[[3; 32]], f.now).await.unwrap(), "once");
    let has = store.factor(ann).await.unwrap().unwrap();
    assert_eq!((has.secret, has.confirmed_at, has.codes_left), (SECRET, Some(f.now), 2));

    // Each step once, and none before it; two at once are one.
    assert!(!store.use_factor_step(ann, 100).await.unwrap(), "the one that confirmed it");
    let two = tokio::join!(store.use_factor_step(ann, 101), store.use_factor_step(ann, 101));
    assert!(two.0.unwrap() != two.1.unwrap());
    assert!(!store.use_factor_step(ann, 100).await.unwrap() && store.use_factor_step(ann, 102).await.unwrap());
    let code = [1; 32];
    let two = tokio::join!(store.use_recovery_code(ann, &code, f.now), store.use_recovery_code(ann, &code, f.now));
    assert!(two.0.unwrap() != two.1.unwrap());
    assert!(!store.use_recovery_code(bob, &[2; 32], f.now).await.unwrap(), "ann's");
    assert_eq!(store.factor(ann).await.unwrap().unwrap().codes_left, 1);
    assert!(store.replace_recovery_codes(ann, &[[4; 32], [5; 32], [6; 32]]).await.unwrap());
    assert!(!store.use_recovery_code(ann, &[2; 32], f.now).await.unwrap(), "replaced");
    assert_eq!(store.factor(ann).await.unwrap().unwrap().codes_left, 3);

    assert!(store.end_factor(ann).await.unwrap() && !store.end_factor(ann).await.unwrap());
    assert!(!store.use_recovery_code(ann, &[4; 32], f.now).await.unwrap());
    assert_eq!(store.factor(ann).await.unwrap(), None);
}

async fn codes_are_looked_at_ten_times_in_a_quarter_of_an_hour(f: Fixture) {
    let store = &f.store;
    let ann = confirmed(&f, "ann").await;
    for n in 0..10 {
        assert!(store.count_factor_try(ann, f.now + n).await.unwrap(), "{n}");
    }
    assert!(!store.count_factor_try(ann, f.now + 10).await.unwrap());
    assert!(!store.count_factor_try(ann, f.now + 15 * MINUTE).await.unwrap());
    assert!(store.count_factor_try(ann, f.now + 15 * MINUTE + 1).await.unwrap(), "a window later");
    // A clock that ran back locks nobody out.
    assert!(store.count_factor_try(ann, f.now).await.unwrap());
    // What was right starts anew.
    for n in 1..10 {
        assert!(store.count_factor_try(ann, f.now + n).await.unwrap(), "{n}");
    }
    assert!(!store.count_factor_try(ann, f.now + 20).await.unwrap());
    assert!(store.use_factor_step(ann, 500).await.unwrap());
    assert!(store.count_factor_try(ann, f.now + 21).await.unwrap());
}
