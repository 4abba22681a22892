//! Of what nobody is told, until somebody is.

use hub::model::MutedBy;

use super::*;

on_both! {
    what_flaps_is_told_as_that_and_its_outages_are_not
    a_mute_that_ends_while_it_goes_on_tells_it_then
}

/// Up and down in turns, two rounds each, from `start` on: `n` outages.
async fn flap(f: &Fixture, website: &Website, start: UtcMs, n: i64) {
    for turn in 0..n {
        f.feed(&rounds(website, start + 4 * turn * MINUTE, Outcome::Up, 2)).await;
        f.feed(&rounds(website, start + (4 * turn + 2) * MINUTE, Outcome::Down, 2)).await;
    }
}

async fn what_flaps_is_told_as_that_and_its_outages_are_not(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website_at(account, "https://flaps.example/").await;
    let start = f.now - 50 * MINUTE;
    flap(&f, &website, start, 6).await;
    let all = f.incidents(account).await;
    let muted: Vec<_> = all.iter().filter(|line| line.incident.muted_by.is_some()).collect();
    let flapping: Vec<_> = all.iter().filter(|line| line.incident.kind == IncidentKind::Flapping).collect();
    assert_eq!(flapping.len(), 1);
    assert!(muted.len() >= 2, "{all:?}");
    assert!(muted.iter().all(|line| line.incident.muted_by == Some(MutedBy::Flapping)));
    let told = all.len() - muted.len();
    let outbox = f.outbox().await;
    assert_eq!(outbox.iter().filter(|row| row.0 == "opened").count(), told);
    let closed = all.iter().filter(|line| line.incident.closed_at.is_some() && line.incident.muted_by.is_none());
    assert_eq!(outbox.iter().filter(|row| row.0 == "resolved").count(), closed.count());
    assert_eq!(f.store.review_incidents(f.now - 26 * MINUTE).await.expect("a review").unmuted, 0);
    // It is down still, and stays so until it no longer flaps.
    for n in 24..110 {
        f.feed(&rounds(&website, start + n * MINUTE, Outcome::Down, 1)).await;
    }
    let later = start + 110 * MINUTE;
    assert_eq!(f.store.review_incidents(later).await.expect("a review").unmuted, 1);
    assert_eq!(f.store.review_incidents(later).await.expect("a review").unmuted, 0);
    let all = f.incidents(account).await;
    let open: Vec<_> = all.iter().filter(|line| line.incident.closed_at.is_none()).collect();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].incident.kind, open[0].incident.muted_by), (IncidentKind::Outage, None));
    assert_eq!(f.outbox().await.iter().filter(|row| row.0 == "opened").count(), told + 1);
}

async fn a_mute_that_ends_while_it_goes_on_tells_it_then(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 2)).await;
    // As if it had been muted from the start.
    f.execute("delete from alert; update incident set muted_by = 'maintenance', told_at = null, told_websites = 0")
        .await;
    let before = f.only(account).await.incident.incident_id;
    let reviewed = f.store.review_incidents(f.now - 10 * MINUTE).await.expect("a review");
    assert_eq!((reviewed.unmuted, reviewed.grown), (1, 0));
    assert_eq!(f.told().await, ["opened waiting mail"]);
    assert_eq!(f.kinds(account, before).await, [IncidentEventKind::Opened, IncidentEventKind::Muted]);
    let again = f.store.review_incidents(f.now - 5 * MINUTE).await.expect("a review");
    assert_eq!((again.unmuted, again.grown), (0, 0));
}
