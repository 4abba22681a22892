//! The short form of the chaos suite, for every test run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use chaos::campaign::{self, Plan};
use chaos::fault::Fault;
use chaos::table;
use chaos::world::{Size, bin};

/// Text of the fail points in a binary that has them.
const MARK: &[u8] = b"The process ends at the fail point";

fn has_fail_points(path: &Path) -> Option<bool> {
    let bytes = std::fs::read(path).ok()?;
    Some(bytes.windows(MARK.len()).any(|window| window == MARK))
}

#[test]
fn what_is_killed_or_taken_away_loses_and_doubles_nothing() {
    for name in ["betteruptime-hub", "betteruptime-probe"] {
        let path = bin().join(name);
        let has =
            has_fail_points(&path).unwrap_or_else(|| panic!("no {}; cargo build --workspace --bins", path.display()));
        assert!(has, "{} has no fail points; run: cargo build --workspace --bins", path.display());
    }
    let plan = Plan {
        size: Size::default(),
        faults: Fault::few(),
        runs: 1,
        time: None,
        quiet: Duration::from_secs(16),
        is_root: false,
        told: false,
    };
    let report = campaign::run(plan);
    println!("{}\n{}", table::lines(&report.lines), table::peaks(&report.peaks));
    assert_eq!(report.problems, Vec::<String>::new(), "\n{}", table::lines(&report.lines));
    assert!(report.total.expected > 700, "too little was measured to tell: {}", report.total.expected);
}

#[test]
fn what_is_shipped_has_no_fail_points() {
    // The features of one build are those of the whole workspace; debug assertions are not. Whatever was built here:
    let target = bin().parent().unwrap().to_owned();
    for profile in ["release", "dist"] {
        for name in ["betteruptime-hub", "betteruptime-probe"] {
            let path = target.join(profile).join(name);
            assert_ne!(has_fail_points(&path), Some(true), "{}", path.display());
        }
    }
    let source = include_str!("../../probe/src/fail_point.rs");
    let on = source.matches(r#"#[cfg(all(feature = "fail-points", debug_assertions))]"#).count();
    assert_eq!(on, source.matches(r#"cfg(all(feature"#).count(), "a guard without debug_assertions");
}
