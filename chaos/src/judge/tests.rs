//! Invented histories: a flawless one passes, and each flaw is found.

use hub::model::WebsiteId;

use super::*;
use crate::fault::{Harm, Outage};
use crate::target::Request;
use crate::world::Website;

/// Slots are 10 s apart, the first 2 s after this.
const AT: i64 = 1_000_000;
const SLOTS: i64 = 12;
const END: i64 = AT + SLOTS * 10_000;

/// Two websites of one region, of which the second is up and down by a script.
struct History {
    websites: Vec<Website>,
    places: Vec<Place>,
    outages: Vec<Outage>,
    script: Vec<(i64, i64)>,
    evidence: Evidence,
}

fn slot(n: i64) -> i64 {
    AT + 2_000 + n * 10_000
}

fn row(n: i64) -> Row {
    let slot_at = slot(n);
    Row {
        place: 0,
        slot_at,
        is_scheduled: true,
        started_at: slot_at + 10,
        received_at: slot_at + 20,
        is_up: true,
        is_new: true,
    }
}

fn change(website: usize, decided_at: i64, to: &str) -> Change {
    Change { website, decided_at, to: to.into(), is_new: true }
}

fn outage(from: i64, back: i64, harm: Harm) -> Outage {
    let (from, back) = (AT + from, AT + back);
    Outage { from, back, until: back + BACK_MS, harm, may_repeat: false, deaths: 1 }
}

/// Nothing went wrong: 12 slots, and one outage of the scripted website, from 20 s to 65 s.
fn flawless() -> History {
    let website = |manner| Website { id: WebsiteId(uuid::Uuid::nil()), manner, interval_ms: 10_000, region: Some(0) };
    let place = |website, phase_ms| Place { website, region: 0, interval_ms: 10_000, phase_ms };
    let mut evidence = Evidence::default();
    for n in -7..SLOTS + 2 {
        evidence.rows.extend([row(n), Row { place: 1, slot_at: slot(n) + 3_000, ..row(n) }]);
        evidence.requests.extend([0, 1].map(|website| Request { website, at: slot(n) + 12 + website as i64 * 3_000 }));
    }
    evidence.rows.iter_mut().filter(|r| r.place == 1).for_each(|r| r.started_at = r.slot_at + 10);
    evidence.changes = vec![change(1, AT + 27_000, "down"), change(1, AT + 78_000, "up")];
    History {
        websites: vec![website(Manner::Well), website(Manner::Scripted)],
        places: vec![place(0, 2_000), place(1, 5_000)],
        outages: Vec::new(),
        script: vec![(AT + 20_000, AT + 65_000)],
        evidence,
    }
}

impl History {
    fn case(&self) -> Case<'_> {
        let Self { websites, places, outages, script, .. } = self;
        Case { websites, places, span: (AT, END), outages, script }
    }

    fn count(&self) -> Count {
        judge(&self.case(), &self.evidence)
    }

    /// Everything that is against the invariants.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.count().problems();
        problems.extend(unseen(&self.case(), &self.evidence.changes));
        problems
    }

    /// The slot has no tick.
    fn without_tick(mut self, n: i64) -> Self {
        self.evidence.rows.retain(|row| row.place != 0 || row.slot_at != slot(n));
        self
    }

    /// Its website was not asked either.
    fn without_check(mut self, n: i64) -> Self {
        self.evidence.requests.retain(|r| r.website != 0 || !(slot(n)..slot(n + 1)).contains(&r.at));
        self.without_tick(n)
    }

    fn with_outage(mut self, outage: Outage) -> Self {
        self.outages.push(outage);
        self
    }

    fn with_letter(mut self, kind: &str, about: About) -> Self {
        let letter = Letter { kind: kind.into(), place: Some(0), about, is_new: true };
        self.evidence.letters.push(letter);
        self
    }

    fn with_request(mut self, at: i64) -> Self {
        self.evidence.requests.push(Request { website: 0, at });
        self
    }

    #[track_caller]
    fn fails(&self, with: &str) {
        let problems = self.problems();
        assert!(problems.len() == 1 && problems[0].contains(with), "{with}: {problems:#?}");
    }

    #[track_caller]
    fn passes(&self) {
        assert_eq!(self.problems(), Vec::<String>::new());
    }
}

#[test]
fn a_flawless_history_passes() {
    let history = flawless();
    history.passes();
    let count = history.count();
    assert_eq!((count.expected, count.stored, count.missed, count.repeated), (24, 24, 0, 0));
    assert_eq!((count.late, count.lateness_at(0.5)), (0, 12));
}

#[test]
fn a_check_nobody_made_is_lost() {
    flawless().without_check(4).fails("never asked");
    let missing = flawless().without_check(4).count();
    assert_eq!((missing.stored, missing.missed, missing.lost[0].slot_at), (23, 0, slot(4)));
}

#[test]
fn a_tick_that_was_not_stored_is_lost_whatever_stood_still() {
    flawless().without_tick(4).fails("asked 12 ms after it, tick not stored");
    let standstill = outage(40_000, 50_000, Harm::Standstill);
    flawless().without_tick(4).with_outage(standstill).fails("tick not stored");
    flawless().without_check(4).with_outage(standstill).passes();
    // What Redis held, it may forget; for no longer than it was away.
    let forgotten = |from, back| outage(from, back, Harm::Forgotten);
    flawless().without_tick(4).with_outage(forgotten(42_500, 43_500)).passes();
    flawless().without_tick(4).with_outage(forgotten(45_000, 46_000)).fails("tick not stored");
    flawless().without_tick(4).with_outage(forgotten(40_000, 41_000)).fails("tick not stored");
}

#[test]
fn a_standstill_excuses_what_it_made_too_late_and_no_more() {
    // Slot 4 is due 42 s after the beginning, and may be 5 s late.
    for (from, back, until, is_excused) in [
        (38_000, 42_500, 57_500, false), // shorter than a slot may be late
        (38_000, 43_500, 57_500, true),
        (38_000, 43_500, 46_900, false), // all was well again in time
        (30_000, 36_000, 51_000, true),
        (30_000, 31_500, 46_500, false),
        (43_000, 52_100, 67_000, true),  // in Redis, and void there
        (43_000, 49_000, 51_900, false), // in Redis, and in time
        (44_100, 60_000, 75_000, false), // on its way for two seconds is no excuse
    ] {
        let harm = Outage { until: AT + until, ..outage(from, back, Harm::Standstill) };
        let history = flawless().without_check(4).with_outage(harm);
        assert_eq!(history.problems().is_empty(), is_excused, "{harm:?}: {:?}", history.problems());
    }
    for harm in [Harm::Nothing, Harm::RegionSilent(1), Harm::WorkerAway(0), Harm::WorkerAway(1)] {
        flawless().without_check(4).with_outage(outage(30_000, 60_000, harm)).fails("never asked");
    }
    flawless().without_check(4).with_outage(outage(30_000, 60_000, Harm::RegionSilent(0))).passes();
    let back = Outage { until: AT + 51_900, ..outage(30_000, 48_000, Harm::RegionSilent(0)) };
    flawless().without_check(4).with_outage(back).fails("never asked");
}

#[test]
fn a_dead_letter_excuses_nothing_by_itself() {
    let letter = About::Check(slot(4) + 30);
    let put_away = || flawless().without_check(4).with_letter("expired", letter);
    assert_eq!(put_away().problems().len(), 2, "lost, and unexplained");
    assert_eq!(put_away().count().lost[0].seen, Seen::PutAway("expired".into()));
    // A worker died with it, and it was void before another was given it.
    put_away().with_outage(outage(42_500, 102_500, Harm::WorkerAway(0))).passes();
    for (from, back, region) in [(42_500, 45_500, 0), (42_500, 102_500, 1), (52_500, 102_500, 0), (30_000, 40_000, 0)] {
        let history = put_away().with_outage(outage(from, back, Harm::WorkerAway(region)));
        assert_eq!(history.problems().len(), 2, "{from} {back} {region}: {:?}", history.problems());
    }
    let standing = put_away().with_outage(outage(40_000, 50_000, Harm::Standstill));
    standing.passes();
    assert_eq!((standing.count().missed, standing.count().put_away), (1, 1));
}

#[test]
fn a_dead_letter_nobody_explains_is_found_even_if_there_is_a_tick() {
    flawless().with_letter("expired", About::Check(slot(4) + 30)).fails("nobody explains: expired");
    let standstill = outage(40_000, 50_000, Harm::Standstill);
    flawless().with_letter("expired", About::Check(slot(4) + 30)).with_outage(standstill).passes();
    // No fault makes a good tick unusable.
    for kind in ["slot_in_future", "not_storable", "hub_failed", "not_understood", "not_assigned", "refused"] {
        let history = flawless().with_letter(kind, About::Tick(slot(4))).with_outage(standstill);
        history.fails(kind);
        let lost = flawless().without_tick(4).with_letter(kind, About::Tick(slot(4))).with_outage(standstill);
        assert_eq!(lost.count().lost.len(), 1, "{kind}");
    }
    flawless().with_letter("not_understood", About::Unknown).fails("not_understood");
}

#[test]
fn a_slot_with_two_ticks_and_a_tick_without_slot_are_found() {
    let add = |slot_at: i64, started_at: i64| {
        let mut history = flawless();
        history.evidence.shift_ms = 1;
        history.evidence.rows.push(Row { slot_at, started_at, ..row(0) });
        history
    };
    let doubled = add(slot(4) + 1, slot(4) + 500).with_request(slot(4) + 510);
    doubled.fails("doubled ticks: 1");
    assert_eq!(doubled.count().repeated, 0, "a request of its own");
    // Two tries of the very same name.
    add(slot(4), slot(4) + 500).with_request(slot(4) + 510).fails("doubled ticks: 1");
    add(slot(4) + 4_000, slot(4) + 4_010).with_request(slot(4) + 4_012).fails("of no slot there is: 1");
    // A hub whose clock is behind, of a slot long past.
    add(slot(-60) + 1, slot(4) + 600).with_request(slot(4) + 610).fails("after their deadline: 1");
    // Another name, though no clock was ever set back.
    let mut renamed = flawless().without_tick(4);
    renamed.evidence.rows.push(Row { slot_at: slot(4) + 1, ..row(4) });
    assert_eq!((renamed.count().stray, renamed.count().lost.len()), (1, 1));
    renamed.evidence.shift_ms = 1;
    renamed.passes();
    let renamed = add(slot(4) - 1, slot(4) + 600).with_request(slot(4) + 610);
    renamed.fails("of no slot there is: 1");
}

#[test]
fn a_check_before_its_slot_is_no_check_of_it() {
    let early = |before_ms: i64, request_before_ms: i64| {
        let mut history = flawless().without_check(4);
        history.evidence.rows.push(Row { started_at: slot(4) - before_ms, ..row(4) });
        history.with_request(slot(4) - request_before_ms)
    };
    let found = early(30_000, 29_990);
    let problems = found.problems();
    assert!(problems.iter().any(|p| p.contains("before their slot: 1")), "{problems:?}");
    assert_eq!(found.count().lost.len(), 1, "nobody looked in its time");
    // The website's clock is the judge's: a worker's may be off, a request cannot.
    assert_eq!(early(300, 60).count().early, 1);
    assert_eq!(early(300, 40).count().early, 0);
}

#[test]
fn a_tick_that_tells_a_wrong_time_is_not_lost_but_found() {
    for off_ms in [-600_000, -30_000, 30_000, 600_000] {
        let mut history = flawless();
        history.evidence.rows.iter_mut().filter(|r| *r == &row(4)).for_each(|r| r.started_at += off_ms);
        history.fails("tell of another time than their website was asked at: 1");
    }
}

#[test]
fn a_check_after_its_deadline_is_found() {
    let late = |by_ms: i64| {
        let mut history = flawless().without_check(4);
        history.evidence.rows.push(Row { started_at: slot(4) + by_ms, ..row(4) });
        history.with_request(slot(4) + by_ms + 1)
    };
    assert_eq!((late(9_000).count().stale, late(9_000).count().late), (0, 1));
    late(11_200).fails("after their deadline: 1");
}

#[test]
fn a_good_tick_of_a_website_that_nobody_asked_is_found() {
    let mut history = flawless();
    history.evidence.requests.retain(|r| r.website != 0 || !(slot(4)..slot(5)).contains(&r.at));
    history.fails("nobody had asked: 1");
}

#[test]
fn asking_again_needs_a_reason() {
    let again = || flawless().with_request(slot(4) + 3_400);
    again().fails("repeated without need");
    assert_eq!(again().count().repeated, 1);
    let killed = Outage { may_repeat: true, ..outage(42_100, 46_000, Harm::Nothing) };
    again().with_outage(killed).passes();
    again().with_outage(Outage { may_repeat: false, ..killed }).fails("repeated without need");
    // Before the fault, or long after.
    again().with_outage(Outage { may_repeat: true, ..outage(47_000, 48_000, Harm::Nothing) }).fails("without need");
    again().with_outage(Outage { may_repeat: true, ..outage(-5_000, 0, Harm::Nothing) }).fails("without need");
}

#[test]
fn three_requests_in_one_interval_are_too_many_whatever_happened() {
    let killed = Outage { may_repeat: true, ..outage(42_100, 46_000, Harm::Nothing) };
    let twice = |second: i64| flawless().with_outage(killed).with_request(second);
    // The next check on time makes no third, however many milliseconds this one began after its slot.
    for second in [100, 900, 3_400, 9_900] {
        twice(slot(4) + second).passes();
    }
    let mut prompt = twice(slot(4) + 3_400);
    prompt.evidence.requests.iter_mut().filter(|r| r.at == slot(5) + 12).for_each(|r| r.at = slot(5) - 3);
    prompt.passes();
    twice(slot(4) + 3_400).with_request(slot(4) + 7_000).fails("more than twice as often");
    let thrice = Outage { deaths: 3, ..killed };
    let more = flawless().with_outage(thrice).with_request(slot(4) + 3_400).with_request(slot(4) + 7_000);
    let most = more.with_request(slot(4) + 8_000);
    most.passes();
    most.with_request(slot(4) + 9_000).fails("more than twice as often");
    // Two faults in one interval.
    let both = twice(slot(4) + 3_400).with_request(slot(4) + 7_000);
    both.with_outage(Outage { may_repeat: true, ..outage(48_000, 49_000, Harm::Nothing) }).passes();
    // One that was late for seconds, again, and the next one.
    let mut late = twice(slot(4) + 7_000);
    late.evidence.requests.iter_mut().filter(|r| r.at == slot(4) + 12).for_each(|r| r.at = slot(4) + 4_000);
    late.evidence.rows.iter_mut().filter(|r| r.place == 0 && r.slot_at == slot(4)).for_each(|r| r.started_at += 3_990);
    late.fails("more than twice as often");
}

#[test]
fn first_and_second_looks_are_not_of_the_schedule() {
    let mut history = flawless();
    for (started_at, is_scheduled) in [(slot(4) + 3_000, false), (slot(4) + 6_000, false)] {
        history.evidence.rows.push(Row { started_at, is_scheduled, ..row(4) });
        history.evidence.requests.push(Request { website: 0, at: started_at + 5 });
    }
    history.passes();
}

#[test]
fn a_website_that_is_up_is_never_said_to_be_down_or_unknown() {
    let said = |website: usize, at: i64, to: &str| {
        let mut history = flawless();
        history.evidence.changes.push(change(website, AT + at, to));
        history.evidence.changes.push(change(website, AT + at + 5_000, "up"));
        history
    };
    said(0, 50_000, "down").fails("said to be down while they were not: websites {0}");
    // Also by a hub whose clock is wrong.
    said(0, -600_000, "down").fails("I5");
    said(0, 50_000, "unknown").fails("said to be unknown though a region had just reported");
    said(1, 115_000, "down").fails("I5");
    let mut known = said(0, 50_000, "down");
    known.evidence.changes.iter_mut().for_each(|c| c.is_new = false);
    assert!(known.count().false_downs.is_empty(), "told of with the fault before");
}

#[test]
fn unknown_is_right_when_no_region_reported_for_as_long_as_p5_says() {
    let silent = |last: i64| {
        let mut history = (4..9).fold(flawless(), |history, n| history.without_check(n));
        history.evidence.changes.push(change(0, slot(3) + last, "unknown"));
        history.evidence.changes.push(change(0, slot(10) + 30, "up"));
        history.with_outage(Outage { harm: Harm::RegionSilent(0), ..outage(36_000, 96_000, Harm::Nothing) })
    };
    silent(41_500).passes();
    silent(30_000).fails("I6");
}

#[test]
fn an_outage_is_seen_once_and_ends() {
    let told = |changes: &[(i64, &str)]| {
        let mut history = flawless();
        history.evidence.changes = changes.iter().map(|(at, to)| change(1, AT + at, to)).collect();
        history
    };
    told(&[]).fails("was not seen");
    told(&[(27_000, "down"), (40_000, "up"), (50_000, "down"), (78_000, "up")]).fails("was 2 incidents");
    told(&[(27_000, "down")]).fails("was not seen to end");
    // A standstill in the middle leaves 18 s before and 17 s after it: too little. One of a second leaves enough.
    told(&[]).with_outage(Outage { until: AT + 48_000, ..outage(38_000, 46_000, Harm::Standstill) }).passes();
    let short = Outage { until: AT + 39_000, ..outage(38_000, 39_000, Harm::Standstill) };
    told(&[]).with_outage(short).fails("was not seen");
    told(&[]).with_outage(outage(20_000, 65_000, Harm::Nothing)).fails("was not seen");
    let mut goes_on = told(&[(27_000, "down")]);
    goes_on.script = vec![(AT + 20_000, i64::MAX)];
    goes_on.passes();
}

#[test]
fn where_two_regions_ask_twice_as_many_may_come() {
    let mut history = flawless();
    history.websites[0].region = None;
    history.places.push(Place { website: 0, region: 1, interval_ms: 10_000, phase_ms: 6_000 });
    for n in -7..SLOTS + 2 {
        let slot_at = slot(n) + 4_000;
        history.evidence.rows.push(Row { place: 2, slot_at, started_at: slot_at + 5, ..row(n) });
        history.evidence.requests.push(Request { website: 0, at: slot_at + 6 });
    }
    history.passes();
    let history = history.with_request(slot(4) + 3_000).with_request(slot(4) + 7_000);
    history.passes();
    history.with_request(slot(4) + 8_000).fails("more than twice as often");
}

#[test]
fn clocks_of_two_regions_that_differ_by_more_than_their_slots_make_no_check_early() {
    let mut history = flawless();
    history.websites[0].region = None;
    history.places.push(Place { website: 0, region: 1, interval_ms: 10_000, phase_ms: 2_400 });
    for n in -7..SLOTS + 2 {
        let slot_at = slot(n) + 400;
        history.evidence.rows.push(Row { place: 2, slot_at, started_at: slot_at + 5, ..row(n) });
        history.evidence.requests.push(Request { website: 0, at: slot_at + 6 });
    }
    for row in history.evidence.rows.iter_mut().filter(|row| (slot(4)..slot(5)).contains(&row.slot_at)) {
        match row.place {
            0 => row.started_at += 300,
            2 => row.started_at -= 350,
            _ => {}
        }
    }
    history.passes();
    // One that came too early is still seen.
    let early = history.evidence.requests.iter_mut().find(|r| r.website == 0 && r.at == slot(6) + 12).unwrap();
    early.at = slot(6) - 300;
    let row = history.evidence.rows.iter_mut().find(|row| row.place == 0 && row.slot_at == slot(6)).unwrap();
    row.started_at = slot(6) - 300;
    // Of which of the two it is, nobody can tell.
    let problems = history.problems();
    assert!(problems.iter().any(|problem| problem.contains("T203")), "{problems:?}");
}
