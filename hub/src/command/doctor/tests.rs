use super::*;

fn some() -> Vec<Finding> {
    vec![
        Finding::fine("state_directory", "/data, mode 0700"),
        Finding::note("clock", "off", "Set it."),
        Finding::wrong("redis", "away", "Start it."),
        Finding::skipped("redis_settings", "needs Redis"),
    ]
}

#[test]
fn lines_are_aligned_and_coloured_only_where_somebody_looks() {
    let text = as_text(&some(), false);
    assert_eq!(
        text,
        "ok     state directory  /data, mode 0700\n\
         note   clock            off\n\
         \u{20}                       Set it.\n\
         wrong  redis            away\n\
         \u{20}                       Start it.\n\
         -      redis settings   needs Redis\n\
         \nWrong: 1. Worth knowing: 1.\n"
    );
    assert!(as_text(&some(), true).contains("\u{1b}[31;1mwrong\u{1b}[0m  redis"));
    assert!(as_text(&some()[..1], false).ends_with("\nAll is well.\n"));
    assert!(as_text(&some()[..2], false).ends_with("\nNothing is wrong. Worth knowing: 1.\n"));
}

#[test]
fn json_has_the_same_fields_for_each() {
    let json = as_json(&some());
    assert_eq!(json["is_fine"], false);
    assert_eq!(
        json["checks"][2],
        serde_json::json!({"check": "redis", "level": "wrong", "said": "away", "remedy": "Start it."})
    );
    assert_eq!(json["checks"][3]["level"], "skipped");
    assert_eq!(json["checks"][0]["remedy"], Value::Null);
}

#[test]
fn no_secret_is_in_what_is_said() {
    let secrets = ["postgres://u:p%40ss@h/d", "p%40ss", "p@ss"].map(str::to_owned).into_iter().collect();
    for said in ["postgres://u:p%40ss@h/d is away", "p@ss was refused", "p%40ss\u{1b}[2J\n"] {
        let shown = without(said, &secrets);
        assert!(!shown.contains("ss@h") && !shown.contains("p@ss") && !shown.contains("p%40"), "{shown}");
        assert!(shown.chars().all(|c| !c.is_control()), "{shown}");
    }
}
