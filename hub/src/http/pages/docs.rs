//! `/docs`: the API for people, from the same declarations as its description for programs. No script, nothing from elsewhere.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use askama::Template;
use serde_json::Value;

use super::{Frame, Viewer, page};
use crate::http::openapi::{Answer, Operation, ParameterKind, groups};
use crate::http::{App, HttpError, Request, Response, login, openapi, route::Params};

/// The page.
#[derive(Template, Debug)]
#[template(path = "docs.html", whitespace = "minimize")]
pub struct DocsPage {
    frame: Frame,
    groups: &'static [Part],
    types: &'static [Shape],
    troubles: &'static [(u16, &'static str)],
}

/// What belongs together.
#[derive(Debug)]
struct Part {
    name: &'static str,
    about: &'static str,
    operations: Vec<Line>,
}

/// One operation.
#[derive(Debug)]
struct Line {
    id: &'static str,
    method: &'static str,
    path: &'static str,
    title: &'static str,
    about: &'static str,
    parameters: Vec<(&'static str, String, &'static str)>,
    sent: String,
    sent_needs: String,
    status: u16,
    answer: String,
    /// Where its type is described; empty where that is no type of ours.
    answer_type: String,
    is_table: bool,
}

/// A type.
#[derive(Debug)]
struct Shape {
    name: String,
    about: String,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    is: String,
    about: String,
}

static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
    let part = |group: &&'static openapi::Group| Part {
        name: group.name,
        about: group.about,
        operations: group.operations.iter().map(line).collect(),
    };
    groups().iter().map(part).collect()
});

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(&openapi::DOCUMENT).unwrap_or_default();
    let schemas: BTreeMap<String, Value> =
        serde_json::from_value(document["components"]["schemas"].clone()).unwrap_or_default();
    schemas.into_iter().map(|(name, schema)| shape(name, &schema)).collect()
});

fn described(name: &str) -> Value {
    let document: Value = serde_json::from_str(&openapi::DOCUMENT).unwrap_or_default();
    document["paths"]
        .as_object()
        .into_iter()
        .flat_map(|paths| paths.values())
        .flat_map(|path| path.as_object())
        .flat_map(|path| path.values())
        .find(|one| one["operationId"] == name)
        .cloned()
        .unwrap_or_default()
}

fn line(one: &'static Operation) -> Line {
    let described = described(one.id);
    let body = &described["requestBody"]["content"]["application/json"]["schema"];
    let media = match one.answer {
        Answer::Nothing | Answer::Csv | Answer::Text(_) => "",
        Answer::Json(_) | Answer::JsonOrCsv(_) => "application/json",
    };
    let answer = &described["responses"][one.status.to_string()]["content"][media]["schema"];
    let needs = one.body.map(|body| body.required.join(", ")).unwrap_or_default();
    Line {
        id: one.id,
        method: one.method.as_str(),
        path: one.pattern,
        title: one.title(),
        about: one.about.split_once(". ").map_or("", |(_, rest)| rest),
        parameters: one.query.iter().map(|given| (given.name, kind(given.kind), given.about)).collect(),
        sent: is(body.get("allOf").map_or(body, |all| &all[0])),
        sent_needs: needs,
        status: one.status,
        answer_type: type_in(&is(answer)).to_owned(),
        answer: is(answer),
        is_table: matches!(one.answer, Answer::Csv | Answer::JsonOrCsv(_)),
    }
}

/// The type that is named in a few words of [`is`].
fn type_in(words: &str) -> &str {
    words.rsplit(' ').next().filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).unwrap_or_default()
}

fn kind(kind: ParameterKind) -> String {
    match kind {
        ParameterKind::Text => "text".to_owned(),
        ParameterKind::Number { least, most, default } => format!("{least} to {most}, else {default}"),
        ParameterKind::OneOf(words) => words.join(", "),
        ParameterKind::Instant => "2026-11-01T12:00:00Z".to_owned(),
        ParameterKind::Id => "id".to_owned(),
        ParameterKind::Cursor => "cursor".to_owned(),
        ParameterKind::Bool => "true, false".to_owned(),
    }
}

/// A schema in a few words. A name that is a type's begins with a capital letter.
fn is(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    if let Some(word) = schema["const"].as_str() {
        return word.to_owned();
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(is).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", is(&schema["items"])),
        Value::String(one) => schema["format"].as_str().filter(|_| one == "string").unwrap_or(one).to_owned(),
        Value::Array(several) => {
            let mut words: Vec<String> = several.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            if let Some(list) = words.iter_mut().find(|word| *word == "array") {
                *list = format!("list of {}", is(&schema["items"]));
            }
            if let (Some(format), Some(text)) =
                (schema["format"].as_str(), words.iter_mut().find(|word| *word == "string"))
            {
                format.clone_into(text);
            }
            words.join(" or ")
        }
        _ => String::new(),
    }
}

fn shape(name: String, schema: &Value) -> Shape {
    let about = schema["description"].as_str().unwrap_or_default().to_owned();
    let mut fields = Vec::new();
    let of = |schema: &Value, fields: &mut Vec<Field>| {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            fields.push(Field {
                name: name.clone(),
                is: is(field),
                about: field["description"].as_str().unwrap_or_default().to_owned(),
            });
        }
    };
    of(schema, &mut fields);
    for one in ["oneOf", "anyOf"].iter().flat_map(|any| schema[*any].as_array()).flatten() {
        of(one, &mut fields);
    }
    if fields.is_empty() {
        fields.push(Field { name: String::new(), is: is(schema), about: String::new() });
    }
    Shape { name, about, fields }
}

/// What may go wrong everywhere.
const TROUBLES: &[(u16, &str)] = &[
    (400, "The request is malformed: no JSON, a field or a parameter that does not exist, a cursor that is none."),
    (401, "The token is missing, has ended, or is none of ours."),
    (403, "You may not do this, or it did not come from one of our own pages."),
    (404, "There is no such thing, or it is not yours: nobody can tell which."),
    (405, "The path has other methods; Allow says which."),
    (409, "It conflicts with what there is: changed meanwhile, too many, or under way."),
    (412, "It is no longer at the revision that If-Match names."),
    (413, "The body is larger than 64 KiB."),
    (414, "The address is longer than 2 KiB."),
    (415, "Send JSON, with Content-Type: application/json."),
    (422, "Fields cannot be accepted: each is named, with what was found and what would work."),
    (429, "Too many requests: wait as many seconds as Retry-After says."),
    (500, "Our own trouble. Tell the operator the request_id."),
    (503, "Not now: try again in a moment."),
];

/// `GET /docs`.
///
/// # Errors
/// None but of the page itself.
pub fn show(app: &App, request: &Request, _: &Params) -> Result<Response, HttpError> {
    let viewer = login::signed_in(app, request).ok().map(|who| Viewer::of(app, &who));
    let frame = Frame { title: "API".to_owned(), viewer, here: "", narrow: false, kept_in: None };
    page(200, &DocsPage { frame, groups: &PARTS, types: &SHAPES, troubles: TROUBLES })
}
