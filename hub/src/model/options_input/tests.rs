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
    assert_eq!(parsed(&OptionsInput::of(&options)), (options, FieldErrors::default()));
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
