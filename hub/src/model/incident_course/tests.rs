use super::super::incident_cause::Cause;
use super::super::{AccountId, Outcome, incident_change};
use super::*;
use uuid::Uuid;

const NOW: UtcMs = 1_000_000;

fn id(n: u128) -> WebsiteId {
    WebsiteId(Uuid::from_u128(n))
}

fn change(n: u128, at: UtcMs, what: What) -> Change {
    let account_id = AccountId(Uuid::from_u128(1));
    Change { website_id: id(n), account_id, url: format!("https://a.example/{n}"), at, what, evidence: Vec::new() }
}

fn fails(n: u128, at: UtcMs, key: &str) -> Change {
    of_kind(n, at, IncidentKind::Outage, key)
}

fn of_kind(n: u128, at: UtcMs, kind: IncidentKind, key: &str) -> Change {
    let cause = Cause { key: key.to_owned(), words: format!("cause of {n}"), step_ms: None };
    change(n, at, What::Fails { kind, cause, reason: "Seen from a and b.".to_owned() })
}

fn well(n: u128, at: UtcMs) -> Change {
    ends(n, at, IncidentKind::Outage, Outcome::Up)
}

fn ends(n: u128, at: UtcMs, kind: IncidentKind, verdict: Outcome) -> Change {
    change(n, at, What::Well { kind, verdict, reason: String::new() })
}

/// All in one go.
fn counted(changes: &[Change], mutes: &Mutes) -> Vec<Course> {
    let mut changes = changes.to_vec();
    incident_change::sort(&mut changes);
    let (mut open, mut next) = (Vec::new(), 0_u128);
    count(&mut open, &changes, mutes, NOW, || {
        next += 1;
        IncidentId(Uuid::from_u128(next))
    });
    open
}

fn kinds(course: &Course) -> Vec<IncidentEventKind> {
    course.events.iter().map(|event| event.kind).collect()
}

#[test]
fn websites_that_fail_for_one_cause_are_one_incident() {
    let all: Vec<_> = (0..500).map(|n| fails(n, 100 + n as i64, "host:a.example:connect")).collect();
    let courses = counted(&all, &Mutes::default());
    let [course] = courses.as_slice() else { panic!("{} incidents", courses.len()) };
    assert_eq!((course.websites, course.failing, course.told_websites), (500, 500, 500));
    assert!(course.tells_opened && !course.tells_resolved);
    assert_eq!(kinds(course)[..2], [IncidentEventKind::Opened, IncidentEventKind::Joined]);
    let apart = counted(&[fails(1, 1, "website:1"), fails(2, 1, "website:2")], &Mutes::default());
    assert_eq!(apart.len(), 2);
}

#[test]
fn the_last_to_leave_ends_it() {
    let changes = [fails(1, 100, "k"), fails(2, 110, "k"), well(1, 130), well(2, 160)];
    let courses = counted(&changes, &Mutes::default());
    let incident = &courses[0].incident;
    assert_eq!((incident.began_at, incident.ended_at, incident.closed_at), (100, Some(160), Some(NOW)));
    assert_eq!(incident.closed_as, Some(ClosedAs::Recovered));
    assert_eq!(courses[0].websites, 2);
    assert!(courses[0].tells_opened && courses[0].tells_resolved);
    use IncidentEventKind::{Closed, Joined, Left, Opened};
    assert_eq!(kinds(&courses[0]), [Opened, Joined, Left, Closed]);
    let said: Vec<_> = courses[0].events.iter().map(|event| event.said.as_str()).collect();
    assert_eq!(said[0], "https://a.example/1 is down. Seen from a and b.");
    assert_eq!(said[3], "https://a.example/2 is up again after 0 s.");
}

#[test]
fn not_to_know_ends_nothing_and_begins_nothing() {
    let unclear = |at| change(1, at, What::Unclear { reason: "Silence.".to_owned() });
    let changes = [fails(1, 100, "k"), unclear(110), fails(1, 120, "other"), unclear(130)];
    let courses = counted(&changes, &Mutes::default());
    assert_eq!(courses.len(), 1, "it fails still");
    assert!(courses[0].is_open());
    use IncidentEventKind::{Changed, Opened};
    assert_eq!(kinds(&courses[0]), [Opened, Changed, Changed, Changed]);
    assert_eq!(courses[0].incident.cause, "cause of 1");
    assert!(counted(&[unclear(1), well(1, 2)], &Mutes::default()).is_empty());
}

#[test]
fn whoever_comes_first_those_who_failed_first_speak_for_all() {
    let (early, late) = (fails(1, 100, "k"), fails(2, 200, "k"));
    for order in [[early.clone(), late.clone()], [late, early]] {
        let mut open = Vec::new();
        for change in order {
            count(&mut open, &[change], &Mutes::default(), NOW, || IncidentId(Uuid::nil()));
        }
        assert_eq!((open[0].incident.began_at, open[0].incident.cause.as_str()), (100, "cause of 1"));
        assert_eq!(open[0].first, (100, id(1)));
    }
}

#[test]
fn the_order_of_arrival_within_a_batch_does_not_show() {
    let changes =
        [fails(3, 90, "k"), well(3, 120), fails(1, 100, "k"), well(1, 150), fails(2, 110, "k"), fails(4, 110, "other")];
    let known = counted(&changes, &Mutes::default());
    // One website's changes keep their order; the others' may come between them in any way.
    for turn in 0..changes.len() {
        let mut other: Vec<Change> = changes.to_vec();
        other.sort_by_key(|c| (c.website_id.0.as_u128() * 7 + turn as u128) % 5);
        assert_eq!(counted(&other, &Mutes::default()), known);
    }
}

#[test]
fn t250_what_is_watched_no_longer_ends_all_it_was_in() {
    for (closed_as, word) in
        [(ClosedAs::Changed, "was changed"), (ClosedAs::Paused, "paused"), (ClosedAs::Deleted, "deleted")]
    {
        let flaps = of_kind(1, 90, IncidentKind::Flapping, "website:1");
        let changes = [flaps, fails(1, 100, "k"), change(1, 120, What::Gone(closed_as))];
        let courses = counted(&changes, &Mutes::default());
        assert_eq!(courses.len(), 2);
        for course in &courses {
            assert_eq!(course.incident.closed_as, Some(closed_as));
            assert!(course.tells_resolved);
            assert!(course.events.last().is_some_and(|e| e.said.contains(word)), "{:?}", course.events);
        }
    }
}

#[test]
fn what_is_down_for_all_is_no_longer_regional() {
    let regional = of_kind(1, 90, IncidentKind::Regional, "region:INDIA");
    let changes = [regional.clone(), fails(1, 100, "k"), ends(1, 100, IncidentKind::Regional, Outcome::Down)];
    let courses = counted(&changes, &Mutes::default());
    assert_eq!(courses[0].incident.closed_as, Some(ClosedAs::Worse));
    assert!(courses[1].is_open());
    let unknown =
        counted(&[regional.clone(), ends(1, 95, IncidentKind::Regional, Outcome::Unknown)], &Mutes::default());
    assert_eq!(unknown[0].incident.closed_as, Some(ClosedAs::Worse));
    let well = counted(&[regional, ends(1, 95, IncidentKind::Regional, Outcome::Up)], &Mutes::default());
    assert_eq!(well[0].incident.closed_as, Some(ClosedAs::Recovered));
}

#[test]
fn nobody_is_told_while_all_its_websites_are_muted() {
    let mutes = Mutes { by: BTreeMap::from([(id(1), MutedBy::Maintenance)]), flapping: [id(2)].into() };
    let muted = counted(&[fails(1, 100, "k"), fails(2, 110, "k")], &mutes);
    assert_eq!((muted[0].incident.muted_by, muted[0].tells_opened), (Some(MutedBy::Maintenance), false));
    let over = counted(&[fails(1, 100, "k"), well(1, 200)], &mutes);
    assert!(!over[0].tells_opened && !over[0].tells_resolved);
    let joined = counted(&[fails(1, 100, "k"), fails(3, 110, "k")], &mutes);
    assert_eq!((joined[0].incident.muted_by, joined[0].tells_opened), (None, true));
    assert_eq!(joined[0].told_websites, 2);
    // What flaps is told as that, unless its owner is at work on it.
    let flaps = counted(&[of_kind(2, 100, IncidentKind::Flapping, "website:2")], &mutes);
    assert!(flaps[0].tells_opened);
    assert!(!counted(&[of_kind(1, 100, IncidentKind::Flapping, "website:1")], &mutes)[0].tells_opened);
}

#[test]
fn a_mute_holds_for_as_long_as_it_holds_for_all() {
    let mutes = Mutes { by: BTreeMap::from([(id(1), MutedBy::Maintenance)]), flapping: [id(2)].into() };
    let mut course = counted(&[fails(1, 100, "k"), fails(2, 110, "k")], &mutes).remove(0);
    let lines = course.events.len();
    course.heed(&mutes, 0, NOW);
    assert_eq!((course.incident.muted_by, course.events.len()), (Some(MutedBy::Maintenance), lines), "as before");
    let flaps = Mutes { by: BTreeMap::new(), flapping: [id(1), id(2)].into() };
    course.heed(&flaps, 0, NOW);
    assert_eq!(course.incident.muted_by, Some(MutedBy::Flapping));
    assert_eq!(course.events.last().map(|e| e.kind), Some(IncidentEventKind::Muted));
    course.heed(&Mutes { by: BTreeMap::new(), flapping: [id(2)].into() }, 90_000, NOW + 1);
    assert_eq!((course.incident.muted_by, course.tells_opened, course.told_at), (None, true, Some(NOW + 1)));
}

#[test]
fn what_depends_on_what_is_well_again_is_looked_at_before_people_are_told() {
    let by_parent = Mutes { by: BTreeMap::from([(id(1), MutedBy::Parent)]), ..Mutes::default() };
    let mut course = counted(&[fails(1, 100, "k")], &by_parent).remove(0);
    let none = Mutes::default();
    for at in [0, 89_999] {
        course.heed(&none, 90_000, NOW + at);
        assert_eq!((course.incident.muted_by, course.tells_opened), (Some(MutedBy::Parent), false));
    }
    // It went down once more.
    course.heed(&by_parent, 90_000, NOW + 95_000);
    course.heed(&none, 90_000, NOW + 100_000);
    assert!(!course.tells_opened);
    course.heed(&none, 90_000, NOW + 190_000);
    assert!(course.tells_opened && course.incident.muted_by.is_none());
}

#[test]
fn who_was_told_before_it_was_muted_hears_of_growth_and_of_the_end() {
    let muted = || {
        let mut course = counted(&[fails(1, 100, "k")], &Mutes::default()).remove(0);
        course.tells_opened = false; // as it is read the next time
        course.mute_late("Its router is down as well.", NOW);
        assert_eq!((course.incident.muted_by, course.told_at), (Some(MutedBy::Parent), None));
        assert_eq!(course.events.last().map(|e| e.kind), Some(IncidentEventKind::Muted));
        vec![course]
    };
    let mut over = muted();
    count(&mut over, &[well(1, 200)], &Mutes::default(), NOW, || IncidentId(Uuid::nil()));
    assert!(over[0].tells_resolved);
    let mut grown = muted();
    count(&mut grown, &[fails(2, 200, "k")], &Mutes::default(), NOW, || IncidentId(Uuid::nil()));
    let grown = &grown[0];
    assert!(grown.tells_opened && grown.incident.muted_by.is_none(), "whoever was not told is told now");
    assert_eq!((grown.websites, grown.told_websites), (2, 1), "the others hear that it has grown");
}

#[test]
fn who_fails_again_long_after_is_news_while_others_fail_all_the_time() {
    let told_of = |again: UtcMs, mutes: &Mutes| {
        let mut open = counted(&[fails(1, 100, "k"), fails(2, 110, "k"), well(2, 200)], &Mutes::default());
        // As it is read the next time.
        open[0].tells_opened = false;
        count(&mut open, &[fails(2, again, "k")], mutes, NOW, || IncidentId(Uuid::nil()));
        (open[0].websites, open[0].told_websites)
    };
    assert_eq!(told_of(200 + NEWS_AFTER_MS - 1, &Mutes::default()), (2, 2), "a part of the storm");
    assert_eq!(told_of(200 + NEWS_AFTER_MS, &Mutes::default()), (2, 1));
    let mutes = Mutes { flapping: [id(2)].into(), ..Mutes::default() };
    assert_eq!(told_of(200 + NEWS_AFTER_MS, &mutes), (2, 2));
}

#[test]
fn a_website_that_fails_again_while_others_do_is_back_in() {
    let changes = [fails(1, 100, "k"), fails(2, 110, "k"), well(1, 120), fails(1, 130, "k"), well(2, 140)];
    let courses = counted(&changes, &Mutes::default());
    assert_eq!((courses.len(), courses[0].websites, courses[0].failing), (1, 2, 1));
    assert!(courses[0].is_failing(id(1)) && !courses[0].is_failing(id(2)));
}

/// A website whose certificate has come to a step.
fn nears(n: u128, at: UtcMs, days: i64) -> Change {
    let cause = Cause { key: "k".to_owned(), words: "It ends".to_owned(), step_ms: Some(days * 86_400_000) };
    change(n, at, What::Fails { kind: IncidentKind::Certificate, cause, reason: "Soon.".to_owned() })
}

#[test]
fn a_step_of_a_certificate_is_told_once_for_all_websites() {
    let renewed = |n, at| ends(n, at, IncidentKind::Certificate, Outcome::Up);
    let mut open = counted(&[nears(1, 100, 21), nears(2, 101, 21)], &Mutes::default());
    assert_eq!((open.len(), open[0].told_websites, open[0].tells_nearer), (1, 2, false));
    let mut told = 0;
    for (n, days) in [(1, 14), (2, 14), (2, 7), (1, 7), (3, 7), (1, 1), (2, 14), (4, 21)] {
        open[0].tells_nearer = false;
        count(&mut open, &[nears(n, 200, days)], &Mutes::default(), NOW, || IncidentId(Uuid::nil()));
        told += usize::from(open[0].tells_nearer);
        assert_eq!(open[0].told_websites, open[0].websites, "that there are more is no news");
    }
    assert_eq!((told, open[0].websites, open[0].step_ms), (3, 4, Some(86_400_000)));
    count(
        &mut open,
        &[renewed(1, 300), renewed(2, 300), renewed(3, 300), renewed(4, 301)],
        &Mutes::default(),
        NOW,
        || IncidentId(Uuid::nil()),
    );
    assert_eq!((open.len(), open[0].incident.closed_as), (1, Some(ClosedAs::Recovered)));
    assert!(open[0].tells_resolved);
}

#[test]
fn only_maintenance_mutes_a_certificate_and_its_outage_ends_no_warning() {
    let by = |why| Mutes { by: BTreeMap::from([(id(1), why)]), flapping: BTreeSet::from([id(1)]) };
    for (why, muted) in [(MutedBy::Maintenance, Some(MutedBy::Maintenance)), (MutedBy::Parent, None)] {
        let mut open = counted(&[nears(1, 100, 21)], &by(why));
        assert_eq!((open[0].incident.muted_by, open[0].tells_opened), (muted, muted.is_none()));
        open[0].tells_opened = false;
        count(&mut open, &[nears(1, 200, 14)], &by(why), NOW, || IncidentId(Uuid::nil()));
        assert_eq!((open[0].step_ms, open[0].tells_nearer), (Some(14 * 86_400_000), muted.is_none()));
    }
    let courses = counted(&[nears(1, 100, 1), fails(1, 110, "host:a.example:tls"), well(1, 120)], &Mutes::default());
    let open: Vec<_> = courses.iter().map(|course| (course.incident.kind, course.is_open())).collect();
    assert_eq!(open, [(IncidentKind::Certificate, true), (IncidentKind::Outage, false)]);
    let gone = change(1, 130, What::Gone(ClosedAs::Deleted));
    let courses = counted(&[nears(1, 100, 1), gone, nears(1, 140, 1)], &Mutes::default());
    let closed: Vec<_> = courses.iter().map(|course| course.incident.closed_as).collect();
    assert_eq!(closed, [Some(ClosedAs::Deleted), None]);
}
