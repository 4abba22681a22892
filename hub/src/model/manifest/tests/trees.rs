use super::super::problem::Problems;
use super::super::write::{Out, to_yaml};
use super::*;

fn tree(text: &str) -> Result<Node, Vec<String>> {
    let mut problems = Problems::default();
    let node = parse(text, &mut problems);
    let told: Vec<String> = problems.sorted().iter().map(ToString::to_string).collect();
    node.filter(|_| told.is_empty()).ok_or(told)
}

#[test]
fn a_tree_knows_its_lines() {
    let node = tree("# first\nname: x\nlist:\n  - one\n  - {a: 1}\n").unwrap();
    assert_eq!((node.line, node.get("name").unwrap().line), (2, 2));
    let Value::List(items) = &node.get("list").unwrap().value else { panic!("a list") };
    assert_eq!((items[0].line, items[1].line, items[1].get("a").unwrap().line), (4, 5, 5));
    assert_eq!(tree("a: ~\nb: \"~\"").unwrap().get("a").unwrap().value, Value::Null);
}

#[test]
fn anchors_and_merges_are_followed_within_bounds() {
    let node = tree("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\n").unwrap();
    let one = node.get("one").unwrap();
    assert_eq!((one.get("x").unwrap().text(), one.get("y").unwrap().text()), (Some("1"), Some("3")));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        bomb += &format!("a{n}: &a{n} [{}]\n", before.trim_end_matches(", "));
    }
    assert_eq!(
        tree(&bomb).unwrap_err(),
        ["line 6: This says too much, or refers to itself too often; split the file."]
    );
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(100));
    assert!(tree(&long).is_err(), "a hundred megabytes");
    let mut deep = String::from("a0: &a0 [x]\n");
    for n in 1..45 {
        deep += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
    }
    assert_eq!(tree(&deep).unwrap_err(), ["line 40: Too many lists and maps inside one another."]);
    assert!(tree("a: &a [*a]").is_err() && tree(&"[".repeat(100)).is_err() && tree("").is_err());
    assert!(tree("a: 1\n---\nb: 2").is_err() && tree("a: [1").is_err() && tree("{a: 1}: 2").is_err());
    assert_eq!(tree("a: 1\nb: 2\na: 3").unwrap_err(), ["line 3: \"a\": This is said twice; keep one of them."]);
}

#[test]
fn what_is_written_is_read_back_as_it_was() {
    for text in [
        "",
        " ",
        "plain",
        "two words",
        "true",
        "No",
        "null",
        "~",
        "12",
        "1e3",
        "0x1f",
        "-",
        "- a",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "'",
        "\"",
        "\\",
        "a\nb",
        "\n",
        "\t",
        "\r\n",
        "é",
        "\u{2028}",
        "\u{feff}x",
        "\u{7f}",
        "\u{85}",
        "{a}",
        "[a]",
        "a, b",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "|",
        ">",
        "?",
        "? a",
        "=",
        "<<",
        "2026-11-28",
        "2026-11-28T02:30",
        "12:30:45",
        "https://a.example/?b=c&d#e",
        "https://a.example:8443/",
        "  two  spaces  ",
        "---",
        "...",
        "200-299, 301",
    ] {
        let out = Out::Map(vec![
            ("field".to_owned(), Out::text(text)),
            ("list".to_owned(), Out::List(vec![Out::text(text), Out::raw(5)])),
            (
                "maps".to_owned(),
                Out::List(vec![Out::Map(vec![(text.to_owned(), Out::text(text)), ("b".to_owned(), Out::raw(true))])]),
            ),
            ("in".to_owned(), Out::Map(vec![("env".to_owned(), Out::text(text))])),
            ("none".to_owned(), Out::Map(Vec::new())),
        ]);
        let yaml = to_yaml(&out);
        let node = tree(&yaml).unwrap_or_else(|problems| panic!("{text:?} {yaml} {problems:?}"));
        let said = |node: Option<&Node>| match &node.unwrap().value {
            Value::Scalar { text, .. } => text.clone(),
            other => panic!("{text:?} {yaml} {other:?}"),
        };
        assert_eq!(said(node.get("field")), text, "{yaml}");
        assert_eq!(said(node.get("in").unwrap().get("env")), text, "{yaml}");
        let Value::List(list) = &node.get("list").unwrap().value else { panic!("{yaml}") };
        assert_eq!((said(list.first()), list.len()), (text.to_owned(), 2), "{yaml}");
        let Value::List(maps) = &node.get("maps").unwrap().value else { panic!("{yaml}") };
        assert_eq!(said(maps[0].get(text)), text, "{yaml}");
        let json = serde_json::json!({"a": text, "b": [text, null, 1.5, {}], "c": {text: {"d": []}}});
        let yaml = to_yaml(&Out::Map(vec![("j".to_owned(), Out::json(&json))]));
        let again = tree(&yaml).unwrap_or_else(|problems| panic!("{text:?} {yaml} {problems:?}"));
        assert_eq!(again.get("j").unwrap().json(), json, "{yaml}");
    }
}
