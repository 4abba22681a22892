//! Whatever is written can be read: of each colour that text has in a style sheet, and of all it may stand on, WCAG 2.2's
//! contrast is counted in both themes.

use std::collections::{BTreeMap, BTreeSet};

const TOKENS: &str = include_str!("../../../static/tokens.css");
const SHEETS: [&str; 7] = [
    include_str!("../../../static/style.css"),
    include_str!("../../../static/parts.css"),
    include_str!("../../../static/alert.css"),
    include_str!("../../../static/desk.css"),
    include_str!("../../../static/form.css"),
    include_str!("../../../static/look.css"),
    include_str!("../../../static/report.css"),
];
/// What text of any colour may stand on.
const GROUNDS: [&str; 2] = ["--paper", "--card"];

type Theme = BTreeMap<String, String>;

/// Declarations of each block of the sheet, with what the block is for.
fn blocks(sheet: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut plain = String::new();
    let mut rest = sheet;
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let mut found = Vec::new();
    for block in plain.split('}') {
        let Some((head, body)) = block.rsplit_once('{') else { continue };
        let declarations = body.split(';').filter_map(|one| one.split_once(':'));
        let declarations = declarations.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        found.push((head.split_whitespace().collect::<Vec<_>>().join(" "), declarations.collect()));
    }
    found
}

fn tokens() -> [(&'static str, Theme); 3] {
    let mut themes = [("light", Theme::new()), ("dark", Theme::new()), ("print", Theme::new())];
    for (head, declarations) in blocks(TOKENS) {
        let n = if head.contains("dark") { 1 } else { usize::from(head.contains("print")) * 2 };
        themes[n]
            .1
            .extend(declarations.into_iter().filter(|(name, value)| name.starts_with("--") && value.starts_with('#')));
    }
    themes
}

/// The token that a value is; a value that is a colour of its own has none and is told.
fn token(value: &str) -> Option<&str> {
    value.strip_prefix("var(")?.split(')').next()
}

fn luminance(hex: &str) -> f64 {
    let digits: Vec<u32> = hex.trim_start_matches('#').chars().map(|c| c.to_digit(16).expect("hex")).collect();
    let channels: Vec<u32> = match digits.len() {
        3 => digits.iter().map(|digit| digit * 17).collect(),
        6 => digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect(),
        _ => panic!("{hex} is no colour of three"),
    };
    let linear = |channel: u32| {
        let part = f64::from(channel) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(channels[0]) + 0.7152 * linear(channels[1]) + 0.0722 * linear(channels[2])
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// Pairs of a colour and a ground that text of the sheets may have: those of one rule together; else on all grounds, and on the
/// washes, which stand behind whole boxes.
fn pairs(washes: &[String]) -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for (head, declarations) in SHEETS.iter().flat_map(|sheet| blocks(sheet)) {
        let value = |of: &str| declarations.iter().find(|(name, _)| name == of).map(|(_, value)| value.as_str());
        let ground = value("background").or_else(|| value("background-color"));
        let Some(colour) = value("color") else { continue };
        if matches!(colour, "inherit" | "transparent") {
            continue;
        }
        let colour = token(colour).unwrap_or_else(|| panic!("{head}: {colour} is no token"));
        match ground.and_then(token) {
            Some(ground) => _ = pairs.insert((colour.to_owned(), ground.to_owned())),
            None => {
                let all = GROUNDS.iter().map(|ground| (*ground).to_owned()).chain(washes.iter().cloned());
                pairs.extend(all.map(|ground| (colour.to_owned(), ground)));
            }
        }
    }
    // What a page is written in.
    for ground in GROUNDS.iter().map(|ground| (*ground).to_owned()).chain(washes.iter().cloned()) {
        pairs.insert(("--ink".to_owned(), ground));
    }
    pairs
}

#[test]
fn all_text_can_be_read_in_both_themes() {
    let themes = tokens();
    assert_eq!(
        themes[0].1.keys().collect::<Vec<_>>(),
        themes[1].1.keys().collect::<Vec<_>>(),
        "each colour has a value in both themes"
    );
    let washes: Vec<String> = themes[0].1.keys().filter(|name| name.ends_with("-wash")).cloned().collect();
    let pairs = pairs(&washes);
    assert!(pairs.len() > 40, "{pairs:?}");
    let mut bad = Vec::new();
    for (name, theme) in &themes {
        let of = |token: &str| theme.get(token).unwrap_or_else(|| panic!("{token} is not in {name}"));
        for (colour, ground) in &pairs {
            let found = contrast(of(colour), of(ground));
            if found < 4.5 {
                bad.push(format!("{name}: {colour} on {ground} is {found:.2}"));
            }
        }
        if *name == "print" {
            continue;
        }
        // What is told by shapes alone: borders of fields, phases, bars.
        let shapes = ["--field", "--dns", "--connect", "--tls", "--send", "--wait", "--receive", "--half", "--link"];
        let bars = ["--bar-degraded", "--bar-down", "--bar-up"];
        for shape in shapes.iter().chain(&bars) {
            let found = contrast(of(shape), of("--card"));
            if found < 3.0 {
                bad.push(format!("{name}: the shape {shape} on --card is {found:.2}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn no_sheet_has_a_colour_of_its_own() {
    for (head, declarations) in SHEETS.iter().flat_map(|sheet| blocks(sheet)) {
        for (name, value) in declarations {
            let is_own = value.split([' ', ',', '(']).any(|word| word.starts_with('#'));
            assert!(!is_own, "{head} {{ {name}: {value} }}: give it a token");
        }
    }
}

#[test]
fn contrast_is_that_of_the_standard() {
    assert!((contrast("#000", "#fff") - 21.0).abs() < 0.01 && (contrast("#777", "#fff") - 4.48).abs() < 0.01);
}
