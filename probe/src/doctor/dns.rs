//! The name servers of this machine, each asked for the root.

use std::net::SocketAddr;
use std::time::Duration;

use super::Finding;
use crate::engine::{RootAnswer, ServerAnswer, survey_name_servers};

const AREA: &str = "dns";
const BUDGET: Duration = Duration::from_secs(4);
const SLOW: Duration = Duration::from_millis(500);
const REMEDY: &str = "correct the nameserver lines of /etc/resolv.conf, or let UDP and TCP port 53 through to it";

pub(super) fn servers() -> Vec<Finding> {
    judge(&survey_name_servers(BUDGET), |path| std::fs::exists(path).unwrap_or(false))
}

/// One that is silent costs time while another answers; with none nothing is found.
fn judge(answers: &[ServerAnswer], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let any = answers.iter().any(|answer| !matches!(answer.root, RootAnswer::Lost(_)));
    let mut findings: Vec<Finding> = answers.iter().map(|answer| one(answer, any)).collect();
    if !any && !exists("/etc/resolv.conf") {
        findings.push(Finding::fail(AREA, "There is no /etc/resolv.conf.", "write one, or install a resolver"));
    }
    findings
}

fn one(answer: &ServerAnswer, any: bool) -> Finding {
    let server = shown(answer.address);
    match &answer.root {
        RootAnswer::Known(took) if *took > SLOW => {
            let found = format!("{server} answers for the root, but takes {} ms.", took.as_millis());
            let remedy = "every check of a name waits for it; use one nearer by, or a cache on this machine";
            Finding::warn(AREA, found, remedy)
        }
        RootAnswer::Known(took) => {
            Finding::ok(AREA, format!("{server} answers for the root in {} ms.", took.as_millis()))
        }
        RootAnswer::NotTold(took) => {
            let found = format!("{server} answers in {} ms, but not for the root.", took.as_millis());
            let remedy =
                "use a full resolver: look-ups that fail at this one count as trouble of the probe, never as down";
            Finding::warn(AREA, found, remedy)
        }
        RootAnswer::Lost(why) if any => Finding::warn(AREA, format!("{server}: {why}."), REMEDY),
        RootAnswer::Lost(why) => Finding::fail(AREA, format!("{server}: {why}."), REMEDY),
    }
}

fn shown(address: SocketAddr) -> String {
    if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn one_answer_is_enough_and_none_is_a_failure() {
        let answer = |root| ServerAnswer { address: "192.0.2.1:53".parse().unwrap(), root };
        let good = || answer(RootAnswer::Known(Duration::from_millis(12)));
        let bad = || answer(RootAnswer::Lost("no answer within 4 s".to_owned()));
        let states = |answers: &[ServerAnswer]| judge(answers, |_| true).iter().map(|f| f.state).collect::<Vec<_>>();
        assert_eq!(states(&[good(), bad()]), [State::Ok, State::Warn]);
        assert_eq!(states(&[bad(), bad()]), [State::Fail, State::Fail]);
        assert_eq!(states(&[answer(RootAnswer::Known(Duration::from_secs(1)))]), [State::Warn]);
        assert_eq!(states(&[answer(RootAnswer::NotTold(Duration::ZERO)), bad()]), [State::Warn, State::Warn]);
        assert_eq!(judge(&[good()], |_| true)[0].found, "192.0.2.1 answers for the root in 12 ms.");
        assert_eq!(judge(&[bad()], |_| false).len(), 2);
    }
}
