//! Every form works in a browser that runs no script: filled in and sent by Chromium (`bench/forms.py`), or said here who does.

use std::path::PathBuf;
use std::process::Command;

use hub::http::Method;
use hub::http::route::{Kind, ROUTES};

/// Forms that need more than a hub alone, and the test that sends them as a browser without script does.
const ELSEWHERE: [(&str, &str); 13] = [
    ("/incidents/:id/acknowledge", "keyboard::keys_alone_lead_there_without_script_too"),
    ("/incidents/:id/notes", "keyboard::keys_alone_lead_there_without_script_too"),
    ("/acknowledge/:token", "incident_pages::a_channel_is_added_tried_and_told_of_an_incident"),
    ("/alerts/:id/replay", "incident_pages::what_was_given_up_is_sent_again_by_hand"),
    ("/probes/enrol", "enrol::t228_a_worker_joins_works_with_exactly_its_rights_and_is_cut_off_when_revoked"),
    ("/probes/revoke", "enrol::t228_a_worker_joins_works_with_exactly_its_rights_and_is_cut_off_when_revoked"),
    ("/dead-letters/replay", "dead_letters::an_operator_sees_replays_and_discards"),
    ("/dead-letters/discard", "dead_letters::an_operator_sees_replays_and_discards"),
    ("/dead-letters/:id/replay", "dead_letters::an_operator_sees_replays_and_discards"),
    ("/dead-letters/:id/discard", "dead_letters::an_operator_sees_replays_and_discards"),
    ("/s/:slug/subscribe", "status::mail::whoever_asks_confirms_is_told_and_ends_it_by_one_click"),
    ("/subscription/confirm/:token", "status::mail::whoever_asks_confirms_is_told_and_ends_it_by_one_click"),
    ("/subscription/end/:token", "status::mail::whoever_asks_confirms_is_told_and_ends_it_by_one_click"),
];

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(a, b)| a.starts_with(':') || a == b)
}

#[test]
fn every_form_is_filled_in_and_sent_without_script() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sent");
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bench/forms.py");
    let said = Command::new("python3")
        .arg(program)
        .args(["--program", env!("CARGO_BIN_EXE_betteruptime-hub"), "--sent"])
        .arg(&file)
        .output()
        .expect("python3");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(said.status.success(), "{}\n{}", text(&said.stdout), text(&said.stderr));
    let sent = std::fs::read_to_string(&file).unwrap();
    let is_sent = |pattern: &str| sent.lines().any(|path| fits(pattern, path));
    let is_elsewhere = |pattern: &str| ELSEWHERE.iter().any(|(other, _)| *other == pattern);
    let forms = ROUTES.iter().filter(|route| {
        let is_form = match route.kind {
            Kind::Page => true,
            // A job calls that, by no form.
            Kind::Open => !route.pattern.starts_with("/ping/"),
            Kind::Api => false,
        };
        route.method == Method::Post && is_form
    });
    for route in forms {
        let (here, elsewhere) = (is_sent(route.pattern), is_elsewhere(route.pattern));
        assert!(
            here || elsewhere,
            "{}: send it in bench/forms.py, or say in `ELSEWHERE` which test does",
            route.pattern
        );
        assert!(!(here && elsewhere), "{} is sent: it need not stand in `ELSEWHERE`", route.pattern);
    }
}
