//! Every example of docs/API.md, run against a hub.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::sample::Sample;

/// Blocks of `sh`; one that begins with `# not run` is for people.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks.into_iter().filter(|block| !block.starts_with("# not run")).collect()
}

#[test]
fn the_examples_of_the_documentation_work() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let sample = Sample::start(&runtime, directory.path());
    let blocks = blocks(include_str!("../../../../docs/API.md"));
    assert!(blocks.len() >= 15, "{} examples", blocks.len());
    // One shell for all, so that one example may use what another has made; which one fails is told.
    let mut script =
        String::from("set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body \"$@\"; }\n");
    for (n, block) in blocks.iter().enumerate() {
        script.push_str(&format!("echo \"== example {n}\" >&2\n{block}"));
    }
    let mut shell = Command::new("bash")
        .env("HUB", &sample.told.base)
        .env("TOKEN", sample.token())
        .env("NAME", "ann")
        .env("PASSWORD", "correct horse")
        .env("WEBSITE", &sample.website)
        .env("CHANNEL", &sample.channel)
        .env("INCIDENT", &sample.incident)
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let done = shell.wait_with_output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(
        done.status.success(),
        "{wrong}\n{said}\n{}",
        blocks.get(wrong.matches("== example").count().saturating_sub(1)).cloned().unwrap_or_default()
    );
}
