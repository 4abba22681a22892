//! Of what nobody is told, until somebody is.

use hub::model::{MutedBy, Scope, Ties};

use super::*;
use crate::store::maintenance::plan;

on_both! {
    what_flaps_is_told_as_that_and_its_outages_are_not
    a_mute_that_ends_while_it_goes_on_tells_it_then
    t248_nobody_is_told_in_a_window_and_everybody_after_it_of_what_is_still_down
    however_many_are_muted_none_stands_before_the_others
    what_depends_on_what_is_down_is_not_told_and_has_time_to_come_back
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

async fn t248_nobody_is_told_in_a_window_and_everybody_after_it_of_what_is_still_down(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let (stays, comes_back) =
        (f.website_at(account, "https://stays.example/").await, f.website_at(account, "https://back.example/").await);
    let start = f.now - 30 * MINUTE;
    let plan = plan(Scope::All, start + 2 * MINUTE, "once", 10);
    f.store.add_maintenance(account, &plan, start).await.expect("a window");
    for website in [&stays, &comes_back] {
        f.feed(&rounds(website, start, Outcome::Up, 3)).await;
        f.feed(&rounds(website, start + 3 * MINUTE, Outcome::Down, 3)).await;
    }
    f.feed(&rounds(&comes_back, start + 6 * MINUTE, Outcome::Up, 3)).await;
    f.store.review_incidents(start + 9 * MINUTE).await.expect("a review");
    assert_eq!(f.told().await, Vec::<String>::new());
    let reviewed = f.store.review_incidents(start + 12 * MINUTE + 1).await.expect("a review");
    assert_eq!((reviewed.unmuted, f.told().await), (1, vec!["opened waiting mail".to_owned()]));
    let all = f.incidents(account).await;
    let muted: Vec<_> = all.iter().map(|line| (line.first_url.as_str(), line.incident.muted_by)).collect();
    assert!(muted.contains(&("https://back.example/", Some(MutedBy::Maintenance))), "{muted:?}");
    assert!(muted.contains(&("https://stays.example/", None)), "{muted:?}");
}

async fn what_depends_on_what_is_down_is_not_told_and_has_time_to_come_back(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let (parent, child) =
        (f.website_at(account, "https://router.example/").await, f.website_at(account, "https://shop.example/").await);
    let ties = Ties { parent_id: Some(parent.website_id), ..Ties::default() };
    f.store.set_ties(account, child.website_id, &ties).await.expect("a tie");
    let start = f.now - 40 * MINUTE;
    for website in [&parent, &child] {
        f.feed(&rounds(website, start, Outcome::Up, 1)).await;
        f.feed(&rounds(website, start + MINUTE, Outcome::Down, 3)).await;
    }
    assert_eq!(f.told().await, ["opened waiting mail"], "the parent");
    f.feed(&rounds(&parent, start + 4 * MINUTE, Outcome::Up, 2)).await;
    f.feed(&rounds(&child, start + 4 * MINUTE, Outcome::Down, 1)).await;
    let at = start + 5 * MINUTE + 2_000;
    for later in [0, 60_000, 120_000] {
        assert_eq!(f.store.review_incidents(at + later).await.expect("a review").unmuted, 0, "{later}");
    }
    assert_eq!(f.store.review_incidents(at + 131_000).await.expect("a review").unmuted, 1);
    let mut told = f.told().await;
    told.sort_unstable();
    assert_eq!(told, ["opened waiting mail", "opened waiting mail", "resolved waiting mail"]);
}

async fn however_many_are_muted_none_stands_before_the_others(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website_at(account, "https://kept.example/").await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 2)).await;
    let window = plan(Scope::Website(website.website_id), f.now - 30 * MINUTE, "once", 60);
    f.store.add_maintenance(account, &window, f.now - 30 * MINUTE).await.expect("a window");
    let id = if f.url.is_some() { "gen_random_uuid()" } else { "randomblob(16)" };
    let series = if f.url.is_some() {
        "generate_series(1, 250) n"
    } else {
        "(with recursive s(n) as (select 1 union all select n + 1 from s where n < 250) select n from s) s"
    };
    // As many more that are muted for as long, and one at the end of which the mute is over.
    f.execute(
        format!(
            "delete from alert; update incident set muted_by = 'maintenance'; \
             insert into incident (incident_id, account_id, kind, cause_key, cause, began_at, opened_at, muted_by, websites) \
             select {id}, account_id, kind, 'k' || n, cause, began_at, opened_at, muted_by, 1 from incident, {series}; \
             insert into incident_website (incident_id, website_id, url, began_at) \
             select i.incident_id, w.website_id, w.url, w.began_at from incident i, incident_website w \
             where i.cause_key like 'k%'"
        )
        .leak(),
    )
    .await;
    assert_eq!(f.store.review_incidents(f.now - 5 * MINUTE).await.expect("a review").unmuted, 0);
    assert_eq!(f.store.review_incidents(f.now + 31 * MINUTE).await.expect("a review").unmuted, 251);
    assert_eq!(f.outbox().await.len(), 251);
}
