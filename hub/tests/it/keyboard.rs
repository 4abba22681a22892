//! A person with a keyboard and nothing else, from an empty hub to a status page that others read. The journey is `bench/keyboard.py`,
//! which presses keys as a keyboard does, and looks after each Tab whether one sees where one is.

use std::path::PathBuf;
use std::process::Command;

fn journey(script: &str) {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bench/keyboard.py");
    let said = Command::new("python3")
        .arg(program)
        .args(["--said", "--script", script, "--program", env!("CARGO_BIN_EXE_betteruptime-hub")])
        .output()
        .expect("python3");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(said.status.success(), "{}\n{}", text(&said.stdout), text(&said.stderr));
}

#[test]
fn keys_alone_lead_from_signing_up_to_a_status_page_that_says_what_is_down() {
    journey("on");
}

#[test]
fn keys_alone_lead_there_without_script_too() {
    journey("off");
}
