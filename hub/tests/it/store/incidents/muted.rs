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
    of_very_many_websites_one_is_looked_at_now_and_then
    who_fails_a_little_before_what_it_depends_on_is_told_no_more
    who_was_told_before_what_it_depends_on_failed_hears_the_end
    who_failed_long_before_what_it_depends_on_stays_told
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

async fn of_very_many_websites_one_is_looked_at_now_and_then(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 2)).await;
    f.execute("update incident set muted_by = 'maintenance', told_at = null, told_websites = 0, websites = 100000")
        .await;
    let mut looks = 0;
    let first = f.now / 55_000 * 55_000 - 10 * 5_000;
    for look in 0..11 {
        looks += 1;
        if f.store.review_incidents(first + look * 5_000).await.expect("a review").unmuted == 1 {
            break;
        }
    }
    assert_eq!(looks, 11, "it is not read whole every few seconds, and not forgotten");
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

/// A child that is down since a minute after `start`, and its parent, which is seen to be down `later`.
async fn child_before_parent(f: &Fixture, start: UtcMs, later: i64, is_told: bool) -> (Website, Website) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    f.channel("waits", true, false, 30 * MINUTE).await;
    let (parent, child) =
        (f.website_at(account, "https://router.example/").await, f.website_at(account, "https://shop.example/").await);
    let ties = Ties { parent_id: Some(parent.website_id), ..Ties::default() };
    f.store.set_ties(account, child.website_id, &ties).await.expect("a tie");
    f.feed(&rounds(&parent, start, Outcome::Up, 1)).await;
    f.feed(&rounds(&child, start, Outcome::Up, 1)).await;
    f.feed(&rounds(&child, start + MINUTE, Outcome::Down, 1)).await;
    assert_eq!(f.told().await, ["opened waiting mail", "opened waiting waits"]);
    if is_told {
        f.execute("update alert set state = 'delivered', tries = 1, ended_at = due_at where channel_name = 'mail'")
            .await;
    }
    f.feed(&rounds(&parent, start + later, Outcome::Down, 1)).await;
    (parent, child)
}

async fn who_fails_a_little_before_what_it_depends_on_is_told_no_more(f: Fixture) {
    let start = f.now - 40 * MINUTE;
    let (parent, child) = child_before_parent(&f, start, 2 * MINUTE, false).await;
    let mut told = f.told().await;
    told.sort_unstable();
    let withdrawn = ["opened cancelled mail", "opened cancelled waits", "opened waiting mail", "opened waiting waits"];
    assert_eq!(told, withdrawn, "the parent alone");
    let all = f.incidents(child.account_id).await;
    let own = all.iter().find(|line| line.first_url == "https://shop.example/").expect("its incident");
    assert_eq!(own.incident.muted_by, Some(MutedBy::Parent));
    let events = f.store.incident_events(child.account_id, own.incident.incident_id, 10).await.expect("events");
    let said = &events.last().expect("a line").said;
    assert!(said.starts_with("What it depends on, https://router.example/, is down as well, since 20"), "{said}");
    // The parent is well again, the child is not: it is told after all.
    f.feed(&rounds(&parent, start + 3 * MINUTE, Outcome::Up, 2)).await;
    for later in [5, 8] {
        f.feed(&rounds(&child, start + later * MINUTE, Outcome::Down, 1)).await;
        f.store.review_incidents(start + later * MINUTE + 2_000).await.expect("a review");
    }
    let mut told = f.told().await;
    told.retain(|row| row.starts_with("opened waiting"));
    // Of the parent one waits to leave before its end.
    assert_eq!(told, ["opened waiting mail", "opened waiting mail", "opened waiting waits"]);
}

async fn who_was_told_before_what_it_depends_on_failed_hears_the_end(f: Fixture) {
    let start = f.now - 40 * MINUTE;
    let (_, child) = child_before_parent(&f, start, 2 * MINUTE, true).await;
    let mut told = f.told().await;
    told.sort_unstable();
    let kept = ["opened cancelled waits", "opened delivered mail", "opened waiting mail", "opened waiting waits"];
    assert_eq!(told, kept);
    f.feed(&rounds(&child, start + 3 * MINUTE, Outcome::Up, 2)).await;
    let told = f.told().await;
    assert_eq!(told.iter().filter(|row| row.starts_with("resolved")).count(), 1, "{told:?}");
    assert!(told.contains(&"resolved waiting mail".to_owned()), "{told:?}");
}

async fn who_failed_long_before_what_it_depends_on_stays_told(f: Fixture) {
    let start = f.now - 40 * MINUTE;
    let (_, child) = child_before_parent(&f, start, 5 * MINUTE, false).await;
    assert_eq!(f.told().await.iter().filter(|row| row.starts_with("opened waiting")).count(), 4);
    let all = f.incidents(child.account_id).await;
    assert!(all.iter().all(|line| line.incident.muted_by.is_none()), "{all:?}");
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
