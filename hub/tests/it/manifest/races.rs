//! An apply that is killed, and several at once.

use super::{Place, on_both, websites};
use crate::client::token;
use crate::process::Target;

on_both! {
    a_killed_apply_has_done_nothing_and_is_done_again
    applies_at_once_are_one
}

fn many(target: &Target) -> String {
    let mut text = String::from("websites:\n");
    for n in 0..30 {
        text += &format!("- {{key: w{n}, url: \"{}\", interval_s: 3600}}\n", target.url(&format!("/{n}")));
    }
    text
}

fn a_killed_apply_has_done_nothing_and_is_done_again(place: &Place) {
    let target = Target::start();
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    place.write("ours.yaml", &many(&target));
    let killed = place.run(&["apply", "ours.yaml"], &[("FAIL_POINT", "apply.written")], "");
    assert!(killed.code != Some(0) && killed.err.contains("ends at the fail point apply.written"), "{killed:?}");
    assert_eq!(websites(&hub, &ann).len(), 0, "all of it or nothing");
    let applied = place.run(&["apply", "ours.yaml"], &[], "");
    assert!(applied.code == Some(0) && applied.out.contains("To add: 30."), "{applied:?}");
    assert_eq!(websites(&hub, &ann).len(), 30);
    place.exports_the_same();
}

fn applies_at_once_are_one(place: &Place) {
    let target = Target::start();
    let hub = place.hub();
    let ann = token(&hub.url(""), "ann", "correct horse");
    place.write("ours.yaml", &many(&target));
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = place.command(&["apply", "ours.yaml"], &[]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(websites(&hub, &ann).len(), 30, "none twice");
    assert_eq!(place.run(&["plan", "ours.yaml", "--check"], &[], "").code, Some(0));
}
