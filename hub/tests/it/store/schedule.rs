//! Claims of hubs that share a Postgres.

use super::Fixture;

#[tokio::test]
async fn a_second_of_the_schedule_belongs_to_one_hub() {
    let f = Fixture::postgres().await;
    let s = &f.store;
    assert!(s.claim_second(7, "one").await.expect("a claim"));
    assert!(!s.claim_second(7, "two").await.expect("a claim"));
    assert!(s.take_over_second(7, "two").await.expect("it was not published"));
    s.mark_published(7, 7, "one", f.now).await.expect("not its own");
    assert!(s.take_over_second(7, "one").await.expect("still not published"));
    s.mark_published(7, 7, "one", f.now).await.expect("published");
    assert!(!s.take_over_second(7, "two").await.expect("too late"));
    s.drop_claims(8).await.expect("drop");
    assert_eq!(f.count("select count(*) from schedule_claim").await, 0);

    // A hub that stops gives back what it did not publish; who tried before takes it over.
    let soon = f.now / 1_000;
    assert!(s.claim_second(soon, "one").await.expect("a claim"));
    assert!(!s.claim_second(soon, "two").await.expect("a claim"));
    s.release_claims("one").await.expect("released");
    assert!(s.take_over_second(soon, "two").await.expect("given back"));
    // Seconds far ahead were claimed by a wrong clock.
    assert!(s.claim_second(soon + 3_600, "one").await.expect("a claim"));
    s.drop_future_claims().await.expect("drop");
    assert_eq!(f.count("select count(*) from schedule_claim").await, 1);
}
