use super::*;
use crate::model::{Blame, Phase, Phases};

fn region(name: &str, class: Option<Class>, blame: Blame, streak: u16) -> RegionState {
    let outcome = match (class, blame) {
        (None, _) => Outcome::Up,
        (Some(_), Blame::Target) => Outcome::Down,
        (Some(_), Blame::Probe | Blame::Policy) => Outcome::Unknown,
    };
    RegionState {
        region_id: name.parse().expect("a region"),
        worker_id: "w".parse().expect("a worker"),
        slot_at: 0,
        attempt: 0,
        received_at: 0,
        outcome,
        failure: class.map(|class| Failure { class, phase: Phase::Connect, blame, detail: "<b>hostile</b>".into() }),
        phases: Phases::default(),
        total_us: 1,
        status: None,
        failing_streak: streak,
        failing_since_at: None,
        good_streak: 0,
        certificate_not_after_at: None,
        recent: Vec::new(),
    }
}

fn said(verdict: Outcome, rule: Rule, regions: &[(RegionState, Vote)]) -> String {
    let voters: Vec<_> = regions.iter().map(|(region, vote)| (region, *vote)).collect();
    explain(verdict, rule, &voters)
}

#[test]
fn it_is_told_what_is_wrong_where_who_differs_who_cannot_tell_and_by_what_rule() {
    let down = |name, class| (region(name, Some(class), Blame::Target, 1), Vote::Down);
    let up = |name| (region(name, None, Blame::Target, 0), Vote::Up);
    let lost = |name, class| (region(name, Some(class), Blame::Probe, 0), Vote::Abstains);
    let text = said(
        Outcome::Down,
        Rule::Majority,
        &[
            down("Frankfurt", Class::ConnectRefused),
            lost("Lima", Class::DnsUnavailable),
            lost("Oslo", Class::DnsUnavailable),
            up("Paris"),
            (region("Quito", None, Blame::Target, 0), Vote::Silent),
            down("Tokyo", Class::ConnectRefused),
        ],
    );
    assert_eq!(
        text,
        "The server refused the connection, seen from Frankfurt and Tokyo once (2 of 3 regions that report). \
         Paris gets an answer. Lima and Oslo cannot tell: the probe could not reach a name server. \
         Quito has not reported lately. Recorded as connect_refused in connect. \
         Rule: down when more than half of the reporting regions, and at least two, say so."
    );
    assert_eq!(
        first_sentence(&text),
        "The server refused the connection, seen from Frankfurt and Tokyo once (2 of 3 regions that report)."
    );
    let text = said(
        Outcome::Down,
        Rule::Majority,
        &[down("A", Class::ConnectTimeout), down("B", Class::HttpStatus), down("C", Class::ConnectTimeout)],
    );
    assert_eq!(
        text,
        "It fails for different reasons, seen from 3 of 3 regions that report. \
         No connection in time, seen from A and C once. \
         The status is not one that counts as up, seen from B once. \
         Recorded as connect_timeout in connect and http_status in connect. \
         Rule: down when more than half of the reporting regions, and at least two, say so."
    );
    let text = said(Outcome::Up, Rule::Majority, &[down("A", Class::ConnectTimeout), up("B"), up("C")]);
    assert_eq!(
        text,
        "It answers, seen from 2 of 3 regions that report. No connection in time, seen from A once. \
         B and C get an answer. Recorded as connect_timeout in connect. \
         Rule: down when more than half of the reporting regions, and at least two, say so."
    );
    assert_eq!(
        said(Outcome::Up, Rule::AllGood, &[up("A"), up("B")]),
        "It answers, seen from all 2 regions that report."
    );
    assert_eq!(said(Outcome::Up, Rule::AllGood, &[up("A")]), "It answers, seen from A, the only region that reports.");
    assert_eq!(
        said(Outcome::Unknown, Rule::Silence, &[lost("A", Class::ConnectTimeout)]),
        "No region can tell whether it is up. A cannot tell: the probe had trouble of its own."
    );
    assert_eq!(said(Outcome::Unknown, Rule::Silence, &[]), SILENT);
}

#[test]
fn a_region_that_answers_again_is_said_to_be_on_trial() {
    let trial = RegionState { failing_since_at: Some(0), good_streak: 1, ..region("B", None, Blame::Target, 0) };
    let text = said(
        Outcome::Down,
        Rule::Half,
        &[(region("A", Some(Class::ConnectTimeout), Blame::Target, 7), Vote::Down), (trial.clone(), Vote::Down)],
    );
    assert_eq!(
        text,
        "No connection in time, seen from A three times in a row or more (1 of 2 regions that report). \
         B answers again, and has to do so once more. Recorded as connect_timeout in connect. \
         Rule: down for as long as half of the reporting regions, and at least two, say so."
    );
    let text = said(Outcome::Up, Rule::Lone, &[(trial.clone(), Vote::Down)]);
    assert!(text.starts_with("B answers again, and has to do so once more. Rule: "), "{text}");
    let text = said(Outcome::Down, Rule::Lone, &[(trial, Vote::Down)]);
    assert!(text.starts_with("It fails no longer, and has to be good twice in a row. B answers again"), "{text}");
}

#[test]
fn thirty_regions_with_long_names_and_all_kinds_of_trouble_fit_in_whole_sentences() {
    let classes = [Class::EmptyReply, Class::TlsClientCertRequired, Class::FirstByteTimeout, Class::RedirectBlocked];
    let votes = [Vote::Up, Vote::Degraded, Vote::Down, Vote::Abstains, Vote::Silent];
    let rules = [Rule::Lone, Rule::Majority, Rule::Half, Rule::Degraded];
    for case in 0..2_000_usize {
        let regions: Vec<_> = (0..30)
            .map(|n| {
                let vote = votes[(case / (1 + n % 7) + n * (case % 5)) % 5];
                let class = classes[(case / 3 + n * (case % 4)) % 4];
                let name = format!("{n:02}-{}", "X".repeat(29));
                let (class, blame) = match vote {
                    Vote::Down => (Some(class), Blame::Target),
                    Vote::Abstains => (Some(Class::DnsUnavailable), Blame::Probe),
                    Vote::Up | Vote::Degraded | Vote::Silent => (None, Blame::Target),
                };
                (region(&name, class, blame, 9), vote)
            })
            .collect();
        for verdict in [Outcome::Up, Outcome::Degraded, Outcome::Down, Outcome::Unknown] {
            let rule = rules[case % 4];
            let text = said(verdict, rule, &regions);
            assert!(text.len() <= REASON_BYTES, "{} bytes: {text}", text.len());
            assert!(text.ends_with(rule.words()), "{text}");
            assert!(!text.contains("hostile"), "what a target said is no part of it");
        }
    }
}

#[test]
fn words_of_earlier_versions_are_understood() {
    assert!([PAUSED, EDITED, RESUMED, "paused by its owner"].iter().all(|reason| is_owners_doing(reason)));
    assert!(!is_owners_doing(SILENT) && !is_owners_doing(""));
    assert_eq!(
        first_sentence("2 of 3 regions down; rule: more than half"),
        "2 of 3 regions down; rule: more than half"
    );
}

#[test]
fn people_are_not_shown_the_codes() {
    let tokyo = region("TOKYO", Some(Class::ConnectRefused), Blame::Target, 3);
    let text = said(Outcome::Down, Rule::Lone, &[(tokyo, Vote::Down)]);
    assert!(text.contains(" Recorded as connect_refused in connect. Rule: "), "{text}");
    let plain = without_codes(&text);
    assert!(!plain.contains("Recorded") && plain.contains(". Rule: with a single vantage point"), "{plain}");
    assert_eq!(without_codes("Slow. Recorded as slow."), "Slow.");
    assert_eq!(without_codes(PAUSED), PAUSED);
}
