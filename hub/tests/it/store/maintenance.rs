//! Maintenance windows, tags and dependencies: what they are, whose they are, what they do to the figures.

use hub::model::{
    AccountId, Maintenance, MaintenanceId, MaintenanceInput, MaintenancePlan, MutedBy, Outcome, Rule, Scope, Span,
    Ties, Website, WebsiteId,
};
use hub::store::{MaintenanceSaved, PAST_KEPT_MS, TiesSaved};

use super::{Fixture, MINUTE, region_tick, round};

on_both! {
    a_window_survives_the_store
    an_edit_changes_no_past_and_what_runs_can_be_ended
    maintenance_is_left_out_of_the_uptime_of_whom_it_covers
    nobody_sees_or_uses_anothers_windows_tags_or_parents
    tags_and_parents_are_no_new_revision
    what_comes_back_on_itself_is_refused
    an_account_has_200_windows_at_most
    t248_nobody_is_told_in_maintenance_or_below_what_is_down
}

const HOUR: i64 = 60 * MINUTE;

/// A window in UTC that begins at an instant, as a form would send it.
pub(super) fn plan(scope: Scope, from_at: i64, repeats: &str, minutes: i64) -> MaintenancePlan {
    let starts = jiff::Timestamp::from_millisecond(from_at).expect("an instant").strftime("%Y-%m-%dT%H:%M").to_string();
    let rule = Rule::new(
        "Etc/UTC",
        starts.parse().expect("a wall time"),
        repeats.parse().expect("a rhythm"),
        minutes * MINUTE,
    );
    MaintenancePlan { name: "Database update".to_owned(), scope, rule: rule.expect("a zone") }
}

fn saved(saved: MaintenanceSaved) -> MaintenanceId {
    match saved {
        MaintenanceSaved::Saved(id) => id,
        other => panic!("{other:?}"),
    }
}

impl Fixture {
    async fn window(&self, account: AccountId, plan: &MaintenancePlan, now: i64) -> MaintenanceId {
        saved(self.store.add_maintenance(account, plan, now).await.expect("an answer"))
    }

    async fn found(&self, account: AccountId, id: MaintenanceId) -> Maintenance {
        self.store.maintenance_window(account, id).await.expect("a read").expect("the window")
    }

    async fn tie(&self, website: &Website, tags: &[&str], parent: Option<WebsiteId>) -> TiesSaved {
        let tags = tags.iter().map(|tag| tag.parse().expect("a tag")).collect();
        let ties = Ties { tags, parent_id: parent };
        self.store.set_ties(website.account_id, website.website_id, &ties).await.expect("an answer")
    }

    async fn until(&self, website: &Website, at: i64) -> Option<i64> {
        let row = self.store.board_row(website.account_id, website.website_id, at).await.expect("the board");
        row.expect("the website").maintenance_until
    }
}

async fn a_window_survives_the_store(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website(account).await;
    for scope in ["all", "tag", "website"] {
        for repeats in ["once", "daily", "weekly:mon,sun", "monthly:31", "monthly:last"] {
            let typed = MaintenanceInput {
                name: "Nächtlich".into(),
                scope: scope.into(),
                tag: "shop".into(),
                website_id: website.website_id.to_string(),
                time_zone: "America/New_York".into(),
                starts: "2099-03-08T02:30".into(),
                repeats: repeats.into(),
                hours: "1".into(),
                ..MaintenanceInput::default()
            };
            let plan = typed.parse(f.now).expect("a window");
            let id = f.window(account, &plan, f.now).await;
            let found = f.found(account, id).await;
            assert_eq!((&found.plan, found.revision, found.since_at), (&plan, 1, f.now));
            assert!(f.store.maintenance(account).await.expect("a read").contains(&found));
        }
    }
    // One that a newer version wrote, or somebody edited, counts as not there; the others stay.
    f.execute("update maintenance set time_zone = 'Mars/Olympus' where repeats = 'daily'").await;
    assert_eq!(f.store.maintenance(account).await.expect("a read").len(), 12);
    assert_eq!(f.store.board(account, f.now).await.expect("the board").len(), 1);
}

async fn an_edit_changes_no_past_and_what_runs_can_be_ended(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website(account).await;
    let (began, now) = (f.now - 2 * HOUR, f.now);
    let id = f.window(account, &plan(Scope::All, began, "daily", 180), began).await;
    assert_eq!(f.until(&website, now).await, Some(began + 3 * HOUR));

    // Longer, from now on.
    let longer = plan(Scope::All, began, "daily", 240);
    assert_eq!(saved(f.store.edit_maintenance(account, id, 1, &longer, now).await.expect("an edit")), id);
    assert_eq!(f.until(&website, now).await, Some(began + 4 * HOUR));
    let past = |at| f.store.past_maintenance(account, at, 10);
    let spans: Vec<Span> = past(0).await.expect("the past").iter().map(|past| past.span).collect();
    assert_eq!(spans, [Span { from_at: began, to_at: now }]);
    let stale = f.store.edit_maintenance(account, id, 1, &longer, now).await.expect("an answer");
    assert_eq!(stale, MaintenanceSaved::Meanwhile);

    // Ended early; the next day it comes again.
    let ended = now + HOUR;
    assert!(f.store.end_maintenance(account, id, ended).await.expect("an end"));
    assert!(!f.store.end_maintenance(account, id, ended).await.expect("twice is harmless"));
    assert_eq!(f.until(&website, ended).await, None);
    let next = f.found(account, id).await.next(ended, 1);
    assert_eq!(next, [Span { from_at: began + 24 * HOUR, to_at: began + 28 * HOUR }]);
    assert_eq!(past(now).await.expect("the past")[0].span, Span { from_at: now, to_at: ended });
    // A name that is corrected does not set it going again.
    let renamed = MaintenancePlan { name: "Backup".to_owned(), ..longer };
    assert_eq!(saved(f.store.edit_maintenance(account, id, 3, &renamed, ended).await.expect("an edit")), id);
    assert_eq!(f.until(&website, ended + 1).await, None);

    // Deleted: what was stays.
    assert!(f.store.delete_maintenance(account, id, began + 30 * HOUR).await.expect("a deletion"));
    assert!(!f.store.delete_maintenance(account, id, now).await.expect("twice is harmless"));
    assert_eq!(past(0).await.expect("the past").len(), 3);
    assert_eq!(f.store.maintenance(account).await.expect("a read"), []);
    // And goes in the end.
    let later = began + PAST_KEPT_MS + 26 * HOUR;
    let other = f.window(account, &plan(Scope::All, later, "once", 60), later).await;
    f.store.delete_maintenance(account, other, later).await.expect("a deletion");
    assert_eq!(f.count("select count(*) from maintenance_past").await, 1);
}

async fn maintenance_is_left_out_of_the_uptime_of_whom_it_covers(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (shop, other) = (f.website(account).await, f.website(account).await);
    assert_eq!(f.tie(&shop, &["shop"], None).await, TiesSaved::Saved);
    for website in [&shop, &other] {
        let outcomes = |outcome| [("a", outcome), ("b", outcome), ("c", outcome)];
        for minute in (1..=20).rev() {
            let outcome = if minute > 10 { Outcome::Up } else { Outcome::Down };
            f.feed(&round(website, f.now - minute * MINUTE, outcomes(outcome))).await;
        }
    }
    let began = f.now - 8 * MINUTE;
    let tag = Scope::Tag("shop".parse().expect("a tag"));
    let id = f.window(account, &plan(tag, began, "once", 4), began).await;
    let figures = async || {
        let rows = f.store.board(account, f.now).await.expect("the board");
        let of = |website: &Website| {
            let row = rows.iter().find(|row| row.website.website_id == website.website_id).expect("the website");
            (row.uptime_24h, row.maintenance_until)
        };
        (of(&shop), of(&other))
    };
    let (with, without) = figures().await;
    assert_eq!((with.0.maintenance_ms, with.1, without.0.maintenance_ms), (4 * MINUTE, None, 0));
    assert_eq!(with.0.down_ms + 4 * MINUTE, without.0.down_ms);
    let whole = |u: hub::model::Uptime| u.up_ms + u.degraded_ms + u.down_ms + u.unknown_ms + u.maintenance_ms;
    assert_eq!([whole(with.0), whole(without.0)], [60 * MINUTE; 2]);
    // What is deleted afterwards was all the same.
    assert!(f.store.delete_maintenance(account, id, f.now).await.expect("a deletion"));
    assert_eq!(figures().await, (with, without));
}

async fn nobody_sees_or_uses_anothers_windows_tags_or_parents(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let (hers, his) = (f.website(ann).await, f.website(bob).await);
    f.tie(&hers, &["shop"], None).await;
    f.tie(&his, &["shop"], None).await;
    let tag = plan(Scope::Tag("shop".parse().expect("a tag")), f.now - MINUTE, "daily", 60);
    let id = f.window(ann, &tag, f.now - MINUTE).await;
    let s = &f.store;
    assert_eq!(f.until(&hers, f.now).await, Some(f.now + 59 * MINUTE));
    assert_eq!(f.until(&his, f.now).await, None, "her tag is not his");

    assert_eq!(s.maintenance(bob).await.expect("a read"), []);
    assert_eq!(s.maintenance_window(bob, id).await.expect("a read"), None);
    let edited = s.edit_maintenance(bob, id, 1, &tag, f.now).await.expect("no");
    assert_eq!(edited, MaintenanceSaved::NotFound);
    assert!(!s.end_maintenance(bob, id, f.now).await.expect("no"));
    assert!(!s.delete_maintenance(bob, id, f.now).await.expect("no"));
    assert!(s.delete_maintenance(ann, id, f.now).await.expect("a deletion"));
    assert_eq!(s.past_maintenance(bob, 0, 10).await.expect("a read"), []);
    assert_eq!(s.past_maintenance(ann, 0, 10).await.expect("a read").len(), 1);

    let of_hers = plan(Scope::Website(hers.website_id), f.now, "daily", 60);
    assert_eq!(s.add_maintenance(bob, &of_hers, f.now).await.expect("no"), MaintenanceSaved::NoWebsite);
    let own = f.window(bob, &plan(Scope::All, f.now, "daily", 60), f.now).await;
    assert_eq!(s.edit_maintenance(bob, own, 1, &of_hers, f.now).await.expect("no"), MaintenanceSaved::NoWebsite);

    assert!(matches!(f.tie(&his, &[], Some(hers.website_id)).await, TiesSaved::Refused(_)));
    let none = Ties::default();
    assert_eq!(s.set_ties(bob, hers.website_id, &none).await.expect("no"), TiesSaved::NotFound);
    assert_eq!(s.ties(bob).await.expect("a read").into_keys().collect::<Vec<_>>(), [his.website_id]);
    assert_eq!(s.ties_of_website(bob, hers.website_id).await.expect("a read"), None);
    assert!(s.ties_of_website(bob, his.website_id).await.expect("a read").is_some());
    assert_eq!(s.ties(ann).await.expect("a read")[&hers.website_id].tags.len(), 1);
}

async fn tags_and_parents_are_no_new_revision(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let (child, parent) = (f.website(account).await, f.website(account).await);
    f.feed(&[region_tick(&child, "a", f.now - MINUTE, Outcome::Up)]).await;
    assert_eq!(f.tie(&child, &["shop", "eu west"], Some(parent.website_id)).await, TiesSaved::Saved);
    let row = f.store.board_row(account, child.website_id, f.now).await.expect("the board").expect("the website");
    assert_eq!((row.website.revision, row.state.verdict, row.regions.len()), (1, Outcome::Up, 1));
    assert_eq!(row.ties.tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["shop", "eu west"]);
    assert_eq!(row.ties.parent_id, Some(parent.website_id));
    // With its parent gone it depends on nothing; a window of the parent's alone goes with it.
    f.window(account, &plan(Scope::Website(parent.website_id), f.now, "daily", 60), f.now).await;
    assert!(f.store.delete_website(account, parent.website_id).await.expect("a deletion"));
    let left = f.store.ties_of_website(account, child.website_id).await.expect("a read").expect("the website");
    assert_eq!(left.parent_id, None);
    assert_eq!(f.store.maintenance(account).await.expect("a read"), []);
    assert_eq!(f.store.website(account, child.website_id).await.expect("a read").map(|w| w.revision), Some(1));
}

async fn what_comes_back_on_itself_is_refused(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let mut row = Vec::new();
    for _ in 0..10 {
        row.push(f.website(account).await);
    }
    assert!(matches!(f.tie(&row[0], &[], Some(row[0].website_id)).await, TiesSaved::Refused(_)));
    for n in 0..8 {
        assert_eq!(f.tie(&row[n], &[], Some(row[n + 1].website_id)).await, TiesSaved::Saved, "{n}");
    }
    assert!(matches!(f.tie(&row[8], &[], Some(row[9].website_id)).await, TiesSaved::Refused(_)), "nine in a row");
    for n in 1..=8 {
        assert!(matches!(f.tie(&row[n], &[], Some(row[0].website_id)).await, TiesSaved::Refused(_)), "{n}");
    }
}

async fn an_account_has_200_windows_at_most(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let plan = plan(Scope::All, f.now + HOUR, "once", 60);
    let mut last = None;
    for _ in 0..Maintenance::MOST {
        last = Some(f.window(ann, &plan, f.now).await);
    }
    assert_eq!(f.store.add_maintenance(ann, &plan, f.now).await.expect("an answer"), MaintenanceSaved::TooMany);
    f.window(bob, &plan, f.now).await;
    assert!(f.store.delete_maintenance(ann, last.expect("a window"), f.now).await.expect("a deletion"));
    f.window(ann, &plan, f.now).await;
}

async fn t248_nobody_is_told_in_maintenance_or_below_what_is_down(f: Fixture) {
    let (account, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let (top, middle, low) = (f.website(account).await, f.website(account).await, f.website(account).await);
    f.tie(&middle, &[], Some(top.website_id)).await;
    f.tie(&low, &["shop"], Some(middle.website_id)).await;
    let muted = async |website: &Website, at| {
        let why = f.store.muted(website.account_id, website.website_id, at).await;
        why.expect("an answer")
    };
    for website in [&top, &middle, &low] {
        assert_eq!(muted(website, f.now).await, None, "nothing is known to be down");
    }
    let down = [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Down)];
    for minute in (1..=5).rev() {
        f.feed(&round(&top, f.now - minute * MINUTE, down)).await;
    }
    assert_eq!(f.verdict(&top).await, Outcome::Down);
    assert_eq!(muted(&top, f.now).await, None, "of the top one is told");
    assert_eq!([muted(&middle, f.now).await, muted(&low, f.now).await], [Some(MutedBy::Parent); 2]);

    let tag = Scope::Tag("shop".parse().expect("a tag"));
    let id = f.window(account, &plan(tag, f.now, "once", 60), f.now).await;
    assert_eq!(muted(&low, f.now + 59 * MINUTE).await, Some(MutedBy::Maintenance), "which counts for more");
    assert_eq!(muted(&low, f.now + 60 * MINUTE).await, Some(MutedBy::Parent));
    assert_eq!(muted(&middle, f.now).await, Some(MutedBy::Parent), "without the tag");
    assert!(f.store.end_maintenance(account, id, f.now + MINUTE).await.expect("an end"));
    assert_eq!(muted(&low, f.now + 2 * MINUTE).await, Some(MutedBy::Parent));
    // Two that were made to depend on each other, past the store, hide nothing.
    f.execute(
        "update website set parent_id = (select w.website_id from website w where w.tags = 'shop') \
         where parent_id is null",
    )
    .await;
    for website in [&top, &middle, &low] {
        assert_eq!(muted(website, f.now + 2 * MINUTE).await, None);
    }
    assert_eq!(f.store.muted(bob, low.website_id, f.now).await.expect("an answer"), None);
}
