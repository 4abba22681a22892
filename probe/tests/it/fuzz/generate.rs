//! Orders and reports of every shape.

use std::net::IpAddr;

use probe::wire::{
    Blame, Certificate, Check, Class, Content, Credentials, DeadLetter, DeadReason, Delays, Expectations, Failure,
    Heartbeat, Hop, IpFamily, Method, Note, Outcome, Phase, Phases, Report, RequestOptions, SecretText, StatusRule,
    Target, Tick,
};

use super::Random;
use crate::checks::check;
use crate::request::field;

fn some<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    (!random.one_in(3)).then(|| make(random))
}

fn text(random: &mut Random) -> String {
    const PARTS: [&str; 8] = ["a", "\"", "\\", "\u{0}", "\u{e4}", "\u{1f600}", "/", "\r\n"];
    (0..random.below(12)).map(|_| *random.pick(&PARTS)).collect()
}

fn secret(random: &mut Random) -> SecretText {
    SecretText::new(text(random))
}

pub(super) fn small(random: &mut Random) -> u32 {
    u32::try_from(random.next() >> 32).unwrap()
}

fn content(random: &mut Random) -> Content {
    match random.below(5) {
        0 => Content::Contains(text(random)),
        1 => Content::Lacks(text(random)),
        2 => Content::Matches(text(random)),
        3 => Content::HeaderEquals { name: text(random), value: text(random) },
        _ => {
            Content::JsonEquals { pointer: text(random), value: serde_json::json!([small(random), null, text(random)]) }
        }
    }
}

pub(super) fn any_check(random: &mut Random) -> Check {
    let request = RequestOptions {
        method: *random.pick(Method::ALL),
        headers: (0..random.below(3)).map(|_| field(&text(random), &text(random))).collect(),
        body: some(random, secret),
        credentials: some(random, |random| {
            if random.one_in(2) {
                Credentials::Bearer { token: secret(random) }
            } else {
                Credentials::Basic { username: text(random), password: secret(random) }
            }
        }),
        user_agent: some(random, text),
        max_redirects: random.next().to_le_bytes()[0],
        ip_family: *random.pick(IpFamily::ALL),
        insecure_tls: random.one_in(2),
    };
    let expect = Expectations {
        accept: StatusRule((0..random.below(3)).map(|_| (200, 299)).collect()),
        content: (0..random.below(3)).map(|_| content(random)).collect(),
        slow_ms: some(random, small),
        certificate_days: some(random, |random| u16::try_from(random.below(400)).unwrap()),
        require_https: random.one_in(2),
    };
    let target = Target { url: text(random), timeout_ms: small(random), request, expect };
    Check { slot_at: i64::from(small(random)), ..check(target) }
}

fn any_phases(random: &mut Random) -> Phases {
    Phases {
        dns_us: some(random, small),
        tls_us: some(random, small),
        wait_us: some(random, small),
        ..Phases::default()
    }
}

pub(super) fn any_tick(random: &mut Random) -> Tick {
    let mut tick = Tick::blank(&any_check(random), 7);
    tick.outcome = *random.pick(Outcome::ALL);
    tick.failure = some(random, |random| Failure {
        class: *random.pick(Class::ALL),
        phase: *random.pick(Phase::ALL),
        blame: *random.pick(Blame::ALL),
        detail: text(random),
    });
    tick.phases = any_phases(random);
    tick.total_us = small(random);
    tick.status = some(random, |random| u16::try_from(random.below(1000)).unwrap());
    tick.remote = some(random, |random| (IpAddr::from(small(random).to_be_bytes()), 443).into());
    tick.hops =
        (0..random.below(3)).map(|_| Hop { url: text(random), status: None, phases: any_phases(random) }).collect();
    tick.certificate = some(random, |random| Certificate {
        not_after_at: i64::from(small(random)),
        names: vec![text(random); random.below(3)],
        chain: vec![text(random); random.below(3)],
        tls_version: some(random, text),
        ..Certificate::default()
    });
    tick.notes = (0..random.below(3)).map(|_| *random.pick(Note::ALL)).collect();
    tick.delays = Delays { queue_ms: some(random, small), report_us: some(random, small), ..Delays::default() };
    tick
}

pub(super) fn any_report(random: &mut Random) -> Report {
    match random.below(3) {
        0 => Report::Tick(Box::new(any_tick(random))),
        1 => Report::Heartbeat(Heartbeat {
            version: text(random),
            checks: random.next(),
            clock_offset_ms: some(random, |random| -i64::from(small(random))),
            ..Heartbeat::default()
        }),
        _ => Report::DeadLetter(DeadLetter {
            entry_id: text(random),
            reason: *random.pick(DeadReason::ALL),
            detail: text(random),
            website_id: None,
            raw: text(random),
        }),
    }
}
