use super::*;
use probe::wire::Content;

use crate::model::json_text;

fn parsed(input: &OptionsInput) -> (Options, FieldErrors) {
    let mut errors = FieldErrors::default();
    let options = input.parse(Kept::Nothing, &mut errors);
    (options, errors)
}

fn row(kind: &str, place: &str, value: &str) -> ContentInput {
    ContentInput { kind: kind.into(), place: place.into(), value: value.into() }
}

#[test]
fn nothing_typed_is_the_standard_and_the_standard_reads_back_as_itself() {
    let (options, errors) = parsed(&OptionsInput::default());
    assert!(errors.is_empty() && options.is_standard());
    let shown = OptionsInput::of(&options);
    assert_eq!((shown.method.as_str(), shown.accept.as_str(), shown.max_redirects.as_str()), ("GET", "200-299", "5"));
    assert_eq!(parsed(&shown), (options, FieldErrors::default()));
}

#[test]
fn all_options_survive_being_shown_and_typed() {
    let input = OptionsInput {
        method: "POST".into(),
        headers: SecretText::new("Accept: application/json\r\n\r\nX-Tenant:  a: b  "),
        body: SecretText::new("{\r\n}"),
        user_agent: " watch/1 ".into(),
        max_redirects: "0".into(),
        ip_family: "v6".into(),
        insecure_tls: true,
        accept: "200-299, 301".into(),
        content: vec![
            row("contains", "", " ok "),
            row("lacks", "", "error"),
            row("matches", "", "v[0-9]+"),
            row("json_equals", "/status", "ok"),
            row("json_equals", "/n", "3"),
            row("json_equals", "/text", "\"3\""),
            row("header_equals", "Content-Type", "text/html"),
        ],
        slow_ms: "2000".into(),
        certificate_days: "0".into(),
        require_https: true,
        ..OptionsInput::default()
    };
    let (options, errors) = parsed(&input);
    assert_eq!(errors, FieldErrors::default());
    let headers: Vec<_> = options.request.headers.iter().map(|h| format!("{}={}", h.name, h.value.expose())).collect();
    assert_eq!(headers, ["Accept=application/json", "X-Tenant=a: b"]);
    assert_eq!(options.request.body.as_ref().map(SecretText::expose), Some("{\n}"));
    assert_eq!(options.expect.content[0], Content::Contains(" ok ".into()));
    let mut errors = FieldErrors::default();
    assert_eq!(OptionsInput::of(&options).parse(Kept::Of(&options), &mut errors), options);
    assert!(errors.is_empty(), "{errors}");
}

#[test]
fn a_json_value_is_json_or_a_word() {
    for (typed, shown) in [("ok", "ok"), ("\"ok\"", "ok"), ("true", "true"), ("\"true\"", "\"true\""), ("\"\"", "\"\"")]
    {
        let (options, errors) =
            parsed(&OptionsInput { content: vec![row("json_equals", "/a", typed)], ..OptionsInput::default() });
        assert_eq!(errors, FieldErrors::default(), "{typed}");
        let Content::JsonEquals { value, .. } = &options.expect.content[0] else { panic!("{options:?}") };
        assert_eq!(json_text(value), shown, "{typed}");
    }
    for bad in ["{\"a\":", "[1,", "\"open", ""] {
        let content = vec![row("json_equals", "/a", bad)];
        let (_, errors) = parsed(&OptionsInput { content, ..OptionsInput::default() });
        assert!(errors.of("content_1").is_some(), "{bad}");
    }
}

#[test]
fn rows_are_judged_where_they_stand() {
    let content = vec![row("", "", ""), row("contains", "/x", ""), row("dance", "", "x"), row("lacks", "", "no")];
    let (options, errors) = parsed(&OptionsInput { content, ..OptionsInput::default() });
    assert_eq!(options.expect.content, [Content::Lacks("no".into())]);
    assert_eq!(errors.0.iter().map(|e| e.field).collect::<Vec<_>>(), ["content_2", "content_3"]);
    let content = vec![row("contains", "", "x"); 12];
    let (options, errors) = parsed(&OptionsInput { content, ..OptionsInput::default() });
    assert_eq!((options.expect.content.len(), errors.0.len()), (10, 1));
}

#[test]
fn a_line_that_is_no_header_field_is_named_by_its_number_alone() {
    let headers = SecretText::new("Accept: */*\nhunter2");
    let (_, errors) = parsed(&OptionsInput { headers, ..OptionsInput::default() });
    assert!(errors.to_string().contains("line 2") && !errors.to_string().contains("hunter2"), "{errors}");
}

#[test]
fn hidden_fields_of_one_name_keep_their_own_values() {
    let headers = SecretText::new("X-Key: one\nAccept: */*\nx-key: two\nX-Key: three");
    let (stored, _) = parsed(&OptionsInput { headers, ..OptionsInput::default() });
    let shown = OptionsInput::of(&stored).headers;
    let hidden = "X-Key: (set, hidden: 1)\nAccept: */*\nx-key: (set, hidden: 2)\nX-Key: (set, hidden: 3)";
    assert_eq!(shown.expose(), hidden);
    for (typed, kept) in [
        (hidden, &["one", "*/*", "two", "three"][..]),
        ("X-Key: (set, hidden: 3)\nX-Key: (set, hidden: 2)", &["three", "two"]),
        ("X-Key: (set, hidden: 2)", &["two"]),
        ("X-Key: new\nX-Key: (set, hidden: 3)", &["new", "three"]),
    ] {
        let input = OptionsInput { headers: SecretText::new(typed), ..OptionsInput::default() };
        let mut errors = FieldErrors::default();
        let options = input.parse(Kept::Of(&stored), &mut errors);
        assert_eq!(options.request.headers.iter().map(|h| h.value.expose()).collect::<Vec<_>>(), kept, "{typed}");
        assert!(errors.is_empty(), "{errors}");
    }
    for gone in ["X-Key: (set, hidden: 4)", "X-Other: (set, hidden)", "X-Key: "] {
        let input = OptionsInput { headers: SecretText::new(gone), ..OptionsInput::default() };
        let mut errors = FieldErrors::default();
        let options = input.parse(Kept::Of(&stored), &mut errors);
        assert!(options.request.headers.is_empty() && errors.of("headers").is_some(), "{gone}");
    }
}

#[test]
fn i11_a_refused_form_gives_back_no_value_of_a_header_field_that_may_be_secret() {
    let headers = SecretText::new("Accept: */*\nhunter2\nX-Tenant: hunter2\n X-Key : (set, hidden: 2)\nhunter2");
    let (shown, retype) = OptionsInput { headers, ..OptionsInput::default() }.without_secrets();
    assert_eq!(shown.headers.expose(), "Accept: */*\n\nX-Tenant:\n X-Key : (set, hidden: 2)\n");
    assert!(retype.headers);
}

#[test]
fn a_password_is_given_or_kept() {
    let input = |password: &str| OptionsInput {
        sign_in: "basic".into(),
        username: "ann".into(),
        password: SecretText::new(password),
        ..OptionsInput::default()
    };
    let (stored, errors) = parsed(&input("hunter2"));
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(parsed(&input("")).1.of("credentials"), Some("Give the password."));
    let mut errors = FieldErrors::default();
    assert_eq!(input("").parse(Kept::Of(&stored), &mut errors), stored);
    assert!(errors.is_empty(), "{errors}");
    let _ = input("").parse(Kept::Of(&Options::default()), &mut errors);
    assert_eq!(errors.of("credentials"), Some("Give the password."));
}

#[test]
fn of_a_thousand_wrong_lines_twenty_are_named() {
    let headers = SecretText::new("x\n".repeat(1_000));
    let (_, errors) = parsed(&OptionsInput { headers, method: "DANCE".into(), ..OptionsInput::default() });
    assert_eq!((errors.all("headers").count(), errors.all("method").count()), (20, 1));
}
