use super::*;
use crate::model::ContentInput;
use probe::wire::{Credentials, SecretText};

fn parse(url: &str, options: &OptionsInput) -> Result<WebsiteSettings, FieldErrors> {
    parse_after(url, options, None)
}

fn parse_after(
    url: &str,
    options: &OptionsInput,
    before: Option<&WebsiteSettings>,
) -> Result<WebsiteSettings, FieldErrors> {
    let input = SettingsInput { url, options: Some(options), ..SettingsInput::default() };
    input.parse(&TargetRules::default(), before)
}

fn fields(result: Result<WebsiteSettings, FieldErrors>) -> Vec<&'static str> {
    result.unwrap_err().0.iter().map(|e| e.field).collect()
}

#[test]
fn t114_numbers_and_regions_are_checked_together() {
    let input = |url, interval_s, timeout_s, regions: &[&str]| {
        let input = SettingsInput { url, interval_s, timeout_s, regions, options: None };
        input.parse(&TargetRules::default(), None)
    };
    for bad in ["0", "-1", "9", "1e9", "59.9", "86401", "abc"] {
        assert!(input("http://a.example", bad, "", &[]).is_err(), "{bad}");
    }
    assert_eq!(fields(input("a", "5", "99", &["not a region"])), ["url", "interval_s", "timeout_s", "regions"]);
    let fine = input("http://a.example", "10", "", &["B", "A", "A"]).unwrap();
    assert_eq!((fine.interval_ms, fine.timeout_ms, fine.regions.len()), (10_000, 10_000, 2));
    assert!(fine.options.is_standard());
}

#[test]
fn everything_wrong_is_said_at_once() {
    let row = |kind: &str, place: &str, value: &str| ContentInput {
        kind: kind.into(),
        place: place.into(),
        value: value.into(),
    };
    let options = OptionsInput {
        method: "GET".into(),
        headers: SecretText::new("Host: a\nX\n"),
        body: SecretText::new("hello"),
        sign_in: "bearer".into(),
        user_agent: "\u{fc}".into(),
        max_redirects: "11".into(),
        ip_family: "v5".into(),
        accept: "299-200".into(),
        content: vec![row("matches", "", "("), row("contains", "", ""), row("json_equals", "a", "1")],
        slow_ms: "10000".into(),
        certificate_days: "366".into(),
        require_https: true,
        ..OptionsInput::default()
    };
    assert_eq!(
        fields(parse("http://a.example", &options)),
        [
            "headers",
            "credentials",
            "ip_family",
            "content_1",
            "content_3",
            "headers",
            "body",
            "user_agent",
            "max_redirects",
            "accept",
            "certificate_days",
            "require_https",
            "slow_ms"
        ]
    );
}

#[test]
fn a_check_that_would_not_fit_the_queue_is_refused_when_it_is_saved() {
    let options = |bytes: usize| OptionsInput {
        method: "POST".into(),
        body: SecretText::new("x".repeat(bytes)),
        ..OptionsInput::default()
    };
    parse("https://a.example", &options(7_500)).unwrap();
    let errors = parse("https://a.example", &options(8_192)).unwrap_err();
    assert!(errors.of("body").is_some_and(|remedy| remedy.contains("8192 may be sent")), "{errors}");
    // It counts as it is written: two bytes for a quote. The largest part is named.
    let quotes = OptionsInput { body: SecretText::new("\"".repeat(4_100)), ..options(0) };
    assert_eq!(fields(parse("https://a.example", &quotes)), ["body"]);
    let lines: Vec<_> = (0..6).map(|n| format!("X-{n}: {}", "y".repeat(2_000))).collect();
    let headers = OptionsInput { headers: SecretText::new(lines.join("\n")), ..options(10) };
    assert_eq!(fields(parse("https://a.example", &headers)), ["headers"]);
}

fn signed_in() -> (WebsiteSettings, OptionsInput) {
    let typed = OptionsInput {
        headers: SecretText::new("X-Tenant: t1\nX-Api-Key: one\nCookie: a=b\nX-Api-Key: two"),
        sign_in: "basic".into(),
        username: "ann".into(),
        password: SecretText::new("hunter2"),
        ..OptionsInput::default()
    };
    let saved = parse("https://a.example/", &typed).unwrap();
    let shown = OptionsInput::of(&saved.options);
    (saved, shown)
}

#[test]
fn i11_what_is_secret_is_not_shown_again_and_kept_when_it_comes_back_unchanged() {
    let (saved, shown) = signed_in();
    assert_eq!(
        shown.headers.expose(),
        "X-Tenant: (set, hidden)\nX-Api-Key: (set, hidden: 1)\nCookie: (set, hidden)\nX-Api-Key: (set, hidden: 2)"
    );
    assert_eq!((shown.username.as_str(), shown.password.expose()), ("ann", ""));
    assert_eq!(parse_after("https://a.example/other", &shown, Some(&saved)).unwrap().options, saved.options);
    assert!(!format!("{saved:?}{shown:?}").contains("hunter2"));

    let typed = OptionsInput { password: SecretText::new("hunter3"), ..shown.clone() };
    let changed = parse_after("https://a.example/", &typed, Some(&saved)).unwrap();
    let Some(Credentials::Basic { password, .. }) = &changed.options.request.credentials else { panic!("basic") };
    assert_eq!(password.expose(), "hunter3");
    let none = OptionsInput { sign_in: "none".into(), headers: SecretText::new("X-Tenant: t1"), ..shown };
    let none = parse_after("https://a.example/", &none, Some(&saved)).unwrap();
    assert!(none.options.request.credentials.is_none() && none.options.request.headers.len() == 1);
}

#[test]
fn what_is_stored_for_one_origin_is_not_sent_to_another() {
    let (saved, shown) = signed_in();
    for elsewhere in ["https://b.example/", "http://a.example/", "https://a.example:8443/"] {
        let errors = parse_after(elsewhere, &shown, Some(&saved)).unwrap_err();
        assert!(errors.of("credentials").is_some_and(|e| e.contains("elsewhere")), "{errors}");
        assert!(errors.of("headers").is_some(), "{errors}");
    }
    // Nor is the sign of a hidden value ever taken for one, nor nothing for a password.
    assert_eq!(
        fields(parse("https://a.example/", &shown)),
        ["headers", "headers", "headers", "headers", "credentials"]
    );
}
